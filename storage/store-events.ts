/**
 * What happens in a share store, told to whoever listens: the index that keeps count, the feed of changes, metrics.
 *
 * An event is told after the change is on disk and before it is acknowledged, and telling it neither waits nor
 * fails: a listener queues what takes time.
 */

/** A share, by where it is filed. */
export interface SharePlace {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** One change of one share. */
export type StoreEvent = SharePlace &
  (
    | { readonly kind: 'added'; readonly type: 'immutable' | 'mutable' }
    /** A mutable share has other data now. */
    | { readonly kind: 'written' }
    | { readonly kind: 'leased' }
    | { readonly kind: 'removed' }
    /** Its container makes no sense, its checksum is wrong, or a client said so. */
    | { readonly kind: 'damaged'; readonly reason: string }
  );

/** Hears of every change. */
export type StoreListener = (event: StoreEvent) => void;

/** Tells each event to all listeners, in the order they were added. */
export class StoreEvents {
  readonly #listeners = new Set<StoreListener>();

  /** @returns what ends the listening. */
  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Never throws, as long as the listeners keep to their word. */
  tell(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
