/**
 * Turns contents into all shares of a new version, and the hashes of changed blocks into what they change.
 *
 * Over the block hash trees of all shares stands one share hash tree; its root is signed. Every share carries the same
 * signature and keys, its own path to the root, its own block hash tree and its own blocks.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import type { MutableFormat } from '../capability/types.js';
import type { BulkCrypto, CryptoProvider } from '../crypto.js';
import { createErasureCodec } from '../erasure/codec.js';
import { encodeShareHashes } from '../immutable/layout.js';
import { segmentSizeOf } from '../immutable/parameters.js';
import type { Encoding, FileParameters } from '../immutable/parameters.js';
import { buildMerkleTree, encodeMerkleTree, NODE_SIZE, nodeCount, siblingNodes } from '../merkle.js';
import type { MutableKeys } from './keys.js';
import { SALT_SIZE } from './layout.js';
import { encodeSegmentSteps, finished, hashRecordSteps, recordRange } from './segments.js';
import { encodeMutableHeader, layoutShare } from './share.js';
import type { SectionSizes } from './share.js';
import {
  blocksSizeOf,
  encodeSignedPrefix,
  MDMF_SEGMENT_SIZE,
  mutableParameters,
  mutableSegmentSize,
} from './version.js';
import type { MutableVersion } from './version.js';

/** The length of a signature, in bytes. */
export const SIGNATURE_SIZE = 256;
/** From this size on a record is a step of its own, in bytes. */
const YIELDED_SIZE = 131_072;
/** One record of share hashes: a node number of 2 bytes and a hash. */
const SHARE_HASH_RECORD_SIZE = 2 + NODE_SIZE;

/** What is to be written. */
export interface NewVersion {
  readonly format: MutableFormat;
  readonly sequenceNumber: number;
  readonly encoding: Encoding;
  readonly contents: Uint8Array;
  /** Of an MDMF segment, in bytes; MDMF_SEGMENT_SIZE if left out. */
  readonly segmentSizeMax?: number | undefined;
}

/** A version with all its shares. */
export interface EncodedVersion {
  readonly version: MutableVersion;
  /** By share number; each over a buffer of its own. */
  readonly shares: readonly Uint8Array[];
  /** The hashes of all records by share number, in order. */
  readonly recordHashes: readonly (readonly Uint8Array[])[];
}

/** The trees over the hashes of all records. */
export interface VersionTrees {
  /** By share number, all nodes. */
  readonly blockTrees: readonly (readonly Uint8Array[])[];
  readonly shareTree: readonly Uint8Array[];
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
}

/** How long the sections of each share of such a file are. */
export function sectionSizes(
  format: MutableFormat,
  file: FileParameters,
  keys: Pick<MutableKeys, 'publicKey' | 'encryptedPrivateKey'>,
): SectionSizes {
  return {
    publicKey: keys.publicKey.length,
    signature: SIGNATURE_SIZE,
    shareHashes: siblingNodes(file.total, 0).length * SHARE_HASH_RECORD_SIZE,
    blockHashes: nodeCount(file.segmentCount) * NODE_SIZE,
    blocks: blocksSizeOf(format, file),
    encryptedPrivateKey: keys.encryptedPrivateKey.length,
  };
}

/** @param leaves - for each share the hashes of its records, in order. */
export function buildVersionTrees(crypto: BulkCrypto, leaves: readonly (readonly Uint8Array[])[]): VersionTrees {
  const blockTrees = leaves.map((hashes) => buildMerkleTree(crypto, hashes));
  const shareTree = buildMerkleTree(crypto, blockTrees.map(nodeAt(0)));
  return { blockTrees, shareTree, rootHash: nodeAt(0)(shareTree) };
}

/** The path of one share as it carries it: without its leaf, in the order of the node numbers. */
export function encodeSharePath(shareTree: readonly Uint8Array[], total: number, shareNumber: number): Uint8Array {
  const nodes = siblingNodes(total, shareNumber).sort((a, b) => a - b);
  return encodeShareHashes(new Map(nodes.map((node) => [node, nodeAt(node)(shareTree)])));
}

