/**
 * A storage server over HTTPS ("Great Black Swamp"), as the client's side of the protocol.
 *
 * Each operation is one request over a small pool of kept-alive, pinned connections (pinned-connector.ts) within the
 * bounds of http-exchange.ts. The answers are judged as the reference's client judges them: status, content type,
 * and for reads that 206 names a range inside the one asked and the body fills it; a 200 to a ranged read is an error,
 * a 204 is an empty one. Nothing is retried here.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { decodeBeginnings } from '#wire/beginnings.js';
import { decodeImmutableBeginnings } from '#wire/immutable-beginnings.js';
import type { EdgeSizes, ShareEdges } from '#wire/immutable-beginnings.js';
import type { Nurl } from '#wire/nurl.js';
import {
  CBOR_MEDIA_TYPE,
  dangerouslyFormatAuthorization,
  decodeAllocateReply,
  decodeRequired,
  decodeShareNumbers,
  decodeVersion,
  storagePath,
} from '#wire/storage.js';
import type { AllocateReply, ByteRange } from '#wire/storage.js';
import { decodeReadTestWriteReply, mutablePath } from '#wire/storage-mutable.js';
import type { ReadTestWriteReply } from '#wire/storage-mutable.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import { ConnectionLane } from './connection-lane.js';
import { TIMER_MS_MAX } from './deadline.js';
import { bodySize } from './http-exchange.js';
import type { ExchangeBody, ExchangeReply, ExchangeRequest } from './http-exchange.js';
import {
  abortOperation,
  allocateOperation,
  beginningsOperation,
  corruptOperation,
  feedOperation,
  immutableBeginningsOperation,
  leaseOperation,
  listOperation,
  readOperation,
  readTestWriteOperation,
  writeOperation,
} from './https-operations.js';
import type { Operation } from './https-operations.js';
import { boundCbor, boundIgnored, checkAllocated, describeStatus, timeOf, UnusableReply } from './https-replies.js';
import type { Dialler } from './dialler.js';
import { callTimeoutMs, defaultHttpsLimits } from './https-limits.js';
import type { HttpsLimits } from './https-limits.js';
import { HttpsStores } from './https-stores.js';
import type { AskServer } from './https-stores.js';
import { PinnedConnector } from './pinned-connector.js';
import { shortNameOf } from './storage-server.js';
import type {
  CallOptions,
  FeedRequest,
  SecretAllocateRequest,
  SecretReadTestWriteRequest,
  SecretStoreRequest,
  ServerIdentity,
  ServerVersion,
  ShareSecrets,
  StorageServer,
} from './storage-server.js';

/** How the versions of servers of our own kind begin. */
const OWN_VERSION = 'tallac/';
/** Feeds of one server at a time. */
const FEED_COUNT_MAX = 4;
/** After so long a feed without a heartbeat is given up; they come every 15 seconds. */
const FEED_SILENCE_MS = 45_000;

/** Which server, where it is, and within which bounds to talk to it. */
export interface HttpsStorageServerOptions {
  readonly identity: ServerIdentity;
  readonly nurl: Nurl;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly limits?: Partial<HttpsLimits>;
}

/** @see StorageServer */
export class HttpsStorageServer implements StorageServer {
  readonly serverId: string;
  readonly shortName: string;
  readonly nickname: string;
  readonly permutationSeed: Uint8Array;
  readonly tubId: Uint8Array;
  readonly #authorization: string;
  readonly #limits: HttpsLimits;
  readonly #connector: PinnedConnector;
  readonly #lane: ConnectionLane;
  /** One connection of its own, so that a server is not taken for dead while bulk fills the others. */
  readonly #versionLane: ConnectionLane;
  /** Those of feeds, which stay busy: one that finds no place fails. */
  readonly #feedLane: ConnectionLane;
  /** Whether it is one of ours, which take long bodies piece by piece; the reference reads each body as a whole. */
  #isOwnKind = false;
  /** What it does not know of, being of an earlier release. */
  readonly #lacking = new Set<'beginnings' | 'mutable beginnings'>();
  readonly #stores: HttpsStores;
  #streamCount = 0;

