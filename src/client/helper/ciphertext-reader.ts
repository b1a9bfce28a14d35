/**
 * RIEncryptedUploadable: the ciphertext of one file, for a helper that asks for it. Any part may be asked for, any number of times.
 *
 * Parts are made one after the other, whatever the helper asks for at once: what is read of the plaintext is used again, and bytes
 * encrypted at another place than their own would tell something of the key stream.
 */
import type { BulkCrypto } from '#core/crypto.js';
import { offsetShape, readSizeShape } from '#wire/foolscap/storage.js';
import { takeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, RemoteObject } from '#wire/foolscap/tub.js';
import { formatReaderEncoding, helperInterfaces } from '#wire/foolscap/upload-helper.js';
import { violation } from '#wire/foolscap/value-builders.js';
import type { Value } from '#wire/foolscap/values.js';
import type { KeyedPlaintext } from '../upload/plaintext.js';

/** The most that is given at once, in bytes; helpers ask for 50 KiB. */
const GIVEN_SIZE_MAX = 1_048_576;

/** What is read, and how. */
export interface CiphertextReaderOptions {
  readonly crypto: BulkCrypto;
  readonly plaintext: KeyedPlaintext;
  readonly happy: number;
  /** Told of each part that is asked for: where it ends, in bytes. */
  readonly asked: (endBytes: number) => void;
}

/** For one upload. */
export class CiphertextReader implements RemoteObject {
  readonly interfaceName = helperInterfaces.reader;
  readonly #options: CiphertextReaderOptions;
  #reading: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: CiphertextReaderOptions) {
    this.#options = options;
  }

  async call(method: string, given: CallArguments): Promise<Value> {
    const { file } = this.#options.plaintext;
    if (method === 'read_encrypted') return this.#read(given);
    takeArguments(given);
    if (method === 'get_size') return file.size;
    if (method === 'get_all_encoding_parameters') {
      return formatReaderEncoding({ ...file, happy: this.#options.happy });
    }
    // The helper does not need it any more; whoever uploads closes it.
    if (method === 'close') return null;
    throw violation(`there is no method ${method.slice(0, 64)}`);
  }

  /** Nothing is given any more; resolves when nothing is being read. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reading;
  }

  #read(given: CallArguments): Promise<Value> {
    const [first = null, count = null] = takeArguments(given, 'offset', 'length');
    const { file } = this.#options.plaintext;
    const offset = offsetShape(first, 'offset');
    const size = Math.min(readSizeShape(count, 'length'), Math.max(0, file.size - offset));
    if (size > GIVEN_SIZE_MAX) throw violation(`at most ${String(GIVEN_SIZE_MAX)} bytes are given at once`);
    const reading = this.#reading.then(() => this.#encrypt(offset, size));
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #encrypt(offset: number, size: number): Promise<Value> {
    if (this.#isClosed) throw violation('the upload is over');
    const { asked, crypto, plaintext } = this.#options;
    asked(offset + size);
    if (size === 0) return [];
    const bytes = await plaintext.read(offset, size);
    return [crypto.aesCtr(plaintext.readKey, offset).process(bytes)];
  }
}
