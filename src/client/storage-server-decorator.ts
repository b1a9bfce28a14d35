/**
 * A storage server around others: the shape of retry, of choosing among addresses, of watching, of faults in tests.
 *
 * A decorator says in one place, `around`, what happens around every call; the operations only name themselves.
 */
import type { EdgeSizes, ShareEdges } from '#wire/immutable-beginnings.js';
import type { AllocateReply, ByteRange } from '#wire/storage.js';
import type { ReadTestWriteReply } from '#wire/storage-mutable.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
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

/** The operations that go to the server. */
export type OperationName =
  | 'version'
  | 'allocate'
  | 'write'
  | 'streamWrite'
  | 'abort'
  | 'storeShares'
  | 'listShares'
  | 'readBeginnings'
  | 'read'
  | 'addLease'
  | 'reportCorrupt'
  | 'readTestWrite'
  | 'listMutableShares'
  | 'readMutable'
  | 'readMutableBeginnings'
  | 'reportMutableCorrupt'
  | 'subscribe';

/** One call, still without a server to go to. */
export type Call<Reply> = (server: StorageServer, options: CallOptions) => Promise<Reply>;

/** @see StorageServer */
export abstract class StorageServerDecorator implements StorageServer {
  readonly serverId: string;
  readonly shortName: string;
  readonly nickname: string;
  readonly permutationSeed: Uint8Array;
  readonly tubId: Uint8Array;

  constructor(identity: ServerIdentity) {
    this.serverId = identity.serverId;
    this.shortName = shortNameOf(identity.serverId);
    this.nickname = identity.nickname;
    this.permutationSeed = identity.permutationSeed;
    this.tubId = identity.tubId;
  }

  /** Makes the call, with a server and options of this decorator's choosing. */
  protected abstract around<Reply>(operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply>;

  abstract close(): Promise<void>;

  version(options: CallOptions = {}): Promise<ServerVersion> {
    return this.around('version', (server, inner) => server.version(inner), options);
  }

  allocate(
    storageIndex: Uint8Array,
    request: SecretAllocateRequest,
    options: CallOptions = {},
  ): Promise<AllocateReply> {
    return this.around('allocate', (server, inner) => server.allocate(storageIndex, request, inner), options);
  }

  write(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    offset: number,
    parts: readonly Uint8Array[],
    options: CallOptions = {},
  ): Promise<{ complete: boolean }> {
    return this.around(
      'write',
      (server, inner) => server.write(storageIndex, shareNumber, uploadSecret, offset, parts, inner),
      options,
    );
  }

  streamWrite(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    range: ByteRange,
    chunks: AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<{ complete: boolean } | undefined> {
    return this.around(
      'streamWrite',
      (server, inner) => server.streamWrite(storageIndex, shareNumber, uploadSecret, range, chunks, inner),
      options,
    );
  }

  abort(
    storageIndex: Uint8Array,
    shareNumber: number,
    uploadSecret: Uint8Array,
    options: CallOptions = {},
  ): Promise<void> {
    return this.around(
      'abort',
      (server, inner) => server.abort(storageIndex, shareNumber, uploadSecret, inner),
      options,
    );
  }

  storeShares(
    storageIndex: Uint8Array,
    request: SecretStoreRequest,
    options: CallOptions = {},
  ): Promise<WholeSharesReply | undefined> {
    return this.around(
      'storeShares',
      async (server, inner) => server.storeShares?.(storageIndex, request, inner),
      options,
    );
  }

  listShares(storageIndex: Uint8Array, options: CallOptions = {}): Promise<ReadonlySet<number>> {
    return this.around('listShares', (server, inner) => server.listShares(storageIndex, inner), options);
  }

  readBeginnings(
    storageIndex: Uint8Array,
    sizes: EdgeSizes,
    options: CallOptions = {},
  ): Promise<ReadonlyMap<number, ShareEdges> | undefined> {
    return this.around(
      'readBeginnings',
      async (server, inner) => server.readBeginnings?.(storageIndex, sizes, inner),
      options,
    );
  }

  read(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    return this.around('read', (server, inner) => server.read(storageIndex, shareNumber, range, inner), options);
  }

  addLease(storageIndex: Uint8Array, secrets: ShareSecrets, options: CallOptions = {}): Promise<boolean> {
    return this.around('addLease', (server, inner) => server.addLease(storageIndex, secrets, inner), options);
  }

  reportCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options: CallOptions = {},
  ): Promise<void> {
    return this.around(
      'reportCorrupt',
      (server, inner) => server.reportCorrupt(storageIndex, shareNumber, reason, inner),
      options,
    );
  }

  readTestWrite(
    storageIndex: Uint8Array,
    request: SecretReadTestWriteRequest,
    options: CallOptions = {},
  ): Promise<ReadTestWriteReply> {
    return this.around('readTestWrite', (server, inner) => server.readTestWrite(storageIndex, request, inner), options);
  }

  listMutableShares(storageIndex: Uint8Array, options: CallOptions = {}): Promise<ReadonlySet<number>> {
    return this.around('listMutableShares', (server, inner) => server.listMutableShares(storageIndex, inner), options);
  }

  readMutable(
    storageIndex: Uint8Array,
    shareNumber: number,
    range: ByteRange,
    options: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    return this.around(
      'readMutable',
      (server, inner) => server.readMutable(storageIndex, shareNumber, range, inner),
      options,
    );
  }

  readMutableBeginnings(
    storageIndex: Uint8Array,
    sizeBytes: number,
    options: CallOptions = {},
  ): Promise<ReadonlyMap<number, Uint8Array> | undefined> {
    return this.around(
      'readMutableBeginnings',
      async (server, inner) => server.readMutableBeginnings?.(storageIndex, sizeBytes, inner),
      options,
    );
  }

  reportMutableCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options: CallOptions = {},
  ): Promise<void> {
    return this.around(
      'reportMutableCorrupt',
      (server, inner) => server.reportMutableCorrupt(storageIndex, shareNumber, reason, inner),
      options,
    );
  }

  subscribe(request: FeedRequest, options: CallOptions = {}): Promise<'ended' | 'absent'> {
    return this.around('subscribe', (server, inner) => server.subscribe(request, inner), options);
  }
}
