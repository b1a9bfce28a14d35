/**
 * SHA-256, SHA-1 and AES-CTR over the WASM core, for engines without OpenSSL and for nodes that ask for it.
 *
 * Promised: neither a branch nor an address in the core's source depends on a key or on data. The core's memory, and
 * copies that the engine makes, keep the last key and block that passed until others overwrite them.
 *
 * Data passes through the core's workspace of 64 KiB. Calls are synchronous and keep nothing there between them: a
 * running digest and round keys live with their objects.
 */
import { toHex, utf8 } from '../bytes.js';
import type { BulkCrypto, Hasher, StreamCipher } from '../crypto.js';
import { loadWasm, wasmFromText } from '../wasm-core.js';
import type { WasmAddress, WasmExports } from '../wasm-core.js';
import { bulkBinary } from './bulk-binary.js';

interface BulkExports extends WasmExports {
  readonly data: WasmAddress;
  readonly state: WasmAddress;
  readonly key: WasmAddress;
  readonly schedule: WasmAddress;
  sha256(blocks: number): void;
  sha1(blocks: number): void;
  expandKey(size: number): void;
  applyCounterMode(rounds: number, firstBlock: number, size: number): void;
}

/** The core and views of its memory. */
interface BulkCore {
  readonly exports: BulkExports;
  readonly data: Uint8Array;
  /** The same as `data`: what is hashed ends with its length. */
  readonly lengths: DataView;
  readonly state: Uint8Array;
  readonly key: Uint8Array;
  readonly schedule: Uint8Array;
}

/** What the portable provider has in bulk; SHA-1 because it comes with it. */
export interface PortableBulkCrypto extends BulkCrypto {
  sha1(bytes: Uint8Array): Uint8Array;
}

const WORKSPACE_SIZE = 65_536;
const HASH_BLOCK_SIZE = 64;
const AES_BLOCK_SIZE = 16;
const SCHEDULE_SIZE = 960;

/** A hash function: its first state, and the core's function that takes in blocks. */
interface Digest {
  readonly start: Uint8Array;
  readonly take: 'sha256' | 'sha1';
}

const sha256: Digest = {
  start: words('6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19'),
  take: 'sha256',
};
const sha1: Digest = { start: words('67452301efcdab8998badcfe10325476c3d2e1f0'), take: 'sha1' };

