/**
 * The native primitives that every byte of a file passes through: OpenSSL through node:crypto. They stand apart from
 * the rest so that a thread that only encodes loads nothing else.
 */
import { createCipheriv, createHash, hash } from 'node:crypto';
import type { BulkCrypto, Hasher, StreamCipher } from './crypto.js';

const AES_BLOCK_SIZE = 16;

/** Bytes of our own, exactly as long as they say: a Buffer may be a corner of a shared pool. */
export function owned(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

class NativeHasher implements Hasher {
  readonly #hash = createHash('sha256');

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return owned(this.#hash.digest());
  }
}

function aesCtr(key: Uint8Array, offset: number): StreamCipher {
  const counter = new Uint8Array(AES_BLOCK_SIZE);
  new DataView(counter.buffer).setBigUint64(8, BigInt(Math.floor(offset / AES_BLOCK_SIZE)));
  const cipher = createCipheriv(key.length === 32 ? 'aes-256-ctr' : 'aes-128-ctr', key, counter);
  cipher.update(new Uint8Array(offset % AES_BLOCK_SIZE));
  return { process: (bytes) => owned(cipher.update(bytes)) };
}

/** @see BulkCrypto */
export const nativeBulkCrypto: BulkCrypto = {
  sha256: (bytes) => owned(hash('sha256', bytes, 'buffer')),
  sha256Hasher: () => new NativeHasher(),
  aesCtr,
};
