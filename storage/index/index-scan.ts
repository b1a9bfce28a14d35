/**
 * Compares the index with the directory of the shares, some storage indexes at a time, and mends whatever
 * differs: shares that are new, gone, or other files than were seen last, and records that make no sense.
 *
 * A share whose file is as it was seen last costs one look from outside; any other is opened. Each run answers
 * for the keys up to its last storage index, and the last run for all behind it, so that every key is met.
 */
import { concat } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { SharePlace } from '../store-events.js';
import { inTurns } from './in-turns.js';
import type { IndexTable, KeyRange, TableChange, TableEntry } from './index-table.js';
import { isUnchanged, nextRecord } from './record-change.js';
import type { ShareInventory } from './share-inventory.js';
import {
  decodeDirectoryRecord,
  decodeShareRecord,
  encodeDirectoryRecord,
  encodeShareRecord,
  keyText,
  shareKey,
} from './share-record.js';
import { countDirectory, countShare } from './usage.js';
import type { Countable, Usage } from './usage.js';

/** Storage indexes that are compared in one go. */
export const SCAN_RUN_LENGTH = 128;
/** Entries of the table that are held at a time; more than one storage index can have. */
const PAGE_LENGTH = 2048;
/** Directories that are looked at side by side: all of a run, so that their looks travel together. */
const LOOK_COUNT = SCAN_RUN_LENGTH;
const STORAGE_INDEX_SIZE = 16;

/** What a scan works on. */
export interface ScanParts {
  readonly crypto: CryptoProvider;
  readonly inventory: ShareInventory;
  readonly table: IndexTable;
}

/** Some storage indexes of the disk, in order, and the keys that they answer for. */
export interface ScanRun {
  readonly storageIndexes: readonly Uint8Array[];
  readonly range: KeyRange;
}

/** What was found of one storage index. */
interface Compared {
  readonly changes: readonly TableChange[];
  readonly shares: readonly Countable[];
  readonly directoryBytes: number;
}

/** Behind every key that begins with the storage index, whoever made it up. */
export function lastKeyOf(storageIndex: Uint8Array): Uint8Array {
  return concat(storageIndex, new Uint8Array(STORAGE_INDEX_SIZE).fill(0xff));
}

/** All runs over a storage directory, in order; the last one has no end. @throws ERR_DISK. */
export async function* scanRuns(inventory: ShareInventory): AsyncGenerator<ScanRun> {
  let after: Uint8Array | undefined;
  for (const prefix of await inventory.prefixes()) {
    const all = await inventory.storageIndexes(prefix);
    for (let i = 0; i < all.length; i += SCAN_RUN_LENGTH) {
      const storageIndexes = all.slice(i, i + SCAN_RUN_LENGTH);
      const last = storageIndexes[storageIndexes.length - 1];
      if (last === undefined) continue;
      const through = lastKeyOf(last);
      yield { storageIndexes, range: { after, through } };
      after = through;
    }
  }
  yield { storageIndexes: [], range: { after, through: undefined } };
}

/** Mends the records of one run. @returns `usage` with what is there. @throws ERR_INDEX, ERR_DISK. */
export async function scanRun(parts: ScanParts, run: ScanRun, usage: Usage): Promise<Usage> {
  let [sum, after] = [usage, run.range.after];
  for (;;) {
    const page = await readPage(parts.table, { after, through: run.range.through });
    const known = groupByIndex(page.entries);
    for (const storageIndex of run.storageIndexes) {
      if (isWithin(storageIndex, after, page.through)) getGroup(known, storageIndex);
    }
    const compared = await inTurns(LOOK_COUNT, [...known.values()], (group) => compareIndex(parts, group));
    const changes = compared.flatMap((result) => result.changes);
    if (changes.length > 0) await parts.table.write(changes);
    for (const { shares, directoryBytes } of compared) {
      sum = shares.reduce((before, share) => countShare(before, share), countDirectory(sum, directoryBytes));
    }
    if (page.isLast) return sum;
    after = page.through;
  }
}

interface Page {
  readonly entries: readonly TableEntry[];
  readonly through: Uint8Array | undefined;
  readonly isLast: boolean;
}

