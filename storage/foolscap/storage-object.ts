/**
 * RIStorageServer: the share store as an object that Foolscap peers call. Nothing else in the storage server knows of it.
 *
 * Answers are the reference's; where it fails or does what it did not say, these fail with nothing changed. What is refused
 * becomes the exception that the reference's clients know (storage-failures.ts).
 */
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import {
  formatFoolscapVersion,
  offsetShape,
  readSizeShape,
  readVectorsShape,
  secretShape,
  shareNumberShape,
  shareVectorsShape,
  storageIndexShape,
  storageInterfaces,
} from '#wire/foolscap/storage.js';
import { bytesOf, callableShape, listOf, setOf, takeArguments, tupleOf } from '#wire/foolscap/shapes.js';
import type { CallArguments, PeerConnection, RemoteObject } from '#wire/foolscap/tub.js';
import { Dict, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { violation } from '#wire/foolscap/value-builders.js';
import { SHARE_COUNT_MAX } from '#wire/storage.js';
import type { ReadVector, ShareVectors } from '#wire/storage-mutable.js';
import { contentOf } from '../content.js';
import type { Content } from '../content.js';
import { MUTABLE_SHARE_SIZE_MAX } from '../share-store.js';
import type { OpenShare, ShareStore, ShareType } from '../share-store.js';
import { BucketWriter } from './bucket-writer.js';
import { ShareReads } from './share-reads.js';
import { asRemote, noSuchMethod } from './storage-failures.js';

const UPLOAD_SECRET_SIZE = 32;
/** What is kept of a reason for a report of damage, in bytes: as over HTTPS. */
const REASON_SIZE_MAX = 32 * 1024;

/** What the object stands on. */
export interface StorageObjectOptions {
  readonly store: ShareStore;
  readonly random: Random;
  /** What the server says it is, for example `tallac/0.1.0`. */
  readonly applicationVersion: string;
}

type Method = (given: CallArguments, peer: PeerConnection) => Promise<Value>;

/** The server, for any number of peers. */
export class StorageObject implements RemoteObject {
  readonly interfaceName = storageInterfaces.server;
  readonly #options: StorageObjectOptions;
  readonly #store: ShareStore;
  readonly #reads = new ShareReads();
  readonly #methods: ReadonlyMap<string, Method> = new Map<string, Method>([
    ['get_version', (given) => this.#version(given)],
    ['allocate_buckets', (given, peer) => this.#allocate(given, peer)],
    ['add_lease', (given) => this.#addLease(given)],
    ['get_buckets', (given) => this.#buckets(given)],
    ['slot_readv', (given, peer) => this.#readSlot(given, peer)],
    ['slot_testv_and_readv_and_writev', (given) => this.#writeSlot(given)],
    ['advise_corrupt_share', (given) => this.#adviseCorrupt(given)],
  ]);

  constructor(options: StorageObjectOptions) {
    this.#options = options;
    this.#store = options.store;
  }

  call(name: string, given: CallArguments, peer: PeerConnection): Promise<Value> {
    const method = this.#methods.get(name);
    if (method === undefined) throw noSuchMethod(name, this.interfaceName);
    return asRemote(() => method(given, peer));
  }

  async #version(given: CallArguments): Promise<Value> {
    takeArguments(given);
    const { availableSpace } = await this.#store.figures();
    return formatFoolscapVersion({
      maximumImmutableShareSize: availableSpace,
      maximumMutableShareSize: MUTABLE_SHARE_SIZE_MAX,
      availableSpace,
      applicationVersion: this.#options.applicationVersion,
    });
  }

  async #allocate(given: CallArguments, peer: PeerConnection): Promise<Value> {
    const [index = null, renew = null, cancel = null, numbers = null, size = null, canary = null] = takeArguments(
      given,
      'storage_index',
      'renew_secret',
      'cancel_secret',
      'sharenums',
      'allocated_size',
      'canary',
    );
    // It is the peer's own: it is lost when the connection is.
    callableShape(canary, 'canary');
    const storageIndex = storageIndexShape(index, 'storage_index');
    const uploadSecret = this.#options.random.bytes(UPLOAD_SECRET_SIZE);
    const { allocated, alreadyHave } = await this.#store.allocate({
      storageIndex,
      renewSecret: secretShape(renew, 'renew_secret'),
      cancelSecret: secretShape(cancel, 'cancel_secret'),
      shareNumbers: new Set(setOf(shareNumberShape, SHARE_COUNT_MAX)(numbers, 'sharenums')),
      allocatedSize: offsetShape(size, 'allocated_size'),
      uploadSecret,
      client: peer.remoteAddress,
    });
    const writers = [...allocated].flatMap((shareNumber) => {
      const upload = this.#store.upload({ storageIndex, shareNumber, uploadSecret });
      return typeof upload === 'string' ? [] : [[shareNumber, new BucketWriter(upload, peer)] as const];
    });
    return new Tuple(new ValueSet([...alreadyHave]), new Dict(writers));
  }

  async #addLease(given: CallArguments): Promise<null> {
    const names = ['storage_index', 'renew_secret', 'cancel_secret'];
    const [index = null, renew = null, cancel = null] = takeArguments(given, ...names);
    await this.#store.addLease(storageIndexShape(index, 'storage_index'), {
      renewSecret: secretShape(renew, 'renew_secret'),
      cancelSecret: secretShape(cancel, 'cancel_secret'),
    });
    return null;
  }

  async #buckets(given: CallArguments): Promise<Value> {
    const [index = null] = takeArguments(given, 'storage_index');
    const storageIndex = storageIndexShape(index, 'storage_index');
    const shares = [...(await this.#store.listShares(storageIndex))];
    return new Dict(shares.map((shareNumber) => [shareNumber, this.#reader(storageIndex, shareNumber)]));
  }

  /** RIBucketReader. It holds nothing open between calls. */
  #reader(storageIndex: Uint8Array, shareNumber: number): RemoteObject {
    const interfaceName = storageInterfaces.reader;
    const read: Method = async (given, peer) => {
      const [offset = null, length = null] = takeArguments(given, 'offset', 'length');
      const vector = { offset: offsetShape(offset, 'offset'), size: readSizeShape(length, 'length') };
      const share = await this.#store.openShare(storageIndex, shareNumber);
      if (share === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
      const [[bytes] = []] = await this.#readAndClose([[shareNumber, share]], [vector], peer);
      return bytes ?? new Uint8Array(0);
    };
    const advise: Method = async (given) => {
      const [reason = null] = takeArguments(given, 'reason');
      await this.#report('immutable', { storageIndex, shareNumber }, reason);
      return null;
    };
    return {
      interfaceName,
      call: (method, given, peer) => {
        if (method === 'read') return asRemote(() => read(given, peer));
        if (method === 'advise_corrupt_share') return asRemote(() => advise(given, peer));
        throw noSuchMethod(method, interfaceName);
      },
    };
  }

  async #readSlot(given: CallArguments, peer: PeerConnection): Promise<Value> {
    const [index = null, numbers = null, vectors = null] = takeArguments(given, 'storage_index', 'shares', 'readv');
    const storageIndex = storageIndexShape(index, 'storage_index');
    const asked = new Set(listOf(shareNumberShape, SHARE_COUNT_MAX)(numbers, 'shares'));
    const reads = readVectorsShape(vectors, 'readv');
    const shares: [number, OpenShare][] = [];
    try {
      for (const shareNumber of await this.#store.listMutable(storageIndex)) {
        if (asked.size > 0 && !asked.has(shareNumber)) continue;
        const share = await this.#store.openMutable(storageIndex, shareNumber);
        if (share !== undefined) shares.push([shareNumber, share]);
      }
    } catch (error) {
      await closeAll(shares);
      throw error;
    }
    const data = await this.#readAndClose(shares, reads, peer);
    return new Dict(shares.map(([shareNumber], i) => [shareNumber, data[i] ?? []]));
  }

  async #readAndClose(
    shares: readonly [number, OpenShare][],
    vectors: readonly ReadVector[],
    peer: PeerConnection,
  ): Promise<Uint8Array[][]> {
    try {
      const reads = shares.map(([, share]) => ({ share, vectors }));
      return await this.#reads.read(reads, peer);
    } finally {
      await closeAll(shares);
    }
  }

  async #writeSlot(given: CallArguments): Promise<Value> {
    const names = ['storage_index', 'secrets', 'tw_vectors', 'r_vector'];
    const [index = null, secrets = null, written = null, read = null] = takeArguments(given, ...names);
    const [writeEnabler = null, renew = null, cancel = null] = tupleOf(3)(secrets, 'secrets');
    const { data, success } = await this.#store.readTestWrite({
      storageIndex: storageIndexShape(index, 'storage_index'),
      writeEnabler: secretShape(writeEnabler, 'the write enabler'),
      renewSecret: secretShape(renew, 'renew_secret'),
      cancelSecret: secretShape(cancel, 'cancel_secret'),
      shares: new Map([...shareVectorsShape(written, 'tw_vectors')].map(([n, vectors]) => [n, withContent(vectors)])),
      reads: readVectorsShape(read, 'r_vector'),
    });
    return new Tuple(success, new Dict([...data]));
  }

  async #adviseCorrupt(given: CallArguments): Promise<null> {
    const names = ['share_type', 'storage_index', 'shnum', 'reason'];
    const [type = null, index = null, number = null, reason = null] = takeArguments(given, ...names);
    const place = {
      storageIndex: storageIndexShape(index, 'storage_index'),
      shareNumber: shareNumberShape(number, 'shnum'),
    };
    const typeName = printable(bytesOf()(type, 'share_type'));
    if (typeName !== 'immutable' && typeName !== 'mutable') throw violation('share_type is none that there is');
    await this.#report(typeName, place, reason);
    return null;
  }

  async #report(
    type: ShareType,
    place: { readonly storageIndex: Uint8Array; readonly shareNumber: number },
    reason: Value,
  ): Promise<void> {
    const text = printable(bytesOf()(reason, 'reason').subarray(0, REASON_SIZE_MAX));
    await this.#store.reportCorruption({ type, ...place, reason: text });
  }
}

function withContent({ newLength, tests, writes }: ShareVectors): ShareVectors<Content> {
  return {
    newLength,
    tests: tests.map((test) => ({ ...test, specimen: contentOf(test.specimen) })),
    writes: writes.map(({ data, offset }) => ({ offset, data: contentOf(data) })),
  };
}

async function closeAll(shares: readonly [number, OpenShare][]): Promise<void> {
  await Promise.all(shares.map(([, share]) => share.close()));
}

const lenient = new TextDecoder();

function printable(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}
