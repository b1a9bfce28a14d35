/**
 * Looks at the shares that the store says have changed, and brings their records and the sums up to date.
 *
 * Nothing of an event is believed but the place: what is there now is taken from the disk. A share that was
 * changed again meanwhile is told of again, so the last look is always behind the last change.
 */
import { formatBase32 } from '#core/base32.js';
import type { SharePlace } from '../store-events.js';
import { inTurns } from './in-turns.js';
import type { ScanParts } from './index-scan.js';
import type { TableChange } from './index-table.js';
import { nextRecord } from './record-change.js';
import type { ShareChange } from './record-change.js';
import type { SeenShare } from './share-inventory.js';
import {
  decodeDirectoryRecord,
  decodeShareRecord,
  encodeDirectoryRecord,
  encodeShareRecord,
  keyText,
  shareKey,
} from './share-record.js';
import type { ShareRecord } from './share-record.js';
import { countDirectory, countShare } from './usage.js';
import type { Usage } from './usage.js';

/** Mutable shares up to this many bytes of data get their checksum after each write; larger ones from the scrub. */
export const DIGEST_SIZE_MAX = 1_048_576;
/** All shares of a batch are looked at side by side, so that their looks travel together. */
const LOOK_COUNT = 256;
const PREFIX_LENGTH = 2;

/** A share that has changed, and how, as far as is known. */
export interface PendingChange {
  readonly place: SharePlace;
  readonly change: ShareChange;
  /** Whether it was not there before. */
  readonly isNew: boolean;
  /** The SHA-256 of its data, if somebody has said it. */
  readonly checksum: Uint8Array | undefined;
}

/** What came of it. */
export interface AppliedChanges {
  readonly usage: Usage;
  /** What the directories above those of the shares take, by the characters that they are named after. */
  readonly prefixBytes: ReadonlyMap<string, number>;
  /** Why the table cannot be right. */
  readonly doubt: string | undefined;
}

/** What one key had and has. */
interface Difference extends TableChange {
  readonly count: (usage: Usage) => Usage;
  readonly doubt?: string;
}

/**
 * Writes the records of the changed shares.
 * @param isCounted - whether `usage` holds what lies under a key.
 * @throws ERR_INDEX, ERR_DISK.
 */
export async function applyChanges(
  parts: ScanParts,
  changes: readonly PendingChange[],
  usage: Usage,
  isCounted: (key: Uint8Array) => boolean,
): Promise<AppliedChanges> {
  const indexes = [...new Map(changes.map(({ place }) => [keyText(place.storageIndex), place.storageIndex])).values()];
  const keys = changes.map(({ place }) => shareKey(place));
  const sealed = await parts.table.getMany([...keys, ...indexes]);
  const seen = await inTurns(LOOK_COUNT, changes, ({ change, place }) =>
    parts.inventory.examine(place, change === 'data' ? DIGEST_SIZE_MAX : undefined),
  );
  const shares = changes.map((change, i) => shareDifference(parts, change, seen[i], sealed[i]));
  const directories = await inTurns(LOOK_COUNT, [...indexes.entries()], ([i, storageIndex]) =>
    directoryDifference(parts, storageIndex, sealed[keys.length + i]),
  );
  const differences = [...shares, ...directories];
  await parts.table.write(differences);
  const counted = differences.filter(({ key }) => isCounted(key));
  return {
    usage: counted.reduce((sum, { count }) => count(sum), usage),
    prefixBytes: await measurePrefixes(parts, indexes),
    doubt: counted.find(({ doubt }) => doubt !== undefined)?.doubt,
  };
}

function shareDifference(
  parts: ScanParts,
  pending: PendingChange,
  seen: SeenShare | undefined,
  sealed: Uint8Array | undefined,
): Difference {
  const key = shareKey(pending.place);
  const old = sealed === undefined ? undefined : decodeShareRecord(parts.crypto, key, sealed);
  const record = currentRecord(pending, seen, old);
  const isLost = old === undefined && (sealed !== undefined || (record !== undefined && !pending.isNew));
  return {
    key,
    value: record === undefined ? undefined : encodeShareRecord(parts.crypto, key, record),
    count: (usage) => {
      const without = old === undefined ? usage : countShare(usage, old, -1);
      return record === undefined ? without : countShare(without, record);
    },
    ...(isLost ? { doubt: 'a share changed that it had no record of' } : {}),
  };
}

function currentRecord(
  { change, checksum }: PendingChange,
  seen: SeenShare | undefined,
  old: ShareRecord | undefined,
): ShareRecord | undefined {
  if (seen === undefined) return undefined;
  const isImmutable = 'facts' in seen && seen.facts.kind === 'immutable';
  const read = 'facts' in seen ? seen.checksum : undefined;
  return nextRecord(old, seen, change, isImmutable ? checksum : read);
}

async function directoryDifference(
  { crypto, inventory }: ScanParts,
  storageIndex: Uint8Array,
  sealed: Uint8Array | undefined,
): Promise<Difference> {
  const old = sealed === undefined ? undefined : decodeDirectoryRecord(crypto, storageIndex, sealed);
  const diskBytes = (await inventory.directory(storageIndex))?.diskBytes;
  return {
    key: storageIndex,
    value: diskBytes === undefined ? undefined : encodeDirectoryRecord(crypto, storageIndex, diskBytes),
    count: (usage) => countDirectory(usage, (diskBytes ?? 0) - (old ?? 0)),
    ...(sealed !== undefined && old === undefined ? { doubt: 'the record of a directory makes no sense' } : {}),
  };
}

async function measurePrefixes(
  { inventory }: ScanParts,
  indexes: readonly Uint8Array[],
): Promise<ReadonlyMap<string, number>> {
  const prefixes = [...new Set(indexes.map((storageIndex) => formatBase32(storageIndex).slice(0, PREFIX_LENGTH)))];
  const sizes = await inTurns(LOOK_COUNT, prefixes, (prefix) => inventory.directoryBytes(prefix));
  return new Map(prefixes.map((prefix, i) => [prefix, sizes[i] ?? 0]));
}
