/**
 * Whose turn it is to be dialled, of the servers that are not connected.
 *
 * A list or an introducer may name thousands of which few live, and each attempt costs a socket, a timer and somebody's
 * patience. So attempts are rationed over the whole grid: so many at a time, and so many that fail in a minute; one that is
 * answered costs nothing, so that a large grid that lives is found at once. Three lanes take turns, each in the order
 * in which its servers came: those that have answered before, those that are new, and those that never answered. So
 * however many are dead, one that went for a moment is asked soon. Servers that are connected need no turn.
 */
import type { Clock } from '#core/environment.js';

/** How much is dialled. */
export interface DialLimits {
  /** Attempts at a time. */
  readonly atOnce: number;
  /** Attempts that may fail before any is made to wait, and how many more in each second from then on. */
  readonly burst: number;
  readonly perSecond: number;
}

/** The ration unless told otherwise. */
export const defaultDialLimits: DialLimits = { atOnce: 128, burst: 256, perSecond: 24 };

/** The most attempts that fail in any minute. */
export const FAILED_DIALS_PER_MINUTE_MAX = defaultDialLimits.burst + 60 * defaultDialLimits.perSecond;

/** Where a server waits. */
export type DialLane = 'met' | 'new' | 'silent';
/** How they take turns: of thousands that are new each is to be tried once before the others are tried often. */
const TURNS: readonly DialLane[] = ['met', 'new', 'new', 'new', 'silent'];

/** To be called once, when the attempt has ended. */
export type DialEnded = (isAnswered: boolean) => void;

interface Waiting {
  readonly cost: number;
  readonly begin: (ended: DialEnded) => void;
}

/** The turns of one grid. */
export class DialTurns {
  readonly #clock: Clock;
  readonly #limits: DialLimits;
  readonly #queues: Readonly<Record<DialLane, Set<Waiting>>> = { met: new Set(), new: new Set(), silent: new Set() };
  #turn = 0;
  #runningCost = 0;
  /** What may fail now, and when that was counted. */
  #allowance: number;
  #countedMs: number;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, limits: DialLimits = defaultDialLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#allowance = limits.burst;
    this.#countedMs = clock.monotonicMs();
  }

  /** How many wait. */
  get waitingCount(): number {
    return this.#queues.met.size + this.#queues.new.size + this.#queues.silent.size;
  }

  /**
   * Has `begin` called when it is its turn, now or later.
   * @param dialCount - how many places are dialled in the attempt.
   * @returns what gives up the turn; nothing happens when it has come.
   */
  ask(lane: DialLane, dialCount: number, begin: (ended: DialEnded) => void): () => void {
    const { atOnce, burst } = this.#limits;
    const waiting = { cost: Math.min(dialCount, atOnce, burst), begin };
    this.#queues[lane].add(waiting);
    this.#serve();
    return () => {
      this.#queues[lane].delete(waiting);
      if (this.waitingCount === 0) this.#stopTimer();
    };
  }

  #serve(): void {
    this.#stopTimer();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { cost } = next.waiting;
      // Who ends serves the next.
      if (this.#runningCost + cost > this.#limits.atOnce) return;
      const lacking = cost - this.#countAllowance();
      if (lacking > 0) {
        const delayMs = Math.ceil((lacking * 1000) / this.#limits.perSecond);
        this.#cancelTimer = this.#clock.schedule(delayMs, () => {
          this.#serve();
        });
        return;
      }
      this.#queues[next.lane].delete(next.waiting);
      this.#turn = next.turn + 1;
      this.#begin(next.waiting);
    }
  }

  /** The first of the lane whose turn it is; a lane in which nobody waits is passed over. */
  #next(): { readonly lane: DialLane; readonly turn: number; readonly waiting: Waiting } | undefined {
    for (let turn = this.#turn; turn < this.#turn + TURNS.length; turn++) {
      const lane = TURNS[turn % TURNS.length];
      if (lane === undefined) continue;
      const [waiting] = this.#queues[lane];
      if (waiting !== undefined) return { lane, turn: turn % TURNS.length, waiting };
    }
    return undefined;
  }

  #begin({ begin, cost }: Waiting): void {
    this.#runningCost += cost;
    this.#allowance -= cost;
    begin((isAnswered) => {
      this.#runningCost -= cost;
      if (isAnswered) this.#allowance = Math.min(this.#limits.burst, this.#countAllowance() + cost);
      this.#serve();
    });
  }

  #countAllowance(): number {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#countedMs) * this.#limits.perSecond) / 1000;
    this.#allowance = Math.min(this.#limits.burst, this.#allowance + gained);
    this.#countedMs = nowMs;
    return this.#allowance;
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
