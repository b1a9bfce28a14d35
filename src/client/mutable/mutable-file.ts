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
import { isTahoeError } from '#core/errors.js';
import { accessOf } from '#core/mutable/access.js';
import type { MutableAccess, MutableCapability } from '#core/mutable/access.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { ByteRange } from '#wire/storage.js';
import { pause } from '../deadline.js';
import { cannotRead, checkCanWrite } from './authority.js';
import { Bases } from './bases.js';
import type { Kept } from './bases.js';
import { backOffMs, MODIFY_ATTEMPTS } from './back-off.js';
import { fetchKeys } from './fetch-keys.js';
import { endless } from './mutable-context.js';
import type { MutableContext } from './mutable-context.js';
import { publish } from './publish.js';
import { changedBy, onOwnWork } from './own-work.js';
import type { PublishResult } from './publish.js';
import { checkNotRolledBack, isNewest, remember } from './seen-versions.js';
import { placedCount } from './servermap.js';
import type { FoundVersion, Servermap } from './servermap.js';
import { updateServermap } from './servermap-update.js';
import type { ServermapMode } from './servermap-update.js';
import { updateInPlace } from './update.js';
import { shortage } from './shortage.js';
import { wholeContents } from './whole-contents.js';
import { checkOffset, spliced } from './splice.js';
import { checkContentsSize, VersionReader } from './version-reader.js';
import { READ_ATTEMPTS, whileItMoves } from './while-it-moves.js';

