/** A client's ciphertext over Foolscap: the reader that it gave, which is asked for each part. */
import { concat } from '#core/bytes.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import { fileSizeShape, readDataOf, readerEncodingShape } from '#wire/foolscap/upload-helper.js';
import type { OfferedFile } from '#wire/upload-helper.js';
import type { AskOptions, CiphertextSource } from './ciphertext-source.js';

/** @see CiphertextSource */
export class RemoteCiphertext implements CiphertextSource {
  readonly #reader: RemoteReference;

  constructor(reader: RemoteReference) {
    this.#reader = reader;
  }

  async describe(options: AskOptions): Promise<OfferedFile> {
    const size = await this.#reader.call('get_size', [], undefined, options);
    const encoding = await this.#reader.call('get_all_encoding_parameters', [], undefined, options);
    return {
      ...readerEncodingShape(encoding, 'the answer to get_all_encoding_parameters'),
      size: fileSizeShape(size, 'the answer to get_size'),
    };
  }

  async read(offset: number, size: number, options: AskOptions): Promise<Uint8Array> {
    const answer = await this.#reader.call('read_encrypted', [offset, size], undefined, options);
    return concat(...readDataOf(size)(answer, 'the answer to read_encrypted'));
  }

  release(): void {
    this.#reader.release();
  }

  close(): void {
    this.#reader.call('close', []).catch(() => undefined);
    this.release();
  }
}
