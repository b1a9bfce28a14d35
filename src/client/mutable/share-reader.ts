/**
 * Reads one mutable share from one server and believes nothing of it: the public key must hash to the fingerprint, the
 * signature must verify, the share's block hash tree must lead to the signed root, and each block to that tree.
 *
 * Opening fetches the first 4000 bytes: all of a small share, and of a large one the header, the keys and the
 * signature. What else is wanted is fetched where the header says it is.
 */
import { equalBytes } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { decodeShareHashes, SHARE_HASHES_SIZE_MAX } from '#core/immutable/layout.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { MerkleVerifier, NODE_SIZE, nodeCount, paddedLeafCount, verifyMerklePath } from '#core/merkle.js';
import type { NodeRun } from '#core/merkle.js';
import { decodeMutableHeader, MUTABLE_HEADER_SIZE_MAX } from '#core/mutable/layout.js';
import type { MutableHeader, Section } from '#core/mutable/layout.js';
import { hashRecordSteps, recordRange, STEP_SIZE } from '#core/mutable/segments.js';
import { encodeCheckstring, MUTABLE_SEGMENT_SIZE_MAX, mutableParameters } from '#core/mutable/version.js';
import type { ByteRange } from '#wire/storage.js';
import { segmentsOf } from '../download/spans.js';
import type { Span } from '../download/spans.js';
import type { StorageServer } from '../storage-server.js';
import { Turns } from './take-steps.js';

/** How much of a share is fetched when it is opened, in bytes. */
export const OPEN_SIZE = 4000;
/** The longest public key, signature or encrypted private key that is read, in bytes. */
const KEY_SECTION_SIZE_MAX = 4096;
/** The largest block hash tree that is read as a whole, in bytes: a file of 64 GiB. */
const TREE_SIZE_MAX = 64 << 20;
/** The nodes of the block hash tree that are fetched first. */
const TOP_NODE_COUNT = 2047;

/** Which share, and where it lies. */
export interface ShareReaderOptions {
  readonly crypto: CryptoProvider;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly server: StorageServer;
  readonly shareNumber: number;
}

/** One share, whose header was read. */
export class MutableShareReader {
  readonly server: StorageServer;
  readonly shareNumber: number;
  readonly header: MutableHeader;
  readonly file: FileParameters;
  readonly #options: ShareReaderOptions;
  readonly #beginning: Uint8Array;
  readonly #isAll: boolean;
  readonly #turns = new Turns();
  #tree: Promise<MerkleVerifier> | undefined;
  #treeQueue: Promise<unknown> = Promise.resolve();

  /**
   * @param beginning - the share's first bytes, its header among them.
   * @param isAll - whether that is all of it: it is when fewer than OPEN_SIZE were there to be read.
   * @throws ERR_SHARE_LAYOUT when its header is not usable, or the share cannot be the version's.
   */
  constructor(options: ShareReaderOptions, beginning: Uint8Array, isAll = beginning.length < OPEN_SIZE) {
    this.#options = options;
    this.#isAll = isAll;
    this.#beginning = beginning;
    this.server = options.server;
    this.shareNumber = options.shareNumber;
    this.header = decodeMutableHeader(beginning.subarray(0, MUTABLE_HEADER_SIZE_MAX));
    const { needed, segmentSize, total } = this.header;
    if (this.shareNumber >= total) throw layoutError(`it is number ${String(this.shareNumber)} of ${String(total)}`);
    if (segmentSize > MUTABLE_SEGMENT_SIZE_MAX) throw layoutError(`segments of ${String(segmentSize)} bytes`);
    if (!Number.isSafeInteger(segmentSize / needed)) throw layoutError('its blocks are not whole');
    this.file = mutableParameters(this.header);
  }

  publicKey(signal: AbortSignal): Promise<Uint8Array> {
    return this.#section('public key', this.header.sections.publicKey, signal);
  }

