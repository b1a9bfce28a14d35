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

/** So much is done in one turn of what is read, in bytes. */
export const TURN_SIZE = 1_048_576;

/** Work for one reader, one piece after the other, after each TURN_SIZE of which the others have their turn. */
export class Turns {
  #size = 0;
  #tail: Promise<unknown> = Promise.resolve();

  /**
   * Takes all steps when all work before them is done.
   * @param stepSize - on how many bytes a step works, at most.
   */
  take<Result>(steps: Generator<undefined, Result>, stepSize: number): Promise<Result> {
    const taken = this.#tail.then(() => this.#take(steps, stepSize));
    this.#tail = taken.catch(() => undefined);
    return taken;
  }

  async #take<Result>(steps: Generator<undefined, Result>, stepSize: number): Promise<Result> {
    for (;;) {
      if (this.#size >= TURN_SIZE) {
        await new Promise((resolve) => setImmediate(resolve));
        this.#size = 0;
      }
      const step = steps.next();
      if (step.done === true) return step.value;
      this.#size += stepSize;
    }
  }
}
