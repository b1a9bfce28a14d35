/**
 * The lines that `backup` prints; scripts read the last ones.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe backup"
 */
import type { BackupCounts } from './backup-run.js';

/** How far it is. @param done - how many things of `total` are through, what was left out included. */
export function progressLine(done: number, total: number, elapsedMs: number): string {
  const { hours, minutes, seconds } = partsOf(elapsedMs);
  const elapsed = `${String(hours)}h ${String(minutes)}m ${String(seconds)}s`;
  return `Backing up ${String(done)}/${String(total)}... ${elapsed} elapsed...`;
}

/** What it came to. @param isVerbose - whether what was only checked is told, too. */
export function reportLines(counts: BackupCounts, elapsedMs: number, isVerbose: boolean): string[] {
  const files = `${String(counts.filesCreated)} files uploaded (${String(counts.filesReused)} reused)`;
  const directories = `${String(counts.directoriesCreated)} directories created (${String(counts.directoriesReused)} reused)`;
  const skipped = `${String(counts.directoriesSkipped)} directories skipped`;
  const checked = ` ${String(counts.filesChecked)} files checked, ${String(counts.directoriesChecked)} directories checked`;
  const { hours, minutes, seconds } = partsOf(elapsedMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return [
    ` ${files}, ${String(counts.filesSkipped)} files skipped, ${directories}, ${skipped}`,
    ...(isVerbose ? [checked] : []),
    ` backup done, elapsed time: ${String(hours)}:${two(minutes)}:${two(seconds)}`,
  ];
}

/** As names of archives have the time. @param nowMs - Unix milliseconds. */
export function archiveName(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replace('T', '_')}Z`;
}

function partsOf(elapsedMs: number): { readonly hours: number; readonly minutes: number; readonly seconds: number } {
  const whole = Math.floor(elapsedMs / 1000);
  return { hours: Math.floor(whole / 3600), minutes: Math.floor(whole / 60) % 60, seconds: whole % 60 };
}
