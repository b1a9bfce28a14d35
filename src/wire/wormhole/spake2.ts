/**
 * SPAKE2 over Ed25519 with two equal sides: from one short password both get one strong key, and who guesses it gets
 * one try.
 *
 * Each side sends X + S·pw, with X = G·x for a random x and S a point whose logarithm nobody knows. The key is the hash
 * of the password, the identity of the application, both messages in order and x·(the other's message − S·pw).
 * @see python-spake2 0.9, SPAKE2_Symmetric with ParamsEd25519; RFC 9382 differs in the transcript.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, equalBytes, toHex, utf8 } from '#core/bytes.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
/** Which side a message is from: there is only one kind. ASCII "S". */
const SIDE = 0x53;
const ELEMENT_SIZE = 32;
/** 16 bytes more than a scalar has, so that the remainder is as good as even. */
const WIDE_SIZE = 48;
/** The element that python-spake2 makes of the seed "symmetric". */
const S = Point.fromHex('6f00dae87c1be1a73b5922ef431cd8f57879569c222d22b1cd71e8546ab8e6f1');

/** One side that has begun. */
export interface Spake2 {
  /** For the other side: 33 bytes. */
  readonly message: Uint8Array;
  /**
   * The common key, 32 bytes; another one on each side when the passwords differ.
   * @param theirs - the other side's message.
   * @throws ERR_MESSAGE when it is none, or ours come back.
   */
  finish(theirs: Uint8Array): Uint8Array;
}

/** Begins. @param identity - names the application; both sides say the same. */
export function startSpake2(password: Uint8Array, identity: Uint8Array, random: Random): Spake2 {
  return spake2Of(password, identity, randomScalar(random));
}

/** @param secret - from 1 up to the order of the group. Only tests choose it. */
export function spake2Of(password: Uint8Array, identity: Uint8Array, secret: bigint): Spake2 {
  const blinding = S.multiply(passwordScalar(password));
  const element = Point.BASE.multiply(secret).add(blinding).toBytes();
  return {
    message: concat(Uint8Array.of(SIDE), element),
    finish(theirs) {
      const received = elementOf(theirs);
      if (equalBytes(received.toBytes(), element)) throw bad('it is our own');
      const shared = received.subtract(blinding).multiply(secret).toBytes();
      const [first, second] = inOrder(element, received.toBytes());
      return sha256(concat(sha256(password), sha256(identity), first, second, shared));
    },
  };
}

/** The password as a number, as good as even over the group's order. Never 0. */
export function passwordScalar(password: Uint8Array): bigint {
  return remainder(hkdf(sha256, password, new Uint8Array(0), utf8('SPAKE2 pw'), WIDE_SIZE));
}

function randomScalar(random: Random): bigint {
  return remainder(random.bytes(WIDE_SIZE));
}

/** Big-endian; 0 counts as 1, which nobody will ever see. */
function remainder(bytes: Uint8Array): bigint {
  const scalar = BigInt(`0x${toHex(bytes)}`) % ORDER;
  return scalar === 0n ? 1n : scalar;
}

function elementOf(message: Uint8Array): typeof S {
  if (message.length !== 1 + ELEMENT_SIZE || message[0] !== SIDE)
    throw bad('33 bytes that begin with "S" are expected');
  let element: typeof S;
  try {
    element = Point.fromBytes(message.subarray(1));
  } catch (error) {
    throw bad('it holds no point of the curve', error);
  }
  if (element.is0() || !element.isTorsionFree()) throw bad('its point is not in the group');
  return element;
}

function inOrder(a: Uint8Array, b: Uint8Array): [Uint8Array, Uint8Array] {
  return toHex(a) < toHex(b) ? [a, b] : [b, a];
}

function bad(reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'SPAKE2 message', reason }, { cause });
}
