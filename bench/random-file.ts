/** A file of random bytes that is made as it is sent, never in one piece, and compared by its hash when it comes back. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { request } from 'undici';

const PIECE_SIZE = 256 * 1024;
const TRANSFER_TIMEOUT_MS = 20 * 60_000;

/** A file in the grid. */
export interface StoredFile {
  readonly capability: string;
  /** SHA-256 of its first bytes, in hex. */
  readonly digestOf: (sizeBytes: number) => string;
}

/** Random bytes in pieces, the same ones for the same key. */
function* randomPieces(key: Buffer, sizeBytes: number): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  for (let left = sizeBytes; left > 0; left -= PIECE_SIZE) {
    yield stream.update(Buffer.alloc(Math.min(left, PIECE_SIZE)));
  }
}

/** Stores a file of random bytes. @param url - of a gateway, with a slash at its end. */
export async function putRandomFile(url: string, sizeBytes: number): Promise<StoredFile> {
  const key = randomBytes(16);
  const { body, statusCode } = await request(`${url}uri`, {
    method: 'PUT',
    body: Readable.from(randomPieces(key, sizeBytes), { objectMode: false }),
    headers: { 'content-length': String(sizeBytes) },
    headersTimeout: TRANSFER_TIMEOUT_MS,
    bodyTimeout: TRANSFER_TIMEOUT_MS,
    signal: AbortSignal.timeout(TRANSFER_TIMEOUT_MS),
  });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`PUT gave ${String(statusCode)}: ${text.slice(0, 300)}`);
  const digestOf = (count: number): string => {
    const hash = createHash('sha256');
    for (const piece of randomPieces(key, count)) hash.update(piece);
    return hash.digest('hex');
  };
  return { capability: text.trim(), digestOf };
}

/** Reads a file to its end. @returns SHA-256 of its bytes, in hex. */
export async function readDigest(url: string, capability: string): Promise<string> {
  const signal = AbortSignal.timeout(TRANSFER_TIMEOUT_MS);
  const { body, statusCode } = await request(`${url}uri/${encodeURIComponent(capability)}`, { signal });
  if (statusCode !== 200) throw new Error(`GET gave ${String(statusCode)}: ${(await body.text()).slice(0, 300)}`);
  const hash = createHash('sha256');
  for await (const piece of body) hash.update(piece as Buffer);
  return hash.digest('hex');
}
