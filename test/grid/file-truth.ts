/** What an immutable file's shares must be, and what they are in the servers' memory. */
import { concat, equalBytes } from '#core/bytes.js';
import { verifyChk } from '#core/capability/attenuate.js';
import type { ChkReadCapability, ChkVerifyCapability } from '#core/capability/types.js';
import { convergenceHasher } from '#core/derive.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { serversOfHappiness } from '#core/happiness.js';
import { ShareEncoder } from '#core/immutable/encoder.js';
import { encodeShareHeader } from '#core/immutable/layout.js';
import type { ShareOffsets } from '#core/immutable/layout.js';
import { fileParameters, segmentSizeOf } from '#core/immutable/parameters.js';
import type { UploadEncoding } from '#client/upload/upload.js';
import type { Chance } from '../fixtures/chance.js';
import { crypto } from '../fixtures/crypto.js';
import { keyOf } from '../fixtures/memory-server.js';
import type { SimServer } from './sim-server.js';

/** A file, encoded once more by the test. */
export class FileTruth {
  readonly plaintext: Uint8Array;
  readonly capability: ChkReadCapability;
  readonly verify: ChkVerifyCapability;
  /** By share number, as they must be. */
  readonly shares: readonly Uint8Array[];
  readonly #offsets: ShareOffsets;

  constructor(plaintext: Uint8Array, encoding: UploadEncoding, convergenceSecret: Uint8Array) {
    this.plaintext = plaintext;
    const file = fileParameters(encoding, plaintext.length, encoding.segmentSizeMax);
    const readKey = convergenceHasher(crypto, convergenceSecret, file).update(plaintext).digest(16);
    const encoder = new ShareEncoder(crypto, createErasureCodec(file.needed, file.total), file, readKey);
    const header = encodeShareHeader(file, encoder.layout);
    const parts: Uint8Array[][] = Array.from({ length: file.total }, () => [header]);
    for (let segment = 0, begin = 0; segment < file.segmentCount; segment++, begin += file.segmentSize) {
      const blocks = encoder.encodeSegment(plaintext.subarray(begin, begin + segmentSizeOf(file, segment)));
      blocks.forEach((block, shareNumber) => parts[shareNumber]?.push(block));
    }
    const { trailers, capability } = encoder.finish();
    this.shares = parts.map((front, shareNumber) => concat(...front, trailers[shareNumber] ?? new Uint8Array(0)));
    this.capability = capability;
    this.verify = verifyChk(crypto, capability);
    this.#offsets = encoder.layout.offsets;
  }

  /** The share as the server has it. */
  stored(server: SimServer, shareNumber: number): Uint8Array | undefined {
    return server.inner.shares.get(keyOf(this.verify.storageIndex, shareNumber));
  }

  isWhole(server: SimServer, shareNumber: number): boolean {
    const [stored, expected] = [this.stored(server, shareNumber), this.shares[shareNumber]];
    return stored !== undefined && expected !== undefined && equalBytes(stored, expected);
  }

  /** Whether the server has a share of this number that is not what it must be. */
  isSpoiled(server: SimServer, shareNumber: number): boolean {
    return this.stored(server, shareNumber) !== undefined && !this.isWhole(server, shareNumber);
  }

  /** Whether some share on some of the servers is not what it must be. */
  isSpoiledAnywhere(servers: readonly SimServer[]): boolean {
    return servers.some((server) => this.shares.some((_, shareNumber) => this.isSpoiled(server, shareNumber)));
  }

  /** The numbers of the shares that are whole on the server. */
  wholeOn(server: SimServer): number[] {
    return [...this.shares.keys()].filter((shareNumber) => this.isWhole(server, shareNumber));
  }

  /** The different numbers of which a whole share is on one of the servers. */
  wholeNumbers(servers: readonly SimServer[]): Set<number> {
    return new Set(servers.flatMap((server) => this.wholeOn(server)));
  }

  /** How many different shares these servers could hold, and how many servers could be happy with them. */
  possible(servers: readonly SimServer[]): { readonly shareCount: number; readonly happiness: number } {
    const numbers = [...this.shares.keys()];
    const takes = servers.map(
      (server) => new Set(numbers.filter((shareNumber) => !this.isSpoiled(server, shareNumber))),
    );
    const shareCount = numbers.filter((shareNumber) => takes.some((taken) => taken.has(shareNumber))).length;
    return { shareCount, happiness: serversOfHappiness(new Map(takes.map((taken, i) => [String(i), taken]))) };
  }

  /** Changes a share at rest, cuts it or loses it. @returns what was done; undefined when it was not there. */
  damage(server: SimServer, shareNumber: number, chance: Chance): string | undefined {
    const key = keyOf(this.verify.storageIndex, shareNumber);
    const share = server.inner.shares.get(key)?.slice();
    if (share === undefined) return undefined;
    const how = chance.pick(['changed', 'cut', 'lost'] as const);
    if (how === 'lost') server.inner.shares.delete(key);
    else
      server.inner.shares.set(
        key,
        how === 'cut' ? share.slice(0, chance.below(share.length)) : this.#flip(share, chance),
      );
    return how;
  }

  /** Anywhere but where nobody looks: the space of the plaintext hash tree. */
  #flip(share: Uint8Array, chance: Chance): Uint8Array {
    const { data, plaintextHashTree, crypttextHashTree } = this.#offsets;
    const dataSize = plaintextHashTree - data;
    const place = chance.below(dataSize + Math.max(1, share.length - crypttextHashTree));
    const at = place < dataSize ? data + place : crypttextHashTree + place - dataSize;
    if (at < share.length) share[at] = (share[at] ?? 0) ^ (1 << chance.below(8));
    return share;
  }
}
