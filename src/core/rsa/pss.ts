/**
 * EMSA-PSS (RFC 8017, section 9.1) as mutable files use it: SHA-256, MGF1 with SHA-256, a salt of 32 bytes, keys of
 * 2048 bits. The encoded message of 256 bytes:
 *
 *     0    223  190 zeros, 0x01, the salt; masked by MGF1 of the hash, and the first bit cleared
 *     223   32  SHA-256 of 8 zeros, the message's SHA-256 and the salt
 *     255    1  0xbc
 */
import { concat, equalBytes } from '../bytes.js';

/** The salt, in bytes. */
export const PSS_SALT_SIZE = 32;

const HASH_SIZE = 32;
const BLOCK_SIZE = 223;
const PADDING_SIZE = BLOCK_SIZE - PSS_SALT_SIZE - 1;
const TRAILER = 0xbc;

type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** @param salt - 32 random bytes. @returns 256 bytes, below any modulus of 2048 bits. */
export function encodePss(sha256: Sha256, message: Uint8Array, salt: Uint8Array): Uint8Array {
  const hash = saltedHash(sha256, message, salt);
  const block = concat(new Uint8Array(PADDING_SIZE), Uint8Array.of(1), salt);
  return concat(masked(sha256, block, hash), hash, Uint8Array.of(TRAILER));
}

/** Whether an encoded message of 256 bytes is that of this message, with whatever salt. */
export function verifyPss(sha256: Sha256, message: Uint8Array, encoded: Uint8Array): boolean {
  const hash = encoded.subarray(BLOCK_SIZE, BLOCK_SIZE + HASH_SIZE);
  const block = masked(sha256, encoded.subarray(0, BLOCK_SIZE), hash);
  const salt = block.subarray(PADDING_SIZE + 1);
  return equalBytes(encoded, encodePss(sha256, message, salt));
}

function saltedHash(sha256: Sha256, message: Uint8Array, salt: Uint8Array): Uint8Array {
  return sha256(concat(new Uint8Array(8), sha256(message), salt));
}

/** The block under the mask that the hash gives; its first bit is always clear. Masking twice gives the block. */
function masked(sha256: Sha256, block: Uint8Array, hash: Uint8Array): Uint8Array {
  const mask = Array.from({ length: Math.ceil(BLOCK_SIZE / HASH_SIZE) }, (_, counter) =>
    sha256(concat(hash, Uint8Array.of(0, 0, 0, counter))),
  );
  const bytes = concat(...mask).subarray(0, BLOCK_SIZE);
  for (const [i, byte] of block.entries()) bytes[i] = (bytes[i] ?? 0) ^ byte;
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes;
}
