/**
 * The real clock: Date, performance and setTimeout behind core's Clock.
 *
 * setTimeout fires at once when its delay exceeds 2^31−1 ms (25 days). Here a longer delay is waited for in
 * pieces, so that a lease of 31 days is not over before it began.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '#core/environment.js';

/** The longest delay that setTimeout keeps. */
const TIMEOUT_MAX_MS = 2_147_483_647;

function schedule(delayMs: number, action: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const pieceMs = Math.min(Math.max(leftMs, 0), TIMEOUT_MAX_MS);
    timer = setTimeout(() => {
      if (leftMs > pieceMs) wait(leftMs - pieceMs);
      else action();
    }, pieceMs);
  };
  wait(delayMs);
  return () => {
    clearTimeout(timer);
  };
}

/** The machine's time. A negative delay counts as 0, one beyond 2^31−1 ms is kept as it is. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule,
};
