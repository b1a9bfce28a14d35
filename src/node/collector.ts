/**
 * How V8 collects garbage in a running node.
 *
 * File data passes through arrays outside V8's heap, hundreds of MiB a second. V8 counts them as pressure on its heap
 * and answers with incremental marking, over and over, though the heap itself holds some 20 MiB: measured on an
 * upload of 64 MiB, a third of all processor time of a grid. Without it a collection marks the heap in one go, which
 * takes some ten milliseconds at that size, and comes when it is needed.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How much garbage in new arrays is let lie, in bytes. */
const DISCARDED_SIZE_MAX = 8_388_608;

/**
 * Sets the collector up for a process that moves much data. Call it when the program is loaded and before the work
 * begins: the space for new objects stays as large as loading made it, some megabytes. Left to itself it grows to 32 MiB
 * in each thread, which took a fifth of all memory of a gateway and saved no time that could be measured.
 */
export function tuneCollector(): void {
  setFlagsFromString('--no-incremental-marking');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Collects new arrays when enough of them are garbage: V8 lets arrays outside its heap add up to 64 MiB a thread before it
 * looks at them, and most die young. Such a collection takes less than half a millisecond.
 * @returns what is told how many bytes of new arrays are garbage now.
 */
export function collectorOfDiscarded(): (sizeBytes: number) => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  let discarded = 0;
  return (sizeBytes) => {
    discarded += sizeBytes;
    if (discarded < DISCARDED_SIZE_MAX) return;
    discarded = 0;
    collect({ type: 'minor' });
  };
}
