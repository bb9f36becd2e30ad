# The local stand-in for Sanity. Build context: deploy/sanity-emulator.
FROM docker.io/library/node:24.19.0-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY . .
RUN mkdir /data && chown node:node /data
USER node
CMD ["node", "--no-warnings", "main.ts"]
