/**
 * The process that runs the node of a directory, seen from outside: found by running.process, told to stop or to read
 * its configuration again, started in the background.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { fileError, systemCode } from './durable-file.js';
import { turnOver } from './logs/rotating-file.js';
import { PID_FILE, parsePidFile } from './pid-file.js';
import { createTimeOf } from './process-identity.js';

/** By how much two calculations of one start may differ, in seconds. */
const CREATE_TIME_TOLERANCE = 2;
/** How long to wait before looking again, in milliseconds. */
const LOOK_MS = 50;
/** Where a node in the background writes what it would print. */
const LOG_FILE = 'logs/node.log';
/** A larger one is put aside when a node is started, so that what it says while it starts is in one file. */
const OLD_LOG_SIZE_MAX = 5_000_000;
/** What keeps the log of a node in the background from growing for ever. */
export const backgroundLog = { path: LOG_FILE, rotateLengthBytes: 10_000_000, rotatedFilesMax: 5 };
/** What a node says when it is up. */
const STARTED = /^(client|introducer) running$/m;

/** The pid of the node that runs in `directory`; undefined when none does. @throws ERR_FILE */
export async function runningPid(directory: string): Promise<number | undefined> {
  const path = join(directory, PID_FILE);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(path, error);
  });
  if (text === undefined) return undefined;
  const { pid, createTime } = parsePidFile(text, path);
  const found = await createTimeOf(pid);
  if (found === 'gone') return undefined;
  // A number that was given out again is another process: it must not be told to stop.
  return found === undefined || Math.abs(found - createTime) <= CREATE_TIME_TOLERANCE ? pid : undefined;
}

/**
 * Tells the node to stop and waits until it has.
 * @param timeouts - how long it may take before it is killed, and then before that is given up, in milliseconds.
 * @returns the pid it had; undefined when none ran.
 * @throws ERR_TIMEOUT when it lives on, ERR_FILE.
 */
export async function stopNode(
  directory: string,
  clock: Clock,
  timeouts: { readonly stopMs: number; readonly killMs: number },
): Promise<number | undefined> {
  const pid = await runningPid(directory);
  if (pid === undefined) return undefined;
  for (const [signal, timeoutMs] of [
    ['SIGTERM', timeouts.stopMs],
    ['SIGKILL', timeouts.killMs],
  ] as const) {
    tell(pid, signal);
    if (await comesTrue(async () => (await runningPid(directory)) !== pid, clock, timeoutMs)) return pid;
  }
  throw new TahoeError('ERR_TIMEOUT', { what: `process ${String(pid)}`, timeoutMs: timeouts.stopMs + timeouts.killMs });
}

/** Sends a signal; a process that is gone by now needs none. */
export function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return;
    throw fileError(`process ${String(pid)}`, error);
  }
}

/**
 * Starts a node in the background and waits until it is up. What it prints goes to logs/node.log.
 * @param command - the program and its words, which run the node of `directory`.
 * @returns its pid.
 * @throws ERR_NOT_STARTED with what it said, when it ends or is not up in time.
 */
export async function startInBackground(
  directory: string,
  command: readonly [program: string, ...words: string[]],
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<number> {
  const path = join(directory, LOG_FILE);
  const log = await openLog(path);
  try {
    const from = (await log.stat()).size;
    const [program, ...words] = command;
    const child = spawn(program, words, { cwd: directory, detached: true, stdio: ['ignore', log.fd, log.fd] });
    const end = { isThere: false };
    for (const event of ['exit', 'error']) child.once(event, () => (end.isThere = true));
    const said = async (): Promise<string> => textFrom(path, from);
    await comesTrue(async () => end.isThere || STARTED.test(await said()), clock, timeoutMs);
    child.unref();
    if (!end.isThere && STARTED.test(await said()) && child.pid !== undefined) return child.pid;
    const [reason = ''] = (await said()).trim().split('\n').slice(-1);
    throw new TahoeError('ERR_NOT_STARTED', {
      directory,
      reason: reason === '' ? 'it said nothing' : reason,
      log: path,
    });
  } finally {
    await log.close();
  }
}

/** Asks again and again. @returns whether it came true in time. */
export async function comesTrue(question: () => Promise<boolean>, clock: Clock, timeoutMs: number): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    if (await question()) return true;
    if (clock.monotonicMs() >= deadlineMs) return false;
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve));
  }
}

async function openLog(path: string): Promise<FileHandle> {
  try {
    await mkdir(join(path, '..'), { recursive: true });
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size > OLD_LOG_SIZE_MAX) turnOver(path, backgroundLog.rotatedFilesMax);
    return await open(path, 'a', 0o600);
  } catch (error) {
    throw fileError(path, error);
  }
}

async function textFrom(path: string, from: number): Promise<string> {
  return (await readFile(path)).subarray(from).toString();
}