  constructor(options: HttpsStorageServerOptions) {
    const { identity, nurl, clock, dialler } = options;
    this.serverId = identity.serverId;
    this.shortName = shortNameOf(identity.serverId);
    this.nickname = identity.nickname;
    this.permutationSeed = identity.permutationSeed;
    this.tubId = identity.tubId;
    this.#authorization = dangerouslyFormatAuthorization(nurl.dangerousSwissnum());
    this.#limits = { ...defaultHttpsLimits, ...options.limits };
    const { authority } = nurl;
    const { connectTimeoutMs, connectionCountMax } = this.#limits;
    const connector = new PinnedConnector({ nurl, shortName: this.shortName, clock, dialler, connectTimeoutMs });
    this.#connector = connector;
    const feeds = { connectionCountMax: FEED_COUNT_MAX, callCountMax: FEED_COUNT_MAX };
    const lane = { ...this.#limits, authority, connector, clock };
    this.#lane = new ConnectionLane({ ...lane, connectionCountMax });
    this.#feedLane = new ConnectionLane({ ...lane, ...feeds });
    this.#versionLane = new ConnectionLane({ ...lane, connectionCountMax: 1 });
    const ask: AskServer = (operation, decode, asking) => this.#askCbor(operation, decode, asking);
    this.#stores = new HttpsStores({ shortName: this.shortName, clock, limits: this.#limits, ask });
  }

  /** Connections that are open or being made. */
  get connectionCount(): number {
    return this.#connector.connectionCount;
  }

  async version(options?: CallOptions): Promise<ServerVersion> {
    let serverTimeMs: number | undefined;
    const boundBody: Operation['boundBody'] = (status, headers) => {
      serverTimeMs = timeOf(headers);
      return boundCbor(status, headers);
    };
    const version = await this.#askCbor(
      { what: 'the version', method: 'GET', path: storagePath.version, statuses: [200], boundBody },
      decodeVersion,
      options,
      this.#versionLane,
    );
    this.#isOwnKind = version.applicationVersion.startsWith(OWN_VERSION);
    return { ...version, dialect: 'https', serverTimeMs };
  }

