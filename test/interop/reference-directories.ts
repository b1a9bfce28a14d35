/** Asks the reference's own code what it makes of directories. @see reference-directories.py */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex, utf8 } from '#core/bytes.js';
import { slotsOf } from '#core/directory/child.js';
import type { Overwrite } from '#core/directory/changes.js';
import { unpackDirectory } from '#core/directory/entries.js';
import type { DirectoryAccess, NewEntry } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { crypto } from '#test/fixtures/crypto.js';
import { referenceCommand } from '#test/fixtures/process-grid.js';

const script = fileURLToPath(new URL('../../../test/interop/reference-directories.py', import.meta.url));
const TIMEOUT_MS = 300_000;
const OUTPUT_SIZE_MAX = 1_000_000_000;

/** The key that the script reads and writes with. */
export const writeKey = Uint8Array.from({ length: 16 }, (_, i) => i);
const writing: DirectoryAccess = { kind: 'write', writeKey };

/** An entry of a listing: name (hex), two capabilities (base64) and metadata (JSON). */
export type ListedText = readonly [name: string, write: string | null, read: string | null, metadata: string];

export interface ChildTask {
  readonly name: string;
  readonly write: string | null;
  readonly read: string | null;
  readonly metadata: string | null;
}

export type ChangeTask =
  | { readonly kind: 'link'; readonly links: readonly ChildTask[]; readonly overwrite: Overwrite }
  | {
      readonly kind: 'unlink';
      readonly name: string;
      readonly mustExist: boolean;
      readonly mustBe: 'file' | 'directory' | null;
    }
  | { readonly kind: 'describe'; readonly name: string; readonly metadata: string };

export type Task =
  | { readonly task: 'unpack'; readonly contents: string; readonly kind: DirectoryAccess['kind'] }
  | { readonly task: 'pack'; readonly children: readonly ChildTask[]; readonly immutable: boolean }
  | {
      readonly task: 'change';
      readonly contents: string;
      readonly now: number;
      readonly change: ChangeTask;
      readonly first: boolean;
    };

export interface Answer {
  readonly listing?: readonly ListedText[];
  readonly contents?: string;
  readonly error?: string;
}

/** Its answers, in the order of the tasks. */
export function askReference(tasks: readonly Task[]): Answer[] {
  const python = join(dirname(referenceCommand), 'python');
  const input = JSON.stringify(tasks);
  const options = { input, encoding: 'utf8', timeout: TIMEOUT_MS, maxBuffer: OUTPUT_SIZE_MAX } as const;
  const { status, stdout, stderr } = spawnSync(python, [script], options);
  if (status !== 0) throw new Error(`the reference did not answer: ${stderr.slice(-2000)}`);
  return JSON.parse(stdout) as Answer[];
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function slotText(slot: Uint8Array): string | null {
  return slot.length === 0 ? null : toBase64(slot);
}

/** What is to be linked, as a task has it. */
export function childTask({ name, child, metadata }: NewEntry): ChildTask & { readonly metadata: string } {
  const { write, read } = slotsOf(crypto, child);
  return { name, write: slotText(write), read: slotText(read), metadata: formatPythonJson(metadata) };
}

/** Our listing in the same form. */
export function listed(kind: DirectoryAccess['kind'], contents: Uint8Array): ListedText[] {
  const { entries } = unpackDirectory(crypto, kind === 'write' ? writing : { kind }, contents);
  return [...entries.values()].map((entry) => {
    const { name, write, read, metadata } = childTask(entry);
    return [toHex(utf8(name)), write, read, metadata];
  });
}
