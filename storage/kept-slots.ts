/**
 * Mutable shares that were written a moment ago, whole and in memory: who writes one again need not read it first.
 *
 * Only indexes whose shares are all small. What is kept is forgotten when anything happens to its index, and after a few
 * seconds. Whoever takes it looks whether the files are still the same: an operator may have put others in their places.
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';

/** How long a share is kept, in milliseconds. */
const AGE_MAX_MS = 5_000;
/** What all together may take, in bytes. */
const SIZE_MAX = 4 << 20;

/** One share of an index. */
export interface KeptShare {
  readonly shareNumber: number;
  /** The whole file. Never changed. */
  readonly bytes: Uint8Array;
  /** What tells the file from any other in its place. */
  readonly mark: string;
}

/** What somebody has taken, and may keep again unless something happened meanwhile. */
export interface SlotClaim {
  /** All shares of the index; none where nothing is known. */
  readonly shares: readonly KeptShare[];
  /** Whether something happened to the index since. */
  readonly isStale: boolean;
  /** Keeps what the index holds now: all its shares. */
  readonly keep: (shares: readonly KeptShare[]) => void;
  /** Comes after all else. */
  readonly end: () => void;
}

interface Entry {
  readonly shares: readonly KeptShare[];
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
      shares: isYoung ? entry.shares : [],
      get isStale() {
        return state.isStale;
      },
      keep: (shares) => {
        this.#keep(index, shares);
      },
      end: () => this.#claims.delete(index),
    };
  }

  #keep(index: string, shares: readonly KeptShare[]): void {
    this.#drop(index);
    this.#entries.set(index, { shares, keptMs: this.#clock.monotonicMs() });
    this.#size += sizeOf(shares);
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
    this.#size -= sizeOf(this.#entries.get(index)?.shares ?? []);
    this.#entries.delete(index);
  }
}

function sizeOf(shares: readonly KeptShare[]): number {
  return shares.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
