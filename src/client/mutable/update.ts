/**
 * Changes an MDMF file in place: only the segments that a change touches are encoded and sent, with every share's new
 * hash tree, path, signature and header, all of a server's shares in one read-test-write.
 *
 * That takes every share of the newest version, each where the layout of a writer puts its sections, and nothing beside
 * it: a share that is missing, bad or of another version could not be mended on the way. Where the file is not like
 * that the caller publishes it whole, which mends it.
 * @see Tahoe-LAFS docs/specifications/mutable.rst; src/allmydata/mutable/filenode.py (`update`)
 */
import { concat, equalBytes } from '#core/bytes.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { isTahoeError } from '#core/errors.js';
import { segmentSizeOf } from '#core/immutable/parameters.js';
import { encodeMerkleTree, NODE_SIZE } from '#core/merkle.js';
import { buildVersionTrees, encodeSharePath, saltsFrom, sectionSizes, signVersion } from '#core/mutable/encoder.js';
import type { VersionTrees } from '#core/mutable/encoder.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { encodeSegmentSteps, hashRecord, recordRange } from '#core/mutable/segments.js';
import { encodeMutableHeader, layoutShare } from '#core/mutable/share.js';
import type { ShareLayout } from '#core/mutable/share.js';
import { encodeCheckstring, mutableParameters } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { ByteRange } from '#wire/storage.js';
import { withDeadline } from '../deadline.js';
import type { Placement } from './goal.js';
import type { MutableContext } from './mutable-context.js';
import { checkSurprises, concludePublish, nextSequenceNumber, pushToFirst, spreadOf } from './publish.js';
import type { PublishResult } from './publish.js';
import { happinessOf } from './servermap.js';
import type { FoundVersion, Servermap } from './servermap.js';
import { SharePush } from './share-push.js';
import type { ShareWrites } from './share-push.js';
import { takeSteps } from './take-steps.js';
import type { VersionReader } from './version-reader.js';
import { writtenMap } from './written-map.js';

/** How long a share's hash tree may take to be read. */
const TREE_TIMEOUT_MS = 10_000;

/** What is changed, and on top of what. */
export interface UpdateRequest {
  readonly context: MutableContext;
  readonly keys: MutableKeys;
  readonly map: Servermap;
  readonly found: FoundVersion;
  /** Of the found version. */
  readonly reader: VersionReader;
  /** At most the size of the contents. */
  readonly offset: number;
  /** At least one byte. */
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal;
}

/** The segments that are written anew, all with their plaintext. */
interface ChangedSegments {
  readonly first: number;
  /** The records of each segment from `first` on, by share number. */
  readonly records: readonly (readonly Uint8Array[])[];
}

/**
 * Updates in place.
 * @returns undefined, with nothing written, when the file has to be published whole.
 * @throws as `publish`, and as reading does.
 */
export async function updateInPlace(request: UpdateRequest): Promise<PublishResult | undefined> {
  const { bytes, context, found, keys, map, offset, signal } = request;
  const old = found.version;
  const dataSize = Math.max(old.dataSize, offset + bytes.length);
  const layout = newLayout(request, dataSize);
  if (layout === undefined || !isWhole(request)) return undefined;
  const known = context.known?.of(keys.storageIndex, old).recordHashes;
  const hashes = known ?? (await readRecordHashes(request));
  if (hashes === undefined) return undefined;
  const sequenceNumber = await nextSequenceNumber(context, keys.storageIndex, map);
  const numbers = { ...old, sequenceNumber, dataSize };
  const changed = await encodeChanged(request, numbers);
  const newHashes = await takeSteps(context.clock, hashesAfter(context, hashes, changed));
  const trees = buildVersionTrees(context.crypto, newHashes);
  const { format, needed, segmentSize, total } = old;
  const version: MutableVersion = {
    ...{ format, sequenceNumber, needed, total, segmentSize, dataSize, salt: undefined },
    rootHash: trees.rootHash,
  };
  const signature = signVersion(context.crypto, version, keys.privateKey);
  const writesOf = writer(version, layout, changed, trees, signature);
  const spread = spreadOf({ context, encoding: old, isNew: false });
  const push = new SharePush({ context, keys, version, map, writesOf, spread, signal });
  const checkstring = encodeCheckstring(old);
  const places = found.shares.map(({ server, shareNumber }) => ({ server, shareNumber, checkstring }));
  await push.run(await pushToFirst(push, places, context, keys.storageIndex));
  checkSurprises(push, keys.storageIndex);
  const result = await concludePublish({ context, encoding: old, isNew: false, keys }, push, version);
  const written = writtenMap(context, keys.storageIndex, version, encodeMutableHeader(version, layout), push);
  context.known?.keep(keys.storageIndex, version, { recordHashes: newHashes, written });
  return result;
}

/** Where the new version's sections lie; undefined when those that stay as they are lie elsewhere now. */
function newLayout({ context, found, keys }: UpdateRequest, dataSize: number): ShareLayout | undefined {
  const { version } = found;
  const sizes = sectionSizes('mdmf', mutableParameters({ ...version, dataSize }), keys);
  const layout = layoutShare('mdmf', sizes);
  const oldLayout = layoutShare('mdmf', sectionSizes('mdmf', mutableParameters(version), keys));
  const expected = encodeMutableHeader(version, oldLayout);
  const isUsual = found.shares.every(({ header }) => equalBytes(encodeMutableHeader(header, header), expected));
  if (!isUsual) context.log.info('mutable file laid out otherwise, published whole');
  return isUsual ? layout : undefined;
}

