/** The writers that a server has given out for shares, each until its share is done or its connection ends. */
import { toHex } from '#core/bytes.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import { UploadProgress } from './upload-progress.js';

/** Which writer: the upload secret of the allocation that gave it, and its share. */
export interface WriterKey {
  readonly uploadSecret: Uint8Array;
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** A writer and what has been written with it. */
export interface Writer {
  readonly reference: RemoteReference;
  readonly progress: UploadProgress;
  /** Ends the wait for the end of its connection. */
  readonly unwatch: () => void;
}

/** Of one server. */
export class WriterTable {
  readonly #writers = new Map<string, Writer>();

  get size(): number {
    return this.#writers.size;
  }

  /** The server gives an upload up when its connection ends: then the writer is forgotten. */
  add(key: WriterKey, given: { readonly reference: RemoteReference; readonly allocatedSize: number }): void {
    const name = nameOf(key);
    const { allocatedSize, reference } = given;
    const unwatch = reference.notifyOnDisconnect(() => {
      if (this.#writers.get(name)?.reference === reference) this.#writers.delete(name);
    });
    this.#writers.set(name, { reference, progress: new UploadProgress(allocatedSize), unwatch });
  }

  get(key: WriterKey): Writer | undefined {
    return this.#writers.get(nameOf(key));
  }

  /** It is not needed any more. */
  drop(key: WriterKey): void {
    const writer = this.#writers.get(nameOf(key));
    this.#writers.delete(nameOf(key));
    if (writer !== undefined) letGo(writer);
  }

  clear(): void {
    const writers = [...this.#writers.values()];
    this.#writers.clear();
    for (const writer of writers) letGo(writer);
  }
}

function letGo({ reference, unwatch }: Writer): void {
  unwatch();
  reference.release();
}

function nameOf({ shareNumber, storageIndex, uploadSecret }: WriterKey): string {
  return `${toHex(uploadSecret)} ${toHex(storageIndex)} ${String(shareNumber)}`;
}
