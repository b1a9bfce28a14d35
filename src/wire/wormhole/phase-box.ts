/**
 * Sealed messages of a wormhole: each side and each phase has a key of its own, made from the common one.
 * @see magic-wormhole docs/client-protocol.md
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import sodium from 'libsodium-wrappers';
import { concat, utf8 } from '#core/bytes.js';
import type { Random } from '#core/environment.js';

const KEY_SIZE = 32;
const NONCE_SIZE = 24;

/** Seals and opens messages under one common key. */
export interface PhaseBox {
  /** @returns the nonce (24 bytes) and the sealed bytes, 16 more than `plaintext` has. */
  seal(side: string, phase: string, plaintext: Uint8Array): Uint8Array;
  /** @returns undefined when it was not sealed with this key, by that side, for that phase. */
  open(side: string, phase: string, sealed: Uint8Array): Uint8Array | undefined;
}

/** @param key - 32 bytes, from SPAKE2. @returns it once libsodium's WASM is ready. */
export async function createPhaseBox(key: Uint8Array, random: Random): Promise<PhaseBox> {
  await sodium.ready;
  return {
    seal(side, phase, plaintext) {
      const nonce = random.bytes(NONCE_SIZE);
      return concat(nonce, sodium.crypto_secretbox_easy(plaintext, nonce, phaseKey(key, side, phase)));
    },
    open(side, phase, sealed) {
      if (sealed.length < NONCE_SIZE + sodium.crypto_secretbox_MACBYTES) return undefined;
      const nonce = sealed.subarray(0, NONCE_SIZE);
      try {
        return sodium.crypto_secretbox_open_easy(sealed.subarray(NONCE_SIZE), nonce, phaseKey(key, side, phase));
      } catch {
        return undefined;
      }
    },
  };
}

/** 32 bytes. */
export function phaseKey(key: Uint8Array, side: string, phase: string): Uint8Array {
  const info = concat(utf8('wormhole:phase:'), sha256(utf8(side)), sha256(utf8(phase)));
  return hkdf(sha256, key, new Uint8Array(0), info, KEY_SIZE);
}
