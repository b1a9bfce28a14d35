/**
 * The ciphertext of one file, for its helper. Any part may be read, any number of times.
 *
 * Parts are made one after the other, whatever the helper asks for at once: what is read of the plaintext is used again, and bytes
 * encrypted at another place than their own would tell something of the key stream.
 */
import type { CryptoProvider } from '#core/crypto.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { violation } from '#wire/foolscap/value-builders.js';
import type { OfferedFile } from '#wire/upload-helper.js';
import type { KeyedPlaintext } from '../upload/plaintext.js';

/** How much is made at once of what is sent to its end, in bytes. */
const PIECE_SIZE = 65_536;

/** What is read, and how. */
export interface OfferedCiphertextOptions {
  readonly crypto: CryptoProvider;
  readonly plaintext: KeyedPlaintext;
  readonly happy: number;
  /** Told of each part that is asked for: where it ends, in bytes. */
  readonly asked: (endBytes: number) => void;
}

/** For one upload. It must be closed. */
export class OfferedCiphertext {
  readonly file: OfferedFile;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly #options: OfferedCiphertextOptions;
  #reading: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: OfferedCiphertextOptions) {
    const { crypto, happy, plaintext } = options;
    this.#options = options;
    this.file = { ...plaintext.file, happy };
    this.storageIndex = deriveImmutableStorageIndex(crypto, plaintext.readKey);
  }

  /** All of `size` bytes from `offset`, which are there. @throws ERR_VIOLATION when the upload is over, and what reading throws. */
  read(offset: number, size: number): Promise<Uint8Array> {
    const reading = this.#reading.then(() => this.#encrypt(offset, size));
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /** What lies from `offset` to the end, in pieces. @throws as `read`. */
  async *from(offset: number): AsyncGenerator<Uint8Array, void> {
    const { size } = this.file;
    for (let at = offset; at < size; at += PIECE_SIZE) yield await this.read(at, Math.min(PIECE_SIZE, size - at));
  }

  /** Nothing is given any more; resolves when nothing is being read. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reading;
  }

  async #encrypt(offset: number, size: number): Promise<Uint8Array> {
    if (this.#isClosed) throw violation('the upload is over');
    const { asked, crypto, plaintext } = this.#options;
    asked(offset + size);
    if (size === 0) return new Uint8Array(0);
    return crypto.aesCtr(plaintext.readKey, offset).process(await plaintext.read(offset, size));
  }
}
