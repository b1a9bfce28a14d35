/**
 * How V8 collects garbage in a running node.
 *
 * File data passes through arrays outside V8's heap, hundreds of MiB a second. V8 counts them as pressure on its heap
 * and answers with incremental marking, over and over, though the heap itself holds some 20 MiB: measured on an
 * upload of 64 MiB, a third of all processor time of a grid. Without it a collection marks the heap in one go, which
 * takes some ten milliseconds at that size, and comes when it is needed.
 */
import { setFlagsFromString } from 'node:v8';

/** Sets the collector up for a process that moves much data. Call it before the work begins. */
export function tuneCollector(): void {
  setFlagsFromString('--no-incremental-marking');
}
