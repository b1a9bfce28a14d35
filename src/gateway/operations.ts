/**
 * Operations that take longer than a request: each has a handle of its owner's choice, under which it is asked about, and
 * is forgotten four days after its end, or one day after somebody has asked since, or when its owner says.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Slow Operations, Progress, and Cancelling"
 */
import { TIMER_MS_MAX } from '#client/deadline.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';

/** How many are kept; those that ended are forgotten for new ones, the oldest first. */
export const OPERATIONS_MAX = 1000;
const DAY_MS = 86_400_000;
const UNCOLLECTED_LIFETIME_MS = 4 * DAY_MS;
const COLLECTED_LIFETIME_MS = DAY_MS;
const HANDLE_LENGTH_MAX = 500;

/** What an operation does, and what there is to see of it at any time. */
export interface Work {
  run(signal: AbortSignal): Promise<void>;
  /** Counts, by name. */
  progress(): Readonly<Record<string, number>>;
}

/** An operation. */
export interface Operation<Kind extends Work = Work> {
  readonly work: Kind;
  readonly finished: boolean;
  /** Why it failed. */
  readonly error: unknown;
}

interface Kept<Kind extends Work> {
  readonly work: Kind;
  readonly stop: AbortController;
  finished: boolean;
  error: unknown;
  isRetained: boolean;
  cancelTimer: () => void;
}

/** The operations of one gateway. */
export class Operations<Kind extends Work = Work> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept<Kind>>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Starts one. Another by that handle is cancelled.
   * @param retainMs - how long it is kept from now on, whatever becomes of it.
   * @throws ERR_USAGE, and ERR_TOO_MANY when so many are under way.
   */
  start(handle: string, work: Kind, retainMs?: number): void {
    if (handle.length > HANDLE_LENGTH_MAX) throw new TahoeError('ERR_USAGE', { reason: 'this ophandle= is too long' });
    this.cancel(handle);
    this.#makeRoom();
    const stop = new AbortController();
    const kept = { work, stop, finished: false, error: undefined, isRetained: false, cancelTimer: () => undefined };
    this.#kept.set(handle, kept);
    if (retainMs !== undefined) this.retain(handle, retainMs);
    void this.#run(handle, kept);
  }

  /** @throws ERR_NOT_FOUND */
  get(handle: string): Operation<Kind> {
    return this.#find(handle);
  }

  /** Somebody has seen the end of it. @throws ERR_NOT_FOUND */
  collected(handle: string): void {
    this.#forgetIn(handle, this.#find(handle), COLLECTED_LIFETIME_MS);
  }

  /** @throws ERR_NOT_FOUND */
  retain(handle: string, retainMs: number): void {
    const kept = this.#find(handle);
    kept.isRetained = true;
    this.#forgetIn(handle, kept, retainMs);
  }

  /** Stops it, if it is there, and forgets it. */
  cancel(handle: string): void {
    const kept = this.#kept.get(handle);
    if (kept === undefined) return;
    this.#kept.delete(handle);
    kept.cancelTimer();
    kept.stop.abort();
  }

  /** Stops and forgets all. */
  close(): void {
    for (const handle of [...this.#kept.keys()]) this.cancel(handle);
  }

  #find(handle: string): Kept<Kind> {
    const kept = this.#kept.get(handle);
    if (kept === undefined) throw new TahoeError('ERR_NOT_FOUND', { reason: `unknown/expired handle '${handle}'` });
    return kept;
  }

  async #run(handle: string, kept: Kept<Kind>): Promise<void> {
    try {
      await kept.work.run(kept.stop.signal);
    } catch (error) {
      kept.error = error;
      if (!isTahoeError(error)) this.#log.error('operation failed', { reason: reasonOf(error) });
    }
    kept.finished = true;
    if (this.#kept.get(handle) === kept && !kept.isRetained) this.#forgetIn(handle, kept, UNCOLLECTED_LIFETIME_MS);
  }

  #forgetIn(handle: string, kept: Kept<Kind>, delayMs: number): void {
    kept.cancelTimer();
    kept.cancelTimer = this.#clock.schedule(Math.min(delayMs, TIMER_MS_MAX), () => {
      if (this.#kept.get(handle) === kept) this.cancel(handle);
    });
  }

  #makeRoom(): void {
    if (this.#kept.size < OPERATIONS_MAX) return;
    const [oldest] = [...this.#kept].find(([, { finished }]) => finished) ?? [];
    if (oldest === undefined) throw new TahoeError('ERR_TOO_MANY', { what: 'operations', limit: OPERATIONS_MAX });
    this.cancel(oldest);
  }
}