/** The next entries of a range; a storage index that may go on behind them is left for the next page. */
async function readPage(table: IndexTable, range: KeyRange): Promise<Page> {
  const entries = await table.range(range, PAGE_LENGTH);
  const indexOf = (entry: TableEntry): Uint8Array => entry[0].subarray(0, STORAGE_INDEX_SIZE);
  const last = entries[entries.length - 1];
  if (entries.length < PAGE_LENGTH || last === undefined) return { entries, through: range.through, isLast: true };
  const whole = entries.filter((entry) => Buffer.compare(indexOf(entry), indexOf(last)) !== 0);
  const end = whole[whole.length - 1] ?? last;
  return { entries: whole, through: lastKeyOf(indexOf(end)), isLast: false };
}

function isWithin(storageIndex: Uint8Array, after: Uint8Array | undefined, through: Uint8Array | undefined): boolean {
  const isBehind = after === undefined || Buffer.compare(storageIndex, after) > 0;
  return isBehind && (through === undefined || Buffer.compare(storageIndex, through) <= 0);
}

/** What the table holds of one storage index, by the text of its key. */
interface Group {
  readonly storageIndex: Uint8Array;
  readonly entries: Map<string, TableEntry>;
}

function groupByIndex(entries: readonly TableEntry[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const entry of entries) {
    getGroup(groups, entry[0].subarray(0, STORAGE_INDEX_SIZE)).entries.set(keyText(entry[0]), entry);
  }
  return groups;
}

function getGroup(groups: Map<string, Group>, storageIndex: Uint8Array): Group {
  const text = keyText(storageIndex);
  const group = groups.get(text) ?? { storageIndex, entries: new Map<string, TableEntry>() };
  groups.set(text, group);
  return group;
}

/** Looks at the directory and the shares of one storage index. */
async function compareIndex(parts: ScanParts, { storageIndex, entries }: Group): Promise<Compared> {
  // A key cut short is no storage index, and no directory bears its name.
  const isIndex = storageIndex.length === STORAGE_INDEX_SIZE;
  const directory = isIndex ? await parts.inventory.directory(storageIndex) : undefined;
  const unmet = new Map(entries);
  const changes: TableChange[] = [];
  const shares: Countable[] = [];
  if (directory !== undefined) changes.push(...compareDirectory(parts, storageIndex, directory.diskBytes, unmet));
  for (const shareNumber of directory?.shareNumbers ?? []) {
    const share = await compareShare(parts, { storageIndex, shareNumber }, unmet);
    if (share === undefined) continue;
    shares.push(share.record);
    changes.push(...share.changes);
  }
  for (const [key] of unmet.values()) changes.push({ key, value: undefined });
  return { changes, shares, directoryBytes: directory?.diskBytes ?? 0 };
}

/** @param unmet - loses the entry. */
function compareDirectory(
  { crypto }: ScanParts,
  storageIndex: Uint8Array,
  diskBytes: number,
  unmet: Map<string, TableEntry>,
): TableChange[] {
  const text = keyText(storageIndex);
  const sealed = unmet.get(text)?.[1];
  unmet.delete(text);
  if (sealed !== undefined && decodeDirectoryRecord(crypto, storageIndex, sealed) === diskBytes) return [];
  return [{ key: storageIndex, value: encodeDirectoryRecord(crypto, storageIndex, diskBytes) }];
}

/** @param unmet - loses the entry, where there is such a share. */
async function compareShare(
  { crypto, inventory }: ScanParts,
  place: SharePlace,
  unmet: Map<string, TableEntry>,
): Promise<{ readonly record: Countable; readonly changes: readonly TableChange[] } | undefined> {
  const key = shareKey(place);
  const sealed = unmet.get(keyText(key))?.[1];
  const old = sealed === undefined ? undefined : decodeShareRecord(crypto, key, sealed);
  if (old !== undefined) {
    const file = await inventory.look(place);
    if (file === undefined) return undefined;
    if (isUnchanged(old, file)) {
      unmet.delete(keyText(key));
      return { record: old, changes: [] };
    }
  }
  const seen = await inventory.examine(place);
  if (seen === undefined) return undefined;
  unmet.delete(keyText(key));
  const record = nextRecord(old, seen, 'unknown');
  return { record, changes: [{ key, value: encodeShareRecord(crypto, key, record) }] };
}
