/**
 * Server-sent events: `event: NAME`, `id: TEXT` where a reader may go on from it, `data: JSON`, an empty line. A comment comes now and then where there is nothing else
 * to say, so that whoever is between keeps the connection.
 * @see HTML Standard, "Server-sent events"
 */
import type { FastifyReply } from 'fastify';
import type { Clock } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { sendBytes } from './body.js';
import { commonHeaders, sentenceOf } from './reply.js';

const HEARTBEAT_MS = 15_000;
const OPENING = ': events follow\n\n';
const HEARTBEAT = ': still here\n\n';

/** One event; its data are on one line. */
export interface ServerEvent {
  readonly event: string;
  /** What a reader that comes again names in `Last-Event-ID`. */
  readonly id?: string;
  readonly data: string;
}

/** Sends events until there are no more, or the client goes. */
export async function sendEvents(
  clock: Clock,
  reply: FastifyReply,
  events: AsyncGenerator<ServerEvent, void, undefined>,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const headers = { ...commonHeaders, 'content-type': 'text/event-stream' };
  await sendBytes(reply, { status: 200, headers }, asBytes(clock, events), signal);
  return reply;
}

async function* asBytes(
  clock: Clock,
  events: AsyncGenerator<ServerEvent, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(OPENING);
  try {
    for (let next = events.next(); ;) {
      const event = await nextOrHeartbeat(clock, next);
      if (event === 'heartbeat') {
        yield Buffer.from(HEARTBEAT);
        continue;
      }
      if (event.done === true) return;
      yield Buffer.from(textOf(event.value));
      next = events.next();
    }
  } catch (error) {
    if (!isTahoeError(error)) throw error;
    yield Buffer.from(`event: failed\ndata: ${JSON.stringify({ reason: sentenceOf(error) })}\n\n`);
  } finally {
    await events.return();
  }
}

function textOf({ event, id, data }: ServerEvent): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}

async function nextOrHeartbeat<Value>(
  clock: Clock,
  next: Promise<IteratorResult<Value, void>>,
): Promise<IteratorResult<Value, void> | 'heartbeat'> {
  let cancel: () => void = () => undefined;
  const heartbeat = new Promise<'heartbeat'>((resolve) => {
    cancel = clock.schedule(HEARTBEAT_MS, () => {
      resolve('heartbeat');
    });
  });
  try {
    return await Promise.race([next, heartbeat]);
  } finally {
    cancel();
  }
}