/** Whether all shares are there, spread as they should be, and no other. */
function isWhole({ context, found, map }: UpdateRequest): boolean {
  const { happy } = context.encoding;
  const isAlone = map.shares.length === found.shares.length && map.badShares.length === 0;
  const spread = happinessOf(found.shares) >= Math.min(happy, found.version.total);
  return isAlone && spread && found.distinct === found.version.total;
}

/** The hashes of all records by share number; undefined when a share does not give them. */
async function readRecordHashes({ context, found, signal }: UpdateRequest): Promise<Uint8Array[][] | undefined> {
  const { clock, log } = context;
  const byNumber = new Map(found.shares.map((share) => [share.shareNumber, share]));
  try {
    return await Promise.all(
      [...byNumber.entries()]
        .sort(([a], [b]) => a - b)
        .map(([, share]) => {
          const what = `server ${share.server.shortName}`;
          const limit = { clock, timeoutMs: TREE_TIMEOUT_MS, what, signal };
          return withDeadline(limit, (ended) => share.recordHashes(ended));
        }),
    );
  } catch (error) {
    if (!isTahoeError(error) || signal.aborted) throw error;
    log.info('mutable file not updated in place', { reason: error.message });
    return undefined;
  }
}

/** Encodes the segments that the change touches, with what of the old contents is in them. */
async function encodeChanged(request: UpdateRequest, numbers: MutableVersion): Promise<ChangedSegments> {
  const { bytes, context, found, keys, offset } = request;
  const { crypto, random } = context;
  const { needed, segmentSize, total } = found.version;
  const file = mutableParameters(numbers);
  const first = Math.floor(offset / segmentSize);
  const last = Math.floor((offset + bytes.length - 1) / segmentSize);
  const end = last * segmentSize + segmentSizeOf(file, last);
  const plaintext = await readAround(request, { begin: first * segmentSize, end }, first === last);
  const segments = {
    crypto,
    codec: createErasureCodec(needed, total),
    format: 'mdmf',
    file,
    readKey: keys.readKey,
  } as const;
  const makeSalt = saltsFrom(random);
  const encode = function* (): Generator<undefined, ChangedSegments['records']> {
    const records: Uint8Array[][] = [];
    for (let segment = first; segment <= last; segment++) {
      const piece = plaintext.subarray(records.length * segmentSize).subarray(0, segmentSizeOf(file, segment));
      records.push(yield* encodeSegmentSteps(segments, segment, piece, makeSalt()));
      yield;
    }
    return records;
  };
  return { first, records: await takeSteps(context.clock, encode()) };
}

/** The new contents of `range`, in which the change lies. @param isOneSegment - whether all of it is one segment. */
async function readAround(
  { bytes, offset, reader, signal }: UpdateRequest,
  range: ByteRange,
  isOneSegment: boolean,
): Promise<Uint8Array> {
  const before = { begin: range.begin, end: offset };
  const after = { begin: offset + bytes.length, end: range.end };
  const isAmidst = before.begin < before.end && after.begin < after.end;
  const ranges = isOneSegment && isAmidst ? [range] : [before, after];
  const contents = new Uint8Array(range.end - range.begin);
  const read = async ({ begin, end }: ByteRange): Promise<void> =>
    contents.set(await reader.bytes({ begin, end }, signal), begin - range.begin);
  await Promise.all(ranges.map(read));
  contents.set(bytes, offset - range.begin);
  return contents;
}

function* hashesAfter(
  { crypto }: Pick<MutableContext, 'crypto'>,
  hashes: readonly (readonly Uint8Array[])[],
  { first, records }: ChangedSegments,
): Generator<undefined, Uint8Array[][]> {
  const after = hashes.map((ofShare) => [...ofShare]);
  for (const [i, ofSegment] of records.entries()) {
    for (const [shareNumber, ofShare] of after.entries())
      ofShare[first + i] = hashRecord(crypto, ofSegment[shareNumber] ?? new Uint8Array(0));
    yield;
  }
  return after;
}

/** What is written to each share: its changed records, its tree, path and signature, and the header. */
function writer(
  version: MutableVersion,
  layout: ShareLayout,
  { first, records }: ChangedSegments,
  { blockTrees, shareTree }: VersionTrees,
  signature: Uint8Array,
): (placement: Placement) => ShareWrites {
  const { blockHashes, blocks, shareHashes, signature: signed } = layout.sections;
  const begin = blocks.begin + recordRange('mdmf', mutableParameters(version), first).begin;
  const header = encodeMutableHeader(version, layout);
  const made = new Map<number, ShareWrites>();
  const make = (shareNumber: number): ShareWrites => {
    const tree = encodeMerkleTree(blockTrees[shareNumber] ?? [new Uint8Array(NODE_SIZE)]);
    const data = concat(...records.map((ofSegment) => ofSegment[shareNumber] ?? new Uint8Array(0)));
    const writes = [
      { offset: begin, data },
      { offset: blockHashes.begin, data: tree },
      { offset: shareHashes.begin, data: encodeSharePath(shareTree, version.total, shareNumber) },
      { offset: signed.begin, data: signature },
      { offset: 0, data: header },
    ];
    return { writes, newLength: layout.end };
  };
  return ({ shareNumber }) => {
    const writes = made.get(shareNumber) ?? make(shareNumber);
    made.set(shareNumber, writes);
    return writes;
  };
}
