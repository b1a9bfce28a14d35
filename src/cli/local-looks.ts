/**
 * Looks at many local files, one after the other: what they are, not what is in them. A look takes the system some
 * microseconds, and the way to another thread and back ten times that; so they are done at once, and others have their turn
 * now and then.
 */
import { lstatSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** So many looks may follow each other. */
const LOOKS_A_TURN = 32;

let lookCount = 0;

/** At the file, or what a link leads to. @throws the system's error. */
export async function lookAt(path: string): Promise<BigIntStats> {
  await othersTurn();
  return statSync(path, { bigint: true });
}

/** At the file or link itself. @throws the system's error. */
export async function lookAtLink(path: string): Promise<BigIntStats> {
  await othersTurn();
  return lstatSync(path, { bigint: true });
}

async function othersTurn(): Promise<void> {
  lookCount += 1;
  if (lookCount % LOOKS_A_TURN === 0) await nextTurn();
}
