/**
 * What the journal of small writes holds, as bytes. Pure. Big-endian, in pages of 4096 bytes.
 *
 *     page 0     magic 8 "TALLACJ1", newest epoch that is over 8, CRC-32 of these 4
 *     group      magic 4 "TJG1", size of its records 4, epoch 8, CRC-32 of these and of the records 4, records;
 *                each further page of it begins with 4 bytes "TJG+" that belong to no record
 *     record     kind 1, share number 1, storage index 16, modified (ms) 8 as a double, size 4, bytes of the file
 *
 * A group is what one sync made durable. Groups follow one another from page 1 on, each from a page of its own; what is
 * no group of the same epoch is left over from an earlier time. A record of kind 1 is a file that replaced another, of
 * kind 2 a new one; one of kind 0 says that what was recorded before it of that storage index is in its place for good.
 * Since every page begins with four bytes of ours, nothing that clients write can pass for a group.
 * @see share-journal.ts
 */
import { crc32 } from 'node:zlib';
import { concat, equalBytes, utf8 } from '#core/bytes.js';

/** Groups begin at a multiple of it, in bytes: a write that tears touches none that was there before. */
export const JOURNAL_PAGE_SIZE = 4096;

const MAGIC = utf8('TALLACJ1');
const GROUP_MAGIC = utf8('TJG1');
const NEXT_PAGE = utf8('TJG+');
const GROUP_HEAD_SIZE = 20;
/** What the first page of a group holds of its records, and each further one, in bytes. */
const FIRST_ROOM = JOURNAL_PAGE_SIZE - GROUP_HEAD_SIZE;
const NEXT_ROOM = JOURNAL_PAGE_SIZE - NEXT_PAGE.length;
const RECORD_HEAD_SIZE = 30;
const STORAGE_INDEX_SIZE = 16;
const kinds = ['settled', 'replaced', 'new'] as const;

/** One entry of the journal. */
export interface JournalRecord {
  readonly kind: (typeof kinds)[number];
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  /** When the file was written to, by the file system's own clock, in milliseconds. */
  readonly modifiedMs: number;
  /** The whole file; empty for one that is settled. */
  readonly bytes: Uint8Array;
}

/** The first page of a file whose epochs up to `epoch` are over. */
export function encodeJournalHead(epoch: number): Uint8Array {
  const page = new Uint8Array(JOURNAL_PAGE_SIZE);
  const view = viewOf(page);
  page.set(MAGIC);
  view.setBigUint64(8, BigInt(epoch));
  view.setUint32(16, crc32(page.subarray(0, 16)));
  return page;
}

/** The newest epoch that is over; undefined when this is no first page. */
export function decodeJournalHead(bytes: Uint8Array): number | undefined {
  if (bytes.length < GROUP_HEAD_SIZE || !equalBytes(bytes.subarray(0, 8), MAGIC)) return undefined;
  const view = viewOf(bytes);
  return view.getUint32(16) === crc32(bytes.subarray(0, 16)) ? Number(view.getBigUint64(8)) : undefined;
}

/** The bytes that a record takes. */
export function recordSize({ bytes }: JournalRecord): number {
  return RECORD_HEAD_SIZE + bytes.length;
}

/** The bytes that records take together. */
export function sizeOfRecords(records: readonly JournalRecord[]): number {
  return records.reduce((sum, record) => sum + recordSize(record), 0);
}

/** The bytes that a group of so many bytes of records takes, with what is left free of its last page. */
export function groupSize(recordsSize: number): number {
  const nextPages = Math.ceil(Math.max(0, recordsSize - FIRST_ROOM) / NEXT_ROOM);
  return (1 + nextPages) * JOURNAL_PAGE_SIZE;
}

/** A group, in parts that are written one after the other. */
export function encodeGroup(epoch: number, records: readonly JournalRecord[]): Uint8Array[] {
  const head = new Uint8Array(GROUP_HEAD_SIZE);
  const parts = records.flatMap((record) => [encodeRecordHead(record), record.bytes]);
  const view = viewOf(head);
  head.set(GROUP_MAGIC);
  view.setUint32(4, sizeOf(parts));
  view.setBigUint64(8, BigInt(epoch));
  view.setUint32(16, checksumOf(head, parts));
  return [head, ...inPages(parts)];
}

