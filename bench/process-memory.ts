/** What the kernel says of a process's memory. */
import { readFile } from 'node:fs/promises';

/** VmRSS is what a process holds now, VmHWM the most that it ever held. */
export type MemoryFigure = 'VmRSS' | 'VmHWM';

/** A figure of a running process, in MiB. */
export async function memoryOf(process: { readonly pid: number }, figure: MemoryFigure): Promise<number> {
  const status = await readFile(`/proc/${String(process.pid)}/status`, 'utf8');
  return Number(new RegExp(`${figure}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}
