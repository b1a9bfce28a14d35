/**
 * One storage server, as a grid user sees it: what it is called, where it stands in the order of servers, and what
 * can be asked of it. Upload, download and check know this interface and nothing of TLS, HTTP or Foolscap.
 *
 * Every call may be cancelled by a signal and ends by itself within a deadline. What fails is a `TahoeError` that
 * names the server and the operation; "not there" is a value. Limits, retries and faults are decorators.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import type { FeedEvent } from '#wire/change-feed.js';
import type { EdgeSizes, ShareEdges } from '#wire/immutable-beginnings.js';
import type { AllocateReply, AllocateRequest, ByteRange, StorageVersion } from '#wire/storage.js';
import type { ReadTestWriteReply, ReadTestWriteRequest } from '#wire/storage-mutable.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';

/** What renews and what cancels a lease on this one server, 32 bytes each. */
export interface ShareSecrets {
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
}

/** How long a call may take and what ends it early. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole call; without it the transport's own deadline, which grows with the bytes moved. */
  readonly timeoutMs?: number;
}

/** An allocation with all its secrets; the upload secret (any length but 0) opens this allocation's shares again. */
export interface SecretAllocateRequest extends AllocateRequest, ShareSecrets {
  readonly uploadSecret: Uint8Array;
}

/** Shares as wholes, by number, with the secrets of their lease. */
export interface SecretStoreRequest extends ShareSecrets {
  readonly shares: ReadonlyMap<number, Uint8Array>;
  /** Only if the server holds no share of the index; those that are being uploaded do not count. */
  readonly whereNone?: boolean;
}

/** A read-test-write with all its secrets; the write enabler (32 bytes) is the one that the shares are made with. */
export interface SecretReadTestWriteRequest extends ReadTestWriteRequest, ShareSecrets {
  readonly writeEnabler: Uint8Array;
}

/** Of what a feed is to tell, and whom. */
export interface FeedRequest {
  /** 16 bytes each; at most CHANGE_FEED_INDEX_COUNT_MAX. */
  readonly storageIndexes: readonly Uint8Array[];
  /** The id of the last event that was heard of the same server, to be told what was missed. */
  readonly lastEventId?: string | undefined;
  /** Hears each event; the first says where the feed begins. Must not throw. */
  readonly told: (event: FeedEvent) => void;
}

/** What a server is known by before anything is asked of it. */
export interface ServerIdentity {
  /** As announced, e.g. `v0-…`, or any text from servers.yaml. */
  readonly serverId: string;
  readonly nickname: string;
  /** What orders this server among others for a storage index. Usually 32 bytes. */
  readonly permutationSeed: Uint8Array;
  /** 20 bytes, what lease secrets for this server are derived from. */
  readonly tubId: Uint8Array;
}

/** What a server says of itself, and what was seen as it said so. */
export interface ServerVersion extends StorageVersion {
  /** Over what it was asked; undefined where there is nothing in between. */
  readonly dialect?: 'https' | 'foolscap';
  /** What its clock said, in Unix milliseconds to the second; undefined where it does not say. */
  readonly serverTimeMs?: number | undefined;
}

/**
 * What a grid user asks of one server. Storage indexes are 16 bytes, share numbers 0 … 255. Unless a line says
 * otherwise a call throws:
 * ERR_CONNECT when the server cannot be reached, ERR_PIN when it holds another key than its address names,
 * ERR_TIMEOUT when the deadline passes, ERR_CANCELLED when the signal or `close` ends it, ERR_CONNECTION_CLOSED when
 * the connection ends before an answer, and ERR_SERVER_REPLY when the answer is a refusal, malformed, too long or not
 * what was asked.
 */
export interface StorageServer extends ServerIdentity {
  /** The 8 characters behind `v0-`, else the first 8 of the id: how people see the server. */
  readonly shortName: string;

  version(options?: CallOptions): Promise<ServerVersion>;

  /** Asks for room for shares. What is there already and what was allocated; the rest was refused. */
  allocate(storageIndex: Uint8Array, request: SecretAllocateRequest, options?: CallOptions): Promise<AllocateReply>;

