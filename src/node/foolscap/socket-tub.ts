/**
 * The Tub over sockets: one identity, what is registered, and at most one connection to each peer.
 * @see wire/foolscap/tub.ts for what it promises.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { destinationOf } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import { formatBase32 } from '#core/base32.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { Furl, Hint } from '#wire/foolscap/furl.js';
import type { Broker, Registered } from '#wire/foolscap/broker.js';
import { replaces } from '#wire/foolscap/negotiation.js';
import type { ConnectionMark, Hello } from '#wire/foolscap/negotiation.js';
import type { AcceptedEvents, RemoteCallOptions, RemoteObject, RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { tubSecureContext } from './block-socket.js';
import { Connection } from './connection.js';
import type { ConnectionOptions } from './connection.js';
import { connectToItself } from './loopback.js';
import { negotiateClient, negotiateServer } from './negotiator.js';
import type { Negotiated, NegotiatingTub } from './negotiator.js';

/** The bounds of a Tub. */
export interface TubLimits {
  /** From the first byte of an accepted connection to its last block. */
  readonly negotiationTimeoutMs: number;
  /** TCP, TLS and negotiation of a connection that is made. */
  readonly connectTimeoutMs: number;
  /** A call that names no time of its own. */
  readonly callTimeoutMs: number;
  /** Silence after which a peer is asked whether it is there. */
  readonly keepaliveMs: number;
  /** What all messages that are arriving or being answered may hold of memory, in bytes. */
  readonly memoryMax: number;
}

/** The limits unless told otherwise. */
export const defaultTubLimits: TubLimits = {
  negotiationTimeoutMs: 30_000,
  connectTimeoutMs: 15_000,
  callTimeoutMs: 120_000,
  keepaliveMs: 240_000,
  memoryMax: 512 << 20,
};

/** What a Tub is made of. */
export interface TubOptions {
  /** Certificate and key as PEM, and SHA-1 over the certificate (DER), 20 bytes. */
  readonly identity: { readonly pem: string; readonly tubId: Uint8Array };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dialler: Dialler;
  readonly limits?: Partial<TubLimits>;
}

/** How long a peer whose negotiation failed may take to read why, in milliseconds. */
const LINGER_MS = 1_000;
/** Peers of which the last connection's mark is remembered. */
const MARK_COUNT_MAX = 1000;

/** @see Tub */
export class SocketTub implements Tub<Socket>, NegotiatingTub {
  readonly tubId: string;
  readonly incarnation: string;
  readonly secureContext: SecureContext;
  readonly #options: TubOptions;
  readonly #limits: TubLimits;
  /** By SHA-256 of the name: looking one up takes as long for a name that is nearly right. */
  readonly #registered = new Map<string, Registered>();
  readonly #furls = new Map<RemoteObject, string>();
  readonly #connections = new Map<string, Connection>();
  readonly #dialling = new Map<string, Promise<Broker>>();
  readonly #negotiating = new Set<Socket>();
  readonly #ended = new AbortController();
  readonly #marks = new Map<string, ConnectionMark>();
  #loopback: [Broker, () => void] | undefined;
  #sequence = 0;
  #memory = 0;
  #closed = false;

