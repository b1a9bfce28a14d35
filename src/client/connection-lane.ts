/**
 * A few kept-alive connections to one server and the calls that wait for them, both with a limit.
 *
 * undici's pool does the work over a connector of ours. Each connection carries one request at a time (no pipelining),
 * in HTTP/1.1. Deadlines are not undici's but those of each exchange, on the clock that is given.
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { exchange } from './http-exchange.js';
import type { ExchangeReply, ExchangeRequest } from './http-exchange.js';
import type { PinnedConnector } from './pinned-connector.js';
import { Pool } from './undici.js';

/** The largest head of a reply, in bytes. */
const HEAD_SIZE_MAX = 16 * 1024;

/** Where a lane leads and how wide it is. */
export interface ConnectionLaneOptions {
  /** `host:port`, for the Host header; where to connect is the connector's to know. */
  readonly authority: string;
  readonly connector: PinnedConnector;
  readonly clock: Clock;
  /** Connections at a time. */
  readonly connectionCountMax: number;
  /** Calls at a time, running and waiting for a connection together. */
  readonly callCountMax: number;
  /** How long an idle connection is kept, unless the server names a shorter time. */
  readonly idleTimeoutMs: number;
}

/** A bounded pool of connections. The connector is not closed with it. */
export class ConnectionLane {
  readonly #options: ConnectionLaneOptions;
  /** Made for the first call: of thousands of servers that may be announced few are ever asked for anything. */
  #pool: Pool | undefined;
  #callCount = 0;

  constructor(options: ConnectionLaneOptions) {
    this.#options = options;
  }

  /** One request and its reply. @throws ERR_TOO_MANY when too many calls are there already; else as `exchange`. */
  async exchange(request: ExchangeRequest): Promise<ExchangeReply> {
    const { callCountMax, clock } = this.#options;
    if (this.#callCount >= callCountMax) {
      throw new TahoeError('ERR_TOO_MANY', {
        what: `calls waiting for server ${request.shortName}`,
        limit: callCountMax,
      });
    }
    this.#callCount += 1;
    try {
      this.#pool ??= openPool(this.#options);
      return await exchange(this.#pool, request, clock);
    } finally {
      this.#callCount -= 1;
    }
  }

  /** Ends the connections; calls in progress fail with ERR_CANCELLED. */
  async close(): Promise<void> {
    await this.#pool?.destroy();
  }
}

function openPool({ authority, connectionCountMax, connector, idleTimeoutMs }: ConnectionLaneOptions): Pool {
  return new Pool(`https://${authority}`, {
    connect: connector.connect,
    connections: connectionCountMax,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: HEAD_SIZE_MAX,
    keepAliveTimeout: idleTimeoutMs,
    keepAliveMaxTimeout: idleTimeoutMs,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
