/**
 * One TLS port for HTTP/1.1 and HTTP/2: the client chooses by ALPN, and one that says nothing gets HTTP/1.1.
 *
 * HTTP/1.1 goes the way of any server of node:https, with nothing in between but the pace of its handshakes. A connection that chose HTTP/2 is
 * handed to a second server, which listens nowhere and gives its requests back to this one.
 * @see RFC 7301; RFC 9113, section 3.2
 */
import { createServer as createHttp2Server } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import { Server } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#core/environment.js';
import { PacedStarts } from './paced-starts.js';
import { http2Limits, Http2Sessions } from './http2-sessions.js';
import type { SessionTimes } from './http2-sessions.js';

const HTTP2 = 'h2';
const HTTP1 = 'http/1.1';
/** How long a TLS handshake may take, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A handshake takes a millisecond or two of the processor. */
const HANDSHAKE_STARTS = { perTurn: 8, waiting: 1_000 } as const;
/** The status that node:https gives a head beyond its limit. */
const HEAD_TOO_LARGE = 431;

/** What the server is made of: options of node:https, with those that also bound HTTP/2. */
export type TwoVersionOptions = ServerOptions &
  SessionTimes & { readonly maxHeaderSize: number; readonly sort?: ConnectionSorter | undefined };

/** Looks at a new connection, which it owns until it calls `proceed`: from then on it is this server's. */
export type ConnectionSorter = (socket: Socket, proceed: () => void) => void;

/** The server. Its `request` and `checkContinue` events carry requests of both versions. */
export class TwoVersionServer extends Server {
  readonly #sessions: Http2Sessions;

  constructor(options: TwoVersionOptions, clock: Clock, listener: RequestListener) {
    super({ handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ...options, ALPNProtocols: [HTTP2, HTTP1] }, listener);
    this.#sessions = new Http2Sessions(clock, options);
    const http2 = createHttp2Server(http2Limits(options.maxHeaderSize));
    http2.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
    });
    for (const event of ['request', 'checkContinue'] as const) {
      http2.on(event, (request: Http2ServerRequest, response: Http2ServerResponse) => {
        if (headSizeOf(request) <= options.maxHeaderSize) this.emit(event, request, response);
        else response.writeHead(HEAD_TOO_LARGE).end();
      });
    }
    this.#paceHandshakes(options.sort);
    const http1Listeners = this.listeners('secureConnection');
    this.removeAllListeners('secureConnection');
    this.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === HTTP2) http2.emit('connection', socket);
      else for (const serve of http1Listeners) serve.call(this, socket);
    });
  }

  /** What node:tls does with a new connection is done for a few of them in each turn. */
  #paceHandshakes(sort: ConnectionSorter = (_socket, proceed) => proceed()): void {
    const tlsListeners = this.listeners('connection');
    this.removeAllListeners('connection');
    const starts = new PacedStarts<Socket>(HANDSHAKE_STARTS, (socket) => {
      for (const begin of tlsListeners) begin.call(this, socket);
    });
    this.on('connection', (socket: Socket) => {
      // Until then nobody else listens for what becomes of it.
      socket.on('error', () => undefined);
      sort(socket, () => {
        starts.add(socket);
      });
    });
  }

  /** Also ends every HTTP/2 connection as soon as what is open on it has finished. */
  override closeIdleConnections(): void {
    super.closeIdleConnections();
    this.#sessions.closeGently();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#sessions.destroyAll();
  }
}

/** What the limit announced to clients counts, but for 32 bytes a header: node:http2 itself only tells it. */
function headSizeOf({ rawHeaders }: Http2ServerRequest): number {
  return rawHeaders.reduce((size, text) => size + text.length, 0);
}
