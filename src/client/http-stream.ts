/**
 * One HTTP request whose reply is read as it comes, as fast as its reader takes it: for lists and streams of events,
 * from peers that are not trusted. Nothing is followed, unpacked or retried; silence ends it.
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { requestOver } from './undici.js';
import type { Dispatcher } from './undici.js';

/** What to ask. */
export interface StreamRequest {
  /** For errors: what this is for, and who is asked. Neither holds a secret. */
  readonly what: string;
  readonly peer: string;
  /** Such as `https://example.org`. */
  readonly origin: string;
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** For any time in which nothing comes, in milliseconds. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** A reply whose body is yet to come. */
export interface StreamReply {
  readonly status: number;
  /** The value of a header, in lower case; the first of several. */
  header(name: string): string | undefined;
  /** Its body, once. Breaking off ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Asks, and hands the reply to `read`. When that ends, what is left of the reply is thrown away.
 * @throws ERR_TIMEOUT, ERR_CANCELLED; ERR_CONNECT and ERR_PIN as the connector says; what `read` throws.
 */
export async function openStream<Result>(
  dispatcher: Dispatcher,
  request: StreamRequest,
  clock: Clock,
  read: (reply: StreamReply) => Promise<Result>,
): Promise<Result> {
  const { what, peer, silenceMs, signal } = request;
  const ended = new AbortController();
  const silence = new Silence(clock, silenceMs, () => {
    ended.abort(new TahoeError('ERR_TIMEOUT', { what: `${what} at ${peer}`, timeoutMs: silenceMs }));
  });
  const cancel = (): void => {
    ended.abort(new TahoeError('ERR_CANCELLED', { what: `${what} at ${peer}` }, { cause: signal.reason }));
  };
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    const { origin, path, method = 'GET', headers = {}, body } = request;
    const options = { origin, path, method, headers, signal: ended.signal };
    const reply = await requestOver(dispatcher, body === undefined ? options : { ...options, body });
    silence.noted();
    try {
      return await read({
        status: reply.statusCode,
        header: (name) => firstOf(reply.headers[name]),
        body: noting(reply.body, silence),
      });
    } finally {
      reply.body.on('error', () => undefined).destroy();
    }
  } catch (error) {
    if (ended.signal.aborted) throw ended.signal.reason;
    if (isTahoeError(error)) throw error;
    throw new TahoeError('ERR_CONNECT', { server: peer, reason: reasonOf(error) }, { cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
    silence.end();
  }
}

/**
 * The whole of a body, within a bound.
 * @throws ERR_TOO_LARGE when it is longer.
 */
export async function readWhole(
  body: AsyncIterable<Uint8Array>,
  what: string,
  limitBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > limitBytes) throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes });
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

async function* noting(body: AsyncIterable<Uint8Array>, silence: Silence): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    silence.noted();
    yield piece;
    silence.noted();
  }
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Calls `over` once nothing was noted for so long. */
class Silence {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #over: () => void;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, limitMs: number, over: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#over = over;
    this.noted();
  }

  noted(): void {
    this.#cancel();
    this.#cancel = this.#clock.schedule(this.#limitMs, this.#over);
  }

  end(): void {
    this.#cancel();
  }
}
