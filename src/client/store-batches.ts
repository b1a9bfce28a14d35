/**
 * Calls to store small shares at one server: those that wait at the same time travel together.
 *
 * While few requests are under way a call is sent at once, alone. Others wait, and when a request ends all that wait go in
 * one, as far as its limits allow. So one upload never waits for another to come, and where many run at a time a server
 * gets a few large requests instead of many small ones. A server that is far away takes each wait as a round trip more: there
 * a call waits only when all connections are taken. Each call keeps its own signal and its own deadline, which
 * counts from the call; a request that nobody waits for any more is aborted. What is sent and how is the owner's to say.
 * @see src/wire/store-batch.ts
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { batchedStoreSizeMax, STORE_BATCH_COUNT_MAX } from '#wire/store-batch.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import { withDeadline } from './deadline.js';
import { describeStore } from './https-operations.js';
import type { SecretStoreRequest } from './storage-server.js';

/** How many requests are under way before calls wait: one is on its way while the server is busy with another. */
export const STORES_UNDER_WAY_MAX = 2;
/** A server that never answers in less time is far away, in milliseconds. */
export const NEAR_MS = 20;
/** By how much the least time grows with each request, so that it follows a server that gets slower. */
const QUICKEST_GROWTH = 1.1;
/**
 * The largest batch, in bytes: all its calls end together, and on a slow line that should not take much of the time that
 * any of them has. What is larger than half of it goes alone.
 */
export const STORE_BATCH_SIZE_MAX = 256 * 1024;
/**
 * The same for a server that has not taken one yet, in bytes: who does not know of such a request reads so much
 * of it and says so, and closes the connection on a larger one.
 */
export const UNTRIED_BATCH_SIZE_MAX = 64 * 1024;

/** The shares of one file, to be stored at one server. */
export interface StoreCall {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly request: SecretStoreRequest;
}

/** What becomes of one call: the answer, undefined where the server wants room reserved, or why it was refused. */
export type StoreOutcome = WholeSharesReply | TahoeError | undefined;

/** What the calls stand on. */
export interface StoreBatchesOptions {
  readonly shortName: string;
  readonly clock: Clock;
  /** Calls at a time, sent and waiting together; one more fails at once. */
  readonly callCountMax: number;
  /** Connections to the server: so many requests may be under way to one that is far away. */
  readonly connectionCountMax: number;
  /**
   * Sends one call, or several in one request, until the signal ends it.
   * @returns what became of each, in their order; undefined where the server does not take several, with none stored.
   * @throws what is to end all of them.
   */
  readonly send: (calls: readonly StoreCall[], signal: AbortSignal) => Promise<readonly StoreOutcome[] | undefined>;
}

/** A call whose caller waits. */
interface Member {
  readonly call: StoreCall;
  /** In a batch, in bytes. */
  readonly size: number;
  /** Ends when nobody waits any more. */
  readonly signal: AbortSignal;
  readonly resolve: (reply: WholeSharesReply | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls to one server. */
export class StoreBatches {
  readonly #options: StoreBatchesOptions;
  /** In the order of their calls. */
  readonly #waiting = new Set<Member>();
  #callCount = 0;
  #underWay = 0;
  /** What a batch may have, in bytes; 0 where the server takes none. */
  #sizeMax = UNTRIED_BATCH_SIZE_MAX;
  /** About the least time that a request took lately, in milliseconds; undefined before the first has ended. */
  #quickestMs: number | undefined;

  constructor(options: StoreBatchesOptions) {
    this.#options = options;
  }

  /**
   * Has shares stored.
   * @returns undefined where the server wants room reserved first.
   * @throws ERR_TIMEOUT, ERR_CANCELLED when the signal or `close` ends the call, ERR_TOO_MANY, and what `send` says.
   */
  async store(call: StoreCall, timeoutMs: number, signal: AbortSignal): Promise<WholeSharesReply | undefined> {
    const { callCountMax, clock, shortName } = this.#options;
    if (this.#callCount >= callCountMax) {
      throw new TahoeError('ERR_TOO_MANY', { what: `calls waiting for server ${shortName}`, limit: callCountMax });
    }
    this.#callCount += 1;
    try {
      return await withDeadline({ clock, timeoutMs, what: this.#nameOf(call), signal }, (ended) =>
        this.#enter(call, ended),
      );
    } finally {
      this.#callCount -= 1;
    }
  }

  /** Fails the calls that wait; those that were sent are the owner's to end. */
  close(): void {
    for (const { call, reject } of this.#waiting) reject(new TahoeError('ERR_CANCELLED', { what: this.#nameOf(call) }));
    this.#waiting.clear();
  }

  #nameOf({ storageIndex }: StoreCall): string {
    return `${describeStore(storageIndex)} at server ${this.#options.shortName}`;
  }

  #enter(call: StoreCall, signal: AbortSignal): Promise<WholeSharesReply | undefined> {
    return new Promise((resolve, reject) => {
      const size = batchedStoreSizeMax([...call.request.shares.values()].map(({ length }) => length));
      const member = { call, size, signal, resolve, reject };
      // One that could not share a request with another like it would wait for nothing.
      if (this.#underWay < this.#underWayMax || size > this.#sizeMax / 2) {
        this.#start([member]);
        return;
      }
      this.#waiting.add(member);
      signal.addEventListener('abort', () => this.#waiting.delete(member), { once: true });
    });
  }

  #start(members: readonly Member[]): void {
    this.#underWay += 1;
    void this.#run(members).finally(() => {
      this.#underWay -= 1;
      while (this.#waiting.size > 0 && (this.#underWay < this.#underWayMax || this.#sizeMax === 0)) {
        this.#start(this.#take());
      }
    });
  }

  /** The next that wait, one at least and as many as fit into a request. */
  #take(): readonly Member[] {
    const taken: Member[] = [];
    let size = 0;
    for (const member of this.#waiting) {
      size += member.size;
      if (taken.length > 0 && (size > this.#sizeMax || taken.length === STORE_BATCH_COUNT_MAX)) break;
      taken.push(member);
      this.#waiting.delete(member);
    }
    return taken;
  }

  get #underWayMax(): number {
    return (this.#quickestMs ?? 0) > NEAR_MS ? this.#options.connectionCountMax : STORES_UNDER_WAY_MAX;
  }

  #noteTime(tookMs: number): void {
    this.#quickestMs = Math.min(tookMs, (this.#quickestMs ?? tookMs) * QUICKEST_GROWTH + 1);
  }

  /** Sends calls and tells each what became of it; never throws. */
  async #run(members: readonly Member[]): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    try {
      const outcomes = await this.#options.send(
        members.map(({ call }) => call),
        whenAllEnded(members),
      );
      this.#noteTime(this.#options.clock.monotonicMs() - startMs);
      if (outcomes === undefined) {
        this.#sizeMax = 0;
        for (const member of members) if (!member.signal.aborted) this.#start([member]);
        return;
      }
      if (members.length > 1) this.#sizeMax = STORE_BATCH_SIZE_MAX;
      for (const [i, { resolve, reject }] of members.entries()) {
        const outcome = outcomes[i];
        if (outcome instanceof TahoeError) reject(outcome);
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of members) reject(error);
    }
  }
}

/** Ends when nobody waits for any of them. */
function whenAllEnded(members: readonly Member[]): AbortSignal {
  const abandoned = new AbortController();
  let left = members.length;
  for (const { signal } of members) {
    signal.addEventListener(
      'abort',
      () => {
        left -= 1;
        if (left === 0) abandoned.abort();
      },
      { once: true },
    );
  }
  return abandoned.signal;
}
