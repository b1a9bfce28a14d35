/**
 * A negotiated connection: a TLS socket and the broker that speaks over it. Reads no more while too many calls are being
 * answered or while what was answered is not read; ends when the peer has been silent for two of its PINGs.
 */
import type { TLSSocket } from 'node:tls';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { Broker } from '#wire/foolscap/broker.js';
import type { BrokerOptions } from '#wire/foolscap/broker.js';
import { ACTIVE_CALL_COUNT_MAX } from '#wire/foolscap/limits.js';
import type { ConnectionMark } from '#wire/foolscap/negotiation.js';
import type { Negotiated } from './negotiator.js';

/** A PING is answered while not more than this waits to be sent, in bytes. */
const PONG_QUEUE_SIZE_MAX = 64 * 1024;
/** While more than this waits to be sent, no large answer is made, in bytes. */
const SEND_QUEUE_SIZE_MAX = 4 << 20;
/** How long a connection that was refused may take to read why, in milliseconds. */
const LINGER_MS = 2_000;

/** What a connection needs besides what its broker needs. */
export interface ConnectionOptions {
  readonly broker: Omit<
    BrokerOptions,
    'tubId' | 'remoteAddress' | 'vocabularyTable' | 'send' | 'mayPong' | 'activeChanged' | 'room'
  >;
  /** Whether this side made the connection. Then it reads whatever happens, lest both sides wait for each other. */
  readonly isClient: boolean;
  /** After so long without a byte from the peer it is asked for one, in milliseconds. */
  readonly keepaliveMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly closed: (connection: Connection) => void;
}

/** Owns its socket. */
export class Connection {
  readonly tubId: string;
  readonly peerIncarnation: string | undefined;
  readonly mark: ConnectionMark | undefined;
  readonly broker: Broker;
  readonly #socket: TLSSocket;
  readonly #options: ConnectionOptions;
  #activeCount = 0;
  #isBlocked = false;
  /** What was read and not dealt with yet. */
  #backlog: Uint8Array = new Uint8Array(0);
  #isScheduled = false;
  #heard = true;
  #isAsked = false;
  #cancelTimer: () => void = () => undefined;

  constructor(negotiated: Negotiated, options: ConnectionOptions) {
    const { mark, peer, socket, vocabularyTable } = negotiated;
    this.tubId = peer.tubId;
    this.peerIncarnation = peer.incarnation;
    this.mark = mark;
    this.#socket = socket;
    this.#options = options;
    this.broker = new Broker({
      ...options.broker,
      tubId: peer.tubId,
      remoteAddress: socket.remoteAddress,
      vocabularyTable,
      send: (parts) => {
        this.#send(parts);
      },
      room: () => this.#room(),
      mayPong: () => socket.writableLength <= PONG_QUEUE_SIZE_MAX,
      activeChanged: (count) => {
        this.#activeCount = count;
        this.#regulate();
      },
    });
  }

  /** Begins to read, with what has been read already. */
  begin(rest: Uint8Array): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#regulate();
    });
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      this.close('the peer closed the connection');
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    this.#watch();
    if (rest.length > 0) this.#receive(rest);
    this.#regulate();
  }

  /** Ends the connection; calls in progress fail. Idempotent. */
  close(reason: string): void {
    if (this.broker.ended) return;
    this.#cancelTimer();
    const facts = { server: this.tubId.slice(0, 8), what: reason, keptAlive: false, replyBegun: false };
    this.broker.end(new TahoeError('ERR_CONNECTION_CLOSED', facts));
    this.#options.closed(this);
    // What is on its way may still get there.
    this.#socket.end();
    this.#socket.resume();
    const cancel = this.#options.clock.schedule(LINGER_MS, () => this.#socket.destroy());
    this.#socket.once('close', cancel);
    if (this.#socket.destroyed) cancel();
  }

  /** Ends it without waiting for anything. */
  destroy(): void {
    this.close('this side is closing');
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.broker.ended) return;
    this.#heard = true;
    try {
      const taken = this.broker.receive(chunk);
      this.#backlog = chunk.subarray(taken);
    } catch (error) {
      const reason = reasonOf(error);
      this.#options.log.warn('foolscap-connection-dropped', { peer: this.tubId.slice(0, 8), reason });
      this.#send(this.broker.errorToken(reason));
      this.close(reason);
      return;
    }
    if (this.#backlog.length > 0) this.#regulate();
  }

  #send(parts: readonly Uint8Array[]): void {
    if (this.broker.ended || this.#socket.destroyed) return;
    this.#socket.cork();
    let room = true;
    for (const part of parts) room = this.#socket.write(part);
    this.#socket.uncork();
    if (room || this.#options.isClient) return;
    this.#isBlocked = true;
    this.#regulate();
  }

  /** Looks after what is being answered now has been sent. */
  async #room(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#socket.writableLength > SEND_QUEUE_SIZE_MAX && !this.broker.ended) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#socket.off('drain', done);
          this.#socket.off('close', done);
          resolve();
        };
        this.#socket.once('drain', done);
        this.#socket.once('close', done);
      });
    }
  }

  /** Reads on, where it may; what has been read and not dealt with comes first. */
  #regulate(): void {
    if (this.broker.ended) return;
    const isBusy = this.#isBlocked || this.#activeCount >= ACTIVE_CALL_COUNT_MAX;
    if (isBusy || this.#backlog.length > 0) this.#socket.pause();
    else this.#socket.resume();
    if (isBusy || this.#backlog.length === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#receive(this.#backlog);
      this.#regulate();
    });
  }

  #watch(): void {
    const { clock, keepaliveMs } = this.#options;
    this.#cancelTimer = clock.schedule(keepaliveMs, () => {
      if (this.#heard) this.#isAsked = false;
      else if (this.#isAsked) {
        this.close('the peer has been silent for too long');
        return;
      } else {
        this.#isAsked = true;
        this.broker.sendPing();
      }
      this.#heard = false;
      this.#watch();
    });
  }
}
