/**
 * running.process: who runs the node of a directory.
 *
 *     <pid> <create time>\n        15476 1795250044.49
 *
 * The create time is the process's start in Unix seconds, as psutil computes it: other programs compare it before
 * they stop the process. A file whose process is gone is replaced, and so is one whose number lives but started at
 * another time: that of a container that is no more. Of nodes that start together one wins: the file
 * appears by a hard link, and only who holds the name running.process.takeover.unfinished may replace one.
 * running.process.lock is created, empty, for other programs that lock it; Node.js has no flock.
 * @see Tahoe-LAFS docs/check_running.py
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { TahoeError } from '#core/errors.js';
import { UNFINISHED, fileError, linkOnce, systemCode } from './durable-file.js';
import { createTimeOf, ownCreateTime } from './process-identity.js';

/** The file's name in the node directory. */
export const PID_FILE = 'running.process';
/** By how much two calculations of one start may differ, in seconds: the boot time moves when the clock is set. */
const CREATE_TIME_TOLERANCE = 2;
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
  const text = formatPidFile({ pid: process.pid, createTime: await ownCreateTime() });
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

/** Puts the claim, a file beside it that holds `text`, into the place of the pid file. */
async function place(claim: string, text: string, directory: string): Promise<number | undefined> {
  const path = join(directory, PID_FILE);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Again each time: a node that starts removes what it takes for left over from a crash.
    await writeFile(claim, text, { mode: 0o644 });
    if (await linkIfThere(claim, path)) return undefined;
    const old = await readIfThere(path);
    if (old === undefined) continue;
    const holder = parsePidFile(old, path);
    const { pid } = holder;
    if (await isOthers(holder)) throw new TahoeError('ERR_ALREADY_RUNNING', { directory, pid });
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

/**
 * Whether it is a live process and not this one. A process that started at another time got the number later, or in
 * another container: there every node may be number 1, or 7.
 */
async function isOthers({ pid, createTime }: RunningProcess): Promise<boolean> {
  if (pid === process.pid) return false;
  const found = await createTimeOf(pid);
  if (found === undefined) return true;
  return found !== 'gone' && Math.abs(found - createTime) <= CREATE_TIME_TOLERANCE;
}

/** Replaces the file of a dead process, if it still says `text` once nobody else may replace it. */
async function takeOver(claim: string, path: string, text: string): Promise<boolean> {
  const permit = `${path}.takeover${UNFINISHED}`;
  if (!(await linkIfThere(claim, permit))) {
    const holder = await readIfThere(permit);
    if (holder !== undefined && !(await isOthers(parsePidFile(holder, permit)))) await rm(permit, { force: true });
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