  constructor(options: TubOptions) {
    this.#options = options;
    this.#limits = { ...defaultTubLimits, ...options.limits };
    this.tubId = formatBase32(options.identity.tubId);
    this.incarnation = formatBase32(options.random.bytes(20));
    this.secureContext = tubSecureContext(options.identity.pem);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  register(name: string, object: RemoteObject, furl = ''): () => void {
    const key = keyOf(name);
    this.#registered.set(key, { object, furl });
    this.#furls.set(object, furl);
    return () => {
      this.#registered.delete(key);
      this.#furls.delete(object);
    };
  }

  async connect(furlText: string, options: RemoteCallOptions = {}): Promise<RemoteReference> {
    const furl = parseFurl(furlText);
    const { signal } = options;
    const timeoutMs = options.timeoutMs ?? this.#connectTimeoutMs(furl.hints);
    if (this.#closed) throw connectError(furl, 'the tub is closed');
    const broker = await this.#inTime(this.#brokerOf(furl), { timeoutMs, ...(signal && { signal }) });
    return broker.reference(furl.dangerousName(), { timeoutMs, ...(signal && { signal }) });
  }

  accept(socket: Socket, firstBytes: Uint8Array, events: AcceptedEvents<Socket> = {}): void {
    this.#guard(socket, this.#limits.negotiationTimeoutMs, (signal) =>
      negotiateServer(
        this,
        socket,
        firstBytes,
        (secure) => events.secured?.(secure),
        (negotiated) => {
          signal.throwIfAborted();
          this.#adopt(negotiated, false, () => events.admitted?.(negotiated.socket));
        },
      ),
    ).catch((error: unknown) => {
      this.#options.log.debug('foolscap-negotiation-failed', { reason: reasonOf(error) });
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#ended.abort();
    for (const socket of this.#negotiating) socket.destroy();
    for (const connection of [...this.#connections.values()]) connection.destroy();
    this.#loopback?.[1]();
    return Promise.resolve();
  }

  lastMark(tubId: string): ConnectionMark | undefined {
    return this.#marks.get(tubId);
  }

  decide(peer: Hello): ConnectionMark {
    const existing = this.#connections.get(peer.tubId);
    if (existing !== undefined) {
      const { mark, peerIncarnation } = existing;
      if (mark === undefined || !replaces(peer, { mark, peerIncarnation })) {
        throw new TahoeError('ERR_NEGOTIATION', { reason: 'Duplicate connection' });
      }
    }
    this.#sequence += 1;
    return { incarnation: this.incarnation, sequence: this.#sequence };
  }

  // ---- connections that are made -----------------------------------------------------------------------------

  async #brokerOf(furl: Furl): Promise<Broker> {
    if (furl.tubId === this.tubId) {
      this.#loopback ??= connectToItself(
        this.tubId,
        this.#brokerOptions(() => undefined),
      );
      return this.#loopback[0];
    }
    const existing = this.#connections.get(furl.tubId);
    if (existing !== undefined) return existing.broker;
    const dialling =
      this.#dialling.get(furl.tubId) ?? this.#dial(furl).finally(() => this.#dialling.delete(furl.tubId));
    this.#dialling.set(furl.tubId, dialling);
    return dialling;
  }

  /** All hints at once: the first that is agreed on is used. */
  async #dial(furl: Furl): Promise<Broker> {
    if (furl.hints.length === 0) throw connectError(furl, 'its furl names no place that is known here');
    const decided = new AbortController();
    try {
      await Promise.any(furl.hints.map((hint) => this.#dialHint(furl, hint, decided.signal)));
    } catch (error) {
      const connection = this.#connections.get(furl.tubId);
      // The peer may have come to us meanwhile, for which it refused us.
      if (connection !== undefined) return connection.broker;
      throw worstOf(furl, error);
    } finally {
      decided.abort();
    }
    const connection = this.#connections.get(furl.tubId);
    if (connection === undefined) throw connectError(furl, 'the connection has ended already');
    return connection.broker;
  }

  async #dialHint(furl: Furl, hint: Hint, decided: AbortSignal): Promise<void> {
    const timeoutMs = this.#connectTimeoutMs([hint]);
    const socket = await this.#openSocket(hint, timeoutMs, decided);
    await this.#guard(
      socket,
      timeoutMs,
      async (signal) => {
        await negotiateClient(this, socket, { tubId: furl.tubId, host: hint.host }, (negotiated) => {
          signal.throwIfAborted();
          this.#adopt(negotiated, true, () => undefined);
        });
      },
      decided,
    );
  }

  async #openSocket({ host, network, port }: Hint, timeoutMs: number, decided: AbortSignal): Promise<Socket> {
    const late = new AbortController();
    const cancelTimer = this.#options.clock.schedule(timeoutMs, () => {
      late.abort(new TahoeError('ERR_NEGOTIATION', { reason: 'it took too long' }));
    });
    try {
      const signal = AbortSignal.any([late.signal, decided, this.#ended.signal]);
      return await this.#options.dialler.dial(destinationOf(host, port, network), signal);
    } catch (error) {
      if (late.signal.aborted) throw late.signal.reason;
      throw error;
    } finally {
      cancelTimer();
    }
  }

  /** The longest that one of the ways there may take. */
  #connectTimeoutMs(hints: readonly Hint[]): number {
    const extra = hints.map((hint) =>
      this.#options.dialler.patienceMs(destinationOf(hint.host, hint.port, hint.network)),
    );
    return this.#limits.connectTimeoutMs + Math.max(0, ...extra);
  }

  /** A socket that is being negotiated: within a time, and destroyed when that fails or another was faster. */
  async #guard(
    socket: Socket,
    timeoutMs: number,
    negotiate: (signal: AbortSignal) => Promise<void>,
    decided?: AbortSignal,
  ): Promise<void> {
    const ending = new AbortController();
    const end = (): void => {
      ending.abort();
      socket.destroy();
    };
    socket.on('error', () => undefined);
    this.#negotiating.add(socket);
    const cancelTimer = this.#options.clock.schedule(timeoutMs, end);
    decided?.addEventListener('abort', end, { once: true });
    try {
      if (this.#closed || decided?.aborted === true) end();
      await negotiate(ending.signal);
      this.#negotiating.delete(socket);
    } catch (error) {
      this.#linger(socket);
      throw error;
    } finally {
      cancelTimer();
      decided?.removeEventListener('abort', end);
    }
  }

  /** What says why it failed may still be on its way. */
  #linger(socket: Socket): void {
    const cancel = this.#options.clock.schedule(LINGER_MS, () => socket.destroy());
    const ended = (): void => {
      cancel();
      this.#negotiating.delete(socket);
    };
    if (socket.destroyed) ended();
    else socket.once('close', ended);
  }

  // ---- connections that are made and accepted ----------------------------------------------------------------

  #adopt(negotiated: Negotiated, isClient: boolean, admitted: () => void): void {
    const { isMaster, mark, peer, rest } = negotiated;
    this.#connections.get(peer.tubId)?.close('it was replaced by a new connection');
    if (!isMaster && mark !== undefined) this.#remember(peer.tubId, mark);
    const { clock, log } = this.#options;
    const connection = new Connection(negotiated, {
      broker: this.#brokerOptions(admitted),
      isClient,
      keepaliveMs: this.#limits.keepaliveMs,
      clock,
      log,
      closed: (ended) => {
        if (this.#connections.get(ended.tubId) === ended) this.#connections.delete(ended.tubId);
      },
    });
    this.#connections.set(peer.tubId, connection);
    connection.begin(rest);
  }

  #remember(tubId: string, mark: ConnectionMark): void {
    this.#marks.delete(tubId);
    this.#marks.set(tubId, mark);
    const [oldest] = this.#marks.keys();
    if (this.#marks.size > MARK_COUNT_MAX && oldest !== undefined) this.#marks.delete(oldest);
  }

  #brokerOptions(admitted: () => void): ConnectionOptions['broker'] {
    const { clock, log } = this.#options;
    return {
      callTimeoutMs: this.#limits.callTimeoutMs,
      clock,
      log,
      find: (name) => this.#registered.get(keyOf(name)),
      furlOf: (object) => this.#furls.get(object),
      takeMemory: (size) => {
        if (this.#memory + size > this.#limits.memoryMax) {
          throw new TahoeError('ERR_BANANA', { reason: 'there is no memory for more messages at once' });
        }
        this.#memory += size;
      },
      giveMemory: (size) => {
        this.#memory -= size;
      },
      admitted,
    };
  }