/** The wait before a file that is being written is looked at anew, in milliseconds. */
const READ_AGAIN_MS = 1_000;
/** Where every server is asked, none is waited for longer than this: by who tries a change again, by who reads. */
const [RETRY_PATIENCE_MS, SEARCH_PATIENCE_MS] = [5_000, 3_000];

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
  /** Versions that were written since the last acknowledged one and refused somewhere: no change is built on them. */
  readonly #refused = new Set<string>();

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
      const { version } = reader;
      if (range.begin > 0 || range.end < reader.size) return { bytes: await reader.bytes(range, signal), version };
      return { bytes: await wholeContents(this.#context, this.storageIndex, reader, signal), version };
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
      const own = await onOwnWork(this.#context, this.storageIndex, ({ map }) => this.#publish(map, contents, signal));
      if (own !== undefined && own !== 'met') return own.version;
      const map = await this.#look('write', signal);
      return (await this.#publish(map, contents, signal)).version;
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
    return this.#writing('changing a file', options, (signal) => this.#change(change, options, signal));
  }

  /**
   * Writes `bytes` at `offset`; the file grows where they go past its end. In MDMF only what changes is sent.
   * @param offset - at most the size of the contents. In SDMF a larger one means their end, as in the reference.
   * @throws ERR_BEYOND_END in MDMF for a larger offset; else as `modify`.
   */
  async update(offset: number, bytes: Uint8Array, options: OperationOptions = {}): Promise<MutableVersion> {
    const splice: Change = (old) => spliced(old, offset, bytes, this.#access.format);
    return this.#writing('changing a file', options, async (signal) => {
      if (this.#access.format === 'sdmf') return this.#change(splice, options, signal);
      const own = await onOwnWork(this.#context, this.storageIndex, async ({ map }) => {
        const size = map.best()?.version.dataSize ?? 0;
        return offset > size ? undefined : this.#updateOn(map, offset, bytes, signal);
      });
      if (own !== undefined && own !== 'met') return own.version;
      try {
        const version = await this.#updateInPlace(offset, bytes, options, signal);
        if (version !== undefined) return version;
      } catch (error) {
        if (!isTahoeError(error, 'ERR_UNCOORDINATED_WRITE')) throw error;
        await pause(this.#context.clock, backOffMs(this.#context.random, 1), signal);
        return this.#modify(splice, options, signal, { firstAttempt: 2, isFirst: false });
      }
      return this.#modify(splice, options, signal, own === 'met' ? { isFirst: false } : {});
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
      if (found === undefined) throw shortage(map, this.storageIndex, this.#context.encoding.needed);
      await checkNotRolledBack(this.#context, this.storageIndex, found.version, options);
      const reader = this.#readerOf({ found, map });
      checkContentsSize(reader.size);
      const contents = await reader.bytes(WHOLE, signal);
      return this.#publish(map, contents, signal, true);
    });
  }

  async #change(change: Change, options: OperationOptions, signal: AbortSignal): Promise<MutableVersion> {
    const own = await onOwnWork(this.#context, this.storageIndex, async ({ contents, map }) => {
      const changed = contents && (await changedBy(change, contents));
      return changed && this.#publish(map, changed, signal);
    });
    if (own !== undefined && own !== 'met') return own.version;
    return this.#modify(change, options, signal, own === 'met' ? { isFirst: false } : {});
  }

  async #updateInPlace(
    offset: number,
    bytes: Uint8Array,
    options: OperationOptions,
    signal: AbortSignal,
  ): Promise<MutableVersion | undefined> {
    if (bytes.length === 0) return undefined;
    const { map } = await this.#best('write', options, signal);
    return (await this.#updateOn(map, offset, bytes, signal))?.version;
  }

  /** @returns undefined when the file has to be published whole. */
  async #updateOn(
    map: Servermap,
    offset: number,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<PublishResult | undefined> {
    const found = map.best();
    if (found?.version.format !== 'mdmf' || bytes.length === 0) return undefined;
    checkOffset(offset, found.version.dataSize);
    checkContentsSize(bytes.length);
    const keys = await this.#fetchKeys(map, signal);
    const reader = this.#readerOf({ map, found });
    try {
      return await updateInPlace({ context: this.#context, keys, map, found, reader, offset, bytes, signal });
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
    { firstAttempt = 1, isFirst = true }: { readonly firstAttempt?: number; readonly isFirst?: boolean } = {},
  ): Promise<MutableVersion> {
    const { clock, known, random } = this.#context;
    const bases = new Bases(known?.newest(this.storageIndex));
    for (let attempt = firstAttempt; ; attempt++) {
      try {
        return await this.#modifyOnce(change, options, isFirst && attempt === 1, bases, signal);
      } catch (error) {
        const isMet = isTahoeError(error, 'ERR_UNCOORDINATED_WRITE');
        // After a meeting there may be too little of every version, until one of those who met has mended it.
        const isBroken = attempt > 1 && isTahoeError(error, 'ERR_NOT_ENOUGH_SHARES');
        if (!(isMet || isBroken) || attempt >= MODIFY_ATTEMPTS) throw error;
        await pause(clock, backOffMs(random, attempt), signal);
      }
    }
  }

  async #modifyOnce(
    change: Change,
    options: OperationOptions,
    isFirst: boolean,
    bases: Bases,
    signal: AbortSignal,
  ): Promise<MutableVersion> {
    const best = await this.#wholeBest(isFirst, options, signal).catch((error: unknown) =>
      this.#lastAcknowledged(error, bases, signal),
    );
    const { bytes: old, map, version } = best;
    if (version !== undefined) bases.found(version, old);
    const changed = (await change(old.slice(), isFirst)) ?? old;
    if (version !== undefined && isFirst && equalBytes(changed, old)) return version;
    return (await this.#publish(map, changed, signal)).version;
  }

  /** @throws `error` where it says otherwise than that no version is left, or the last one is not known here. */
  async #lastAcknowledged(error: unknown, bases: Bases, signal: AbortSignal): Promise<Kept> {
    if (!isTahoeError(error, 'ERR_NOT_ENOUGH_SHARES')) throw error;
    const map = await this.#look('check', signal, RETRY_PATIENCE_MS);
    const bytes = bases.lastAcknowledged(map);
    if (bytes === undefined) throw error;
    this.#context.log.warn('mutable file made again', { storageIndex: formatBase32(this.storageIndex) });
    return { bytes, map, version: undefined };
  }

  async #publish(map: Servermap, contents: Uint8Array, signal: AbortSignal, isSpread = false): Promise<PublishResult> {
    const keys = await this.#fetchKeys(map, signal);
    const { format } = this.#access;
    const encoding = map.best()?.version ?? map.versions()[0]?.version ?? this.#context.encoding;
    // Shares without a place may go to servers that were not asked: they are asked first, lest they hold other shares.
    if (placedCount(map, encoding.total) < encoding.total) await this.#look('check', signal, RETRY_PATIENCE_MS, map);
    const how = { isNew: false, isSpread, attempted: this.#refused };
    const result = await publish({
      context: this.#context,
      keys,
      format,
      encoding,
      contents,
      map,
      ...how,
      signal,
    });
    this.#refused.clear();
    return result;
  }

  /** The newest version, read whole, with the map that it was found by. A second try hears every server. */
  async #wholeBest(isFirst: boolean, options: OperationOptions, signal: AbortSignal): Promise<Kept> {
    return whileItMoves(async () => {
      const best = await this.#best(isFirst ? 'write' : 'check', options, signal, RETRY_PATIENCE_MS);
      const reader = this.#readerOf(best);
      checkContentsSize(reader.size);
      const { version } = reader;
      return {
        reader,
        read: async () => ({
          bytes: await wholeContents(this.#context, this.storageIndex, reader, signal),
          version,
          map: best.map,
        }),
      };
    });
  }

  async #reading<Result>(
    options: OperationOptions,
    action: (reader: VersionReader, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const signal = options.signal ?? endless();
    if (this.#access.readKey === undefined) throw cannotRead();
    return whileItMoves(async () => {
      const reader = this.#readerOf(await this.#best('read', options, signal));
      return { reader, read: () => action(reader, signal) };
    });
  }

  /** The newest version. While a write is under way there may be none for a moment. */
  async #best(
    mode: ServermapMode,
    options: OperationOptions,
    signal: AbortSignal,
    patienceMs?: number,
  ): Promise<BestVersion> {
    for (let attempt = 1; ; attempt++) {
      // What this node writes during the look is nothing that servers could withhold.
      const seenBefore = await this.#context.seen.highest(this.storageIndex);
      const map = await this.#look(mode, signal, patienceMs);
      const found = map.best(mode === 'read' ? undefined : this.#refused);
      const isLast = attempt >= READ_ATTEMPTS || map.versions().length <= 1;
      // The newest may have too few shares in this moment: then nobody withholds it.
      const mayWait = !isLast && map.newerUnrecoverable().length > 0;
      const judged = { ...options, mayWait, seenBefore };
      if (found && isNewest(this.#context, this.storageIndex, found.version, judged)) return { map, found };
      if (isLast) throw shortage(map, this.storageIndex, this.#context.encoding.needed);
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
    this.#keys = await fetchKeys(this.#context, this.#access, map, signal);
    return this.#keys;
  }

  async #writing<Result>(
    what: string,
    { signal = endless() }: OperationOptions,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    checkCanWrite(this.#access, what);
    return this.#context.writers.run(this.storageIndex, signal, () => action(signal));
  }
}

const WHOLE: ByteRange = { begin: 0, end: Number.MAX_SAFE_INTEGER };
