/**
 * Encodes a file for its upload: here, or wherever the node has processors to spare.
 *
 * Hashing and coding take as long as everything else of an upload together. An uploader asks for a few segments ahead
 * of the one that it sends, so that an encoder on another thread works while this one talks to servers.
 */
import type { BulkCrypto } from '#core/crypto.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { ShareEncoder } from '#core/immutable/encoder.js';
import type { EncodedFile } from '#core/immutable/encoder.js';
import { segmentSizeOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import type { KeyedPlaintext } from './plaintext.js';

/** How many segments are encoded or wait to be sent at a time. */
const ENCODE_COUNT = 2;

/** One segment as its shares hold it. */
export interface EncodedSegment {
  /** By share number. They stay until `release`. */
  readonly blocks: readonly Uint8Array[];
  /** Says that nobody reads the blocks any more. */
  readonly release: () => void;
}

/** Encodes one file. Segments must come in order, each exactly once. */
export interface FileEncoder {
  /** @param plaintext - as many bytes as the next segment has; it is read before this returns. */
  encode(plaintext: Uint8Array): Promise<EncodedSegment>;
  /** Ends the file after its last segment. */
  finish(): Promise<EncodedFile>;
  /** Gives up what it holds; idempotent. */
  close(): void;
}

/** Begins to encode a file. @param readKey - 16 bytes. */
export type OpenEncoder = (file: FileParameters, readKey: Uint8Array) => FileEncoder;

/**
 * The segments of a file in order, each asked for while those before it are being sent.
 * @throws what `plaintext` and `encoder` throw.
 */
export async function* encodedSegments(
  plaintext: KeyedPlaintext,
  encoder: FileEncoder,
): AsyncGenerator<EncodedSegment, void> {
  const { file } = plaintext;
  let reading: Promise<unknown> = Promise.resolve();
  const begin = (segment: number): Promise<EncodedSegment> => {
    const bytes = reading.then(() => plaintext.read(segment * file.segmentSize, segmentSizeOf(file, segment)));
    const encoded = bytes.then((segmentBytes) => encoder.encode(segmentBytes));
    encoded.catch(() => undefined); // It is awaited in its turn, unless the upload ends before.
    reading = bytes;
    return encoded;
  };
  const begun: Promise<EncodedSegment>[] = [];
  for (let segment = 0; segment < file.segmentCount; segment++) {
    while (begun.length < Math.min(ENCODE_COUNT, file.segmentCount - segment))
      begun.push(begin(segment + begun.length));
    const encoded = await begun.shift();
    if (encoded !== undefined) yield encoded;
  }
}

/** Encodes on the thread that asks. */
export function localEncoders(crypto: BulkCrypto): OpenEncoder {
  return (file, readKey) => {
    const encoder = new ShareEncoder(crypto, createErasureCodec(file.needed, file.total), file, readKey);
    const spare: Uint8Array[] = [];
    return {
      encode(plaintext) {
        const blocks = encoder.encodeSegment(plaintext, spare.splice(0));
        const secondary = blocks.slice(file.needed);
        return Promise.resolve({ blocks, release: () => void spare.push(...secondary) });
      },
      finish: () => Promise.resolve(encoder.finish()),
      close() {},
    };
  };
}
