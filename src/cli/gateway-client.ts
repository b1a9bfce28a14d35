/**
 * Talks to a node's gateway, the web API: files that stream, answers that are a line or a listing.
 *
 * Redirects are not followed: what is sent is plaintext and what is asked for holds a capability. No error repeats
 * a capability. Every wait for the gateway has a deadline; a wait for the other end of a pipe has none.
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import { Readable } from 'node:stream';
import type { Clock } from '#core/environment.js';
import { TahoeError, isTahoeError, reasonOf } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import { applicationVersion } from '#node/version.js';
import { GatewayConnection } from './gateway-connection.js';
import type { GatewayResponse } from './gateway-connection.js';
import { Patience } from './patience.js';

/** The waits for a gateway, in milliseconds. */
export interface GatewayLimits {
  /** Until a connection is there. */
  readonly connectMs: number;
  /** Until it has taken a piece of what is sent, or sent the next piece of its answer. */
  readonly idleMs: number;
  /** Until it begins its answer: it may have many servers to ask first. */
  readonly answerMs: number;
  /** What is added to that after an upload, for each byte: it stores a file after it has read all of it. */
  readonly answerMsPerByte: number;
}

/** How long people and their scripts wait for a gateway. */
export const defaultGatewayLimits: GatewayLimits = {
  connectMs: 10_000,
  idleMs: 120_000,
  answerMs: 600_000,
  answerMsPerByte: 1 / 256,
};

/** The longest answer that is kept whole: a capability, a sentence or the welcome page's JSON; in bytes. */
const REPLY_SIZE_MAX = 4 << 20;
/** How much of an error's sentence is repeated, in characters. */
const SENTENCE_LENGTH_MAX = 1000;
const CAPABILITY = /(?:URI|uri)(?::|%3[Aa])[^\s'"<>]+/g;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ENOTFOUND: 'there is no such host',
};

/** A file on its way from the gateway. */
export interface GatewayFile {
  /** As the gateway announces it or the capability names it, in bytes; undefined when neither does. */
  readonly sizeBytes: number | undefined;
  /**
   * The content, once. Stop iterating, or read to the end, to free the connection.
   * @throws ERR_GATEWAY_CUT when it breaks off, ERR_TIMEOUT when it stalls, the reason of the caller's signal.
   */
  readonly bytes: AsyncGenerator<Uint8Array, void>;
}

/** What a gateway answers to an upload. */
export interface StoredFile {
  /** 200, or 201 for a new file. */
  readonly status: number;
  /** A secret. */
  readonly capability: string;
}

/** What a client needs; limits that are left out are the usual ones. */
export interface GatewayClientOptions {
  readonly clock: Clock;
  /** What a private gateway asks for. It is sent with each request, to this gateway alone. */
  readonly token?: string | undefined;
  readonly limits?: Partial<GatewayLimits>;
}

/** One gateway. The caller closes it. */
export class GatewayClient {
  readonly #base: URL;
  readonly #clock: Clock;
  readonly #limits: GatewayLimits;
  readonly #connection: GatewayConnection;
  readonly #token: string | undefined;

  /** @param address - such as `http://127.0.0.1:3456/`; the web API is below it. */
  constructor(address: URL, { clock, limits, token }: GatewayClientOptions) {
    this.#base = new URL(address.href.endsWith('/') ? address.href : `${address.href}/`);
    this.#clock = clock;
    this.#token = token;
    this.#limits = { ...defaultGatewayLimits, ...limits };
    this.#connection = new GatewayConnection(this.#base, this.#limits.connectMs);
  }

  /** Scheme, host and port: what errors call it. */
  get address(): string {
    return `${this.#base.protocol}//${this.#base.host}/`;
  }