/** The parts of records with the beginnings of further pages between them. */
function inPages(parts: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let room = FIRST_ROOM;
  for (const part of parts) {
    let rest = part;
    while (rest.length > room) {
      pieces.push(rest.subarray(0, room), NEXT_PAGE);
      rest = rest.subarray(room);
      room = NEXT_ROOM;
    }
    pieces.push(rest);
    room -= rest.length;
  }
  return pieces;
}

/** The records of a group, without the beginnings of its pages; fewer where the file ends before. */
function outOfPages(group: Uint8Array, size: number): Uint8Array {
  if (size <= FIRST_ROOM) return group.subarray(GROUP_HEAD_SIZE, GROUP_HEAD_SIZE + size);
  const pieces = [group.subarray(GROUP_HEAD_SIZE, JOURNAL_PAGE_SIZE)];
  for (let offset = JOURNAL_PAGE_SIZE; offset < Math.min(group.length, groupSize(size)); offset += JOURNAL_PAGE_SIZE) {
    pieces.push(group.subarray(offset + NEXT_PAGE.length, offset + JOURNAL_PAGE_SIZE));
  }
  return concat(...pieces).subarray(0, size);
}

function encodeRecordHead({ bytes, kind, modifiedMs, shareNumber, storageIndex }: JournalRecord): Uint8Array {
  const head = new Uint8Array(RECORD_HEAD_SIZE);
  const view = viewOf(head);
  head.set([kinds.indexOf(kind), shareNumber]);
  head.set(storageIndex, 2);
  view.setFloat64(18, modifiedMs);
  view.setUint32(26, bytes.length);
  return head;
}

/** The epoch and the records of all groups of one file, in order; nothing when none counts any more. */
export function decodeJournal(file: Uint8Array): { epoch: number; records: JournalRecord[] } | undefined {
  const over = decodeJournalHead(file);
  if (over === undefined) return undefined;
  const first = decodeGroup(file.subarray(JOURNAL_PAGE_SIZE));
  if (first === undefined || first.epoch <= over) return undefined;
  const { epoch } = first;
  const records: JournalRecord[] = [];
  let offset = JOURNAL_PAGE_SIZE;
  for (
    let group: typeof first | undefined = first;
    group?.epoch === epoch;
    group = decodeGroup(file.subarray(offset))
  ) {
    records.push(...group.records);
    offset += groupSize(group.size);
  }
  return { epoch, records };
}

function decodeGroup(bytes: Uint8Array): { epoch: number; size: number; records: JournalRecord[] } | undefined {
  if (bytes.length < GROUP_HEAD_SIZE || !equalBytes(bytes.subarray(0, 4), GROUP_MAGIC)) return undefined;
  const view = viewOf(bytes);
  const size = view.getUint32(4);
  const records = outOfPages(bytes, size);
  if (records.length < size || view.getUint32(16) !== checksumOf(bytes, [records])) return undefined;
  return { epoch: Number(view.getBigUint64(8)), size, records: decodeRecords(records) };
}

/** Records whose checksum was found right. */
function decodeRecords(bytes: Uint8Array): JournalRecord[] {
  const view = viewOf(bytes);
  const records: JournalRecord[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const begin = offset + RECORD_HEAD_SIZE;
    const end = begin + view.getUint32(offset + 26);
    records.push({
      kind: kinds[view.getUint8(offset)] ?? 'settled',
      shareNumber: view.getUint8(offset + 1),
      storageIndex: bytes.slice(offset + 2, offset + 2 + STORAGE_INDEX_SIZE),
      modifiedMs: view.getFloat64(offset + 18),
      bytes: bytes.subarray(begin, end),
    });
    offset = end;
  }
  return records;
}

/** Over the first 16 bytes of a group and its records. */
function checksumOf(group: Uint8Array, records: readonly Uint8Array[]): number {
  return records.reduce((sum, part) => crc32(part, sum), crc32(group.subarray(0, 16)));
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
