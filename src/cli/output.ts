/**
 * Writing to standard output and standard error: one piece at a time, waiting until it is taken, so that a slow
 * reader holds the program back instead of filling its memory, and a full disk is noticed.
 */
import type { Writable } from 'node:stream';
import { isTahoeError } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import { localFileError } from './local-file.js';

/**
 * Writes and waits until the stream has taken it.
 * @param name - what errors call the stream.
 * @throws ERR_NO_SPACE or ERR_FILE when the stream does not take it.
 */
export async function write(stream: Writable, piece: string | Uint8Array, name = 'standard output'): Promise<void> {
  const error = await new Promise<unknown>((resolve) => {
    stream.write(piece, resolve);
  });
  if (error !== undefined && error !== null) throw localFileError(name, error);
}

/** Writes a line and its end. @throws as write does. */
export async function writeLine(stream: Writable, line: string): Promise<void> {
  await write(stream, `${line}\n`);
}

/** Whether the failure is only that the reader of a pipe has gone: `tallac get … | head`. */
export function isReaderGone(error: unknown): boolean {
  return isTahoeError(error) && systemCode(error.cause) === 'EPIPE';
}