function words(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

class PortableHasher implements Hasher {
  readonly #core: BulkCore;
  readonly #take: Digest['take'];
  readonly #state: Uint8Array;
  /** The beginning of a block. */
  readonly #rest = new Uint8Array(HASH_BLOCK_SIZE);
  #restSize = 0;
  #size = 0;

  constructor(core: BulkCore, { start, take }: Digest) {
    this.#core = core;
    this.#take = take;
    this.#state = start.slice();
  }

  update(bytes: Uint8Array): this {
    this.#size += bytes.length;
    if (this.#restSize + bytes.length < HASH_BLOCK_SIZE) {
      this.#rest.set(bytes, this.#restSize);
      this.#restSize += bytes.length;
      return this;
    }
    let taken = 0;
    while (taken < bytes.length) {
      const part = bytes.subarray(taken, taken + WORKSPACE_SIZE - this.#restSize);
      this.#takePart(part);
      taken += part.length;
    }
    return this;
  }

  digest(): Uint8Array {
    const { data, lengths } = this.#core;
    const end = this.#restSize < HASH_BLOCK_SIZE - 8 ? HASH_BLOCK_SIZE : 2 * HASH_BLOCK_SIZE;
    data.set(this.#rest);
    data.fill(0, this.#restSize, end);
    data[this.#restSize] = 0x80;
    lengths.setBigUint64(end - 8, 8n * BigInt(this.#size));
    this.#takeBlocks(end / HASH_BLOCK_SIZE);
    return this.#state;
  }

  /** Takes in whole blocks, and keeps the beginning of the next. */
  #takePart(part: Uint8Array): void {
    const { data } = this.#core;
    data.set(this.#rest);
    data.set(part, this.#restSize);
    const filled = this.#restSize + part.length;
    const blocks = Math.floor(filled / HASH_BLOCK_SIZE);
    this.#restSize = filled - blocks * HASH_BLOCK_SIZE;
    if (blocks > 0) this.#takeBlocks(blocks);
    if (this.#restSize > 0) this.#rest.set(data.subarray(blocks * HASH_BLOCK_SIZE, filled));
  }

  #takeBlocks(count: number): void {
    const { state, exports } = this.#core;
    state.set(this.#state);
    exports[this.#take](count);
    for (let i = 0; i < this.#state.length; i++) this.#state[i] = state[i] ?? 0;
  }
}

class PortableCipher implements StreamCipher {
  readonly #core: BulkCore;
  readonly #schedule: Uint8Array;
  readonly #rounds: number;
  #offset: number;

  constructor(core: BulkCore, key: Uint8Array, offset: number) {
    if (key.length !== 16 && key.length !== 32) throw new RangeError(`a key of ${String(key.length)} bytes`);
    this.#core = core;
    core.key.set(key);
    core.exports.expandKey(key.length);
    this.#schedule = core.schedule.slice();
    this.#rounds = key.length / 4 + 6;
    this.#offset = offset;
  }

  process(bytes: Uint8Array): Uint8Array {
    const { data, schedule, exports } = this.#core;
    const processed = new Uint8Array(bytes.length);
    schedule.set(this.#schedule);
    let done = 0;
    while (done < bytes.length) {
      // Bytes of a block that went before.
      const skipped = this.#offset % AES_BLOCK_SIZE;
      const part = bytes.subarray(done, done + WORKSPACE_SIZE - skipped);
      const filled = skipped + part.length;
      data.set(part, skipped);
      exports.applyCounterMode(this.#rounds, Math.floor(this.#offset / AES_BLOCK_SIZE), filled);
      processed.set(data.subarray(skipped, filled), done);
      this.#offset += part.length;
      done += part.length;
    }
    return processed;
  }
}

function connect(exports: BulkExports): BulkCore {
  const view = ({ value }: WasmAddress, size: number): Uint8Array => new Uint8Array(exports.memory.buffer, value, size);
  return {
    exports,
    data: view(exports.data, WORKSPACE_SIZE),
    lengths: new DataView(exports.memory.buffer, exports.data.value),
    state: view(exports.state, sha256.start.length),
    key: view(exports.key, 32),
    schedule: view(exports.schedule, SCHEDULE_SIZE),
  };
}

function cryptoOver(core: BulkCore): PortableBulkCrypto {
  return {
    sha256: (bytes) => new PortableHasher(core, sha256).update(bytes).digest(),
    sha256Hasher: () => new PortableHasher(core, sha256),
    sha1: (bytes) => new PortableHasher(core, sha1).update(bytes).digest(),
    aesCtr: (key, offset) => new PortableCipher(core, key, offset),
  };
}

/** FIPS 180 for the digests; for AES what OpenSSL gives, where the counter passes 2^32 in the middle of a batch. */
function test(crypto: PortableBulkCrypto): void {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const stream = (size: number): Uint8Array =>
    crypto.sha256(crypto.aesCtr(key.subarray(0, size), 2 ** 36 - 37).process(new Uint8Array(200)));
  const answers: readonly (readonly [string, Uint8Array, string])[] = [
    ['SHA-256', crypto.sha256(utf8('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['SHA-1', crypto.sha1(utf8('abc')), 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['AES-128', stream(16), 'b3dabb8d927ebbf59c649ec4a537542cd33b1f17aa208fd9f96439ae29087230'],
    ['AES-256', stream(32), '70b1130032eec0f9bac9c5f97c69a148867299cd8220182c54731a540a4326df'],
  ];
  const wrong = answers.find(([, answer, expected]) => toHex(answer) !== expected);
  if (wrong !== undefined) throw new Error(`${wrong[0]} comes out wrong`);
}

/**
 * The bulk primitives over a build of the core, after its self-test.
 * @param binary - the build as WASM; given only to test the test.
 * @throws ERR_WASM when the engine cannot run the build or a known answer comes out wrong.
 */
export function loadPortableBulkCrypto(binary: Uint8Array = wasmFromText(bulkBinary)): PortableBulkCrypto {
  return loadWasm(binary, (exports) => cryptoOver(connect(exports as BulkExports)), test);
}
