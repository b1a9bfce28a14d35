/** Work in steps on the main thread, so that whatever else waits has its turn between them. */
import type { Clock } from '#core/environment.js';

/** After so long the others have their turn, in milliseconds. */
const TURN_MS = 15;

/** Takes all steps. */
export async function takeSteps<Result>(clock: Clock, steps: Generator<undefined, Result>): Promise<Result> {
  for (let begunMs = clock.monotonicMs(); ;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (clock.monotonicMs() - begunMs < TURN_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    begunMs = clock.monotonicMs();
  }
}
