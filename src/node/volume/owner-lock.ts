/**
 * The lock that keeps two nodes from writing one store.
 *
 *     <storage_dir>/tallac/owner/<epoch>     who owns the store, 512 bytes
 *
 * The highest epoch owns. A lock is taken by making the file of the next epoch, which only one can do, and the files
 * of all lower ones are removed, the lowest first. So whoever finds that its own file is not the highest any more has
 * lost the store, however long it slept. The owner writes its file anew every few seconds, through the descriptor it
 * made it with: one that was overtaken in between writes into a file without a name.
 *
 * An owner that let go, or whose process is gone, is succeeded at once. Of one that ran elsewhere (another machine,
 * another container, before a reboot) nothing is known but its heartbeats: it is succeeded when the volume says that
 * the last is too old, or when none came while it was watched. The reference knows nothing of this lock.
 */
import { link, mkdir, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { UNFINISHED, fileError, isFull, syncDirectory, systemCode } from '../durable-file.js';
import { stateOf } from '../process-identity.js';
import type { ProcessIdentity } from '../process-identity.js';
import { formatOwnerRecord, parseOwnerRecord } from './owner-record.js';
import type { OwnerRecord } from './owner-record.js';

/** Without a heartbeat for so long, an owner elsewhere counts as gone. */
export const STALE_MS = 10_000;
/** How often a start looks whether the owner's heart beats. */
const WATCH_PAUSE_MS = 1_000;
/** Owners that may succeed each other while one start waits for its turn. */
const SUCCESSION_MAX = 20;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Where the lock is, and who wants it. */
export interface OwnerLockOptions {
  /** `<storage_dir>/tallac/owner`; made when it is missing. */
  readonly directory: string;
  /** The tub id of the node. */
  readonly node: string;
  readonly process: ProcessIdentity;
  readonly clock: Clock;
  /** Told when the start has to wait for an owner elsewhere. */
  readonly onWait: (owner: string) => void;
}

/** A lock that is held. */
export interface OwnerLock {
  readonly epoch: number;
  /** Whether the store is still ours. @throws the system's error when the volume does not say. */
  isHeld(): Promise<boolean>;
  /** Says on the volume that this owner lives, or with `released` that it has let go. @throws the system's error. */
  beat(released?: boolean): Promise<void>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** The file of the highest epoch. */
interface Holder {
  readonly epoch: number;
  readonly text: string;
  readonly changedMs: number;
}

/**
 * Takes the lock.
 * @throws ERR_VOLUME_IN_USE when another owner lives, or another start was faster.
 * @throws ERR_FILE, ERR_NO_SPACE when the files of the lock cannot be read or written.
 */
export async function takeOwnerLock(options: OwnerLockOptions): Promise<OwnerLock> {
  try {
    await mkdir(options.directory, { recursive: true, mode: DIRECTORY_MODE });
    for (let turn = 0; turn < SUCCESSION_MAX; turn++) {
      const holder = await readHolder(options.directory);
      if (holder !== undefined) await outlive(holder, options);
      const lock = await createLock((holder?.epoch ?? 0) + 1, options, holder);
      if (lock !== undefined) return lock;
    }
  } catch (error) {
    throw error instanceof TahoeError ? error : fileError(options.directory, error);
  }
  throw inUse(options, 'nodes that start and stop all the time');
}

/** Returns when the holder may be succeeded. @throws ERR_VOLUME_IN_USE when it lives. */
async function outlive(holder: Holder, options: OwnerLockOptions): Promise<void> {
  const record = parseOwnerRecord(holder.text);
  if (record?.released === true) return;
  const state = record === undefined ? 'unknown' : await stateOf(record, options.process);
  if (state === 'lives') throw inUse(options, describe(record));
  if (state === 'gone' || (await ageOf(holder, options.directory)) > STALE_MS) return;
  options.onWait(describe(record));
  const sinceMs = options.clock.monotonicMs();
  while (options.clock.monotonicMs() - sinceMs < STALE_MS) {
    await new Promise<void>((resolve) => options.clock.schedule(WATCH_PAUSE_MS, resolve));
    const now = await readHolder(options.directory);
    // Gone, succeeded or released: whatever it is now, it is looked at anew.
    if (now === undefined || now.epoch !== holder.epoch || parseOwnerRecord(now.text)?.released === true) return;
    if (now.text !== holder.text) throw inUse(options, describe(parseOwnerRecord(now.text)));
  }
}

/** The time since the holder's last heartbeat, both by the volume's clock, in milliseconds. */
async function ageOf(holder: Holder, directory: string): Promise<number> {
  const path = join(directory, `now${UNFINISHED}`);
  const handle = await open(path, 'w', FILE_MODE);
  try {
    await handle.write('now').catch((error: unknown) => {
      if (!isFull(error)) throw error;
    });
    return (await handle.stat()).mtimeMs - holder.changedMs;
  } finally {
    await handle.close();
    await rm(path, { force: true });
  }
}

/** @returns undefined when the epoch is another's already. */
async function createLock(
  epoch: number,
  options: OwnerLockOptions,
  holder: Holder | undefined,
): Promise<OwnerLock | undefined> {
  const path = join(options.directory, String(epoch));
  try {
    return await claim(path, epoch, options, () => open(path, 'wx', FILE_MODE));
  } catch (error) {
    if (holder === undefined || !isFull(error)) throw error;
    // A full volume still has the room that the former owner's file takes.
    return claim(path, epoch, options, async () => {
      await link(join(options.directory, String(holder.epoch)), path);
      return open(path, 'r+');
    });
  }
}

/** @param make - makes the file of the epoch, which only one can do. */
async function claim(
  path: string,
  epoch: number,
  options: OwnerLockOptions,
  make: () => Promise<FileHandle>,
): Promise<OwnerLock | undefined> {
  const handle = await openOnce(make);
  if (handle === undefined) return undefined;
  const lock = lockOf(handle, epoch, options);
  try {
    await lock.beat();
    await syncDirectory(options.directory);
    for (const lower of await epochsIn(options.directory)) {
      if (lower < epoch) await rm(join(options.directory, String(lower)), { force: true });
    }
    // Others may have succeeded each other, and removed this epoch, before it was made.
    if (await lock.isHeld()) return lock;
    await rm(path, { force: true });
    await lock.close();
    return undefined;
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    await lock.close();
    throw error;
  }
}

async function openOnce(make: () => Promise<FileHandle>): Promise<FileHandle | undefined> {
  try {
    return await make();
  } catch (error) {
    if (['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

function lockOf(handle: FileHandle, epoch: number, { directory, node, process, clock }: OwnerLockOptions): OwnerLock {
  return {
    epoch,
    async isHeld() {
      return (await epochsIn(directory)).at(-1) === epoch;
    },
    async beat(released = false) {
      const record: OwnerRecord = { ...process, node, heartbeatMs: Math.max(0, Math.floor(clock.nowMs())), released };
      await writeWhole(handle, Buffer.from(formatOwnerRecord(record)));
      // Other machines see it only then.
      await handle.datasync();
    },
    close: () => handle.close(),
  };
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, done);
    done += bytesWritten;
  }
}

async function readHolder(directory: string): Promise<Holder | undefined> {
  const epoch = (await epochsIn(directory)).pop();
  if (epoch === undefined) return undefined;
  const path = join(directory, String(epoch));
  try {
    return { epoch, text: await readFile(path, 'utf8'), changedMs: (await stat(path)).mtimeMs };
  } catch (error) {
    // Removed since, by one that has taken a higher epoch.
    if (systemCode(error) === 'ENOENT') return { epoch, text: '', changedMs: 0 };
    throw error;
  }
}

/** The epochs that have a file, in ascending order; none when there is no such directory. */
async function epochsIn(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => /^[1-9][0-9]{0,14}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function describe(record: OwnerRecord | undefined): string {
  if (record === undefined) return 'a node that is starting';
  return `node ${record.node} (process ${String(record.pid)} on ${record.host})`;
}

function inUse({ directory }: OwnerLockOptions, owner: string): TahoeError {
  return new TahoeError('ERR_VOLUME_IN_USE', { directory: join(directory, '../..'), owner });
}
