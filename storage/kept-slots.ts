/**
 * Mutable shares that were written a moment ago, whole and in memory: who writes one again need not read it first.
 *
 * Only indexes with one small share. What is kept is forgotten when anything happens to its index, and after a few
 * seconds. Whoever takes it looks whether the file is still the same: an operator may have put another in its place.
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';

/** How long a share is kept, in milliseconds. */
const AGE_MAX_MS = 5_000;
/** What all together may take, in bytes. */
const SIZE_MAX = 4 << 20;

/** The only share of an index. */
export interface KeptSlot {
  readonly shareNumber: number;
  /** The whole file. Never changed. */
  readonly bytes: Uint8Array;
  /** What tells the file from any other in its place. */
  readonly mark: string;
}

/** What somebody has taken, and may keep again unless something happened meanwhile. */
export interface SlotClaim {
  readonly slot: KeptSlot | undefined;
  /** Whether something happened to the index since. */
  readonly isStale: boolean;
  /** Keeps what the index holds now. */
  readonly keep: (slot: KeptSlot) => void;
  /** Comes after all else. */
  readonly end: () => void;
}

interface Entry extends KeptSlot {
  readonly keptMs: number;
}

/** The shares of one store. */
export class KeptSlots {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #claims = new Map<string, { isStale: boolean }>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what is kept of an index, whose lock the caller holds until the claim ends. */
  claim(storageIndex: Uint8Array): SlotClaim {
    const index = formatBase32(storageIndex);
    const entry = this.#entries.get(index);
    const isYoung = entry !== undefined && this.#clock.monotonicMs() - entry.keptMs < AGE_MAX_MS;
    this.#drop(index);
    const state = { isStale: false };
    this.#claims.set(index, state);
    return {
      slot: isYoung ? entry : undefined,
      get isStale() {
        return state.isStale;
      },
      keep: (slot) => {
        this.#keep(index, slot);
      },
      end: () => this.#claims.delete(index),
    };
  }

  #keep(index: string, { bytes, mark, shareNumber }: KeptSlot): void {
    this.#drop(index);
    this.#entries.set(index, { bytes, mark, shareNumber, keptMs: this.#clock.monotonicMs() });
    this.#size += bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= SIZE_MAX) return;
      this.#drop(oldest);
    }
  }

  /** Something happened to the index. */
  forget(storageIndex: Uint8Array): void {
    const index = formatBase32(storageIndex);
    this.#drop(index);
    const claim = this.#claims.get(index);
    if (claim !== undefined) claim.isStale = true;
  }

  #drop(index: string): void {
    this.#size -= this.#entries.get(index)?.bytes.length ?? 0;
    this.#entries.delete(index);
  }
}
