/**
 * A mutable file, as those who use it see it: read it, write it whole, change it, change a part of it.
 *
 * Each operation looks at the servers anew, takes the newest version that can be recovered, and proves every byte of
 * it. Writers of one file inside a node take turns; writers on other nodes are noticed by what the servers answer, and
 * `modify` then tries again on top of what the other wrote. A version older than one that this node has seen is refused.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { formatBase32 } from '#core/base32.js';
import { equalBytes } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { accessOf } from '#core/mutable/access.js';
import type { MutableAccess, MutableCapability } from '#core/mutable/access.js';
import { decryptPrivateKey, mutableKeysOf } from '#core/mutable/keys.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { ByteRange } from '#wire/storage.js';
import { pause } from '../deadline.js';
import { backOffMs, MODIFY_ATTEMPTS } from './back-off.js';
import { BlockRace } from './block-race.js';
import { endless } from './mutable-context.js';
import type { MutableContext } from './mutable-context.js';
import { publish } from './publish.js';
import type { PublishResult } from './publish.js';
import { remember } from './seen-versions.js';
import type { FoundVersion, Servermap } from './servermap.js';
import { updateServermap } from './servermap-update.js';
import type { ServermapMode } from './servermap-update.js';
import { updateInPlace } from './update.js';
import { checkOffset, spliced } from './splice.js';
import { checkContentsSize, VersionReader } from './version-reader.js';

/** How often a file that changes while it is read is looked at anew, and the wait between, in milliseconds. */
const READ_ATTEMPTS = 3;
const READ_AGAIN_MS = 1_000;
/** In a change that is tried again every server is asked, but none waited for longer than this. */
const RETRY_PATIENCE_MS = 5_000;
/** So is it where the shares that a reader has found are not enough. */
const SEARCH_PATIENCE_MS = 3_000;
/** After so long another share is asked for the private key: it is short, and one answer is enough. */
const KEY_HEDGE_MS = 500;

/** How an operation runs. */
export interface OperationOptions {
  readonly signal?: AbortSignal;
  /** Takes a version that is older than one seen before, when the newer is lost for good. */
  readonly acceptOlder?: boolean;
}

/** Contents with the version that they are. */
export interface VersionContents {
  readonly bytes: Uint8Array;
  readonly version: MutableVersion;
}

/**
 * Makes new contents of the old ones; undefined, or equal ones: there is nothing to do.
 * @param isFirst - false when it is called again because another writer came first.
 */
export type Change = (old: Uint8Array, isFirst: boolean) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

interface BestVersion {
  readonly map: Servermap;
  readonly found: FoundVersion;
}

/** A file that can be read, and written by who holds its write capability. */
export class MutableFile {
  readonly capability: MutableCapability;
  readonly #context: MutableContext;
  readonly #access: MutableAccess;
  #keys: MutableKeys | undefined;

  /** @param keys - the file's, where they are known already. */
  constructor(context: MutableContext, capability: MutableCapability, keys?: MutableKeys) {
    this.#context = context;
    this.capability = capability;
    this.#access = accessOf(context.crypto, capability);
    this.#keys = keys;
  }

  /** 16 bytes. */
  get storageIndex(): Uint8Array {
    return this.#access.storageIndex;
  }