  /**
   * Stores a file.
   * @param content - read as fast as the gateway takes it.
   * @param options - `sizeBytes` of the content, where it is known; `address`, where it goes if not to /uri.
   * @throws ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; what `content` throws; the signal's reason.
   */
  async put(
    content: AsyncIterable<Uint8Array>,
    options: {
      readonly sizeBytes?: number | undefined;
      readonly address?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<StoredFile> {
    const { sizeBytes, address = 'uri', signal } = options;
    const patience = this.#patience(signal);
    const headers = sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) };
    const body = this.#upload(content, patience);
    const reply = await this.#request('PUT', address, patience, { headers, body });
    if (reply.statusCode !== 200 && reply.statusCode !== 201) throw await this.#refusal(reply, patience);
    const capability = (await this.#text(reply, patience)).trim();
    if (!/^(URI:|uri:)\S+$/.test(capability)) {
      throw new TahoeError('ERR_GATEWAY_REPLY', { status: reply.statusCode, reason: 'this is not a capability' });
    }
    return { status: reply.statusCode, capability };
  }

  /**
   * Begins to read a file.
   * @param address - after the gateway's: `uri/CAPABILITY`, or with a path.
   * @param options - `sizeBytes`, where a capability names it: what the gateway sends is held against it; `from`, where
   *   to begin, of a file whose size is given.
   * @throws ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; the signal's reason.
   */
  async get(
    address: string,
    options: { readonly sizeBytes?: number | undefined; readonly from?: number; readonly signal?: AbortSignal } = {},
  ): Promise<GatewayFile> {
    const { from = 0, signal } = options;
    const sizeBytes = options.sizeBytes === undefined ? undefined : options.sizeBytes - from;
    const patience = this.#patience(signal);
    const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${String(from)}-` };
    const reply = await this.#request('GET', address, patience, { headers });
    if (reply.statusCode !== (from === 0 ? 200 : 206)) throw await this.#refusal(reply, patience);
    const length = reply.headers['content-length'];
    const announced = typeof length === 'string' && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
    if (announced !== undefined && sizeBytes !== undefined && announced !== sizeBytes) {
      reply.body.destroy();
      const reason = `a file of ${String(announced)} bytes where the capability names one of ${String(sizeBytes)}`;
      throw new TahoeError('ERR_GATEWAY_REPLY', { status: reply.statusCode, reason });
    }
    const expected = announced ?? sizeBytes;
    return { sizeBytes: expected, bytes: this.#download(reply, expected, patience) };
  }

  /**
   * Has a file checked, and repaired where that is asked for.
   * @param address - after the gateway's: `uri/CAPABILITY`, or with a path.
   * @param options - `transferBytes`: how much the gateway has to move for that, which takes time.
   * @returns the gateway's JSON as it came.
   * @throws ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; the signal's reason.
   */
  async check(
    address: string,
    options: {
      readonly verify: boolean;
      readonly repair: boolean;
      readonly addLease: boolean;
      readonly transferBytes: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<string> {
    const patience = this.#patience(options.signal);
    const flags = { verify: options.verify, repair: options.repair, 'add-lease': options.addLease };
    const chosen = Object.entries(flags).filter(([, isChosen]) => isChosen);
    const query = ['t=check', 'output=JSON', ...chosen.map(([name]) => `${name}=true`)].join('&');
    const answerMs = this.#limits.answerMs + options.transferBytes * this.#limits.answerMsPerByte;
    const reply = await this.#request('POST', `${address}?${query}`, patience, { answerMs });
    if (reply.statusCode !== 200) throw await this.#refusal(reply, patience);
    return this.#text(reply, patience);
  }

  /**
   * Asks for something whose answer is short text.
   * @param options - `replySizeMax`: how long it may be, in bytes, if not as long as usual; `accepted`: statuses that
   *   are no refusal, besides 200 and 201; `body`: what is sent along.
   * @throws ERR_GATEWAY_REPLY for every other answer; ERR_GATEWAY, ERR_TIMEOUT; the signal's reason.
   */
  async call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    address: string,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly replySizeMax?: number;
      readonly accepted?: readonly number[];
      readonly body?: string | Uint8Array;
      readonly contentType?: string;
    } = {},
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { body, contentType, accepted = [] } = options;
    const patience = this.#patience(options.signal);
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const length = bytes === undefined ? {} : { 'content-length': String(bytes.length) };
    const headers: Record<string, string> = { ...length, ...(contentType && { 'content-type': contentType }) };
    const sent = bytes === undefined ? {} : { body: this.#upload(Readable.from([bytes]), patience) };
    const reply = await this.#request(method, address, patience, { headers, ...sent });
    const status = reply.statusCode;
    if (![200, 201, ...accepted].includes(status)) throw await this.#refusal(reply, patience);
    return { status, text: await this.#text(reply, patience, options.replySizeMax) };
  }

  /**
   * Asks for something whose answer comes piece by piece, for as long as it takes.
   * @param options - `pieceMs`: how long one may take, in milliseconds; by default as long as any answer. `method`: POST
   *   if nothing else is said.
   * @throws as call does; so does the iteration, and ERR_GATEWAY_CUT when it breaks off.
   */
  async stream(
    address: string,
    options: {
      readonly signal?: AbortSignal;
      readonly pieceMs?: number;
      readonly method?: 'GET' | 'POST';
      readonly headers?: Record<string, string>;
    } = {},
  ): Promise<AsyncGenerator<Uint8Array, void>> {
    const { headers = {}, method = 'POST', pieceMs = this.#limits.answerMs } = options;
    const patience = this.#patience(options.signal);
    const reply = await this.#request(method, address, patience, { answerMs: pieceMs, headers });
    if (reply.statusCode !== 200) throw await this.#refusal(reply, patience);
    return this.#download(reply, undefined, patience, pieceMs);
  }

  /**
   * How many storage servers the gateway is connected to.
   * @throws ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; the signal's reason.
   */
  async connectedServerCount(signal?: AbortSignal): Promise<number> {
    const patience = this.#patience(signal);
    const reply = await this.#request('GET', '?t=json', patience);
    if (reply.statusCode !== 200) throw await this.#refusal(reply, patience);
    return countConnected(await this.#text(reply, patience), reply.statusCode);
  }

  /** @throws ERR_GATEWAY_REPLY when the node is not ready, with its reason; ERR_GATEWAY, ERR_TIMEOUT. */
  async checkReady(): Promise<void> {
    const patience = this.#patience(undefined);
    const reply = await this.#request('GET', 'readyz', patience);
    if (reply.statusCode !== 200) throw await this.#refusal(reply, patience);
    await this.#text(reply, patience);
  }

  /** The text of a page. @throws ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT. */
  async readText(address: string): Promise<string> {
    const patience = this.#patience(undefined);
    const reply = await this.#request('GET', address, patience);
    if (reply.statusCode !== 200) throw await this.#refusal(reply, patience);
    return this.#text(reply, patience);
  }

  /** Closes all connections; what is under way fails. */
  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  #patience(signal: AbortSignal | undefined): Patience {
    return new Patience(this.#clock, `the gateway at ${this.address}`, signal);
  }

  async #request(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    patience: Patience,
    options: { headers?: Record<string, string>; body?: AsyncGenerator<Uint8Array>; answerMs?: number } = {},
  ): Promise<GatewayResponse> {
    const authorization = this.#token === undefined ? {} : { authorization: `tahoe-lafs ${this.#token}` };
    const headers = {
      accept: 'text/plain, application/octet-stream',
      'user-agent': applicationVersion,
      ...authorization,
    };
    const { signal } = patience;
    if (options.body === undefined) patience.begin(options.answerMs ?? this.#limits.answerMs);
    try {
      return await this.#connection.send(path, {
        method,
        headers: { ...headers, ...options.headers },
        body: options.body,
        signal,
      });
    } catch (error) {
      throw this.#unreachable(error);
    } finally {
      patience.end();
    }
  }

  /** The content as it is sent; after its last byte the gateway's time to answer begins. */
  async *#upload(content: AsyncIterable<Uint8Array>, patience: Patience): AsyncGenerator<Uint8Array, void> {
    let sent = 0;
    for await (const piece of patience.send(content, this.#limits.idleMs)) {
      sent += piece.length;
      yield piece;
    }
    patience.begin(this.#limits.answerMs + sent * this.#limits.answerMsPerByte);
  }

  async *#download(
    { body }: GatewayResponse,
    sizeBytes: number | undefined,
    patience: Patience,
    pieceMs = this.#limits.idleMs,
  ): AsyncGenerator<Uint8Array, void> {
    let received = 0;
    const cut = (cause?: unknown): TahoeError =>
      new TahoeError('ERR_GATEWAY_CUT', { address: this.address, received, expected: sizeBytes }, { cause });
    const pieces = patience.receive(body as AsyncIterable<Uint8Array>, pieceMs);
    try {
      for (;;) {
        const next = await pieces.next().catch((error: unknown) => {
          throw isTahoeError(error) ? error : cut(error);
        });
        if (next.done === true) break;
        received += next.value.length;
        yield next.value;
      }
    } finally {
      await pieces.return();
    }
    if (sizeBytes !== undefined && received !== sizeBytes) throw cut();
  }

  async #text({ body, statusCode }: GatewayResponse, patience: Patience, sizeMax = REPLY_SIZE_MAX): Promise<string> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const piece of patience.receive(body as AsyncIterable<Uint8Array>, this.#limits.idleMs)) {
        pieces.push(piece);
        size += piece.length;
        if (size > sizeMax) throw new TahoeError('ERR_GATEWAY_REPLY', { status: statusCode, reason: 'far too much' });
      }
    } catch (error) {
      throw this.#unreachable(error);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  async #refusal(reply: GatewayResponse, patience: Patience): Promise<TahoeError> {
    const status = reply.statusCode;
    if (status >= 300 && status < 400) {
      return new TahoeError('ERR_GATEWAY_REPLY', { status, reason: 'a redirect, which is not followed' });
    }
    return new TahoeError('ERR_GATEWAY_REPLY', { status, reason: sentenceOf(await this.#text(reply, patience)) });
  }

  #unreachable(error: unknown): TahoeError {
    if (isTahoeError(error)) return error;
    const reason = REASONS[systemCode(error) ?? ''] ?? reasonOf(error);
    return new TahoeError('ERR_GATEWAY', { address: this.address, reason }, { cause: error });
  }
}

/** What an error's body says, on one line, without what could steer a terminal and without capabilities. */
export function sentenceOf(body: string): string {
  const line = body
    .slice(0, SENTENCE_LENGTH_MAX)
    .replaceAll(CAPABILITY, 'URI:[hidden]')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return line === '' ? 'it gives no reason' : line;
}

function countConnected(text: string, status: number): number {
  const fail = (): TahoeError =>
    new TahoeError('ERR_GATEWAY_REPLY', { status, reason: 'this is not the JSON of a welcome page' });
  let welcome: unknown;
  try {
    welcome = JSON.parse(text);
  } catch {
    throw fail();
  }
  const servers = typeof welcome === 'object' && welcome !== null && 'servers' in welcome ? welcome.servers : undefined;
  if (!Array.isArray(servers)) throw fail();
  return servers.filter((server: unknown) => {
    const known = server as { readonly connection_status?: unknown } | null;
    return typeof known?.connection_status === 'string' && /^connected/i.test(known.connection_status);
  }).length;
}
