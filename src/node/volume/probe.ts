/**
 * Tries what a store needs of its volume, before it is trusted with shares: each step on a file of its own, each
 * with a sentence of its own when the volume cannot do it.
 */
import { mkdir, open, readFile, rename, rm, statfs, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError, reasonOf } from '#core/errors.js';
import { UNFINISHED, isFull, syncDirectory, systemCode } from '../durable-file.js';

/** How long a volume may take over all steps together. */
export const PROBE_TIMEOUT_MS = 30_000;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Where not even that is possible there was no store. */
const MAKE_DIRECTORIES = 'make directories';
const CONTENT = 'the volume keeps what it is given';

/** The system calls of the probe; tests give ones that fail. */
export interface ProbeCalls {
  readonly mkdir: typeof mkdir;
  readonly open: (path: string, flags: string, mode: number) => Promise<FileHandle>;
  readonly readFile: (path: string, encoding: 'utf8') => Promise<string>;
  readonly rename: typeof rename;
  readonly syncDirectory: typeof syncDirectory;
  readonly statfs: (path: string) => Promise<{ readonly bavail: number; readonly bsize: number }>;
  readonly unlink: typeof unlink;
}

/** The real ones. */
export const probeCalls: ProbeCalls = { mkdir, open, readFile, rename, syncDirectory, statfs, unlink };

/**
 * Makes `directory` where it is missing and tries the volume it is on. One that is full can still be read, and is
 * tried no further.
 * @returns whether it is full.
 * @throws ERR_VOLUME naming what the volume cannot do; ERR_TIMEOUT when it does not answer in 30 s.
 */
export async function probeVolume(
  directory: string,
  clock: Clock,
  calls = probeCalls,
): Promise<{ readonly isFull: boolean }> {
  let cancel: () => void = () => undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    const error = new TahoeError('ERR_TIMEOUT', { what: `the volume at '${directory}'`, timeoutMs: PROBE_TIMEOUT_MS });
    cancel = clock.schedule(PROBE_TIMEOUT_MS, () => reject(error));
  });
  try {
    await Promise.race([tryAll(directory, calls), overdue]);
    return { isFull: false };
  } catch (error) {
    if (!isTahoeError(error, 'ERR_VOLUME') || error.facts.what === MAKE_DIRECTORIES || !isFull(error)) throw error;
    return { isFull: true };
  } finally {
    cancel();
  }
}

async function tryAll(directory: string, calls: ProbeCalls): Promise<void> {
  const first = join(directory, `probe-1${UNFINISHED}`);
  const second = join(directory, `probe-2${UNFINISHED}`);
  const attempt = <Result>(what: string, action: () => Promise<Result>): Promise<Result> =>
    action().catch((error: unknown) => {
      throw new TahoeError('ERR_VOLUME', { directory, what, reason: explain(error) }, { cause: error });
    });
  await attempt(MAKE_DIRECTORIES, () => calls.mkdir(directory, { recursive: true, mode: DIRECTORY_MODE }));
  try {
    const handle = await attempt('make files', () => calls.open(first, 'w', FILE_MODE));
    try {
      await attempt('write files', () => handle.writeFile(CONTENT));
      await attempt('sync files', () => handle.sync());
    } finally {
      await handle.close();
    }
    await attempt('rename files', () => calls.rename(first, second));
    await attempt('sync directories', () => calls.syncDirectory(directory));
    await attempt('read back what it was given', async () => {
      if ((await calls.readFile(second, 'utf8')) !== CONTENT) throw new Error('other bytes came back');
    });
    await attempt('keep two nodes from making the same file', () => refusesSecond(second, calls));
    await attempt('say how much space is free', () => calls.statfs(directory));
    await attempt('remove files', () => calls.unlink(second));
  } finally {
    for (const path of [first, second]) await rm(path, { force: true }).catch(() => undefined);
  }
}

async function refusesSecond(path: string, calls: ProbeCalls): Promise<void> {
  try {
    await (await calls.open(path, 'wx', FILE_MODE)).close();
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw error;
  }
  throw new Error('it made one that was there already');
}

const REASONS: Readonly<Record<string, string>> = {
  EROFS: 'it is mounted read-only',
  EACCES: 'permission is denied: it must belong to the user that runs the node',
  EPERM: 'permission is denied: it must belong to the user that runs the node',
  ENOSPC: 'it is full',
  EDQUOT: 'its quota is used up',
  ENOTDIR: 'a part of its path is not a directory',
  EMFILE: 'this process has too many files open',
};

function explain(error: unknown): string {
  return REASONS[systemCode(error) ?? ''] ?? reasonOf(error);
}
