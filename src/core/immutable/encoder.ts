/**
 * Turns a file's plaintext into the shares of a CHK file, segment by segment; or its ciphertext, for a repair.
 *
 * For each segment in order, `encodeSegment` gives the `total` blocks that go to the shares' data; after the
 * last, `finish` gives what follows the data in each share, and the capability. It holds one hash per block
 * and segment, never the data. Nothing here knows where the plaintext comes from or where shares go.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { concat, equalBytes } from '../bytes.js';
import { chkReadCapability } from '../capability/types.js';
import type { ChkReadCapability } from '../capability/types.js';
import type { BulkCrypto, StreamCipher } from '../crypto.js';
import { crypttextHasher, deriveBlockHash, deriveCrypttextSegmentHash, deriveUebHash } from '../derive.js';
import type { TaggedHasher } from '../derive.js';
import type { ErasureCodec } from '../erasure/codec.js';
import { TahoeError } from '../errors.js';
import { buildMerkleTree, encodeMerkleTree, NODE_SIZE, nodeCount, paddedLeafCount, siblingNodes } from '../merkle.js';
import { encodeShareHashes, layoutOf } from './layout.js';
import type { WrittenShareLayout } from './layout.js';
import { blockSizeOf, segmentSizeOf } from './parameters.js';
import type { FileParameters } from './parameters.js';
import { decodeUeb, encodeUeb } from './ueb.js';
import type { UebHashes } from './ueb.js';

/** What follows the data in each share of a file. */
export interface EncodedShares {
  /** For each share number, the bytes from `offsets.plaintextHashTree` to the share's end. */
  readonly trailers: readonly Uint8Array[];
}

/** What `ShareEncoder.finish` gives. */
export interface EncodedFile extends EncodedShares {
  readonly capability: ChkReadCapability;
}

/** What `CiphertextEncoder.finish` gives. */
export interface EncodedCiphertext extends EncodedShares {
  /** The URI extension block, which every share carries. */
  readonly ueb: Uint8Array;
  /** 32 bytes. */
  readonly uebHash: Uint8Array;
}

/** Encodes the plaintext of one file. Segments must come in order, each exactly once. */
export class ShareEncoder {
  readonly file: FileParameters;
  readonly layout: WrittenShareLayout;
  readonly #readKey: Uint8Array;
  readonly #cipher: StreamCipher;
  readonly #inner: CiphertextEncoder;

  /** @param readKey - 16 bytes. @param codec - for the file's `needed` and `total`. */
  constructor(crypto: BulkCrypto, codec: ErasureCodec, file: FileParameters, readKey: Uint8Array) {
    this.file = file;
    this.#inner = new CiphertextEncoder(crypto, codec, file);
    this.layout = this.#inner.layout;
    this.#readKey = readKey;
    this.#cipher = crypto.aesCtr(readKey, 0);
  }

  /**
   * Encrypts and codes the next segment.
   * @param plaintext - as many bytes as the segment has.
   * @param spare - blocks of earlier segments that nobody uses any more, to be filled again.
   * @returns `total` blocks, by share number. The first `needed` are views of one array.
   */
  encodeSegment(plaintext: Uint8Array, spare: readonly Uint8Array[] = []): Uint8Array[] {
    this.#inner.checkNextSize(plaintext);
    return this.#inner.encodeSegment(this.#cipher.process(plaintext), spare);
  }

