/**
 * One HTTP request and its one reply, within bounds.
 *
 * The peer is not trusted: a reply may be endless, dripping, compressed, a redirect or never come. So its size is
 * bounded before its first byte is kept, a deadline that grows with the bytes to move ends the exchange as a whole,
 * another ends silence, and nothing is followed, retried or unpacked. A body is sent from the caller's arrays and a
 * reply gathered into one, with one copy.
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { UnusableReply } from './https-replies.js';
import type { BodyBound, ReplyHeaders } from './https-replies.js';
import { errors } from './undici.js';
import type { Dispatcher } from './undici.js';

/** How much of a body is handed to the socket at once, in bytes: what the silence deadline sees as progress. */
const BODY_SLICE_SIZE = 256 * 1024;
/** How many informational (1xx) heads are let pass before a reply. */
const INFORMATIONAL_MAX = 4;
/** How many bytes a body of unknown size gets at first. */
const BODY_START_SIZE = 1024;
/** undici's errors for replies that break HTTP's rules. */
const brokenReplies: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: 'its head is too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'its head and its body do not agree',
};
const TOO_LONG = 'its body is longer than it may be';

/** A body that is at hand, or one that is made while it is sent, as `StorageServer.streamWrite` says. */
export type ExchangeBody =
  readonly Uint8Array[] | { readonly size: number; readonly chunks: AsyncIterable<Uint8Array> };

/** In bytes. */
export function bodySize(body: ExchangeBody): number {
  return 'chunks' in body ? body.size : body.reduce((size, part) => size + part.length, 0);
}

/** What to ask, and what to take for an answer. */
export interface ExchangeRequest {
  /** What this is for, e.g. `reading share 3 of …`; it appears in errors and holds no secret. */
  readonly what: string;
  readonly shortName: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH';
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Arrays are sent one after the other, not copied; they must not change until the exchange has ended. */
  readonly body: ExchangeBody;
  /** Judges a reply by its head. @throws UnusableReply when it is no answer. */
  readonly boundBody: (status: number, headers: ReplyHeaders) => BodyBound;
  /** For the whole exchange, waiting for a connection included. */
  readonly timeoutMs: number;
  /** For any time in which no byte moves. */
  readonly silenceTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether the connection that `error` ended had carried a reply before. */
  readonly endedUsedConnection: (error: unknown) => boolean;
}

/** A reply whose body was within its bound. */
export interface ExchangeReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * Sends `request` over `dispatcher` and gathers its reply.
 * @throws ERR_TIMEOUT or ERR_CANCELLED when a deadline or the signal ends it; ERR_CONNECTION_CLOSED when the
 * connection ends before or in the middle of a reply; ERR_SERVER_REPLY when the reply is not HTTP, not as large as its bound says, or `boundBody` finds it unusable; and what the dispatcher's connector throws.
 */
export async function exchange(dispatcher: Dispatcher, request: ExchangeRequest, clock: Clock): Promise<ExchangeReply> {
  const running = new Exchange(request, clock);
  return running.run(dispatcher);
}

