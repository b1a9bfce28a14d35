/**
 * RIBucketWriter: one share on its way, for a peer that writes it over Foolscap.
 *
 * The reference lets a share be closed while parts of it were never written, and old releases do so: they leave out a
 * hash tree that nobody reads. Such holes are filled with zeros, as in the reference. The share is safe when `close` is answered.
 */
import { TahoeError } from '#core/errors.js';
import { storageInterfaces, offsetShape } from '#wire/foolscap/storage.js';
import { bytesOf, takeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, PeerConnection, RemoteObject } from '#wire/foolscap/tub.js';
import type { Value } from '#wire/foolscap/values.js';
import type { ByteRange } from '#wire/storage.js';
import { GAP_SIZE_MAX } from '../share-store.js';
import type { UploadHandle } from '../share-store.js';
import { asRemote, noSuchMethod } from './storage-failures.js';

/** As much is written of a hole at a time, in bytes. */
const ZEROS_SIZE = 256 * 1024;

/** Called by one peer. */
export class BucketWriter implements RemoteObject {
  readonly interfaceName = storageInterfaces.writer;
  readonly #upload: UploadHandle;
  /** Writes under way; what closes the share waits for them. */
  #writes: Promise<unknown> = Promise.resolve();
  #state: 'open' | 'complete' | 'over' = 'open';

  #unwatch: () => void = () => undefined;

  /** @param peer - on whose end an incomplete share is given up. */
  constructor(upload: UploadHandle, peer: PeerConnection) {
    this.#upload = upload;
    if (upload.allocatedSize === 0) this.#state = 'complete';
    else this.#unwatch = peer.notifyOnDisconnect(() => void this.#giveUp());
  }

  call(method: string, given: CallArguments): Promise<Value> {
    if (method === 'write') return asRemote(() => this.#write(given));
    if (method === 'close') return asRemote(() => this.#close(given));
    if (method === 'abort') return asRemote(() => this.#abort(given));
    throw noSuchMethod(method, this.interfaceName);
  }

  /** What is not complete is no more. Never throws. */
  async #giveUp(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#end('over');
    await this.#upload.abort().catch(() => undefined);
  }

  async #write(given: CallArguments): Promise<null> {
    const [offset = null, data = null] = takeArguments(given, 'offset', 'data');
    const begin = offsetShape(offset, 'offset');
    const bytes = bytesOf()(data, 'data');
    if (bytes.length > 0) await this.#inOrder(() => this.#put({ begin, end: begin + bytes.length }, bytes));
    return null;
  }

  async #close(given: CallArguments): Promise<null> {
    takeArguments(given);
    await this.#inOrder(async () => {
      const holes = this.#state === 'open' ? this.#upload.required : [];
      const size = holes.reduce((sum, { begin, end }) => sum + end - begin, 0);
      if (size > GAP_SIZE_MAX) {
        await this.#giveUp();
        throw new TahoeError('ERR_TOO_LARGE', { what: 'part that was not written', limitBytes: GAP_SIZE_MAX });
      }
      for (const hole of [...holes]) await this.#put(hole, undefined);
    });
    return null;
  }

  async #abort(given: CallArguments): Promise<null> {
    takeArguments(given);
    await this.#giveUp();
    return null;
  }

  /** One after the other, in the order of the calls. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const next = this.#writes.then(work);
    this.#writes = next.catch(() => undefined);
    return next;
  }

  async #put(range: ByteRange, bytes: Uint8Array | undefined): Promise<void> {
    if (this.#state === 'over') throw new TahoeError('ERR_NO_SUCH_UPLOAD', {});
    const { complete } = await this.#upload.write(range, bytes === undefined ? zeros(range) : pieces(bytes));
    if (complete) this.#end('complete');
  }

  #end(state: 'complete' | 'over'): void {
    this.#state = state;
    this.#unwatch();
  }
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

async function* zeros({ begin, end }: ByteRange): AsyncGenerator<Uint8Array> {
  for (let left = end - begin; left > 0; left -= ZEROS_SIZE) {
    yield await Promise.resolve(new Uint8Array(Math.min(left, ZEROS_SIZE)));
  }
}
