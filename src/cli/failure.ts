/**
 * How a failed command says so: a failure that can be named is one line, a bug is its stack trace.
 */
import type { Writable } from 'node:stream';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { exitStatusOf } from './exit-status.js';
import { isReaderGone } from './output.js';

/** Reports the failure on `stderr`. @returns the exit status. */
export function reportFailure(error: unknown, programName: string, stderr: Writable): number {
  if (isTahoeError(error)) {
    // Whoever stopped reading knows it, and does not want to be told.
    if (!isReaderGone(error)) stderr.write(`${programName}: ${error.message}\n`);
  } else {
    const trace = error instanceof Error ? (error.stack ?? error.message) : reasonOf(error);
    stderr.write(`${trace}\n${programName}: this is a bug in ${programName}; please report it with the lines above\n`);
  }
  return exitStatusOf(error);
}