  /** @throws ERR_TIMEOUT, ERR_CANCELLED; the work goes on for others who wait for it. */
  async #inTime<Result>(work: Promise<Result>, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Result> {
    const { signal, timeoutMs } = options;
    const what = 'a Foolscap connection';
    if (signal?.aborted === true) {
      work.catch(() => undefined);
      throw new TahoeError('ERR_CANCELLED', { what }, { cause: signal.reason });
    }
    let stop = (): void => undefined;
    const ending = new Promise<never>((_resolve, reject) => {
      const cancel = this.#options.clock.schedule(timeoutMs, () => {
        reject(new TahoeError('ERR_TIMEOUT', { what, timeoutMs }));
      });
      const cancelled = (): void => {
        reject(new TahoeError('ERR_CANCELLED', { what }, { cause: signal?.reason }));
      };
      signal?.addEventListener('abort', cancelled, { once: true });
      stop = () => {
        cancel();
        signal?.removeEventListener('abort', cancelled);
      };
    });
    try {
      return await Promise.race([work, ending]);
    } finally {
      stop();
    }
  }
}

function keyOf(name: string): string {
  return createHash('sha256').update(name).digest('base64');
}

function connectError(furl: Furl, reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_CONNECT', { server: furl.tubId.slice(0, 8), reason }, { cause });
}

/** A wrong key goes before anything else that went wrong. */
function worstOf(furl: Furl, error: unknown): TahoeError {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const pin = errors.find((one) => isTahoeError(one, 'ERR_PIN'));
  if (isTahoeError(pin)) return pin;
  return connectError(furl, reasonOf(errors[0]), error);
}
