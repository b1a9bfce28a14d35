/**
 * A storage server over Foolscap, for servers that speak nothing else.
 *
 * What is one request over HTTPS is a call of the server's object, or of a bucket's that it has given out before: writers belong to
 * an allocation and are found again by its upload secret, which itself is never sent; readers are kept for a while. The server gives up
 * unfinished uploads when the connection ends, for which it is given a canary.
 * @see wire/foolscap/storage.ts for the calls.
 */
import { formatBase32 } from '#core/base32.js';
import { concat, utf8 } from '#core/bytes.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import type { Furl } from '#wire/foolscap/furl.js';
import { booleanShape, bytesOf, dictOf, referenceTo, setOf, tupleOf } from '#wire/foolscap/shapes.js';
import {
  formatReads,
  formatShareVectors,
  parseFoolscapVersion,
  readDataShape,
  shareNumberShape,
  storageInterfaces,
} from '#wire/foolscap/storage.js';
import type { RemoteObject, RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { SHARE_COUNT_MAX } from '#wire/storage.js';
import type { AllocateReply, ByteRange } from '#wire/storage.js';
import type { ReadTestWriteReply } from '#wire/storage-mutable.js';
import { shortNameOf } from '../storage-server.js';
import type {
  CallOptions,
  SecretAllocateRequest,
  SecretReadTestWriteRequest,
  ServerIdentity,
  ServerVersion,
  ShareSecrets,
  StorageServer,
} from '../storage-server.js';
import { callError, replyError, resultOrUndone } from './foolscap-calls.js';
import { ReaderCache } from './reader-cache.js';
import type { Readers } from './reader-cache.js';
import { WriterTable } from './writer-table.js';

/** A call that moves no bytes to speak of, in milliseconds. */
const CALL_TIMEOUT_MS = 60_000;
/** What is added to that for each byte to move: slower is given up. */
const RATE_MIN_BYTES_PER_SECOND = 16 * 1024;
/** How long an allocation that nobody waits for any more may take to come back and be undone, in milliseconds. */
const LATE_TIMEOUT_MS = 10 * 60_000;
/** How long the releases before 1.20 take a reason to be, in bytes. */
const REASON_SIZE_MAX = 1000;

/** Which server, where it is, and what to call it with. */
export interface FoolscapStorageServerOptions {
  readonly identity: ServerIdentity;
  readonly furl: Furl;
  /** Shared with others; it stays open. */
  readonly tub: Tub;
  readonly clock: Clock;
}

/** Tells the server only that the connection lives. */
const canary: RemoteObject = {
  interfaceName: '',
  call: () => Promise.reject(new TahoeError('ERR_VIOLATION', { reason: 'a canary has no methods' })),
};

/** @see StorageServer */
export class FoolscapStorageServer implements StorageServer {
  readonly serverId: string;
  readonly shortName: string;
  readonly nickname: string;
  readonly permutationSeed: Uint8Array;
  readonly tubId: Uint8Array;
  readonly #options: FoolscapStorageServerOptions;
  readonly #readers = new ReaderCache();
  readonly #writers = new WriterTable();
  readonly #closing = new AbortController();
  #server: RemoteReference | undefined;

  constructor(options: FoolscapStorageServerOptions) {
    const { identity } = options;
    this.serverId = identity.serverId;
    this.shortName = shortNameOf(identity.serverId);
    this.nickname = identity.nickname;
    this.permutationSeed = identity.permutationSeed;
    this.tubId = identity.tubId;
    this.#options = options;
  }

  /** Shares that are being written. */
  get uploadCount(): number {
    return this.#writers.size;
  }

  async version(options?: CallOptions): Promise<ServerVersion> {
    const version = await this.#ask('the version', 'get_version', [], options, parseFoolscapVersion);
    return { ...version, dialect: 'foolscap' };
  }

  async allocate(
    storageIndex: Uint8Array,
    request: SecretAllocateRequest,
    options: CallOptions = {},
  ): Promise<AllocateReply> {
    const { allocatedSize, cancelSecret, renewSecret, shareNumbers, uploadSecret } = request;
    const what = `allocating shares of ${formatBase32(storageIndex)}`;
    const numbers = new ValueSet([...shareNumbers]);
    const given: readonly Value[] = [storageIndex, renewSecret, cancelSecret, numbers, allocatedSize, canary];
    const calling = this.#call('allocate_buckets', given, { timeoutMs: LATE_TIMEOUT_MS }).then(parseAllocation);
    const { alreadyHave, writers } = await this.#named(what, () =>
      resultOrUndone({ ...this.#bounded(options), what, clock: this.#options.clock }, calling, undoAll),
    );
    for (const [shareNumber, reference] of writers) {
      this.#writers.add({ uploadSecret, storageIndex, shareNumber }, { reference, allocatedSize });
    }
    const mine = [...shareNumbers].filter((n) => this.#writers.get({ uploadSecret, storageIndex, shareNumber: n }));
    return { alreadyHave, allocated: new Set(mine) };
  }

  async write(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    offset: number,
    parts: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<{ complete: boolean }> {
    const what = `writing share ${String(shareNumber)} of ${formatBase32(storageIndex)}`;
    const key = { uploadSecret, storageIndex, shareNumber };
    const writer = this.#writers.get(key);
    if (writer === undefined) throw replyError(this.shortName, what, 'it has given up the upload');
    const [only] = parts;
    const data = parts.length === 1 && only !== undefined ? only : concat(...parts);
    await this.#askOf(writer.reference, what, 'write', [offset, data], options, () => null, data.length);
    writer.progress.add({ begin: offset, end: offset + data.length });
    if (!writer.progress.isComplete) return { complete: false };
    await this.#askOf(writer.reference, what, 'close', [], options, () => null);
    this.#writers.drop(key);
    return { complete: true };
  }

  streamWrite(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async abort(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    options?: CallOptions,
  ): Promise<void> {
    const key = { uploadSecret, storageIndex, shareNumber };
    const writer = this.#writers.get(key);
    if (writer === undefined) return;
    const what = `giving up share ${String(shareNumber)} of ${formatBase32(storageIndex)}`;
    await this.#askOf(writer.reference, what, 'abort', [], options, () => null);
    this.#writers.drop(key);
  }

  async listShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>> {
    return new Set((await this.#fetchReaders(storageIndex, options)).keys());
  }

  async read(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const kept = this.#readers.get(storageIndex)?.get(shareNumber);
    if (kept !== undefined) {
      try {
        return await this.#readFrom(kept, storageIndex, shareNumber, range, options);
      } catch (error) {
        // The share may have been replaced or removed since: its reader is asked for anew.
        if (!isTahoeError(error, 'ERR_SERVER_REPLY')) throw error;
        this.#readers.forget(storageIndex);
      }
    }
    const reader = (await this.#fetchReaders(storageIndex, options)).get(shareNumber);
    return reader && this.#readFrom(reader, storageIndex, shareNumber, range, options);
  }

  /** The server does not say whether there was a share. */
  async addLease(storageIndex: Uint8Array, secrets: ShareSecrets, options?: CallOptions): Promise<boolean> {
    const given = [storageIndex, secrets.renewSecret, secrets.cancelSecret];
    await this.#ask(`adding a lease to ${formatBase32(storageIndex)}`, 'add_lease', given, options, () => null);
    return true;
  }

  reportCorrupt(storageIndex: Uint8Array, shareNumber: number, reason: string, options?: CallOptions): Promise<void> {
    return this.#report('immutable', storageIndex, shareNumber, reason, options);
  }

  readTestWrite(
    storageIndex: Uint8Array,
    request: SecretReadTestWriteRequest,
    options?: CallOptions,
  ): Promise<ReadTestWriteReply> {
    const { cancelSecret, reads, renewSecret, shares, writeEnabler } = request;
    const secrets = new Tuple(writeEnabler, renewSecret, cancelSecret);
    const written = [...shares.values()]
      .flatMap(({ writes }) => writes)
      .reduce((size, { data }) => size + data.length, 0);
    return this.#ask(
      `writing mutable shares of ${formatBase32(storageIndex)}`,
      'slot_testv_and_readv_and_writev',
      [storageIndex, secrets, formatShareVectors(shares), formatReads(reads)],
      options,
      (value) => {
        const [success = null, data = null] = tupleOf(2)(value, 'the answer');
        return { success: booleanShape(success, 'the outcome'), data: readDataShape(data, 'what was read') };
      },
      written,
    );
  }

  async listMutableShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>> {
    const what = `listing the mutable shares of ${formatBase32(storageIndex)}`;
    const data = await this.#ask(what, 'slot_readv', [storageIndex, [], []], options, toReadData);
    return new Set(data.keys());
  }

  async readMutable(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const what = `reading mutable share ${String(shareNumber)} of ${formatBase32(storageIndex)}`;
    const size = range.end - range.begin;
    const given = [storageIndex, [shareNumber], formatReads([{ offset: range.begin, size }])];
    const data = await this.#ask(what, 'slot_readv', given, options, toReadData, size);
    return this.#atMost(size, data.get(shareNumber)?.[0], what);
  }

  reportMutableCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void> {
    return this.#report('mutable', storageIndex, shareNumber, reason, options);
  }

  subscribe(): Promise<'absent'> {
    return Promise.resolve('absent');
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.#readers.clear();
    this.#writers.clear();
    this.#server?.release();
    return Promise.resolve();
  }

  // ---- calls -------------------------------------------------------------------------------------------------

  async #ask<Reply>(
    what: string,
    method: string,
    given: readonly Value[],
    options: CallOptions | undefined,
    parse: (value: Value) => Reply,
    sizeBytes = 0,
  ): Promise<Reply> {
    return this.#named(what, async () => {
      const server = await this.#reference(this.#bounded(options, sizeBytes));
      return parse(await server.call(method, given, undefined, this.#bounded(options, sizeBytes)));
    });
  }

  #askOf<Reply>(
    reference: RemoteReference,
    what: string,
    method: string,
    given: readonly Value[],
    options: CallOptions | undefined,
    parse: (value: Value) => Reply,
    sizeBytes = 0,
  ): Promise<Reply> {
    return this.#named(what, async () =>
      parse(await reference.call(method, given, undefined, this.#bounded(options, sizeBytes))),
    );
  }

  async #call(method: string, given: readonly Value[], options: CallOptions): Promise<Value> {
    return (await this.#reference(options)).call(method, given, undefined, options);
  }

  /** The server's object, over a new connection when the last one has ended. */
  async #reference(options: CallOptions): Promise<RemoteReference> {
    const { furl, tub } = this.#options;
    if (this.#server?.connected !== true) this.#server = await tub.connect(furl.dangerouslyFormat(), options);
    return this.#server;
  }

  #bounded({ signal, timeoutMs }: CallOptions = {}, sizeBytes = 0): { signal: AbortSignal; timeoutMs: number } {
    const closing = this.#closing.signal;
    return {
      signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
      timeoutMs: timeoutMs ?? CALL_TIMEOUT_MS + Math.ceil((sizeBytes * 1000) / RATE_MIN_BYTES_PER_SECOND),
    };
  }

  /** What goes wrong, in the words of StorageServer. */
  async #named<Reply>(what: string, work: () => Promise<Reply>): Promise<Reply> {
    try {
      return await work();
    } catch (error) {
      throw callError(this.shortName, what, error);
    }
  }

  async #report(
    type: string,
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void> {
    const what = `reporting share ${String(shareNumber)} of ${formatBase32(storageIndex)} as corrupt`;
    const given = [utf8(type), storageIndex, shareNumber, utf8(reason).subarray(0, REASON_SIZE_MAX)];
    await this.#ask(what, 'advise_corrupt_share', given, options, () => null);
  }

  // ---- readers and writers -------------------------------------------------------------------------------------

  async #fetchReaders(storageIndex: Uint8Array, options?: CallOptions): Promise<Readers> {
    const what = `listing the shares of ${formatBase32(storageIndex)}`;
    const readers = await this.#ask(what, 'get_buckets', [storageIndex], options, (value) =>
      dictOf(shareNumberShape, referenceTo(storageInterfaces.reader), SHARE_COUNT_MAX)(value, 'the answer'),
    );
    this.#readers.put(storageIndex, readers);
    return readers;
  }

  async #readFrom(
    reader: RemoteReference,
    storageIndex: Uint8Array,
    shareNumber: number,
    { begin, end }: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array> {
    const what = `reading share ${String(shareNumber)} of ${formatBase32(storageIndex)}`;
    const size = end - begin;
    const parse = (value: Value): Uint8Array => bytesOf()(value, 'the answer');
    const bytes = await this.#askOf(reader, what, 'read', [begin, size], options, parse, size);
    return this.#atMost(size, bytes, what);
  }

  #atMost<Bytes extends Uint8Array | undefined>(size: number, bytes: Bytes, what: string): Bytes {
    if (bytes !== undefined && bytes.length > size)
      throw replyError(this.shortName, what, 'it gives more than was asked for');
    return bytes;
  }
}

interface Allocation {
  readonly alreadyHave: ReadonlySet<number>;
  readonly writers: ReadonlyMap<number, RemoteReference>;
}

function parseAllocation(value: Value): Allocation {
  const [had = null, given = null] = tupleOf(2)(value, 'the answer');
  const alreadyHave = new Set(setOf(shareNumberShape, SHARE_COUNT_MAX)(had, 'what is there'));
  const shape = dictOf(shareNumberShape, referenceTo(storageInterfaces.writer), SHARE_COUNT_MAX);
  return { alreadyHave, writers: shape(given, 'what was allocated') };
}

function toReadData(value: Value): ReadonlyMap<number, readonly Uint8Array[]> {
  return readDataShape(value, 'the answer');
}

function undoAll({ writers }: Allocation): void {
  for (const writer of writers.values()) {
    writer.call('abort', []).then(
      () => {
        writer.release();
      },
      () => undefined,
    );
  }
}
