/**
 * A thread that looks at files, one for the whole process. A look takes up to five system calls of a few microseconds
 * each, and each of them would cost ten times that if it were sent to another thread by itself; here hundreds of looks
 * travel together, and a disk that is slow holds up nobody who serves.
 *
 * The thread begins with the first look and ends by itself when nobody has looked for a while (look-worker.ts). If it
 * dies, those who wait hear of it, and the next look begins another.
 */
import { Worker } from 'node:worker_threads';
import type { Look, Seen } from './file-look.js';

/** Looks that travel together at most. */
const MESSAGE_LENGTH_MAX = 1024;
/** What the thread's own memory may grow to, in MiB. */
const MEMORY_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/** Somebody who wants to know what is there. */
interface Waiter {
  readonly look: Look;
  readonly resolve: (seen: Seen) => void;
  readonly reject: (error: Error) => void;
}

class LookingThread {
  #worker: Worker | undefined;
  #waiting: Waiter[] = [];
  /** Those whose looks are under way. */
  #asked: Waiter[] = [];
  #isDue = false;

  ask(look: Look): Promise<Seen> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ look, resolve, reject });
      if (this.#isDue || this.#asked.length > 0) return;
      this.#isDue = true;
      setImmediate(() => {
        this.#isDue = false;
        this.#send();
      });
    });
  }

  #send(): void {
    if (this.#asked.length > 0 || this.#waiting.length === 0) return;
    this.#asked = this.#waiting.splice(0, MESSAGE_LENGTH_MAX);
    this.#worker ??= this.#begin();
    // Only as long as somebody waits does it keep the process alive.
    this.#worker.ref();
    this.#worker.postMessage(this.#asked.map(({ look }) => look));
  }

  #begin(): Worker {
    const options = { execArgv: [], resourceLimits: MEMORY_LIMITS };
    const worker = new Worker(new URL('./look-worker.js', import.meta.url), options);
    let failure: Error | undefined;
    return worker
      .on('message', (seen: readonly Seen[]) => {
        worker.unref();
        this.#answer(seen);
      })
      .on('error', (error) => {
        failure = error;
      })
      .on('exit', () => {
        this.#ended(failure);
      });
  }

  #answer(seen: readonly Seen[]): void {
    const asked = this.#asked.splice(0);
    for (const [i, waiter] of asked.entries()) waiter.resolve(seen[i] ?? { failure: 'EIO' });
    this.#send();
  }

  /** @param failure - undefined when it had nothing to do, as far as it knew. */
  #ended(failure: Error | undefined): void {
    this.#worker = undefined;
    const asked = this.#asked.splice(0);
    if (failure === undefined) this.#waiting.unshift(...asked);
    else for (const waiter of asked) waiter.reject(failure);
    this.#send();
  }
}

const thread = new LookingThread();

/** Looks, together with whatever else is asked for in this turn. @throws when the thread died of it. */
export function askToLook(look: Look): Promise<Seen> {
  return thread.ask(look);
}
