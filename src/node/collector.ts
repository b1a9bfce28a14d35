/**
 * How V8 collects garbage in a running node.
 *
 * File data passes through arrays outside V8's heap, hundreds of MiB a second. V8 counts them as pressure on its heap
 * and answers with incremental marking, over and over, though the heap itself holds some 20 MiB: measured on an
 * upload of 64 MiB, a third of all processor time of a grid. Without it a collection marks the heap in one go, which
 * takes some ten milliseconds at that size, and comes when it is needed.
 */
import { Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '#core/environment.js';

/** How much garbage in new arrays is let lie, in bytes. */
const DISCARDED_SIZE_MAX = 8_388_608;
/** What lies in arrays after new garbage was collected before all is, in bytes, and how often that may be, in milliseconds. */
const ARRAY_SIZE_MAX = 16_777_216;
const COLLECT_ALL_INTERVAL_MS = 10_000;
/** From this time between two collections of new garbage on, nothing rushes, in milliseconds. */
const SLOW_INTERVAL_MS = 250;
/** How often it is seen whether the node is still at work, in milliseconds. */
const LOOK_INTERVAL_MS = 2_000;
/** After so many looks without work it is idle. */
const IDLE_LOOK_COUNT = 15;
/** What has to be there to be collected, in bytes. */
const WORTHWHILE_SIZE = 32 << 20;

/**
 * Sets the collector up for a process that moves much data. Call it when the program is loaded and before the work
 * begins: the space for new objects stays as large as loading made it, some megabytes. Left to itself it grows to 32 MiB
 * in each thread, which took a fifth of all memory of a gateway and saved no time that could be measured.
 */
export function tuneCollector(): void {
  setFlagsFromString('--no-incremental-marking');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** What `collectorOfDiscarded` stands on; tests give their own memory. */
export interface DiscardedCollectionOptions {
  readonly nowMs?: () => number;
  /** What is in arrays, garbage or not, in bytes. */
  readonly arraySize?: () => number;
  readonly collect?: (what: 'new' | 'all') => void;
}

/**
 * Collects new arrays when enough of them are garbage: V8 lets arrays outside its heap add up to 64 MiB a thread before it
 * looks at them, and most die young. Such a collection takes less than half a millisecond. Arrays that a slow reader keeps
 * waiting outlive some of them and are new no more: where many lie there, all is collected now and then, in some 20 ms. While
 * data rush through, it is not: there they are at work.
 * @returns what is told how many bytes of new arrays are garbage now.
 */
export function collectorOfDiscarded(options: DiscardedCollectionOptions = {}): (sizeBytes: number) => void {
  const { nowMs = () => performance.now(), arraySize = () => process.memoryUsage().arrayBuffers } = options;
  const collect = options.collect ?? exposedCollector();
  let discarded = 0;
  let [collectedMs, collectedAllMs] = [-Infinity, -Infinity];
  return (sizeBytes) => {
    discarded += sizeBytes;
    if (discarded < DISCARDED_SIZE_MAX) return;
    discarded = 0;
    collect('new');
    const isSlow = nowMs() - collectedMs >= SLOW_INTERVAL_MS;
    collectedMs = nowMs();
    if (!isSlow || collectedMs - collectedAllMs < COLLECT_ALL_INTERVAL_MS || arraySize() <= ARRAY_SIZE_MAX) return;
    collectedAllMs = collectedMs;
    collect('all');
  };
}

function exposedCollector(): (what: 'new' | 'all') => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;
  return (what) => {
    if (what === 'new') collect({ type: 'minor' });
    else collect();
  };
}

/** What `collectWhenIdle` stands on; tests give their own memory. */
export interface IdleCollectionOptions {
  readonly clock: Clock;
  /** Whether the node was at work since it was asked last. */
  readonly isBusy: () => boolean;
  /** What the process holds, in bytes. */
  readonly residentSize?: () => number;
  readonly collect?: () => unknown;
}

/**
 * Collects everything when the node has started, and when it was at work, took much memory for that, and has been idle for
 * half a minute: without incremental marking V8 does not do that by itself, and a node would hold 25 to 80 MiB more for hours.
 * It takes some 60 ms that nobody waits for; but code that was compiled goes too, so it is not done between two commands.
 * @returns what ends it.
 */
export function collectWhenIdle(options: IdleCollectionOptions): () => void {
  const { clock, isBusy, residentSize = () => process.memoryUsage.rss(), collect = collectEverything } = options;
  /** What the process held after the last collection; known at the look that follows, when it has gone back to the system. */
  let leftSize: number | undefined = 0;
  let looksLeft = 1;
  const look = (): void => {
    leftSize ??= residentSize();
    if (isBusy()) looksLeft = IDLE_LOOK_COUNT;
    else if (looksLeft > 0) {
      looksLeft -= 1;
      if (looksLeft === 0 && residentSize() >= leftSize + WORTHWHILE_SIZE) {
        collect();
        leftSize = undefined;
      }
    }
    cancel = clock.schedule(LOOK_INTERVAL_MS, look);
  };
  let cancel = clock.schedule(LOOK_INTERVAL_MS, look);
  return () => cancel();
}

/** V8 gives the memory back only where it is asked in this way; `gc` leaves it in the heap. @returns when it is done. */
export function collectEverything(): Promise<void> {
  const session = new Session();
  session.connect();
  return new Promise((resolve) => {
    session.post('HeapProfiler.collectGarbage', () => {
      // Not at once: the session is in use until its answer has been taken.
      setImmediate(() => {
        session.disconnect();
        resolve();
      });
    });
  });
}
