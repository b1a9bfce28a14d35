/**
 * Reads one mutable share from its header to its last block and holds all of it against what was signed: its path to
 * the root, every node of its block hash tree, every block; with the write key also the private key that it carries.
 * Nothing is decoded or decrypted for it, so a verify capability is enough. Memory is bounded whatever the size of a
 * segment. Header, public key and signature were verified when the share was found.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { equalBytes } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { blockHasher } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import { decryptPrivateKey } from '#core/mutable/keys.js';
import { recordRange } from '#core/mutable/segments.js';
import type { MutableShareReader } from '../mutable/share-reader.js';

/** How much of a share's blocks is read at a time, in bytes. */
const READ_SIZE = 262_144;

/** How a share is verified. */
export interface MutableVerification {
  readonly crypto: CryptoProvider;
  /** 16 bytes; without it the encrypted private key is believed, for nobody else can judge it. */
  readonly writeKey: Uint8Array | undefined;
  /** Runs one reading within its deadline. */
  readonly limited: <Value>(action: (signal: AbortSignal) => Promise<Value>) => Promise<Value>;
}

/**
 * Verifies.
 * @throws an error of the family `integrity` when the share is corrupt; ERR_NO_SUCH_SHARE when it is gone; what the
 *   server's `readMutable` and `limited` throw.
 */
export async function verifyMutableShare(how: MutableVerification, share: MutableShareReader): Promise<void> {
  const { crypto, limited, writeKey } = how;
  if (writeKey !== undefined) {
    decryptPrivateKey(crypto, writeKey, await limited((signal) => share.encryptedPrivateKey(signal)));
  }
  const tree = await limited((signal) => share.openBlockTree(signal));
  const records = new RecordHasher(how, share);
  let segment = 0;
  for (const { leaf, runs } of tree.wholeTree()) {
    if (!tree.acceptWhole(leaf, await limited((signal) => share.treeNodes(runs, signal)))) {
      throw new TahoeError('ERR_HASH', { what: 'the block hash tree' });
    }
    // Of a large tree only what was read last is kept: its blocks are verified before it is read further.
    for (; segment < share.file.segmentCount; segment++) {
      const expected = tree.leafHash(segment);
      if (expected === undefined) break;
      if (!equalBytes(expected, await records.next(segment))) {
        throw new TahoeError('ERR_HASH', { what: `block ${String(segment)}` });
      }
    }
  }
}

/** Hashes a share's records, one after the other, from pieces of a size of its own. */
class RecordHasher {
  readonly #how: MutableVerification;
  readonly #share: MutableShareReader;
  readonly #end: number;
  #piece = new Uint8Array(0);
  /** Where the piece ends among the records. */
  #pieceEnd = 0;

  constructor(how: MutableVerification, share: MutableShareReader) {
    const { file, header } = share;
    this.#how = how;
    this.#share = share;
    this.#end = file.segmentCount === 0 ? 0 : recordRange(header.format, file, file.segmentCount - 1).end;
  }

  /** The hash of the record of `segment`, which must be the next one. */
  async next(segment: number): Promise<Uint8Array> {
    const { begin, end } = recordRange(this.#share.header.format, this.#share.file, segment);
    const hasher = blockHasher(this.#how.crypto);
    for (let left = end - begin; left > 0;) {
      if (this.#piece.length === 0) await this.#read();
      const part = this.#piece.subarray(0, left);
      hasher.update(part);
      this.#piece = this.#piece.subarray(part.length);
      left -= part.length;
    }
    return hasher.digest();
  }

  async #read(): Promise<void> {
    const begin = this.#pieceEnd;
    this.#pieceEnd = Math.min(this.#end, begin + READ_SIZE);
    const end = this.#pieceEnd;
    this.#piece = Uint8Array.from(await this.#how.limited((signal) => this.#share.recordBytes(begin, end, signal)));
  }
}
