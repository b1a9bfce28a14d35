/**
 * The heart of a store that is owned: every two seconds it looks whether the store is still ours and says on the
 * volume that we live. Each beat writes and syncs, so it also tells whether the volume is well.
 *
 * Who was overtaken never owns again: the store is lost for good, and what was not acknowledged is not. Before
 * anything is acknowledged after a pause (a stopped process, a sleeping machine, a hanging disk) the store is looked
 * at again: the pause shows in either of the two clocks.
 */
import type { Clock, Log } from '#core/environment.js';
import { TahoeError, reasonOf } from '#core/errors.js';
import { fileError } from '../durable-file.js';
import type { OwnerLock } from './owner-lock.js';

/** The time between two heartbeats. */
export const HEARTBEAT_MS = 2_000;
/** For so long after a heartbeat the store is ours without another look. Half of what makes an owner stale. */
export const TRUST_MS = 5_000;
/** A volume that leaves a heartbeat unanswered for so long is not well. */
export const HEALTH_LIMIT_MS = 10_000;

const LOST = 'another node has taken over the store, or its volume is gone; start this node again';

/** How the volume is. */
export interface VolumeHealth {
  readonly ok: boolean;
  /** What is wrong, in a sentence; empty when nothing is. */
  readonly reason: string;
}

interface Moment {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** Beats from `start` to `stop`. */
export class Heartbeat {
  readonly #lock: OwnerLock;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #trusted: Moment;
  #begun: Moment | undefined;
  #beating: Promise<void> | undefined;
  #failure: string | undefined;
  #lost: string | undefined;
  #cancel: () => void = () => undefined;

  /** @param directory - what errors call the store. */
  constructor(lock: OwnerLock, directory: string, clock: Clock, log: Log) {
    this.#lock = lock;
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
    this.#trusted = this.#now();
  }

  /** Why the store is not ours any more; undefined as long as nothing says so. */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Begins to beat. */
  start(): void {
    this.#cancel = this.#clock.schedule(HEARTBEAT_MS, () => {
      this.#beat()
        .catch(() => undefined)
        .finally(() => {
          if (this.#lost === undefined) this.start();
        });
    });
  }

  /** Lets go of the store: it may be succeeded at once. Call it once, after all writing. */
  async stop(): Promise<void> {
    this.#cancel();
    this.#lost ??= 'it is closed';
    await this.#beating?.catch(() => undefined);
    try {
      if (await this.#lock.isHeld()) await this.#lock.beat(true);
    } finally {
      await this.#lock.close();
    }
  }

  /**
   * Returns at once when the last heartbeat is young; else after another.
   * @throws ERR_STORE_READONLY when the store is not ours any more; ERR_FILE, ERR_NO_SPACE when it does not say.
   */
  async assertOwner(): Promise<void> {
    if (this.#lost === undefined && this.#ageOf(this.#trusted) > TRUST_MS) await this.#beat();
    if (this.#lost !== undefined) throw new TahoeError('ERR_STORE_READONLY', { reason: this.#lost });
  }

  /** What the last heartbeat said; one that is overdue counts as bad. Never waits. */
  health(): VolumeHealth {
    const waitedMs = this.#begun === undefined ? 0 : this.#clock.monotonicMs() - this.#begun.monotonicMs;
    const overdue = waitedMs > HEALTH_LIMIT_MS ? `it gave no answer within ${String(waitedMs / 1000)} s` : undefined;
    const reason = this.#lost ?? overdue ?? this.#failure;
    return { ok: reason === undefined, reason: reason ?? '' };
  }

  /** One heartbeat, shared by all who ask while it lasts. */
  #beat(): Promise<void> {
    this.#beating ??= this.#lookAndWrite().finally(() => {
      this.#beating = undefined;
      this.#begun = undefined;
    });
    return this.#beating;
  }

  async #lookAndWrite(): Promise<void> {
    // Trust is counted from before the look: what happens during it is not seen.
    const begun = this.#now();
    this.#begun = begun;
    try {
      if (!(await this.#lock.isHeld())) {
        this.#lost ??= LOST;
        this.#log.error('storage.ownership-lost', { directory: this.#directory, epoch: this.#lock.epoch });
        return;
      }
      await this.#lock.beat();
      this.#trusted = begun;
      this.#failure = undefined;
    } catch (error) {
      this.#failure = reasonOf(error);
      this.#log.error('storage.volume-unwell', { directory: this.#directory, reason: this.#failure });
      throw fileError(this.#directory, error);
    }
  }

  #now(): Moment {
    return { nowMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() };
  }

  #ageOf(moment: Moment): number {
    const now = this.#now();
    return Math.max(now.nowMs - moment.nowMs, now.monotonicMs - moment.monotonicMs);
  }
}