  signature(signal: AbortSignal): Promise<Uint8Array> {
    return this.#section('signature', this.header.sections.signature, signal);
  }

  encryptedPrivateKey(signal: AbortSignal): Promise<Uint8Array> {
    return this.#section('encrypted private key', this.header.sections.encryptedPrivateKey, signal);
  }

  /**
   * The records of the segments of `span`: each a block, in MDMF behind its salt.
   * @throws ERR_HASH when one, or a hash above it, was changed; ERR_SHARE_LAYOUT when it is not where it should be;
   *   ERR_NO_SUCH_SHARE when the share is gone; what the server's `readMutable` throws.
   */
  async records(span: Span, signal: AbortSignal): Promise<Uint8Array[]> {
    const rangeOf = (segment: number): ByteRange => recordRange(this.header.format, this.file, segment);
    const [{ begin }, { end }] = [rangeOf(span.first), rangeOf(span.last)];
    const [bytes, tree] = await Promise.all([
      this.#within('blocks', this.header.sections.blocks, begin, end, signal),
      this.#provenTree(span, signal),
    ]);
    const records = segmentsOf(span).map((segment) => {
      const range = rangeOf(segment);
      return bytes.subarray(range.begin - begin, range.end - begin);
    });
    for (const [i, record] of records.entries()) {
      const hash = tree.leafHash(span.first + i);
      const found = await this.#turns.take(hashRecordSteps(this.#options.crypto, record), STEP_SIZE);
      if (hash === undefined || !equalBytes(found, hash)) {
        throw new TahoeError('ERR_HASH', { what: `block ${String(span.first + i)}` });
      }
    }
    return records;
  }

  /**
   * The hashes of all records, in order, every one of them proven.
   * @throws as `record`, and ERR_TOO_LARGE when the tree is too large to be read as a whole.
   */
  async recordHashes(signal: AbortSignal): Promise<Uint8Array[]> {
    const { segmentCount } = this.file;
    const size = nodeCount(segmentCount) * NODE_SIZE;
    if (size > TREE_SIZE_MAX) throw new TahoeError('ERR_TOO_LARGE', { what: 'hash tree', limitBytes: TREE_SIZE_MAX });
    const hashes: Uint8Array[] = [];
    for (let segment = 0; segment < segmentCount; segment++) {
      const hash = (await this.#provenTree({ first: segment, last: segment }, signal)).leafHash(segment);
      if (hash === undefined) throw new TahoeError('ERR_HASH', { what: 'the block hash tree' });
      hashes.push(hash);
    }
    if (segmentCount === 0) await this.#provenTree({ first: 0, last: 0 }, signal);
    return hashes;
  }

  /**
   * The block hash tree with its root proven, to be read by `treeNodes`; what was read before is not in it.
   * @throws as `record`.
   */
  async openBlockTree(signal: AbortSignal): Promise<MerkleVerifier> {
    const { root } = await this.#openTree(signal);
    return new MerkleVerifier(this.#options.crypto, this.file.segmentCount, root);
  }

  /** Nodes of the block hash tree, not proven. @throws as `record`, but not ERR_HASH. */
  treeNodes(
    runs: readonly NodeRun[],
    signal: AbortSignal,
  ): Promise<{ readonly first: number; readonly bytes: Uint8Array }[]> {
    const { blockHashes } = this.header.sections;
    return Promise.all(
      runs.map(async ({ first, count }) => {
        const [begin, end] = [first * NODE_SIZE, (first + count) * NODE_SIZE];
        return { first, bytes: await this.#within('block hashes', blockHashes, begin, end, signal) };
      }),
    );
  }

  /** Bytes `begin` … `end` of all records, not proven. @throws as `record`, but not ERR_HASH. */
  recordBytes(begin: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#within('blocks', this.header.sections.blocks, begin, end, signal);
  }

  /** Whether the server holds another version of this share by now, or none. */
  async hasMoved(signal: AbortSignal): Promise<boolean> {
    const { server, storageIndex } = this.#options;
    const checkstring = encodeCheckstring(this.header);
    const range = { begin: 0, end: checkstring.length };
    const now = await server.readMutable(storageIndex, this.shareNumber, range, { signal });
    return now === undefined || !equalBytes(now, checkstring);
  }

  /** One after the other, so that no node is fetched twice. */
  #provenTree(span: Span, signal: AbortSignal): Promise<MerkleVerifier> {
    const proven = this.#treeQueue.then(async () => {
      const tree = await this.#openedTree(signal);
      for (const segment of segmentsOf(span)) await this.#feed(tree, segment, signal);
      return tree;
    });
    this.#treeQueue = proven.catch(() => undefined);
    return proven;
  }

