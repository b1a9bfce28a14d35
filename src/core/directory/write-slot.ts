/**
 * The write capability of an entry, encrypted so that only who may write to the directory reads it.
 *
 *     salt (16) | AES-CTR(key, capability) | mac (32)
 *
 * The salt is a hash of the capability, the key one of salt and the directory's write key. The slot is there, 48 bytes
 * long, for a child without a write capability too. The MAC is written for the sake of old readers: the contents of a
 * directory are signed as a whole, and readers do not look at it, but a verifier can tell.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { concat, equalBytes } from '../bytes.js';
import type { BulkCrypto } from '../crypto.js';
import { deriveChildKey, deriveChildSalt } from '../derive.js';

const SALT_SIZE = 16;
const MAC_SIZE = 32;
/** Of a slot around nothing. */
const EMPTY_SLOT_SIZE = SALT_SIZE + MAC_SIZE;

/**
 * Closes a slot.
 * @param writeKey - 16 bytes, the directory's.
 * @param capability - empty when there is none.
 */
export function sealWriteSlot(crypto: BulkCrypto, writeKey: Uint8Array, capability: Uint8Array): Uint8Array {
  const salt = deriveChildSalt(crypto, capability);
  const key = deriveChildKey(crypto, salt, writeKey);
  const salted = concat(salt, crypto.aesCtr(key, 0).process(capability));
  return concat(salted, oddHmac(crypto, key, salted));
}

/** What a slot holds; empty when there is no capability in it, or it is too short to hold one. */
export function openWriteSlot(crypto: BulkCrypto, writeKey: Uint8Array, slot: Uint8Array): Uint8Array {
  if (slot.length <= EMPTY_SLOT_SIZE) return new Uint8Array(0);
  const key = deriveChildKey(crypto, slot.subarray(0, SALT_SIZE), writeKey);
  return crypto.aesCtr(key, 0).process(slot.subarray(SALT_SIZE, -MAC_SIZE));
}

/** Whether a slot is as someone who knew the write key sealed it. */
export function isWriteSlotGenuine(crypto: BulkCrypto, writeKey: Uint8Array, slot: Uint8Array): boolean {
  if (slot.length < EMPTY_SLOT_SIZE) return false;
  const key = deriveChildKey(crypto, slot.subarray(0, SALT_SIZE), writeKey);
  return equalBytes(slot.subarray(-MAC_SIZE), oddHmac(crypto, key, slot.subarray(0, -MAC_SIZE)));
}

/** HMAC-SHA-256 but for its key, which is not filled up to a block: older than its standard form here. */
function oddHmac(crypto: BulkCrypto, key: Uint8Array, data: Uint8Array): Uint8Array {
  const keyed = (mask: number, bytes: Uint8Array): Uint8Array =>
    crypto.sha256(
      concat(
        key.map((byte) => byte ^ mask),
        bytes,
      ),
    );
  return keyed(0x5c, keyed(0x36, data));
}