/** The signature over a version. */
export function signVersion(crypto: CryptoProvider, version: MutableVersion, privateKey: Uint8Array): Uint8Array {
  return crypto.rsaSign(privateKey, encodeSignedPrefix(version));
}

/**
 * Encodes a version.
 * @param makeSalt - gives 16 new unpredictable bytes at each call.
 * @throws ERR_ENCODING, ERR_TOO_LARGE, ERR_RSA_KEY.
 */
export function encodeVersion(
  crypto: CryptoProvider,
  keys: MutableKeys,
  request: NewVersion,
  makeSalt: () => Uint8Array,
): EncodedVersion {
  return finished(encodeVersionSteps(crypto, keys, request, makeSalt));
}

/** The same in steps that take a few milliseconds each, for who has other things to do between them. */
export function* encodeVersionSteps(
  crypto: CryptoProvider,
  keys: MutableKeys,
  { format, sequenceNumber, encoding, contents, segmentSizeMax = MDMF_SEGMENT_SIZE }: NewVersion,
  makeSalt: () => Uint8Array,
): Generator<undefined, EncodedVersion> {
  const { needed, total } = encoding;
  const segmentSize = mutableSegmentSize(format, encoding, contents.length, segmentSizeMax);
  const numbers = { format, sequenceNumber, needed, total, segmentSize, dataSize: contents.length };
  const file = mutableParameters(numbers);
  const layout = layoutShare(format, sectionSizes(format, file, keys));
  const shares = Array.from({ length: total }, () => new Uint8Array(layout.end));
  const leaves = shares.map((): Uint8Array[] => []);
  const context = { crypto, codec: createErasureCodec(needed, total), format, file, readKey: keys.readKey };
  const salt = format === 'sdmf' ? makeSalt() : undefined;
  for (let segment = 0; segment < file.segmentCount; segment++) {
    const begin = segment * segmentSize;
    const plaintext = contents.subarray(begin, begin + segmentSizeOf(file, segment));
    const place = layout.sections.blocks.begin + recordRange(format, file, segment).begin;
    const records = yield* encodeSegmentSteps(context, segment, plaintext, salt ?? makeSalt());
    for (const [share, record] of records.entries()) {
      shares[share]?.set(record, place);
      leaves[share]?.push(yield* hashRecordSteps(crypto, record));
      if (record.length >= YIELDED_SIZE) yield;
    }
    yield;
  }
  const trees = buildVersionTrees(crypto, leaves);
  const version: MutableVersion = { ...numbers, rootHash: trees.rootHash, salt };
  const signature = signVersion(crypto, version, keys.privateKey);
  const header = encodeMutableHeader(version, layout);
  shares.forEach((bytes, share) => {
    bytes.set(header);
    bytes.set(keys.publicKey, layout.sections.publicKey.begin);
    bytes.set(signature, layout.sections.signature.begin);
    bytes.set(encodeSharePath(trees.shareTree, total, share), layout.sections.shareHashes.begin);
    bytes.set(encodeMerkleTree(trees.blockTrees[share] ?? []), layout.sections.blockHashes.begin);
    bytes.set(keys.encryptedPrivateKey, layout.sections.encryptedPrivateKey.begin);
  });
  return { version, shares, recordHashes: leaves };
}

/** 16 bytes of chance at each call. */
export function saltsFrom(random: { bytes(size: number): Uint8Array }): () => Uint8Array {
  return () => random.bytes(SALT_SIZE);
}

function nodeAt(index: number): (tree: readonly Uint8Array[]) => Uint8Array {
  return (tree) => {
    const node = tree[index];
    if (node === undefined) throw new RangeError(`the tree has no node ${String(index)}`);
    return node;
  };
}
