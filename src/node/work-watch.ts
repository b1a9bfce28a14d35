/** Whether this process is at work, by the share of time in which its main thread had something to do. */
import { performance } from 'node:perf_hooks';

/** From this share of the time on, the process is at work. A node that only keeps its connections stays far below. */
const BUSY_UTILIZATION = 0.1;

/** @returns what tells whether the process was at work since it was asked last, at first since now. */
export function workWatch(): () => boolean {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization >= BUSY_UTILIZATION;
  };
}
