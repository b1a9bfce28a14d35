/**
 * Encodes a file for its upload: here, or wherever the node has processors to spare.
 *
 * Hashing and coding take as long as everything else of an upload together. An uploader asks for a few segments ahead
 * of the one that it sends, so that an encoder on another thread works while this one talks to servers.
 */
import type { BulkCrypto } from '#core/crypto.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { CiphertextEncoder, ShareEncoder } from '#core/immutable/encoder.js';
import type { EncodedCiphertext, EncodedFile, EncodedShares } from '#core/immutable/encoder.js';
import { segmentSizeOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';

/** How many segments are encoded or wait to be sent at a time. */
const ENCODE_COUNT = 2;

/** One segment as its shares hold it. */
export interface EncodedSegment {
  /** By share number. They stay until `release`. */
  readonly blocks: readonly Uint8Array[];
  /** Says that nobody reads the blocks any more. */
  readonly release: () => void;
}

/** What is to be encoded. */
export interface SegmentSource {
  readonly file: FileParameters;
  /** Exactly `size` bytes from `offset`, asked for in order. They stay until the read after the next begins. */
  read(offset: number, size: number): Promise<Uint8Array>;
}

/** Encodes one file. Segments must come in order, each exactly once. */
export interface FileEncoder<Encoded extends EncodedShares = EncodedFile> {
  /** @param bytes - as many as the next segment has; they are read before this returns. */
  encode(bytes: Uint8Array): Promise<EncodedSegment>;
  /** Ends the file after its last segment. */
  finish(): Promise<Encoded>;
  /** Gives up what it holds; idempotent. */
  close(): void;
}

/** Begins to encode a file. @param readKey - 16 bytes. */
export type OpenEncoder = (file: FileParameters, readKey: Uint8Array) => FileEncoder;

/**
 * The segments of a file in order, each asked for while those before it are being sent.
 * @throws what `source` and `encoder` throw.
 */
export async function* encodedSegments(
  source: SegmentSource,
  encoder: FileEncoder<EncodedShares>,
): AsyncGenerator<EncodedSegment, void> {
  const { file } = source;
  let reading: Promise<unknown> = Promise.resolve();
  const begin = (segment: number): Promise<EncodedSegment> => {
    const bytes = reading.then(() => source.read(segment * file.segmentSize, segmentSizeOf(file, segment)));
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
  return (file, readKey) =>
    localEncoder(new ShareEncoder(crypto, createErasureCodec(file.needed, file.total), file, readKey));
}

/** Encodes ciphertext on the thread that asks. @param ueb - the URI extension block that the file has already; it is kept. */
export function ciphertextEncoder(
  crypto: BulkCrypto,
  file: FileParameters,
  ueb?: Uint8Array,
): FileEncoder<EncodedCiphertext> {
  return localEncoder(new CiphertextEncoder(crypto, createErasureCodec(file.needed, file.total), file, ueb));
}

function localEncoder<Encoded extends EncodedShares>(encoder: {
  readonly file: FileParameters;
  encodeSegment(bytes: Uint8Array, spare: readonly Uint8Array[]): Uint8Array[];
  finish(): Encoded;
}): FileEncoder<Encoded> {
  const spare: Uint8Array[] = [];
  return {
    encode(bytes) {
      const blocks = encoder.encodeSegment(bytes, spare.splice(0));
      const secondary = blocks.slice(encoder.file.needed);
      return Promise.resolve({ blocks, release: () => void spare.push(...secondary) });
    },
    finish: () =>
      new Promise((resolve) => {
        resolve(encoder.finish());
      }),
    close() {},
  };
}
