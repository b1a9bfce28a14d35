/**
 * RSA keys that are ready, so that a new mutable file need not wait for one: some tenths of a second each.
 *
 * Keys are made off the main thread (`RsaCrypto.generateRsaKey`), two at a time while somebody waits, else one at a
 * time: at once while fewer are ready than a pair, and the rest when nobody has asked for a while and the process has
 * nothing else to do, so that keys for later take no time from the work of now: beside an upload of 64 MiB they took
 * as much processor time as the upload itself. A key is given away once.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** Keys that are kept ready: as many files can be made one after the other without a wait. */
export const READY_KEYS = 32;
/** So many are made ready although somebody asked a moment ago. */
const URGENT_KEYS = 2;
/** After so long without a question the rest are made, in milliseconds. */
const IDLE_MS = 5_000;
/** Keys that are being made at a time. */
const GENERATIONS_MAX = 2;
/** Callers that may wait for a key. */
const WAITERS_MAX = 1_000;

/** What a pool is made of. */
export interface RsaKeyPoolOptions {
  /** Makes a key off the calling thread: PKCS#8 DER. */
  readonly generate: () => Promise<Uint8Array>;
  /** Whether the process was at work since the last time it was asked. Keys for later wait then. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who waits for a key. Each gets one answer. */
interface Waiter {
  readonly give: (key: Uint8Array) => void;
  readonly refuse: (error: unknown) => void;
}

function cancelled(): TahoeError {
  return new TahoeError('ERR_CANCELLED', { what: 'the making of a key' });
}

/** The pool. It must be closed. */
export class RsaKeyPool {
  readonly #options: RsaKeyPoolOptions;
  readonly #ready: Uint8Array[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #generations = new Set<Promise<void>>();
  #isClosed = false;
  #isIdle = false;
  #cancelIdle: () => void = () => undefined;

  /** Nothing is made before the first wait is over, or somebody asks. */
  constructor(options: RsaKeyPoolOptions) {
    this.#options = options;
    this.#awaitIdleness();
  }

  /**
   * A key that nobody else gets: PKCS#8 DER.
   * @throws ERR_CANCELLED when `signal` is aborted or the pool is closed, ERR_TOO_MANY when too many wait already,
   *   and what went wrong when no key could be made.
   */
  async takeKey(signal?: AbortSignal): Promise<Uint8Array> {
    if (this.#isClosed || signal?.aborted === true) throw cancelled();
    if (this.#waiters.size >= WAITERS_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'requests for a new key', limit: WAITERS_MAX });
    }
    const key = this.#ready.shift() ?? this.#nextKey(signal);
    this.#awaitIdleness();
    this.#refill();
    return key;
  }

  /** Refuses whoever waits, and ends when no key is being made any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelIdle();
    for (const waiter of [...this.#waiters]) waiter.refuse(cancelled());
    this.#ready.length = 0;
    await Promise.all(this.#generations);
  }

  #nextKey(signal: AbortSignal | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
        finish();
      };
      const waiter: Waiter = {
        give: (key) => {
          settle(() => {
            resolve(key);
          });
        },
        refuse: (error) => {
          settle(() => {
            reject(error instanceof Error ? error : new Error(String(error)));
          });
        },
      };
      const abort = (): void => {
        waiter.refuse(cancelled());
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #awaitIdleness(): void {
    this.#isIdle = false;
    this.#cancelIdle();
    this.#cancelIdle = this.#options.clock.schedule(IDLE_MS, () => {
      this.#isIdle = true;
      this.#refillIfIdle();
    });
  }

  /** Goes on with keys for later, or waits again. */
  #refillIfIdle(): void {
    if (this.#waiters.size === 0 && this.#isIdle && this.#options.isBusy()) this.#awaitIdleness();
    this.#refill();
  }

  #refill(): void {
    const ready = this.#isIdle ? READY_KEYS : URGENT_KEYS;
    const wanted = ready - this.#ready.length + this.#waiters.size;
    const most = Math.min(wanted, this.#waiters.size > 0 ? GENERATIONS_MAX : 1);
    while (!this.#isClosed && this.#generations.size < most) {
      const generation = this.#generate().then((goesOn) => {
        this.#generations.delete(generation);
        if (goesOn) this.#refillIfIdle();
      });
      this.#generations.add(generation);
    }
  }

  /** @returns false when it failed and nobody waits: the next who asks tries again. */
  async #generate(): Promise<boolean> {
    try {
      const key = await this.#options.generate();
      const [waiter] = this.#waiters;
      if (waiter !== undefined) waiter.give(key);
      else if (!this.#isClosed) this.#ready.push(key);
      return true;
    } catch (error) {
      this.#options.log.warn('no key could be made', { reason: reasonOf(error) });
      const [waiter] = this.#waiters;
      waiter?.refuse(error);
      return this.#waiters.size > 0;
    }
  }
}
