/**
 * The file that the demonstration stores: the user's, or random bytes made on the spot; and a fingerprint taken of
 * bytes while they pass, to compare what went in with what comes out.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { localFileError, openLocalFile } from '../local-file.js';

/** The size of the random file, in bytes. */
const RANDOM_SIZE = 16_000_000;
/** A file up to this size is part of its capability and needs no server, in bytes. */
const LITERAL_SIZE_MAX = 55;
/** How much of the random file is looked for in the shares, in bytes. */
const EXCERPT_SIZE = 32;

/** A file on the local disk. */
export interface Sample {
  readonly path: string;
  readonly sizeBytes: number;
  /** A piece of it that no other file can hold by chance; undefined for a file that is not random. */
  readonly excerpt: Buffer | undefined;
}

/** Makes a file of random bytes. @throws ERR_FILE, ERR_NO_SPACE. */
export async function makeRandomSample(path: string): Promise<Sample> {
  const bytes = randomBytes(RANDOM_SIZE);
  await writeFile(path, bytes).catch((error: unknown) => {
    throw localFileError(path, error);
  });
  return { path, sizeBytes: bytes.length, excerpt: Buffer.from(bytes.subarray(0, EXCERPT_SIZE)) };
}

/**
 * Looks at the user's file.
 * @throws ERR_FILE when it cannot be read, ERR_USAGE when it is not a regular file or so small that no server
 *   would be asked.
 */
export async function takeSample(path: string): Promise<Sample> {
  const file = await openLocalFile(path);
  await file.close();
  if (file.sizeBytes !== undefined && file.sizeBytes > LITERAL_SIZE_MAX) {
    return { path, sizeBytes: file.sizeBytes, excerpt: undefined };
  }
  const reason =
    `the demonstration takes a regular file of more than ${String(LITERAL_SIZE_MAX)} bytes: ` +
    'a smaller one fits into its capability, and no server is needed for it';
  throw new TahoeError('ERR_USAGE', { reason });
}

/** Length and SHA-256 of bytes that pass through. */
export class Fingerprint {
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;

  /** Passes the pieces on. */
  async *take(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const piece of pieces) {
      this.#hash.update(piece);
      this.#sizeBytes += piece.length;
      yield piece;
    }
  }

  /** Reads the pieces to their end. */
  async read(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const passing = this.take(pieces);
    while ((await passing.next()).done !== true);
  }

  /** Call it once, at the end. `digest` is SHA-256 in hex. */
  result(): { readonly sizeBytes: number; readonly digest: string } {
    return { sizeBytes: this.#sizeBytes, digest: this.#hash.digest('hex') };
  }
}
