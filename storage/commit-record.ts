/**
 * The record of a change to several shares, as text: what makes it all or nothing when the machine stops in between.
 * Pure.
 *
 * It says for each share which prepared file goes to its place, if any, and what stood there before, so that at the
 * next start it can be seen how far the change came and whether somebody else was there since. The text stands there
 * twice, one line each: a record that is damaged in any bit is noticed.
 */
import { equalBytes, fromUtf8 } from '#core/bytes.js';
import type { FileMark } from './file-mark.js';

/** One share's part of the change. */
export interface CommitStep {
  readonly shareNumber: number;
  /** What stood in its place; null for nothing. */
  readonly before: FileMark | null;
  /** The file that goes there, by its name among the prepared ones; null for none. */
  readonly prepared: { readonly name: string; readonly ino: number } | null;
}

/** A change to shares of one storage index (base32). */
export interface CommitRecord {
  readonly storageIndex: string;
  readonly steps: readonly CommitStep[];
}

/** How far a step has come: still to be made, made, overtaken by somebody else, or its file is lost. */
export type StepState = 'open' | 'done' | 'foreign' | 'lost';

/** The text of a record. */
export function formatCommitRecord(record: CommitRecord): string {
  const line = `${JSON.stringify(record)}\n`;
  return line + line;
}

/** The record of a file, or undefined when it is damaged. */
export function parseCommitRecord(bytes: Uint8Array): CommitRecord | undefined {
  const half = bytes.length / 2;
  const line = bytes.subarray(0, half);
  if (half === 0 || !equalBytes(line, bytes.subarray(half))) return undefined;
  // Both lines are as they were written.
  return JSON.parse(fromUtf8(line)) as CommitRecord;
}

/**
 * @param found - what stands in the share's place now; null for nothing.
 * @param isPrepared - whether the prepared file still has its name.
 */
export function stateOfStep({ before, prepared }: CommitStep, found: FileMark | null, isPrepared: boolean): StepState {
  if (prepared === null && found === null) return 'done';
  // A power cut may leave a renamed file under both of its names.
  if (prepared !== null && found?.ino === prepared.ino) return 'done';
  if (!isUntouched(before, found)) return 'foreign';
  return prepared === null || isPrepared ? 'open' : 'lost';
}

/** An earlier time is no sign of somebody else: a power cut may take back the time of a write, but not the write. */
function isUntouched(before: FileMark | null, found: FileMark | null): boolean {
  if (before === null || found === null) return before === found;
  return before.ino === found.ino && before.size === found.size && found.mtimeMs <= before.mtimeMs;
}