  /**
   * Writes bytes at `offset`, in bytes; the parts are sent one after the other as one body and must not change
   * until the call has ended. At least one byte.
   * @returns whether the share is complete now.
   */
  write(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    offset: number,
    parts: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<{ complete: boolean }>;

  /**
   * Writes `range` as one long request whose body is made while it is sent: `chunks` are asked for as the server
   * takes them and add up to the range. A chunk of 16 KiB or more was copied when the next one is asked for; a
   * smaller one must not change until the call has ended.
   * @returns whether the share is complete now; undefined when such a request is not for this server or not for
   *   now, without having asked for a chunk: then `write` is the way.
   */
  streamWrite(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    range: ByteRange,
    chunks: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<{ complete: boolean } | undefined>;

  /** Gives up an incomplete share. */
  abort(storageIndex: Uint8Array, shareNumber: number, uploadSecret: Uint8Array, options?: CallOptions): Promise<void>;
  /**
   * Stores small shares in one request, and gives all shares of the index that were there a lease.
   * @returns which it stored and which were there; undefined where the server wants room reserved first, as they all do
   *   for larger ones.
   */
  storeShares?(
    storageIndex: Uint8Array,
    request: SecretStoreRequest,
    options?: CallOptions,
  ): Promise<WholeSharesReply | undefined>;

  /** The complete shares that the server holds; empty when it knows nothing of the index. */
  listShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>>;

  /**
   * As `listShares`, with the size of each share and how it begins and ends: all of one that is no longer than `sizes`
   * together, and nothing of those that would make the answer too long.
   * @returns undefined where such a request is not for this server: then `listShares` and `read` are the way. A kind of
   *   server that never has it leaves it out.
   */
  readBeginnings?(
    storageIndex: Uint8Array,
    sizes: EdgeSizes,
    options?: CallOptions,
  ): Promise<ReadonlyMap<number, ShareEdges> | undefined>;

  /**
   * Bytes begin … end of the share (end not included; at least one), fewer where it ends earlier, empty at or past
   * its end.
   * @returns bytes that the caller owns; undefined when the share is not there.
   */
  read(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined>;

  /** Adds or renews a lease on every share of the index. @returns false when there is none. */
  addLease(storageIndex: Uint8Array, secrets: ShareSecrets, options?: CallOptions): Promise<boolean>;

  /** Tells the server that it served bytes that do not match their hash; silent when the share is gone. */
  reportCorrupt(storageIndex: Uint8Array, shareNumber: number, reason: string, options?: CallOptions): Promise<void>;

  /**
   * Does all tests on the mutable shares of the index, then all reads, then, if the tests held, all writes or none.
   * The data in it must not change until the call has ended. Not sent again when its answer is lost: it may have been
   * done, and its tests would then fail.
   */
  readTestWrite(
    storageIndex: Uint8Array,
    request: SecretReadTestWriteRequest,
    options?: CallOptions,
  ): Promise<ReadTestWriteReply>;

  /** The mutable shares that the server holds; empty when it knows nothing of the index. */
  listMutableShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>>;

  /** As `read`, of a mutable share. */
  readMutable(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined>;

  /**
   * The first `sizeBytes` bytes (at most BEGINNING_SIZE_MAX) of every mutable share that the server holds, by number.
   * @returns undefined where such a request is not for this server: then `listMutableShares` and `readMutable` are the
   *   way. A kind of server that never has it leaves it out.
   */
  readMutableBeginnings?(
    storageIndex: Uint8Array,
    sizeBytes: number,
    options?: CallOptions,
  ): Promise<ReadonlyMap<number, Uint8Array> | undefined>;

  /** As `reportCorrupt`, of a mutable share. */
  reportMutableCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void>;

  /**
   * Tells of changes to shares for as long as the server does, which is meant to be for ever: without `timeoutMs` only
   * silence ends it, after three heartbeats that did not come.
   * @returns when the server ends the feed; `absent` when it has none.
   */
  subscribe(request: FeedRequest, options?: CallOptions): Promise<'ended' | 'absent'>;

  /** Ends connections; calls in progress fail. Further calls are a mistake. */
  close(): Promise<void>;
}

/** How people see a server: the 8 characters behind `v0-`, else the first 8 of its id. */
export function shortNameOf(serverId: string): string {
  return serverId.replace(/^v0-/, '').slice(0, 8);
}