  async #openedTree(signal: AbortSignal): Promise<MerkleVerifier> {
    this.#tree ??= this.#openTree(signal).then(({ tree }) => tree);
    try {
      return await this.#tree;
    } catch (error) {
      this.#tree = undefined;
      throw error;
    }
  }

  /** The root of the share's tree is its leaf in the share hash tree; nothing else says what it is. */
  async #openTree(signal: AbortSignal): Promise<{ readonly root: Uint8Array; readonly tree: MerkleVerifier }> {
    const { crypto } = this.#options;
    const { rootHash, sections, total } = this.header;
    const { shareHashes } = sections;
    if (shareHashes.end - shareHashes.begin > SHARE_HASHES_SIZE_MAX) throw layoutError('it has too many share hashes');
    const topSize = Math.min(nodeCount(this.file.segmentCount), TOP_NODE_COUNT) * NODE_SIZE;
    const [path, top] = await Promise.all([
      this.#bytes(shareHashes.begin, shareHashes.end, signal),
      this.#within('block hashes', sections.blockHashes, 0, topSize, signal),
    ]);
    const root = top.slice(0, NODE_SIZE);
    const nodes = new Map(decodeShareHashes(path)).set(paddedLeafCount(total) - 1 + this.shareNumber, root);
    if (verifyMerklePath(crypto, { leafCount: total, root: rootHash }, this.shareNumber, nodes) === undefined) {
      throw new TahoeError('ERR_HASH', { what: 'the share hash tree' });
    }
    const tree = new MerkleVerifier(crypto, this.file.segmentCount, root);
    tree.accept(0, [{ first: 0, bytes: top }]);
    return { root, tree };
  }

  async #feed(tree: MerkleVerifier, segment: number, signal: AbortSignal): Promise<void> {
    tree.accept(segment, await this.treeNodes(tree.wanted(segment), signal));
  }

  #section(name: string, { begin, end }: Section, signal: AbortSignal): Promise<Uint8Array> {
    const size = end - begin;
    if (size > KEY_SECTION_SIZE_MAX) return Promise.reject(layoutError(`its ${name} has ${String(size)} bytes`));
    return this.#bytes(begin, end, signal);
  }

  #within(name: string, section: Section, begin: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    if (section.begin + end > section.end) return Promise.reject(layoutError(`its ${name} are too few`));
    return this.#bytes(section.begin + begin, section.begin + end, signal);
  }

  /** Exactly bytes begin … end of the share. */
  async #bytes(begin: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    if (end <= this.#beginning.length) return this.#beginning.subarray(begin, end);
    if (begin === end) return new Uint8Array(0);
    if (this.#isAll) throw layoutError(`it ends before byte ${String(end)}`);
    const { server, storageIndex } = this.#options;
    const bytes = await server.readMutable(storageIndex, this.shareNumber, { begin, end }, { signal });
    if (bytes === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
    if (bytes.length !== end - begin) throw layoutError(`it ends before byte ${String(end)}`);
    return bytes;
  }
}

function layoutError(reason: string): TahoeError {
  return new TahoeError('ERR_SHARE_LAYOUT', { reason });
}
