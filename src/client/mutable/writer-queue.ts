/**
 * One writer at a time for each file inside a node: whoever changes a mutable one, or uploads an immutable one
 * (upload-turns.ts). Those who want to write the same file wait for one another
 * here, where it costs nothing, and not on the servers, where each would undo the other's work.
 */
import { setMaxListeners } from 'node:events';
import { toHex } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/** How many may wait for one file. */
export const WRITERS_WAITING_MAX = 1000;

interface Queue {
  waiting: number;
  tail: Promise<unknown>;
}

/** The queues of all files of a node. */
export class WriterQueue {
  readonly #queues = new Map<string, Queue>();

  /**
   * Runs `action` when all actions on that file before it have ended.
   * @param storageIndex - 16 bytes.
   * @throws ERR_BUSY when too many wait, ERR_CANCELLED when the signal ends the wait, and what `action` throws.
   */
  async run<Result>(storageIndex: Uint8Array, signal: AbortSignal, action: () => Promise<Result>): Promise<Result> {
    const key = toHex(storageIndex);
    const queue = this.#queues.get(key) ?? { waiting: 0, tail: Promise.resolve() };
    if (queue.waiting >= WRITERS_WAITING_MAX) {
      throw new TahoeError('ERR_BUSY', { what: 'places of writers of one file', limit: WRITERS_WAITING_MAX });
    }
    this.#queues.set(key, queue);
    queue.waiting += 1;
    let hasBegun = false;
    const cancelled = (): TahoeError =>
      new TahoeError('ERR_CANCELLED', { what: 'the write' }, { cause: signal.reason });
    const turn = queue.tail.then(() => {
      if (signal.aborted) throw cancelled();
      hasBegun = true;
      return action();
    });
    const end = (): void => {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(key);
    };
    queue.tail = turn.then(end, end);
    // Who gives up while waiting is told at once, and keeps the place until its turn comes.
    return new Promise<Result>((resolve, reject) => {
      const cancel = (): void => {
        if (!hasBegun) reject(cancelled());
      };
      const settled = (): void => {
        signal.removeEventListener('abort', cancel);
      };
      setMaxListeners(0, signal); // as many as wait under it
      signal.addEventListener('abort', cancel, { once: true });
      turn.then(resolve, reject).finally(settled);
    });
  }
}
