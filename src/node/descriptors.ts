/**
 * How many connections a process can hold: at the system's limit on open files nobody gets in any more, and no
 * share can be opened. So some files are kept back, and the limit on connections, which lets new ones in, is met first.
 */
import { readFile } from 'node:fs/promises';

/** What is kept back for shares, uploads and the index: this many files, or a quarter where there are few. */
const RESERVED_FILES_MAX = 4096;

/** How many files this process may have open; undefined where the system does not tell. */
export async function openFilesMax(limitsFile = '/proc/self/limits'): Promise<number | undefined> {
  const text = await readFile(limitsFile, 'utf8').catch(() => '');
  const soft = /^Max open files +([0-9]+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** As many connections as are wanted, or as there are files for. @param openFiles - what `openFilesMax` says. */
export function connectionsWithin(wanted: number, openFiles: number | undefined): number {
  if (openFiles === undefined) return wanted;
  const reserved = Math.min(RESERVED_FILES_MAX, Math.ceil(openFiles / 4));
  return Math.max(1, Math.min(wanted, openFiles - reserved));
}
