/**
 * running.process: who runs the node of a directory.
 *
 *     <pid> <create time>\n        15476 1795250044.49
 *
 * The create time is the process's start in Unix seconds, as psutil computes it: other programs compare it before
 * they stop the process. A file whose process is gone is replaced. Of nodes that start together one wins: the file
 * appears by a hard link, and only who holds the name running.process.takeover.unfinished may replace one.
 * running.process.lock is created, empty, for other programs that lock it; Node.js has no flock.
 * @see Tahoe-LAFS docs/check_running.py
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { TahoeError } from '#core/errors.js';
import { UNFINISHED, fileError, linkOnce, systemCode } from './durable-file.js';

/** The file's name in the node directory. */
export const PID_FILE = 'running.process';
/** Ticks a second of the times in /proc on every Linux that Node.js runs on. */
const CLOCK_TICKS = 100;
/** How long nodes that start together wait for each other: attempts, and the pause between them. */
const ATTEMPTS_MAX = 40;
const ATTEMPT_PAUSE_MS = 50;

/** What the file says. */
export interface RunningProcess {
  readonly pid: number;
  /** Unix seconds, with two decimals. */
  readonly createTime: number;
}

/** A claim on a node directory. */
export interface PidFile {
  /** The pid of a dead process whose file was replaced; undefined when there was none. */
  readonly replacedPid: number | undefined;
  /**
   * Removes the file, if it is still ours. Call it once, when the node has stopped.
   * @throws ERR_FILE when it cannot be removed.
   */
  release(): Promise<void>;
}

/**
 * The text of a pid file in its parts.
 * @param file - what errors call it.
 * @throws ERR_FILE when it is not a pid and a time.
 */
export function parsePidFile(text: string, file: string): RunningProcess {
  const [, pid, createTime] = /^\s*([1-9][0-9]{0,9})\s+([0-9]+(?:\.[0-9]+)?)\s*$/.exec(text) ?? [];
  if (pid !== undefined && createTime !== undefined) return { pid: Number(pid), createTime: Number(createTime) };
  const reason = 'found invalid PID file; remove it if no node runs in this directory';
  throw new TahoeError('ERR_FILE', { file, reason });
}

/** The line for a pid file. Whole seconds keep their `.0`, as Python writes them. */
export function formatPidFile({ pid, createTime }: RunningProcess): string {
  const seconds = Number.isInteger(createTime) ? `${String(createTime)}.0` : String(createTime);
  return `${String(pid)} ${seconds}\n`;
}

/**
 * Claims a node directory for this process.
 * @throws ERR_ALREADY_RUNNING when another live process holds it.
 * @throws ERR_FILE when the file there is no pid file, or cannot be written; ERR_NO_SPACE.
 */
export async function claimPidFile(directory: string): Promise<PidFile> {
  const path = join(directory, PID_FILE);
  const text = formatPidFile(await ownProcess());
  const claim = `${path}.${randomBytes(8).toString('hex')}${UNFINISHED}`;
  try {
    await touch(`${path}.lock`);
    const replacedPid = await place(claim, text, directory);
    return { replacedPid, release: () => release(path, text) };
  } catch (error) {
    throw error instanceof TahoeError ? error : fileError(path, error);
  } finally {
    await rm(claim, { force: true });
  }
}

/** Whether a process with this pid lives, a zombie included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** Puts the claim, a file beside it that holds `text`, into the place of the pid file. */
async function place(claim: string, text: string, directory: string): Promise<number | undefined> {
  const path = join(directory, PID_FILE);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Again each time: a node that starts removes what it takes for left over from a crash.
    await writeFile(claim, text, { mode: 0o644 });
    if (await linkIfThere(claim, path)) return undefined;
    const old = await readIfThere(path);
    if (old === undefined) continue;
    const { pid } = parsePidFile(old, path);
    if (isOthers(pid)) throw new TahoeError('ERR_ALREADY_RUNNING', { directory, pid });
    if (await takeOver(claim, path, old)) return pid;
    await setTimeout(ATTEMPT_PAUSE_MS);
  }
  throw new TahoeError('ERR_FILE', { file: path, reason: 'another node is starting in this directory; try again' });
}

/** linkOnce, where the source may be gone. */
async function linkIfThere(path: string, name: string): Promise<boolean> {
  try {
    return await linkOnce(path, name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Whether a live process other than this one has the pid: in a container every process of a node may be number 1. */
function isOthers(pid: number): boolean {
  return pid !== process.pid && isAlive(pid);
}

/** Replaces the file of a dead process, if it still says `text` once nobody else may replace it. */
async function takeOver(claim: string, path: string, text: string): Promise<boolean> {
  const permit = `${path}.takeover${UNFINISHED}`;
  if (!(await linkIfThere(claim, permit))) {
    const holder = await readIfThere(permit);
    if (holder !== undefined && !isOthers(parsePidFile(holder, permit).pid)) await rm(permit, { force: true });
    return false;
  }
  try {
    if ((await readIfThere(path)) !== text) return false;
    await rename(claim, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await rm(permit, { force: true });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function release(path: string, text: string): Promise<void> {
  try {
    if ((await readIfThere(path)) === text) await rm(path, { force: true });
  } catch (error) {
    throw fileError(path, error);
  }
}

async function touch(path: string): Promise<void> {
  const handle = await open(path, 'a', 0o644);
  await handle.close();
}

/** This process, its start as the kernel counts it; where there is no /proc, as Node.js does. */
async function ownProcess(): Promise<RunningProcess> {
  const kernel = await kernelCreateTime().catch(() => undefined);
  return { pid: process.pid, createTime: kernel ?? Math.round(performance.timeOrigin / 10) / 100 };
}

/** Boot time plus the start in ticks since boot: field 22 of /proc/self/stat, counted behind the name's last `)`. */
async function kernelCreateTime(): Promise<number | undefined> {
  const status = await readFile('/proc/self/stat', 'utf8');
  const ticks = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
  const [, bootTime] = /^btime ([0-9]+)$/m.exec(await readFile('/proc/stat', 'utf8')) ?? [];
  return ticks === undefined || bootTime === undefined ? undefined : Number(ticks) / CLOCK_TICKS + Number(bootTime);
}
