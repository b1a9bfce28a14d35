/**
 * Makes the places of a storage directory what its journal says, after a power cut or a sudden end.
 *
 * Of each share the newest record counts. A file that is older than it, torn or missing is replaced; one that holds
 * what was recorded is synced; one that is newer by the file system's clock was written by another program, and a
 * missing one that had long been there was removed by it: both are left as they are.
 * @see share-journal.ts
 */
import { formatBase32 } from '#core/base32.js';
import { equalBytes } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { diskError, onDisk, systemCodeOf } from './disk-error.js';
import type { DiskLayout } from './disk-layout.js';
import type { FileSystem } from './file-system.js';
import { decodeJournal, decodeJournalHead } from './journal-record.js';
import type { JournalRecord } from './journal-record.js';

/** What recovery stands on. */
export interface JournalRecoveryOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly log: Log;
  /** Puts a file into a final place, durably. */
  readonly replace: (storageIndex: Uint8Array, shareNumber: number, bytes: Uint8Array) => Promise<void>;
  /** Makes a share and its place durable. */
  readonly settle: (storageIndex: Uint8Array, shareNumbers: readonly number[]) => Promise<void>;
}

/** What a recovery found. */
export interface RecoveredJournal {
  /** The newest epoch that was met. */
  readonly epoch: number;
  /** Of the records of each file; 0 where there are none. */
  readonly epochs: readonly number[];
}

/**
 * Carries out what is recorded. The records stay until the files are cleared.
 * @throws ERR_DISK, ERR_NO_SPACE.
 */
export async function recoverJournal(options: JournalRecoveryOptions): Promise<RecoveredJournal> {
  const files: Uint8Array[] = [];
  for (const path of options.layout.journals) files.push(await readIfThere(options.system, path));
  const journals = files.map((file) => decodeJournal(file) ?? { epoch: 0, records: [] });
  const records = journals.toSorted((one, other) => one.epoch - other.epoch).flatMap((journal) => journal.records);
  for (const record of newestOf(records)) await carryOut(options, record);
  const epochs = journals.map(({ epoch }) => epoch);
  const heads = files.map((file) => decodeJournalHead(file) ?? 0);
  return { epoch: Math.max(...heads, ...epochs), epochs };
}

/** The last record of each share that was not settled, dated as late as any of them. */
function newestOf(records: readonly JournalRecord[]): JournalRecord[] {
  const newest = new Map<string, Map<number, JournalRecord>>();
  for (const record of records) {
    const index = formatBase32(record.storageIndex);
    const shares = newest.get(index) ?? new Map<number, JournalRecord>();
    const before = shares.get(record.shareNumber);
    const modifiedMs = Math.max(record.modifiedMs, before?.modifiedMs ?? 0);
    if (record.kind === 'settled') shares.clear();
    else shares.set(record.shareNumber, { ...record, modifiedMs });
    newest.set(index, shares);
  }
  return [...newest.values()].flatMap((shares) => [...shares.values()]);
}

async function carryOut(options: JournalRecoveryOptions, record: JournalRecord): Promise<void> {
  const { layout, log, replace, settle, system } = options;
  const { bytes, kind, modifiedMs, shareNumber, storageIndex } = record;
  const path = layout.share(storageIndex, shareNumber);
  const facts = { storageIndex: formatBase32(storageIndex), shareNumber };
  const foundMs = await modifiedAt(system, path);
  if (foundMs !== undefined && equalBytes(await readIfThere(system, path), bytes)) {
    await settle(storageIndex, [shareNumber]);
  } else if (foundMs === undefined ? kind === 'replaced' : foundMs > modifiedMs) {
    log.warn('storage.journal-overtaken', facts);
  } else {
    await replace(storageIndex, shareNumber, bytes);
    log.info('storage.journal-replayed', facts);
  }
}

/** When the file was written to; undefined when there is none. */
async function modifiedAt(system: FileSystem, path: string): Promise<number | undefined> {
  try {
    return (await system.lstat(path)).mtimeMs;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw diskError('looking at a share', error);
  }
}

async function readIfThere(system: FileSystem, path: string): Promise<Uint8Array> {
  return onDisk('reading the journal', async () => {
    try {
      return await system.readFile(path);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return new Uint8Array(0);
      throw error;
    }
  });
}
