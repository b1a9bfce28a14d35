/**
 * Virtual time: an operation runs while the clock goes from timer to timer, so that a minute of waiting takes no time
 * and the same seed always gives the same order of events.
 */
import type { ManualClock } from '../fixtures/clock.js';

/** With no timer waiting, an operation that has not ended after so many turns never will. */
const IDLE_TURNS_MAX = 10;

/** How an operation ended, and when. */
export type VirtualOutcome<Value> = { readonly elapsedMs: number } & (
  | { readonly kind: 'done'; readonly value: Value }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Nothing was left that could have ended it. */
  | { readonly kind: 'stuck' }
  | { readonly kind: 'overdue' }
);

/** Lets everything that is ready to run do so. What runs here waits for nothing but promises and the clock. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits for `operation`, moving the clock, until it has ended or `limitMs` of virtual time have passed. */
export async function inVirtualTime<Value>(
  clock: ManualClock,
  operation: Promise<Value>,
  limitMs: number,
): Promise<VirtualOutcome<Value>> {
  const startMs = clock.monotonicMs();
  const elapsed = (): number => clock.monotonicMs() - startMs;
  let outcome = undefined as VirtualOutcome<Value> | undefined;
  operation.then(
    (value) => (outcome = { kind: 'done', value, elapsedMs: elapsed() }),
    (error: unknown) => (outcome = { kind: 'failed', error, elapsedMs: elapsed() }),
  );
  for (let idleTurns = 0; ;) {
    await turn();
    if (outcome !== undefined) return outcome;
    const untilNextMs = clock.untilNextMs;
    idleTurns = untilNextMs === undefined ? idleTurns + 1 : 0;
    if (idleTurns > IDLE_TURNS_MAX) return { kind: 'stuck', elapsedMs: elapsed() };
    if (untilNextMs === undefined) continue;
    if (elapsed() + untilNextMs > limitMs) return { kind: 'overdue', elapsedMs: elapsed() };
    clock.advance(untilNextMs);
  }
}

/** Lets virtual time pass. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  await inVirtualTime(clock, new Promise<void>((resolve) => clock.schedule(ms, resolve)), ms);
}
