# The commands `outbox`, `consumer` and `commerce`. Build context: the top of the checkout.
FROM docker.io/library/python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /app/venv
# Dependencies first, with their hashes: this layer changes only with the lock.
COPY deploy/images/requirements.lock ./
RUN /app/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY outbox ./outbox
COPY consumer ./consumer
COPY commerce ./commerce
COPY storefront ./storefront
RUN /app/venv/bin/pip install --no-cache-dir --no-deps .

FROM docker.io/library/python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin app
COPY --from=build /app/venv /app/venv
COPY deploy/images/is_ready.py /app/is_ready.py
COPY deploy/kafka/topics.yaml /app/deploy/kafka/topics.yaml
COPY deploy/connect/outbox-connector.json /app/deploy/connect/outbox-connector.json
ENV PATH=/app/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Both commands look for their files below the working directory.
WORKDIR /app
USER app
