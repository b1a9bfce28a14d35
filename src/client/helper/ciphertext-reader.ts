/** RIEncryptedUploadable: the ciphertext of one file, for a helper that asks for it over Foolscap. */
import { offsetShape, readSizeShape } from '#wire/foolscap/storage.js';
import { takeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, RemoteObject } from '#wire/foolscap/tub.js';
import { formatReaderEncoding, helperInterfaces } from '#wire/foolscap/upload-helper.js';
import { violation } from '#wire/foolscap/value-builders.js';
import type { Value } from '#wire/foolscap/values.js';
import type { OfferedCiphertext } from './offered-ciphertext.js';

/** The most that is given at once, in bytes; helpers ask for 50 KiB. */
const GIVEN_SIZE_MAX = 1_048_576;

/** For one upload. */
export class CiphertextReader implements RemoteObject {
  readonly interfaceName = helperInterfaces.reader;
  readonly #offered: OfferedCiphertext;

  constructor(offered: OfferedCiphertext) {
    this.#offered = offered;
  }

  async call(method: string, given: CallArguments): Promise<Value> {
    const { file } = this.#offered;
    if (method === 'read_encrypted') return this.#read(given);
    takeArguments(given);
    if (method === 'get_size') return file.size;
    if (method === 'get_all_encoding_parameters') return formatReaderEncoding(file);
    // The helper does not need it any more; whoever uploads closes it.
    if (method === 'close') return null;
    throw violation(`there is no method ${method.slice(0, 64)}`);
  }

  async #read(given: CallArguments): Promise<Value> {
    const [first = null, count = null] = takeArguments(given, 'offset', 'length');
    const { file } = this.#offered;
    const offset = offsetShape(first, 'offset');
    const size = Math.min(readSizeShape(count, 'length'), Math.max(0, file.size - offset));
    if (size > GIVEN_SIZE_MAX) throw violation(`at most ${String(GIVEN_SIZE_MAX)} bytes are given at once`);
    const bytes = await this.#offered.read(offset, size);
    return size === 0 ? [] : [bytes];
  }
}
