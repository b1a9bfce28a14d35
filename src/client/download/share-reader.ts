/**
 * Reads one share from one server and believes nothing of it: the URI extension must hash to what the
 * capability says, the share's hash tree must lead to the URI extension's root, and each block to that tree.
 *
 * Opening takes what the server gave with the word that it has the share; else it guesses where things lie from the
 * file's size and fetches header and trailer at once, of a small share all in one request. What is not at hand then is
 * fetched where the header says it is.
 */
import { ByteReader, equalBytes } from '#core/bytes.js';
import type { ChkVerifyCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveBlockHash, deriveUebHash } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import {
  decodeShareHashes,
  decodeShareHeader,
  SHARE_HASHES_SIZE_MAX,
  SHARE_HEADER_SIZE_MAX,
} from '#core/immutable/layout.js';
import type { ShareLayout } from '#core/immutable/layout.js';
import { blockSizeOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { UEB_SIZE_MAX } from '#core/immutable/ueb.js';
import type { Ueb } from '#core/immutable/ueb.js';
import { MerkleVerifier, NODE_SIZE, verifyMerklePath } from '#core/merkle.js';
import type { NodeRun } from '#core/merkle.js';
import type { ShareEdges } from '#wire/immutable-beginnings.js';
import type { StorageServer } from '../storage-server.js';
import { segmentsOf } from './spans.js';
import type { Span } from './spans.js';
import { SPECULATION_SIZE, speculativeRanges } from './speculation.js';

/** For one of the small reads that open a share. */
const OPEN_TIMEOUT_MS = 30_000;

/** What a capability, to read or to verify, says of a file's shares. */
export type SharedFile = Pick<ChkVerifyCapability, 'uebHash' | 'needed' | 'total' | 'size'>;

/** Which share, and for which file. */
export interface ShareReaderOptions {
  readonly crypto: CryptoProvider;
  readonly capability: SharedFile;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly server: StorageServer;
  readonly shareNumber: number;
  /** What the server gave of it already: a claim, as all that it says. */
  readonly edges?: ShareEdges | undefined;
  /** Ends everything when the file is closed. */
  readonly closed: AbortSignal;
}

interface Fetched {
  readonly begin: number;
  readonly bytes: Uint8Array;
}

/** One share of an immutable file. */
export class ShareReader {
  readonly server: StorageServer;
  readonly shareNumber: number;
  readonly #options: ShareReaderOptions;
  #fetched: readonly Fetched[] = [];
  #layout: Promise<ShareLayout> | undefined;
  #blockTree: Promise<MerkleVerifier> | undefined;
  #treeQueue: Promise<unknown> = Promise.resolve();

  constructor(options: ShareReaderOptions) {
    this.#options = options;
    this.server = options.server;
    this.shareNumber = options.shareNumber;
  }

  /**
   * The URI extension block that this share carries, as its bytes.
   * @throws ERR_HASH when it is not the one that the capability names; ERR_SHARE_LAYOUT; ERR_NO_SUCH_SHARE
   *   when the server no longer has the share; what the server's `read` throws.
   */
  async uebBytes(): Promise<Uint8Array> {
    const { crypto, capability } = this.#options;
    const { offsets, fieldSize } = await this.layout();
    const begin = offsets.uriExtension + fieldSize;
    const length = new ByteReader(await this.bytes(offsets.uriExtension, begin));
    const size = fieldSize === 4 ? length.uint32() : length.uint64();
    if (size > UEB_SIZE_MAX) throw layoutError(`its URI extension claims ${String(size)} bytes`);
    const bytes = await this.bytes(begin, begin + size);
    if (!equalBytes(deriveUebHash(crypto, bytes), capability.uebHash)) {
      throw new TahoeError('ERR_HASH', { what: 'the URI extension block' });
    }
    return bytes;
  }

  /**
   * The blocks of the segments of `span`, in order.
   * @param ueb - the file's, proven.
   * @throws as `uebBytes`, and ERR_HASH when one of them or a hash above it was changed.
   */
  async blocks(file: FileParameters, ueb: Ueb, span: Span, signal: AbortSignal): Promise<Uint8Array[]> {
    const { offsets } = await this.layout();
    const begin = offsets.data + span.first * file.blockSize;
    const end = offsets.data + span.last * file.blockSize + blockSizeOf(file, span.last);
    const [bytes, tree] = await Promise.all([this.bytes(begin, end, signal), this.#provenBlockTree(file, ueb, span)]);
    return segmentsOf(span).map((segment, i) => {
      const block = bytes.subarray(i * file.blockSize, (i + 1) * file.blockSize);
      const hash = tree.leafHash(segment);
      if (hash === undefined || !equalBytes(deriveBlockHash(this.#options.crypto, block), hash)) {
        throw new TahoeError('ERR_HASH', { what: `block ${String(segment)}` });
      }
      return block;
    });
  }

  /**
   * Fetches from this share what the file's crypttext hash tree wants for `segment`.
   * @throws as `uebBytes`, and ERR_HASH when that does not prove the segment's hash.
   */
  async proveSegmentHash(tree: MerkleVerifier, segment: number): Promise<void> {
    const { offsets } = await this.layout();
    await this.#feed(tree, segment, offsets.crypttextHashTree);
    if (tree.leafHash(segment) === undefined) throw new TahoeError('ERR_HASH', { what: 'the crypttext hash tree' });
  }

  #provenBlockTree(file: FileParameters, ueb: Ueb, span: Span): Promise<MerkleVerifier> {
    const proven = this.#treeQueue.then(async () => {
      const { offsets } = await this.layout();
      this.#blockTree ??= this.openBlockTree(file, ueb);
      const tree = await this.#blockTree;
      for (const segment of segmentsOf(span)) await this.#feed(tree, segment, offsets.blockHashes);
      return tree;
    });
    this.#treeQueue = proven.catch(() => undefined);
    return proven;
  }

  /**
   * A new verifier of the share's block tree, whose root is the share's leaf in the share hash tree.
   * @throws as `uebBytes`, and ERR_HASH when the share hashes do not lead to the file's root.
   */
  async openBlockTree(file: FileParameters, ueb: Ueb): Promise<MerkleVerifier> {
    const { crypto } = this.#options;
    const { offsets } = await this.layout();
    const size = offsets.uriExtension - offsets.shareHashes;
    if (size < 0 || size > SHARE_HASHES_SIZE_MAX) throw layoutError(`its share hashes fill ${String(size)} bytes`);
    const nodes = decodeShareHashes(await this.bytes(offsets.shareHashes, offsets.uriExtension));
    const tree = { leafCount: file.total, root: ueb.shareRootHash };
    const root = verifyMerklePath(crypto, tree, this.shareNumber, nodes);
    if (root === undefined) throw new TahoeError('ERR_HASH', { what: 'the share hash tree' });
    return new MerkleVerifier(crypto, file.segmentCount, root.slice());
  }

  async #feed(tree: MerkleVerifier, leaf: number, treeOffset: number): Promise<void> {
    tree.accept(leaf, await this.treeNodes(treeOffset, tree.wanted(leaf)));
  }

  /** Runs of nodes of the tree at `treeOffset`, proven by nothing. @throws as `bytes`. */
  treeNodes(treeOffset: number, runs: readonly NodeRun[]): Promise<{ first: number; bytes: Uint8Array }[]> {
    return Promise.all(
      runs.map(async ({ first, count }) => {
        const begin = treeOffset + first * NODE_SIZE;
        return { first, bytes: await this.bytes(begin, begin + count * NODE_SIZE) };
      }),
    );
  }

  /** Where the share's sections are, as it says itself. @throws ERR_SHARE_LAYOUT; what the server's `read` throws. */
  layout(): Promise<ShareLayout> {
    this.#layout ??= this.#speculate();
    return this.#layout;
  }

  async #speculate(): Promise<ShareLayout> {
    const { capability, closed, edges } = this.#options;
    this.#fetched =
      edges !== undefined && edges.beginning.length > 0
        ? [
            { begin: 0, bytes: edges.beginning },
            { begin: edges.size - edges.end.length, bytes: edges.end },
          ]
        : await Promise.all(
            speculativeRanges(capability).map(async ({ begin, end }) => ({
              begin,
              bytes: await this.#read(begin, end, closed),
            })),
          );
    return decodeShareHeader((this.#fetched[0]?.bytes ?? new Uint8Array(0)).subarray(0, SHARE_HEADER_SIZE_MAX));
  }

  /**
   * Exactly bytes begin … end of the share, proven by nothing.
   * @throws ERR_SHARE_LAYOUT when it is shorter; what the server's `read` throws.
   */
  async bytes(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    for (const fetched of this.#fetched) {
      const offset = begin - fetched.begin;
      if (offset >= 0 && offset + (end - begin) <= fetched.bytes.length) {
        return fetched.bytes.subarray(offset, offset + (end - begin));
      }
    }
    if (!Number.isSafeInteger(end)) throw layoutError('an offset lies beyond 2^53');
    if (begin === end) return new Uint8Array(0);
    const bytes = await this.#read(begin, end, signal ?? this.#options.closed);
    if (bytes.length !== end - begin) throw layoutError(`it ends before byte ${String(end)}`);
    return bytes;
  }

  async #read(begin: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    const { server, storageIndex, shareNumber } = this.#options;
    const timeout = end - begin <= SPECULATION_SIZE ? { timeoutMs: OPEN_TIMEOUT_MS } : {};
    const bytes = await server.read(storageIndex, shareNumber, { begin, end }, { signal, ...timeout });
    if (bytes === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
    return bytes;
  }
}

function layoutError(reason: string): TahoeError {
  return new TahoeError('ERR_SHARE_LAYOUT', { reason });
}
