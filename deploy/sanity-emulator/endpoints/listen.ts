import { setTimeout as sleep } from 'node:timers/promises';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import type { Access } from '../access.ts';
import { groqParameters, isOn, parameter } from '../body.ts';
import { generateId } from '../doc.ts';
import type { Committed, Emulator } from '../emulator.ts';
import { ApiError } from '../errors.ts';
import { eventsOf } from '../listener.ts';
import type { ListenerOptions, ServerSentEvent } from '../listener.ts';
import { knowsReleases } from '../perspective.ts';
import { filterMatcher } from '../query.ts';

const KEEP_ALIVE_MS = 15_000;
/** docs/content-lake/technical-limits: after half an hour, the client has to reconnect. */
const LIFETIME_MS = 30 * 60_000;
/** A listener that doesn't read is cut before its events fill the memory. */
const MAX_UNREAD_BYTES = 32_000_000;

export function registerListen(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'listen' } };
  app.get('/:version/data/listen/:dataset', options, async (request, reply) => {
    const access = accessOf(emulator, request);
    const stream = new EventStream(emulator, reply);
    try {
      listen(emulator, request, access, stream);
    } catch (error) {
      // A bad query is told inside the stream; the status stays 200.
      if (!(error instanceof ApiError)) throw error;
      stream.send({ event: 'channelError', data: error.body as object });
      stream.end();
    }
  });
}

function listen(
  emulator: Emulator,
  request: FastifyRequest,
  access: Access,
  stream: EventStream,
): void {
  const options = listenerOptions(request, access);
  const name = generateId();
  const tell = (committed: Committed): void => {
    if (committed.dataset !== access.dataset) return;
    for (const event of eventsOf(committed, options)) stream.send(event);
  };
  const missed = missedSince(emulator, request, access);
  const last = emulator.recent(access.dataset).last;
  stream.send({
    event: missed ? 'welcomeback' : resumes(request) ? 'reset' : 'welcome',
    // A point to resume from, also for a listener that has seen no event yet.
    ...(isOn(request.query, 'enableResume') && last ? { id: `${last}#welcome` } : {}),
    data: { listenerName: name },
  });
  for (const committed of missed ?? []) tell(committed);
  stream.onEnd(emulator.watch(tell));
}

function listenerOptions(request: FastifyRequest, access: Access): ListenerOptions {
  const { query } = request;
  const releases = knowsReleases(access.version);
  return {
    matches: filterMatcher(parameter(query, 'query') ?? '*', groqParameters(query)),
    visible: access.visible,
    publishedOnly: releases && !isOn(query, 'includeAllVersions'),
    includeResult: isOn(query, 'includeResult'),
    includePrevious: isOn(query, 'includePreviousRevision'),
    includeMutations: parameter(query, 'includeMutations') !== 'false',
    includeEffects: parameter(query, 'effectFormat') === 'mendoza',
    visibility: parameter(query, 'visibility') ?? 'transaction',
  };
}

function resumes(request: FastifyRequest): boolean {
  return isOn(request.query, 'enableResume') && request.headers['last-event-id'] !== undefined;
}

/** Transactions after the one whose event was seen last, as far as they are still known. */
function missedSince(
  emulator: Emulator,
  request: FastifyRequest,
  { dataset }: Access,
): readonly Committed[] | undefined {
  if (!resumes(request)) return undefined;
  const [transactionId = ''] = String(request.headers['last-event-id']).split('#');
  return emulator.recent(dataset).after(transactionId);
}

/** One server-sent event stream over a reply that fastify has let go of. */
class EventStream {
  readonly #emulator: Emulator;
  readonly #reply: FastifyReply;
  readonly #cleanups: (() => void)[] = [];
  #queue: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(emulator: Emulator, reply: FastifyReply) {
    this.#emulator = emulator;
    this.#reply = reply;
    reply.hijack();
    const headers = reply.getHeaders() as Record<string, string>;
    reply.raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
    });
    reply.raw.write(':\n\n');
    const keepAlive = setInterval(() => this.#write(':\n\n'), KEEP_ALIVE_MS).unref();
    const lifetime = setTimeout(() => this.end(), LIFETIME_MS).unref();
    const cut = emulator.addStream(() => this.end());
    this.#cleanups.push(() => clearInterval(keepAlive), () => clearTimeout(lifetime), cut);
    reply.raw.once('close', () => this.end());
  }

  /** Run this when the stream is over. */
  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  send({ event, id, data }: ServerSentEvent): void {
    const idLine = id === undefined ? '' : `id: ${id}\n`;
    const text = `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
    this.#queue = this.#queue.then(async () => {
      const delayMs = this.#emulator.weather.forecast.streamDelayMs;
      if (delayMs > 0) await sleep(delayMs);
      this.#write(text);
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const cleanup of this.#cleanups) cleanup();
    void this.#queue.then(() => this.#reply.raw.end());
  }

  #write(text: string): void {
    const { raw } = this.#reply;
    if (raw.destroyed || raw.writableEnded) return;
    if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy();
    else raw.write(text);
  }
}
