/**
 * The looking thread: it looks at what it is told to, a list of places at a time, and ends when it is told nothing
 * for a while, which gives its memory back.
 * @see looking-thread.ts
 */
import { parentPort } from 'node:worker_threads';
import { lookAt } from './file-look.js';
import type { Look } from './file-look.js';

/** How long it is kept with nothing to do, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

const idle = setTimeout(() => parentPort?.close(), IDLE_TIMEOUT_MS);

parentPort?.on('message', (looks: readonly Look[]) => {
  parentPort?.postMessage(looks.map(lookAt));
  idle.refresh();
});
