/**
 * Takes in a file's plaintext, of known or unknown length, and makes it ready to be encoded.
 *
 * A convergent key is a hash of the whole file, so the file must be at hand twice: it is hashed while it comes
 * in and kept until it is encoded. Up to MEMORY_SIZE_MAX bytes stay in memory; more goes to a spool, which the
 * node provides, so that memory is bounded whatever the file's size. A file of at most 55 bytes becomes a
 * literal and has no key.
 */
import { concat } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { convergenceHasher } from '#core/derive.js';
import type { TaggedHasher } from '#core/derive.js';
import type { Random } from '#core/environment.js';
import { fileParameters } from '#core/immutable/parameters.js';
import type { Encoding, FileParameters } from '#core/immutable/parameters.js';

/** The longest file that is kept in its capability instead of in shares, in bytes. */
export const LITERAL_SIZE_MAX = 55;
/** How much plaintext is kept in memory before the rest goes to a spool, in bytes. */
export const MEMORY_SIZE_MAX = 1_048_576;
/** How much is handed to the spool at once, while as much again comes in, in bytes. */
const SPOOL_BATCH_SIZE = 1_048_576;
const READ_KEY_SIZE = 16;

/** Where plaintext waits that is too much for memory. */
export interface Spool {
  append(bytes: Uint8Array): Promise<void>;
  /** Exactly `size` bytes from `offset`, in `into` where it is given and has that size. */
  read(offset: number, size: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** How plaintext is keyed and kept. */
export interface PlaintextOptions {
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly encoding: Encoding;
  /** In bytes. */
  readonly segmentSizeMax: number;
  /** Without it the key is random, and equal files get different capabilities. */
  readonly convergenceSecret: Uint8Array | undefined;
  openSpool(): Promise<Spool>;
  /** Told how many bytes of new arrays are garbage now. */
  readonly discarded?: (sizeBytes: number) => void;
}

/** A file that is small enough to be its own capability. */
export interface LiteralPlaintext {
  readonly kind: 'literal';
  readonly data: Uint8Array;
}

/** A file that is ready to be encoded. It must be closed. */
export interface KeyedPlaintext {
  readonly kind: 'keyed';
  readonly file: FileParameters;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
  /** Exactly `size` bytes from `offset`. They stay until the read after the next begins. */
  read(offset: number, size: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Reads `input` to its end.
 * @throws what `input` or the spool throws; nothing is left open then.
 */
export async function receivePlaintext(
  input: AsyncIterable<Uint8Array>,
  options: PlaintextOptions,
): Promise<LiteralPlaintext | KeyedPlaintext> {
  const receiver = new PlaintextReceiver(options);
  try {
    for await (const bytes of input) {
      await receiver.append(bytes);
      options.discarded?.(bytes.length);
    }
    return await receiver.finish();
  } catch (error) {
    await receiver.close();
    throw error;
  }
}

class PlaintextReceiver {
  readonly #options: PlaintextOptions;
  #size = 0;
  /** What is not in the spool yet. */
  #parts: Uint8Array[] = [];
  #partsSize = 0;
  #hasher: TaggedHasher | undefined;
  #spool: Spool | undefined;
  #spooling: Promise<void> = Promise.resolve();
  /** Two arrays in turn: one is written while the other is filled. */
  #joined: readonly [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

  constructor(options: PlaintextOptions) {
    this.#options = options;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    if (this.#hasher !== undefined) this.#hasher.update(bytes);
    this.#parts.push(bytes);
    this.#partsSize += bytes.length;
    // From here on the segment size no longer depends on the file's size, so hashing can begin.
    if (this.#hasher === undefined && this.#size >= this.#options.segmentSizeMax) this.#startHashing();
    if (this.#size > MEMORY_SIZE_MAX && this.#partsSize >= SPOOL_BATCH_SIZE) await this.#spoolParts();
  }

  async finish(): Promise<LiteralPlaintext | KeyedPlaintext> {
    if (this.#size <= LITERAL_SIZE_MAX) return { kind: 'literal', data: concat(...this.#parts) };
    const file = fileParameters(this.#options.encoding, this.#size, this.#options.segmentSizeMax);
    if (this.#hasher === undefined) this.#startHashing();
    const readKey = this.#hasher?.digest(READ_KEY_SIZE) ?? this.#options.random.bytes(READ_KEY_SIZE);
    if (this.#spool !== undefined) await this.#spoolParts();
    await this.#spooling;
    return { kind: 'keyed', file, readKey, read: this.#reader(), close: () => this.close() };
  }

  async close(): Promise<void> {
    const spool = this.#spool;
    this.#spool = undefined;
    await this.#spooling.catch(() => undefined);
    await spool?.close();
  }

  #startHashing(): void {
    const { crypto, encoding, segmentSizeMax, convergenceSecret } = this.#options;
    if (convergenceSecret === undefined) return;
    const { segmentSize } = fileParameters(encoding, this.#size, segmentSizeMax);
    this.#hasher = convergenceHasher(crypto, convergenceSecret, { ...encoding, segmentSize });
    for (const part of this.#parts) this.#hasher.update(part);
  }

  /** Hands over what has come in, once the spool has taken what came before. */
  async #spoolParts(): Promise<void> {
    const spool = (this.#spool ??= await this.#options.openSpool());
    const batch = this.#joinParts();
    await this.#spooling;
    this.#spooling = spool.append(batch);
    this.#spooling.catch(() => undefined); // it is awaited before the next
  }

  /** What has come in as one array, which stays until the join after the next. */
  #joinParts(): Uint8Array {
    const [written, writing] = this.#joined;
    const array = written.length >= this.#partsSize ? written : new Uint8Array(this.#partsSize);
    this.#joined = [writing, array];
    let size = 0;
    for (const part of this.#parts) {
      array.set(part, size);
      size += part.length;
    }
    this.#parts = [];
    this.#partsSize = 0;
    return array.subarray(0, size);
  }

  #reader(): KeyedPlaintext['read'] {
    const spool = this.#spool;
    if (spool !== undefined) return alternating(spool);
    const bytes = concat(...this.#parts);
    this.#parts = [];
    return (offset, size) => Promise.resolve(bytes.subarray(offset, offset + size));
  }
}

/** Reads into two arrays in turn: one is being encoded while the other is being filled. */
function alternating(spool: Spool): KeyedPlaintext['read'] {
  let [next, other]: (Uint8Array | undefined)[] = [];
  return async (offset, size) => {
    const into = next;
    next = other;
    const bytes = await spool.read(offset, size, into?.length === size ? into : undefined);
    other = bytes;
    return bytes;
  };
}