  /**
   * The contents of the newest version that can be recovered, or of a range of it.
   * @throws ERR_AUTHORITY through a verify capability; ERR_NO_SERVERS, ERR_NO_SHARES, ERR_NOT_ENOUGH_SHARES,
   *   ERR_ROLLED_BACK, ERR_CANCELLED; ERR_TOO_LARGE when the contents are too large to be held in memory.
   */
  async read(range: ByteRange = WHOLE, options: OperationOptions = {}): Promise<VersionContents> {
    return this.#reading(options, async (reader, signal) => {
      checkContentsSize(Math.min(range.end, reader.size) - range.begin);
      return { bytes: await reader.bytes(range, signal), version: reader.version };
    });
  }

  /**
   * The newest version that can be recovered, to be read piece by piece.
   * @throws as `read`. Reading on after another writer came may end with ERR_NOT_ENOUGH_SHARES.
   */
  async openVersion(options: OperationOptions = {}): Promise<VersionReader> {
    return this.#reading(options, (reader) => Promise.resolve(reader));
  }

  /**
   * Looks at the servers. `check` and `repair` hear every server; all shares that were found are in the map, ready to
   * be read and verified, and those that are bad with why.
   * @throws ERR_NO_SERVERS, ERR_CANCELLED.
   */
  async servermap(mode: ServermapMode, options: OperationOptions = {}): Promise<Servermap> {
    return this.#look(mode, options.signal ?? endless());
  }

  /**
   * Writes new contents over whatever is there. Not tried again: who meets another writer is told.
   * @throws ERR_AUTHORITY without a write capability; ERR_UNCOORDINATED_WRITE, ERR_UNHAPPY, ERR_NO_SERVERS,
   *   ERR_NO_SHARES when no share is found that holds the key, ERR_TOO_LARGE, ERR_CANCELLED.
   */
  async overwrite(contents: Uint8Array, options: OperationOptions = {}): Promise<MutableVersion> {
    return this.#writing('overwriting a file', options, async (signal) => {
      const map = await this.#look('write', signal);
      return (await this.#publish(map, contents, false, signal)).version;
    });
  }

  /**
   * Changes the contents. When another writer comes first, waits a while and changes what that one wrote; after the
   * fourth attempt it gives up. A change that was tried before is published even if it finds nothing more to do, since
   * its first attempt may be there in part.
   * @returns the version that holds the change.
   * @throws as `overwrite` and `read`, and what `change` throws.
   */
  async modify(change: Change, options: OperationOptions = {}): Promise<MutableVersion> {
    return this.#writing('changing a file', options, (signal) => this.#modify(change, options, signal));
  }

  /**
   * Writes `bytes` at `offset`; the file grows where they go past its end. In MDMF only what changes is sent.
   * @param offset - at most the size of the contents. In SDMF a larger one means their end, as in the reference.
   * @throws ERR_BEYOND_END in MDMF for a larger offset; else as `modify`.
   */
  async update(offset: number, bytes: Uint8Array, options: OperationOptions = {}): Promise<MutableVersion> {
    const splice: Change = (old) => spliced(old, offset, bytes, this.#access.format);
    return this.#writing('changing a file', options, async (signal) => {
      const attempt = (): Promise<MutableVersion | undefined> => this.#updateInPlace(offset, bytes, options, signal);
      try {
        const version = await attempt();
        if (version !== undefined) return version;
      } catch (error) {
        if (!isTahoeError(error, 'ERR_UNCOORDINATED_WRITE')) throw error;
        await pause(this.#context.clock, backOffMs(this.#context.random, 1), signal);
        return this.#modify(splice, options, signal, 2);
      }
      return this.#modify(splice, options, signal);
    });
  }

  /**
   * Writes the newest version that can be recovered once more, over every share that is known, good or bad, and spreads
   * it over as many servers as possible.
   * @param map - what a look in mode `repair` or `check` found.
   * @throws as `overwrite` and `read`.
   */
  async republish(map: Servermap, options: OperationOptions = {}): Promise<PublishResult> {
    return this.#writing('repairing a file', options, async (signal) => {
      const found = map.best();
      if (found === undefined) throw this.#shortage(map);
      await this.#checkNotRolledBack(found.version, options);
      const reader = this.#readerOf({ found, map });
      checkContentsSize(reader.size);
      const contents = await reader.bytes(WHOLE, signal);
      return this.#publish(map, contents, false, signal, true);
    });
  }

  async #updateInPlace(
    offset: number,
    bytes: Uint8Array,
    options: OperationOptions,
    signal: AbortSignal,
  ): Promise<MutableVersion | undefined> {
    if (this.#access.format !== 'mdmf' || bytes.length === 0) return undefined;
    const best = await this.#best('write', options, signal);
    if (best.found.version.format !== 'mdmf') return undefined;
    const { dataSize } = best.found.version;
    checkOffset(offset, dataSize);
    checkContentsSize(bytes.length);
    const keys = await this.#fetchKeys(best.map, signal);
    const reader = this.#readerOf(best);
    const request = { context: this.#context, keys, ...best, reader, offset, bytes, signal };
    try {
      return (await updateInPlace(request))?.version;
    } catch (error) {
      // Somebody overwrote what was to be kept: the whole way finds out what is there now.
      if (isTahoeError(error, 'ERR_NOT_ENOUGH_SHARES')) return undefined;
      throw error;
    }
  }

  async #modify(
    change: Change,
    options: OperationOptions,
    signal: AbortSignal,
    firstAttempt = 1,
  ): Promise<MutableVersion> {
    const { clock, random } = this.#context;
    for (let attempt = firstAttempt; ; attempt++) {
      try {
        return await this.#modifyOnce(change, options, attempt === 1, signal);
      } catch (error) {
        if (!isTahoeError(error, 'ERR_UNCOORDINATED_WRITE') || attempt >= MODIFY_ATTEMPTS) throw error;
        await pause(clock, backOffMs(random, attempt), signal);
      }
    }
  }

  async #modifyOnce(
    change: Change,
    options: OperationOptions,
    isFirst: boolean,
    signal: AbortSignal,
  ): Promise<MutableVersion> {
    const { bytes: old, map, version } = await this.#wholeBest(isFirst, options, signal);
    const changed = (await change(old.slice(), isFirst)) ?? old;
    if (isFirst && equalBytes(changed, old)) return version;
    return (await this.#publish(map, changed, !isFirst, signal)).version;
  }

  async #publish(
    map: Servermap,
    contents: Uint8Array,
    isCareful: boolean,
    signal: AbortSignal,
    isSpread = false,
  ): Promise<PublishResult> {
    const keys = await this.#fetchKeys(map, signal);
    const { format } = this.#access;
    const encoding = map.best()?.version ?? map.versions()[0]?.version ?? this.#context.encoding;
    const how = { isNew: false, isCareful, isSpread };
    return publish({ context: this.#context, keys, format, encoding, contents, map, ...how, signal });
  }

  /** The newest version, read whole, with the map that it was found by. A second try hears every server. */
  async #wholeBest(
    isFirst: boolean,
    options: OperationOptions,
    signal: AbortSignal,
  ): Promise<VersionContents & { readonly map: Servermap }> {
    return this.#whileItMoves(async () => {
      const best = await this.#best(isFirst ? 'write' : 'check', options, signal, RETRY_PATIENCE_MS);
      const reader = this.#readerOf(best);
      checkContentsSize(reader.size);
      const { version } = reader;
      return { reader, read: async () => ({ bytes: await reader.bytes(WHOLE, signal), version, map: best.map }) };
    });
  }

  async #reading<Result>(
    options: OperationOptions,
    action: (reader: VersionReader, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const signal = options.signal ?? endless();
    if (this.#access.readKey === undefined) throw cannotRead();
    return this.#whileItMoves(async () => {
      const reader = this.#readerOf(await this.#best('read', options, signal));
      return { reader, read: () => action(reader, signal) };
    });
  }

  /** Reads, and looks anew when the file was overwritten on the way. */
  async #whileItMoves<Result>(
    begin: () => Promise<{ readonly reader: VersionReader; readonly read: () => Promise<Result> }>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const { read, reader } = await begin();
      try {
        return await read();
      } catch (error) {
        const isShort = isTahoeError(error, 'ERR_NOT_ENOUGH_SHARES');
        if (!isShort || !reader.hasMoved || attempt >= READ_ATTEMPTS) throw error;
      }
    }
  }

  /** The newest version. While a write is under way there may be none for a moment. */
  async #best(
    mode: ServermapMode,
    options: OperationOptions,
    signal: AbortSignal,
    patienceMs?: number,
  ): Promise<BestVersion> {
    for (let attempt = 1; ; attempt++) {
      const map = await this.#look(mode, signal, patienceMs);
      const found = map.best();
      if (found !== undefined) {
        await this.#checkNotRolledBack(found.version, options);
        return { map, found };
      }
      const isMoving = map.versions().length > 1;
      if (!isMoving || attempt >= READ_ATTEMPTS) throw this.#shortage(map);
      await pause(this.#context.clock, READ_AGAIN_MS, signal);
    }
  }

  async #look(mode: ServermapMode, signal: AbortSignal, patienceMs?: number, map?: Servermap): Promise<Servermap> {
    const seen = await this.#context.seen.highest(this.storageIndex);
    return updateServermap({
      ...this.#context,
      ...this.#access,
      mode,
      servers: this.#context.serversFor(this.storageIndex),
      newestKnown: seen?.sequenceNumber ?? 0,
      patienceMs,
      ...(map && { map }),
      signal,
    });
  }

  async #checkNotRolledBack(version: MutableVersion, { acceptOlder }: OperationOptions): Promise<void> {
    const seen = await this.#context.seen.highest(this.storageIndex);
    if (seen === undefined || version.sequenceNumber >= seen.sequenceNumber) return;
    const { sequenceNumber } = version;
    const facts = { storageIndex: formatBase32(this.storageIndex), sequenceNumber, highest: seen.sequenceNumber };
    this.#context.log.error('mutable file rolled back', facts);
    if (acceptOlder !== true) throw new TahoeError('ERR_ROLLED_BACK', facts);
  }

  #readerOf({ found, map }: BestVersion): VersionReader {
    const { readKey, storageIndex } = this.#access;
    if (readKey === undefined) throw cannotRead();
    const proven = (): Promise<void> => remember(this.#context, storageIndex, found.version);
    const searchFurther = async (signal: AbortSignal): Promise<void> => {
      await this.#look('check', signal, SEARCH_PATIENCE_MS, map);
    };
    return new VersionReader({ context: this.#context, storageIndex, readKey, found, map, proven, searchFurther });
  }

  /** The keys, from the private key that every share carries. */
  async #fetchKeys(map: Servermap, signal: AbortSignal): Promise<MutableKeys> {
    if (this.#keys !== undefined) return this.#keys;
    const { crypto } = this.#context;
    const { storageIndex, writeKey } = this.#access;
    if (writeKey === undefined) throw new RangeError('writing takes a write key');
    const { shares } = map;
    if (shares.length === 0) throw this.#shortage(map);
    const race = new BlockRace({ ...this.#context, storageIndex, shares, map, needed: 1, hedgeDelayMs: KEY_HEDGE_MS });
    const [answer] = await race.collect(
      1,
      0,
      async (share, ended) => decryptPrivateKey(crypto, writeKey, await share.encryptedPrivateKey(ended)),
      signal,
    );
    if (answer === undefined) throw new RangeError('a collection of one has one answer');
    this.#keys = mutableKeysOf(crypto, answer.value);
    return this.#keys;
  }

  async #writing<Result>(
    what: string,
    { signal = endless() }: OperationOptions,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { readKey, writeKey } = this.#access;
    if (writeKey === undefined) {
      throw new TahoeError('ERR_AUTHORITY', { what, needed: 'write', held: readKey === undefined ? 'verify' : 'read' });
    }
    return this.#context.writers.run(this.storageIndex, signal, () => action(signal));
  }

  #shortage(map: Servermap): TahoeError {
    const [newest] = map.versions();
    const storageIndex = formatBase32(this.storageIndex);
    const failures = [...map.failures].slice(0, 5).map(([server, reason]) => `${server.shortName}: ${reason}`);
    const asked = `${String(map.answered.size)} servers answered`;
    const detail = [asked, ...failures].join('; ');
    if (newest === undefined) {
      return new TahoeError('ERR_NO_SHARES', { storageIndex, needed: this.#context.encoding.needed, detail });
    }
    const { distinct, version } = newest;
    return new TahoeError('ERR_NOT_ENOUGH_SHARES', { storageIndex, needed: version.needed, found: distinct, detail });
  }
}

const WHOLE: ByteRange = { begin: 0, end: Number.MAX_SAFE_INTEGER };

function cannotRead(): TahoeError {
  return new TahoeError('ERR_AUTHORITY', { what: 'reading a file', needed: 'read', held: 'verify' });
}