  /** Ends the file after its last segment. */
  finish(): EncodedFile {
    const { trailers, uebHash } = this.#inner.finish();
    const { needed, total, size } = this.file;
    return { trailers, capability: chkReadCapability({ readKey: this.#readKey, uebHash, needed, total, size }) };
  }
}

/** Encodes what is encrypted already, the same way. */
export class CiphertextEncoder {
  readonly file: FileParameters;
  readonly layout: WrittenShareLayout;
  readonly #crypto: BulkCrypto;
  readonly #codec: ErasureCodec;
  readonly #ueb: Uint8Array | undefined;
  readonly #crypttextHasher: TaggedHasher;
  readonly #segmentHashes: Uint8Array[] = [];
  readonly #blockHashes: Uint8Array[][];

  /**
   * @param codec - for the file's `needed` and `total`.
   * @param ueb - the URI extension block that the file has already: it is kept as it is, whatever else it says.
   */
  constructor(crypto: BulkCrypto, codec: ErasureCodec, file: FileParameters, ueb?: Uint8Array) {
    this.file = file;
    this.layout = layoutOf(file, ueb?.length);
    this.#crypto = crypto;
    this.#codec = codec;
    this.#ueb = ueb;
    this.#crypttextHasher = crypttextHasher(crypto);
    this.#blockHashes = Array.from({ length: file.total }, () => []);
  }

  /** @throws RangeError unless `bytes` are as many as the next segment has. */
  checkNextSize(bytes: Uint8Array): void {
    const segment = this.#segmentHashes.length;
    if (bytes.length !== segmentSizeOf(this.file, segment)) {
      throw new RangeError(`segment ${String(segment)} has ${String(bytes.length)} bytes`);
    }
  }

  /** Codes the next segment. @see ShareEncoder.encodeSegment */
  encodeSegment(crypttext: Uint8Array, spare: readonly Uint8Array[] = []): Uint8Array[] {
    this.checkNextSize(crypttext);
    const segment = this.#segmentHashes.length;
    this.#crypttextHasher.update(crypttext);
    this.#segmentHashes.push(deriveCrypttextSegmentHash(this.#crypto, crypttext));
    const primary = splitBlocks(crypttext, this.file.needed, blockSizeOf(this.file, segment));
    const blocks = this.#codec.encode(primary, undefined, spare);
    blocks.forEach((block, share) => this.#blockHashes[share]?.push(deriveBlockHash(this.#crypto, block)));
    return blocks;
  }

  /**
   * Ends the file after its last segment.
   * @returns also the URI extension block and its hash.
   * @throws ERR_HASH when the file has a URI extension block and this is not what it speaks of.
   */
  finish(): EncodedCiphertext {
    const crypttextTree = buildMerkleTree(this.#crypto, this.#segmentHashes);
    const blockTrees = this.#blockHashes.map((hashes) => buildMerkleTree(this.#crypto, hashes));
    const shareTree = buildMerkleTree(this.#crypto, blockTrees.map(rootOf));
    const ueb = this.#uebOf({
      crypttextHash: this.#crypttextHasher.digest(),
      crypttextRootHash: rootOf(crypttextTree),
      shareRootHash: rootOf(shareTree),
    });
    const encodedCrypttextTree = encodeMerkleTree(crypttextTree);
    const trailers = blockTrees.map((blockTree, share) =>
      this.#trailer(encodedCrypttextTree, blockTree, this.#shareHashes(shareTree, share), ueb),
    );
    return { trailers, ueb, uebHash: deriveUebHash(this.#crypto, ueb) };
  }

  #uebOf(hashes: UebHashes): Uint8Array {
    if (this.#ueb === undefined) return encodeUeb(this.file, hashes);
    const { crypttextRootHash, shareRootHash } = decodeUeb(this.#ueb);
    if (!equalBytes(crypttextRootHash, hashes.crypttextRootHash) || !equalBytes(shareRootHash, hashes.shareRootHash)) {
      throw new TahoeError('ERR_HASH', { what: 'the file that was encoded again' });
    }
    return this.#ueb;
  }

  #trailer(crypttextTree: Uint8Array, blockTree: Uint8Array[], shareHashes: Uint8Array, ueb: Uint8Array): Uint8Array {
    const plaintextTree = new Uint8Array(nodeCount(this.file.segmentCount) * NODE_SIZE);
    const uebLength = new Uint8Array(this.layout.fieldSize);
    new DataView(uebLength.buffer).setUint32(this.layout.fieldSize - 4, ueb.length);
    return concat(plaintextTree, crypttextTree, encodeMerkleTree(blockTree), shareHashes, uebLength, ueb);
  }

  #shareHashes(shareTree: readonly Uint8Array[], share: number): Uint8Array {
    const leaf = paddedLeafCount(this.file.total) - 1 + share;
    const indexes = [...siblingNodes(this.file.total, share), leaf].sort((a, b) => a - b);
    return encodeShareHashes(new Map(indexes.map((index) => [index, shareTree[index] ?? new Uint8Array(NODE_SIZE)])));
  }
}

/** Cuts `segment` into `count` blocks of `blockSize` bytes; the last are filled up with zero bytes. */
function splitBlocks(segment: Uint8Array, count: number, blockSize: number): Uint8Array[] {
  const padded = segment.length === count * blockSize ? segment : new Uint8Array(count * blockSize);
  if (padded !== segment) padded.set(segment);
  return Array.from({ length: count }, (_, i) => padded.subarray(i * blockSize, (i + 1) * blockSize));
}

function rootOf(tree: readonly Uint8Array[]): Uint8Array {
  const [root] = tree;
  if (root === undefined) throw new RangeError('a tree has at least one node');
  return root;
}
