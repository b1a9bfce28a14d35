/**
 * The storage protocol over Foolscap: what its remote interfaces are called, and what their calls carry, for both ends.
 *
 *     RIStorageServer   get_version  allocate_buckets  add_lease  get_buckets  slot_readv
 *                       slot_testv_and_readv_and_writev  advise_corrupt_share
 *     RIBucketWriter    write(offset, data)  close()  abort()
 *     RIBucketReader    read(offset, length)  advise_corrupt_share(reason)
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { SHARE_COUNT_MAX } from '../storage.js';
import type { StorageVersion } from '../storage.js';
import type { ReadVector, ShareVectors } from '../storage-mutable.js';
import { bytesOf, dictOf, integerOf, listOf, optional, tupleOf } from './shapes.js';
import type { Shape } from './shapes.js';
import { violation } from './value-builders.js';
import { Dict, Tuple } from './values.js';
import type { Value } from './values.js';

/** The remote interfaces' names on the wire. */
export const storageInterfaces = {
  server: 'RIStorageServer.tahoe.allmydata.com',
  writer: 'RIBucketWriter',
  reader: 'RIBucketReader',
} as const;

/** Vectors of one kind in one request. The reference has no limit. */
export const FOOLSCAP_VECTOR_COUNT_MAX = 1024;

const PROTOCOL_KEY = 'http://allmydata.org/tahoe/protocols/storage/v1';
const offset = integerOf(0, Number.MAX_SAFE_INTEGER);
const readSize = integerOf(0, 2 ** 31 - 1);

/** 16 bytes. */
export const storageIndexShape = bytesOf(16);
/** 32 bytes: any of the secrets. */
export const secretShape = bytesOf(32);
/** A share's number. */
export const shareNumberShape = integerOf(0, SHARE_COUNT_MAX - 1);
/** A position or a size in a share, in bytes. */
export const offsetShape = offset;
/** How much is to be read at once, in bytes. */
export const readSizeShape = readSize;

/** What is to be read of each share. */
export const readVectorsShape: Shape<readonly ReadVector[]> = listOf((value, what) => {
  const [at = null, size = null] = tupleOf(2)(value, what);
  return { offset: offset(at, what), size: readSize(size, what) };
}, FOOLSCAP_VECTOR_COUNT_MAX);

/** Tests and writes, by share number. */
export const shareVectorsShape: Shape<ReadonlyMap<number, ShareVectors>> = dictOf(
  shareNumberShape,
  (value, what) => {
    const [tests = null, writes = null, newLength = null] = tupleOf(3)(value, what);
    return {
      tests: listOf(parseTest, FOOLSCAP_VECTOR_COUNT_MAX)(tests, `the tests of ${what}`),
      writes: listOf(parseWrite, FOOLSCAP_VECTOR_COUNT_MAX)(writes, `the writes of ${what}`),
      newLength: optional(offset)(newLength, `the new length of ${what}`),
    };
  },
  SHARE_COUNT_MAX,
);

function parseTest(value: Value, what: string): ShareVectors['tests'][number] {
  const [at = null, size = null, operator = null, specimen = null] = tupleOf(4)(value, what);
  if (shortText(bytesOf()(operator, what)) !== 'eq') throw violation(`${what} compares otherwise than by eq`);
  return { offset: offset(at, what), size: readSize(size, what), specimen: bytesOf()(specimen, what) };
}

function parseWrite(value: Value, what: string): ShareVectors['writes'][number] {
  const [at = null, data = null] = tupleOf(2)(value, what);
  return { offset: offset(at, what), data: bytesOf()(data, what) };
}

/** Reads, as they are sent. */
export function formatReads(reads: readonly ReadVector[]): Value {
  return reads.map((read) => new Tuple(read.offset, read.size));
}

/** Tests and writes, as they are sent. */
export function formatShareVectors(shares: ReadonlyMap<number, ShareVectors>): Value {
  const entries = [...shares].map(([shareNumber, { newLength, tests, writes }]) => {
    const compared = tests.map((test) => new Tuple(test.offset, test.size, utf8('eq'), test.specimen));
    const written = writes.map((write) => new Tuple(write.offset, write.data));
    return [shareNumber, new Tuple(compared, written, newLength ?? null)] as const;
  });
  return new Dict(entries);
}

/** What was read of mutable shares, by share number. */
export const readDataShape = dictOf(shareNumberShape, listOf(bytesOf(), FOOLSCAP_VECTOR_COUNT_MAX), SHARE_COUNT_MAX);

/** What a server says of itself. */
export function formatFoolscapVersion(version: StorageVersion): Value {
  const features: readonly [string, Value][] = [
    ['maximum-immutable-share-size', version.maximumImmutableShareSize],
    ['maximum-mutable-share-size', version.maximumMutableShareSize],
    ['available-space', version.availableSpace],
    ['tolerates-immutable-read-overrun', true],
    ['delete-mutable-shares-with-zero-length-writev', true],
    ['fills-holes-with-zero-bytes', true],
    ['prevents-read-past-end-of-share-data', true],
  ];
  return new Dict([
    [utf8(PROTOCOL_KEY), new Dict(features.map(([name, value]) => [utf8(name), value]))],
    [utf8('application-version'), utf8(version.applicationVersion)],
  ]);
}

/** @throws ERR_VIOLATION when a size is missing or is none. */
export function parseFoolscapVersion(value: Value): StorageVersion {
  if (!(value instanceof Dict)) throw violation('the version is not a dict');
  const features = value.get(PROTOCOL_KEY);
  if (!(features instanceof Dict)) throw violation('the version does not name the protocol');
  const size = (name: string): number | bigint => {
    const given = features.get(name);
    if ((typeof given === 'number' || typeof given === 'bigint') && given >= 0) return given;
    throw violation(`the version has no ${name}`);
  };
  const largest = size('maximum-immutable-share-size');
  const application = value.get('application-version');
  return {
    maximumImmutableShareSize: Number(largest > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : largest),
    maximumMutableShareSize: size('maximum-mutable-share-size'),
    // Releases before 1.9 do not say.
    availableSpace: features.get('available-space') === undefined ? largest : size('available-space'),
    applicationVersion: application instanceof Uint8Array ? shortText(application) : '',
  };
}

function shortText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes.subarray(0, 256));
  } catch {
    return '';
  }
}