  async allocate(
    storageIndex: Uint8Array,
    request: SecretAllocateRequest,
    options?: CallOptions,
  ): Promise<AllocateReply> {
    return this.#askCbor(
      allocateOperation(storageIndex, request),
      (body) => checkAllocated(decodeAllocateReply(body), request.shareNumbers),
      options,
    );
  }

  async write(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    offset: number,
    parts: readonly Uint8Array[],
    options?: CallOptions,
  ): Promise<{ complete: boolean }> {
    const range = { begin: offset, end: offset + bodySize(parts) };
    return this.#write(storageIndex, shareNumber, uploadSecret, range, parts, options);
  }

  async streamWrite(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    range: ByteRange,
    chunks: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<{ complete: boolean } | undefined> {
    // Never waiting for a connection: one that is held waits for other servers, whose connections wait for this one.
    if (!this.#isOwnKind || this.#streamCount >= this.#limits.streamCountMax) return undefined;
    this.#streamCount += 1;
    try {
      const body = { size: range.end - range.begin, chunks };
      return await this.#write(storageIndex, shareNumber, uploadSecret, range, body, options);
    } finally {
      this.#streamCount -= 1;
    }
  }

  async #write(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    range: ByteRange,
    body: ExchangeBody,
    options?: CallOptions,
  ): Promise<{ complete: boolean }> {
    return this.#askCbor(
      writeOperation({ storageIndex, shareNumber }, uploadSecret, range, body),
      (reply, status) => {
        decodeRequired(reply);
        return { complete: status === 201 };
      },
      options,
    );
  }

  async abort(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    options?: CallOptions,
  ): Promise<void> {
    await this.#ask(abortOperation({ storageIndex, shareNumber }, uploadSecret), options);
  }

  async storeShares(
    storageIndex: Uint8Array,
    request: SecretStoreRequest,
    options?: CallOptions,
  ): Promise<WholeSharesReply | undefined> {
    return this.#isOwnKind ? this.#stores.store(storageIndex, request, options) : undefined;
  }

  async listShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>> {
    return this.#askCbor(listOperation(storageIndex, storagePath.shares(storageIndex)), decodeShareNumbers, options);
  }

  async readBeginnings(
    storageIndex: Uint8Array,
    sizes: EdgeSizes,
    options?: CallOptions,
  ): Promise<ReadonlyMap<number, ShareEdges> | undefined> {
    const operation = immutableBeginningsOperation(storageIndex, sizes);
    return this.#look('beginnings', operation, (body) => decodeImmutableBeginnings(body, sizes), options);
  }

  async listMutableShares(storageIndex: Uint8Array, options?: CallOptions): Promise<ReadonlySet<number>> {
    return this.#askCbor(listOperation(storageIndex, mutablePath.shares(storageIndex)), decodeShareNumbers, options);
  }

  async read(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const path = storagePath.share(storageIndex, shareNumber);
    return this.#read(readOperation({ storageIndex, shareNumber }, path, range), options);
  }

  async readMutable(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<Uint8Array | undefined> {
    const path = mutablePath.share(storageIndex, shareNumber);
    return this.#read(readOperation({ storageIndex, shareNumber }, path, range), options);
  }

  async #read(operation: Operation, options?: CallOptions): Promise<Uint8Array | undefined> {
    const { status, body } = await this.#ask(operation, options);
    return status === 404 ? undefined : body;
  }

  async readTestWrite(
    storageIndex: Uint8Array,
    request: SecretReadTestWriteRequest,
    options?: CallOptions,
  ): Promise<ReadTestWriteReply> {
    return this.#askCbor(readTestWriteOperation(storageIndex, request), decodeReadTestWriteReply, options);
  }

  async addLease(storageIndex: Uint8Array, secrets: ShareSecrets, options?: CallOptions): Promise<boolean> {
    const { status } = await this.#ask(leaseOperation(storageIndex, secrets), options);
    return status === 204;
  }

  async reportCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void> {
    const path = storagePath.corrupt(storageIndex, shareNumber);
    await this.#ask(corruptOperation({ storageIndex, shareNumber }, path, reason), options);
  }

  async readMutableBeginnings(
    storageIndex: Uint8Array,
    sizeBytes: number,
    options?: CallOptions,
  ): Promise<ReadonlyMap<number, Uint8Array> | undefined> {
    const operation = beginningsOperation(storageIndex, sizeBytes);
    return this.#look('mutable beginnings', operation, (body) => decodeBeginnings(body, sizeBytes), options);
  }

  /** Asks what servers of our own kind alone can say; undefined where this one cannot. */
  async #look<Message>(
    name: 'beginnings' | 'mutable beginnings',
    operation: Operation,
    decode: (body: Uint8Array) => Message,
    options?: CallOptions,
  ): Promise<Message | undefined> {
    if (!this.#isOwnKind || this.#lacking.has(name)) return undefined;
    const decodeKnown = (body: Uint8Array, status: number): Message | undefined => {
      if (status !== 404) return decode(body);
      this.#lacking.add(name);
      return undefined;
    };
    return this.#askCbor(operation, decodeKnown, options);
  }

  async reportMutableCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void> {
    const path = mutablePath.corrupt(storageIndex, shareNumber);
    await this.#ask(corruptOperation({ storageIndex, shareNumber }, path, reason), options);
  }

  async subscribe(feed: FeedRequest, options: CallOptions = {}): Promise<'ended' | 'absent'> {
    const request = this.#request(feedOperation(feed), { timeoutMs: TIMER_MS_MAX, ...options });
    const { status } = await this.#feedLane.exchange({ ...request, silenceTimeoutMs: FEED_SILENCE_MS });
    return status === 404 ? 'absent' : 'ended';
  }

  async close(): Promise<void> {
    this.#stores.close();
    const lanes = [this.#lane.close(), this.#versionLane.close(), this.#feedLane.close()];
    // After the lanes have failed their calls: what is left is connections in the middle of a handshake.
    this.#connector.close();
    await Promise.all(lanes);
  }

  async #askCbor<Message>(
    operation: Operation,
    decode: (body: Uint8Array, status: number) => Message,
    options?: CallOptions,
    lane = this.#lane,
  ): Promise<Message> {
    const { status, body } = await this.#ask({ boundBody: boundCbor, ...operation }, options, lane);
    try {
      return decode(body, status);
    } catch (error) {
      if (!(error instanceof UnusableReply) && !isTahoeError(error, 'ERR_CBOR', 'ERR_MESSAGE')) throw error;
      const facts = { server: this.shortName, what: operation.what, reason: error.message };
      throw new TahoeError('ERR_SERVER_REPLY', facts, { cause: error });
    }
  }

  async #ask(operation: Operation, options: CallOptions = {}, lane = this.#lane): Promise<ExchangeReply> {
    return lane.exchange(this.#request(operation, options));
  }

  #request(operation: Operation, { signal, timeoutMs }: CallOptions): ExchangeRequest {
    const { what, method, path, headers, body = [], statuses, boundBody = boundIgnored } = operation;
    return {
      what,
      shortName: this.shortName,
      method,
      path,
      headers: { accept: CBOR_MEDIA_TYPE, ...headers, authorization: this.#authorization },
      body,
      boundBody: (status, replyHeaders) => {
        if (!statuses.includes(status)) throw new UnusableReply(describeStatus(status));
        return status < 400 ? boundBody(status, replyHeaders) : boundIgnored();
      },
      timeoutMs: timeoutMs ?? callTimeoutMs(this.#limits, bodySize(body) + (operation.replySize ?? 0)),
      silenceTimeoutMs: this.#limits.silenceTimeoutMs,
      signal,
      endedUsedConnection: (error) => this.#connector.endedUsedConnection(error),
    };
  }
}
