/**
 * HTTP to a gateway, with node:http alone: a command lives for a moment, and a larger client would take longer to load
 * than most commands take to run. Connections are kept while the command lasts.
 */
import { once } from 'node:events';
import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { TahoeError } from '#core/errors.js';
import { AT_ONCE } from './parallel.js';

/**
 * Twice as many as things that a command does at a time: a copy inside the grid reads a file as fast as it is written, and
 * a read that is not at its end keeps its connection.
 */
const CONNECTIONS_MAX = 2 * AT_ONCE;
/** A connection that was idle for so long, in milliseconds, may have been closed by the gateway. */
const IDLE_MS = 4_000;

/** What is sent. */
export interface GatewayRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncGenerator<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

/** What comes back; the body must be read to its end or destroyed. */
export interface GatewayResponse {
  readonly statusCode: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: IncomingMessage;
}

/** The connections to one gateway. */
export class GatewayConnection {
  readonly #base: URL;
  readonly #connectMs: number;
  #agent: Agent | undefined;

  /** @param connectMs - how long a connection may take to come about. */
  constructor(base: URL, connectMs: number) {
    this.#base = base;
    this.#connectMs = connectMs;
  }

  /**
   * Sends a request and waits for the head of the answer.
   * @param path - after the gateway's address.
   * @throws the system's error, what the body throws, or the signal's reason.
   */
  async send(path: string, { method, headers, body, signal }: GatewayRequest): Promise<GatewayResponse> {
    signal.throwIfAborted();
    const http = await (this.#base.protocol === 'https:' ? import('node:https') : import('node:http'));
    const agentOptions = { keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: IDLE_MS };
    this.#agent ??= new http.Agent(agentOptions);
    const url = new URL(`./${path}`, this.#base);
    const request = http.request(url, { method, headers, agent: this.#agent, signal });
    this.#limitConnecting(request);
    try {
      const response = await answerTo(request, body);
      response.on('error', () => undefined);
      return { statusCode: response.statusCode ?? 0, headers: response.headers, body: response };
    } catch (error) {
      request.destroy();
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Closes all connections; what is under way fails. */
  close(): void {
    this.#agent?.destroy();
  }

  #limitConnecting(request: ClientRequest): void {
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      const what = `the connection to ${this.#base.host}`;
      const overdue = setTimeout(() => {
        request.destroy(new TahoeError('ERR_TIMEOUT', { what, timeoutMs: this.#connectMs }));
      }, this.#connectMs);
      for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(overdue));
    });
  }
}

/** The head of the answer. A gateway may refuse a body before it has all of it. */
async function answerTo(
  request: ClientRequest,
  body: AsyncGenerator<Uint8Array> | undefined,
): Promise<IncomingMessage> {
  // An error after the answer has begun is told by the answer's body.
  request.on('error', () => undefined);
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  if (body === undefined) {
    request.end();
    return (await answered)[0];
  }
  const sent = pipeline(body, request);
  const failed = sent.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => Promise.reject(error as Error),
  );
  answered.catch(() => undefined);
  const [response] = await Promise.race([answered, failed]);
  failed.catch(() => undefined);
  return response;
}
