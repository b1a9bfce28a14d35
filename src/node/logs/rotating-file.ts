/**
 * A file of lines that never grows beyond a length: a full one is renamed to PATH.1, that one to PATH.2, and so on. Lines are
 * written at once, since those before a crash are the ones that are looked for. A disk that takes no line loses it:
 * nobody stops serving for want of a log.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileError } from '../durable-file.js';
import type { LogDestination } from './destination.js';

const MODE = 0o600;

/** One of them. Must be closed. */
export class RotatingFile {
  readonly #destination: LogDestination;
  #descriptor: number | undefined;
  #size: number;

  /** @throws ERR_FILE, ERR_NO_SPACE. */
  constructor(destination: LogDestination) {
    this.#destination = destination;
    try {
      mkdirSync(dirname(destination.path), { recursive: true });
      this.#descriptor = openSync(destination.path, 'a', MODE);
      this.#size = fstatSync(this.#descriptor).size;
    } catch (error) {
      throw fileError(destination.path, error);
    }
  }

  /** Writes a line and its end. Never throws. @returns whether it is there. */
  write(line: string): boolean {
    const bytes = Buffer.from(`${line}\n`);
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#destination.rotateLengthBytes) this.#rotate();
      this.#descriptor ??= this.#open();
      writeSync(this.#descriptor, bytes);
      this.#size += bytes.length;
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    return openSync(this.#destination.path, 'a', MODE);
  }

  #rotate(): void {
    const { path, rotatedFilesMax } = this.#destination;
    this.close();
    this.#size = 0;
    turnOver(path, rotatedFilesMax);
    this.#descriptor = this.#open();
  }
}

/** Renames a file to PATH.1, that one to PATH.2, and so on; of these so many are kept. @throws what the system throws. */
export function turnOver(path: string, rotatedFilesMax: number): void {
  const nameOf = (number: number): string => (number === 0 ? path : `${path}.${String(number)}`);
  rmSync(nameOf(rotatedFilesMax), { force: true });
  for (let number = rotatedFilesMax; number > 0; number--) {
    try {
      renameSync(nameOf(number - 1), nameOf(number));
    } catch {
      // A number that is not there yet.
    }
  }
}
