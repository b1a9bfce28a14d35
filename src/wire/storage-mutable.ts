/**
 * The messages of the mutable half of the storage protocol, for both of its ends.
 *
 * All of a read-test-write is one request and one reply, in CBOR; share numbers are integer keys:
 *
 *     {"test-write-vectors": {share number: {"test": [{"offset", "size", "specimen"}],
 *                                            "write": [{"offset", "data"}],
 *                                            "new-length": uint or null}},
 *      "read-vector": [{"offset", "size"}]}
 *     {"success": bool, "data": {share number: [bytes]}}
 *
 * A test compares for equality; there is no other operator over HTTPS. Messages are written in the order of the
 * reference's own, so that theirs and ours are the same bytes.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Mutable"
 */
import { formatBase32 } from '#core/base32.js';
import { concat, utf8 } from '#core/bytes.js';
import { decodeCbor, encodeCborHead } from './cbor.js';
import { asMap, closedMap, messageError, SHARE_COUNT_MAX, toShareNumber, toUint } from './storage.js';

/** Test vectors for one share, and read vectors, in one request: the reference's limit of each. */
export const VECTOR_COUNT_MAX = 30;
/** Parts of a message from this size on are not copied, in bytes. */
const JOINED_SIZE_MAX = 4096;
/** So many parts are copied together at most. */
const JOINED_COUNT_MAX = 1024;

/** The paths of the mutable half. Leases on mutable shares are asked for where all leases are. */
export const mutablePath = {
  readTestWrite: (storageIndex: Uint8Array): string => `${pathOf(storageIndex)}/read-test-write`,
  shares: (storageIndex: Uint8Array): string => `${pathOf(storageIndex)}/shares`,
  share: (storageIndex: Uint8Array, shareNumber: number): string => `${pathOf(storageIndex)}/${String(shareNumber)}`,
  corrupt: (storageIndex: Uint8Array, shareNumber: number): string =>
    `${mutablePath.share(storageIndex, shareNumber)}/corrupt`,
};

function pathOf(storageIndex: Uint8Array): string {
  return `/storage/v1/mutable/${formatBase32(storageIndex)}`;
}

/** Bytes of a share that are to be read; as many as there are. */
export interface ReadVector {
  readonly offset: number;
  readonly size: number;
}

/** What the bytes there must be for the request to do anything. A share that is missing reads as empty. */
export interface TestVector<Bytes = Uint8Array> extends ReadVector {
  readonly specimen: Bytes;
}

/** Bytes to be written; a gap in front of them is filled with zeros. */
export interface WriteVector<Bytes = Uint8Array> {
  readonly offset: number;
  readonly data: Bytes;
}

/** What is asked of one share. */
export interface ShareVectors<Bytes = Uint8Array> {
  readonly tests: readonly TestVector<Bytes>[];
  readonly writes: readonly WriteVector<Bytes>[];
  /** Where the data is cut after the writes, if it is longer; 0 removes the share and writes nothing. */
  readonly newLength: number | undefined;
}

/** Tests and writes by share number, and what is read of every share before anything is written. */
export interface ReadTestWriteRequest<Bytes = Uint8Array> {
  readonly shares: ReadonlyMap<number, ShareVectors<Bytes>>;
  readonly reads: readonly ReadVector[];
}

/** Whether the tests held and the writes were done, and what was read before, by share number. */
export interface ReadTestWriteReply {
  readonly success: boolean;
  readonly data: ReadonlyMap<number, readonly Uint8Array[]>;
}

/** Makes a message's byte string what the reader wants to have; undefined for anything else. */
export type ToBytes<Bytes> = (value: unknown) => Bytes | undefined;

// ---- writing -----------------------------------------------------------------------------------------------

/** The body of a request, in parts: the data in it are not copied and must not change until it is sent. */
export function encodeReadTestWriteRequest(request: ReadTestWriteRequest): Uint8Array[] {
  const shares = [...request.shares].flatMap(([shareNumber, { newLength, tests, writes }]) => [
    encodeCborHead('uint', shareNumber),
    ...record({
      test: list(tests.map(({ offset, size, specimen }) => record({ offset, size, specimen }))),
      write: list(writes.map(({ offset, data }) => record({ offset, data }))),
      'new-length': newLength ?? NULL,
    }),
  ]);
  const parts = record({
    'test-write-vectors': [encodeCborHead('map', request.shares.size), ...shares],
    'read-vector': list(request.reads.map(({ offset, size }) => record({ offset, size }))),
  });
  return joinSmall(parts);
}

/** The reply, in parts as above. */
export function encodeReadTestWriteReply({ data, success }: ReadTestWriteReply): Uint8Array[] {
  const read = [...data].flatMap(([shareNumber, pieces]) => [
    encodeCborHead('uint', shareNumber),
    ...list(pieces.map(field)),
  ]);
  return joinSmall(record({ success: success ? TRUE : FALSE, data: [encodeCborHead('map', data.size), ...read] }));
}

/** The same bytes in fewer parts: neighbours below JOINED_SIZE_MAX are copied together. */
function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) joined.push(concat(...small));
    small = [];
  };
  for (const part of parts) {
    if (part.length >= JOINED_SIZE_MAX || small.length >= JOINED_COUNT_MAX) flush();
    if (part.length >= JOINED_SIZE_MAX) joined.push(part);
    else small.push(part);
  }
  flush();
  return joined;
}