/** One exchange from its start to its end; `run` may be called once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #clock: Clock;
  readonly #promise: Promise<ExchangeReply>;
  #resolve: (reply: ExchangeReply) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #cancelSilence: () => void = () => undefined;
  #ended: unknown;
  #controller: Dispatcher.DispatchController | undefined;
  #informationalCount = 0;
  #bytesMoved = 0;
  /** Whether the next chunk of the body is being made. */
  #making = false;
  #status = 0;
  #body: BodyCollector | undefined;

  constructor(request: ExchangeRequest, clock: Clock) {
    this.#request = request;
    this.#clock = clock;
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  async run(dispatcher: Dispatcher): Promise<ExchangeReply> {
    const { method, path, headers, body, signal } = this.#request;
    const cancel = (): void => {
      this.#cancel(signal?.reason);
    };
    const cancelDeadline = this.#watch();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      if (signal?.aborted === true) cancel();
      else {
        const size = bodySize(body);
        const length = method === 'GET' ? {} : { 'content-length': String(size) };
        const options = { method, path, headers: { ...headers, ...length } };
        dispatcher.dispatch({ ...options, body: size === 0 ? null : toBody(this.#pieces()) }, this);
      }
      return await this.#promise;
    } finally {
      signal?.removeEventListener('abort', cancel);
      cancelDeadline();
      this.#cancelSilence();
    }
  }

  // ---- what undici calls -----------------------------------------------------------------------------------

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended !== undefined) this.#end(this.#ended);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#bytesMoved += 1;
    if (status < 200) {
      this.#informationalCount += 1;
      if (this.#informationalCount > INFORMATIONAL_MAX) this.#refuse('it sends informational heads without end');
      return;
    }
    this.#status = status;
    try {
      this.#body = this.#collectorFor(status, headers);
    } catch (error) {
      this.#end(error instanceof UnusableReply ? this.#replyError(error.message) : error);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#bytesMoved += chunk.length;
    try {
      if (this.#body?.add(chunk) === false) this.#refuse(TOO_LONG);
    } catch (error) {
      this.#end(error instanceof UnusableReply ? this.#replyError(error.message) : error);
    }
  }

  onResponseEnd(): void {
    const body = this.#body?.finish();
    if (body === undefined) this.#refuse('its body is shorter than its head says');
    else this.#resolve({ status: this.#status, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#reject(this.#ended ?? this.#explain(error));
  }

  // ---- bounds ----------------------------------------------------------------------------------------------

  /** Starts both deadlines. @returns what stops the one of the whole exchange. */
  #watch(): () => void {
    const { timeoutMs, silenceTimeoutMs } = this.#request;
    if (silenceTimeoutMs < timeoutMs) this.#watchSilence();
    return this.#clock.schedule(timeoutMs, () => {
      this.#expire(timeoutMs);
    });
  }

  /** Looks again and again whether a byte has moved since the last look. */
  #watchSilence(): void {
    const { silenceTimeoutMs } = this.#request;
    const bytesMoved = this.#bytesMoved;
    this.#cancelSilence = this.#clock.schedule(silenceTimeoutMs, () => {
      if (this.#bytesMoved === bytesMoved && !this.#making) this.#expire(silenceTimeoutMs);
      else this.#watchSilence();
    });
  }

  #expire(timeoutMs: number): void {
    const { what, shortName } = this.#request;
    this.#end(new TahoeError('ERR_TIMEOUT', { what: `${what} at server ${shortName}`, timeoutMs }));
  }

  #cancel(cause: unknown): void {
    const { what, shortName } = this.#request;
    this.#end(new TahoeError('ERR_CANCELLED', { what: `${what} at server ${shortName}` }, { cause }));
  }

  #refuse(reason: string): void {
    this.#end(this.#replyError(reason));
  }

  /** Ends the exchange now; its connection, if it has one, is destroyed. */
  #end(error: unknown): void {
    this.#ended ??= error;
    this.#reject(this.#ended);
    this.#controller?.abort(new Error('the exchange has ended', { cause: this.#ended }));
  }

  // ---- bodies ----------------------------------------------------------------------------------------------

  /** The body as undici asks for it: a piece is asked for when those before it have been handed to the system. */
  async *#pieces(): AsyncGenerator<Uint8Array> {
    const { body } = this.#request;
    const parts = 'chunks' in body ? this.#ownTime(body.chunks) : body;
    for await (const part of parts) {
      for (let begin = 0; begin < part.length; begin += BODY_SLICE_SIZE) {
        const slice = part.subarray(begin, begin + BODY_SLICE_SIZE);
        this.#bytesMoved += slice.length;
        yield slice;
      }
    }
  }

  /** Notes that time in which the next chunk is being made is not the server's silence. */
  async *#ownTime(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#making = true;
    for await (const chunk of chunks) {
      this.#making = false;
      yield chunk;
      this.#making = true;
    }
    this.#making = false;
  }

  #collectorFor(status: number, headers: ReplyHeaders): BodyCollector {
    const bound = this.#request.boundBody(status, headers);
    if (headers['content-encoding'] !== undefined) throw new UnusableReply('its body is compressed');
    if (Number(headers['content-length'] ?? 0) > bound.sizeMax) throw new UnusableReply(TOO_LONG);
    return new BodyCollector(bound);
  }

  // ---- errors ----------------------------------------------------------------------------------------------

  #explain(error: Error): unknown {
    if (isTahoeError(error)) return error;
    const { what, shortName, endedUsedConnection } = this.#request;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    if (code === 'UND_ERR_INVALID_ARG') return error;
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
      return new TahoeError('ERR_CANCELLED', { what: `${what} at server ${shortName}` }, { cause: error });
    }
    const broken = brokenReplies[code];
    if (broken !== undefined) return this.#replyError(broken, error);
    // Without the error as its cause: that holds what the server sent, which may be what we sent it.
    if (error instanceof errors.HTTPParserError) return this.#replyError('it is not HTTP');
    const replyBegun = this.#status !== 0 || this.#informationalCount > 0;
    const facts = { server: shortName, what, keptAlive: endedUsedConnection(error), replyBegun };
    return new TahoeError('ERR_CONNECTION_CLOSED', facts, { cause: error });
  }

  #replyError(reason: string, cause?: unknown): TahoeError {
    const { what, shortName } = this.#request;
    return new TahoeError('ERR_SERVER_REPLY', { server: shortName, what, reason }, { cause });
  }
}

/** undici takes iterables, as its documentation says; its types name only one of them. */
function toBody(pieces: AsyncIterable<Uint8Array>): NonNullable<Dispatcher.DispatchOptions['body']> {
  return pieces as unknown as NonNullable<Dispatcher.DispatchOptions['body']>;
}

/** Gathers a body into one array, which grows by doubling unless its size is known. */
class BodyCollector {
  readonly #bound: BodyBound;
  #bytes: Uint8Array;
  #size = 0;

  constructor(bound: BodyBound) {
    this.#bound = bound;
    this.#bytes = new Uint8Array(bound.exact ? bound.sizeMax : Math.min(bound.sizeMax, BODY_START_SIZE));
  }

  /** @returns false when the body is longer than its bound. */
  add(chunk: Uint8Array): boolean {
    if (this.#bound.sink !== undefined) {
      this.#bound.sink(chunk);
      return true;
    }
    const size = this.#size + chunk.length;
    if (size > this.#bound.sizeMax) return false;
    if (size > this.#bytes.length) this.#grow(size);
    this.#bytes.set(chunk, this.#size);
    this.#size = size;
    return true;
  }

  /** @returns undefined when the body is shorter than it must be. */
  finish(): Uint8Array | undefined {
    if (this.#bound.exact && this.#size < this.#bound.sizeMax) return undefined;
    return this.#bytes.subarray(0, this.#size);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.min(this.#bound.sizeMax, Math.max(size, 2 * this.#bytes.length)));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