const FALSE = [Uint8Array.of(0xf4)];
const TRUE = [Uint8Array.of(0xf5)];
const NULL = [Uint8Array.of(0xf6)];

/** A number, a byte string, or parts that are encoded already. */
type Field = number | Uint8Array | readonly Uint8Array[];

function field(value: Field): readonly Uint8Array[] {
  if (typeof value === 'number') return [encodeCborHead('uint', value)];
  return value instanceof Uint8Array ? [encodeCborHead('bytes', value.length), value] : value;
}

function list(items: readonly (readonly Uint8Array[])[]): Uint8Array[] {
  return [encodeCborHead('array', items.length), ...items.flat()];
}

function record(fields: Readonly<Record<string, Field>>): Uint8Array[] {
  const entries = Object.entries(fields);
  const members = entries.flatMap(([key, value]) => [encodeCborHead('text', key.length), utf8(key), ...field(value)]);
  return [encodeCborHead('map', entries.length), ...members];
}

// ---- reading -----------------------------------------------------------------------------------------------

const REQUEST = 'read-test-write request';
const REPLY = 'read-test-write reply';

/** A request that is in memory as a whole. @throws ERR_CBOR, or ERR_MESSAGE when it is not as above. */
export function decodeReadTestWriteRequest(bytes: Uint8Array): ReadTestWriteRequest {
  return toReadTestWriteRequest(decodeCbor(bytes), asByteString);
}

/** A request whose CBOR was read already. @throws ERR_MESSAGE. */
export function toReadTestWriteRequest<Bytes>(value: unknown, toBytes: ToBytes<Bytes>): ReadTestWriteRequest<Bytes> {
  const request = closedMap(value, ['test-write-vectors', 'read-vector'], REQUEST);
  const shares = asMap(request.get('test-write-vectors'), REQUEST);
  if (shares.size > SHARE_COUNT_MAX) throw messageError(REQUEST, `more than ${String(SHARE_COUNT_MAX)} shares`);
  return {
    shares: new Map(
      [...shares].map(([shareNumber, vectors]) => [
        toShareNumber(shareNumber, REQUEST),
        toShareVectors(vectors, toBytes),
      ]),
    ),
    reads: toVectors(request.get('read-vector')).map((vector) => toReadVector(vector, ['offset', 'size'])),
  };
}

function toShareVectors<Bytes>(value: unknown, toBytes: ToBytes<Bytes>): ShareVectors<Bytes> {
  const vectors = closedMap(value, ['test', 'write', 'new-length'], REQUEST);
  const newLength = vectors.get('new-length');
  return {
    tests: toVectors(vectors.get('test')).map((vector) => ({
      ...toReadVector(vector, ['offset', 'size', 'specimen']),
      specimen: bytesOf(vector, 'specimen', toBytes),
    })),
    writes: toList(vectors.get('write'), REQUEST).map((vector) => ({
      offset: toUint(closedMap(vector, ['offset', 'data'], REQUEST).get('offset'), REQUEST),
      data: bytesOf(vector, 'data', toBytes),
    })),
    newLength: newLength === null ? undefined : toUint(newLength, REQUEST),
  };
}

function toReadVector(value: unknown, keys: readonly string[]): ReadVector {
  const vector = closedMap(value, keys, REQUEST);
  return { offset: toUint(vector.get('offset'), REQUEST), size: toUint(vector.get('size'), REQUEST) };
}

function toVectors(value: unknown): readonly unknown[] {
  const vectors = toList(value, REQUEST);
  if (vectors.length > VECTOR_COUNT_MAX) throw messageError(REQUEST, `more than ${String(VECTOR_COUNT_MAX)} vectors`);
  return vectors;
}

function bytesOf<Bytes>(vector: unknown, key: string, toBytes: ToBytes<Bytes>): Bytes {
  const bytes = toBytes(asMap(vector, REQUEST).get(key));
  if (bytes === undefined) throw messageError(REQUEST, `"${key}" is no byte string`);
  return bytes;
}

/** @throws ERR_CBOR, or ERR_MESSAGE when it is not as above. */
export function decodeReadTestWriteReply(bytes: Uint8Array): ReadTestWriteReply {
  const reply = asMap(decodeCbor(bytes), REPLY);
  const success = reply.get('success');
  const data = asMap(reply.get('data'), REPLY);
  if (typeof success !== 'boolean') throw messageError(REPLY, '"success" is neither true nor false');
  if (data.size > SHARE_COUNT_MAX) throw messageError(REPLY, `more than ${String(SHARE_COUNT_MAX)} shares`);
  return {
    success,
    data: new Map([...data].map(([shareNumber, pieces]) => [toShareNumber(shareNumber, REPLY), toPieces(pieces)])),
  };
}

function toPieces(value: unknown): Uint8Array[] {
  return toList(value, REPLY).map((item) => {
    const piece = asByteString(item);
    if (piece === undefined) throw messageError(REPLY, 'a piece of a share is no byte string');
    return piece;
  });
}

function toList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw messageError(what, 'a list is expected');
  return value;
}

function asByteString(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined;
}
