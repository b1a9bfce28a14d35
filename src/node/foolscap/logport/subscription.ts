/**
 * One who is told of what is logged, over Foolscap: a few calls at a time, the next when one is answered. Nothing is queued for
 * it here: what there is to tell lies with its feed. It ends by its own wish, with its connection, or with the first call that
 * fails.
 */
import { logInterfaces } from '#wire/foolscap/logport.js';
import type { RemoteObject, RemoteReference } from '#wire/foolscap/tub.js';
import { violation } from '#wire/foolscap/value-builders.js';
import type { Value } from '#wire/foolscap/values.js';

/** How long an observer may take to answer. */
export const OBSERVER_TIMEOUT_MS = 60_000;

/** What there is to tell one observer. */
export interface Feed {
  /** Calls that may wait for their answers. */
  readonly inFlightMax: number;
  /** Tells the next, if there is one. */
  tellNext(observer: RemoteReference): Promise<unknown> | undefined;
  /** Calls `told` whenever there may be more to tell. @returns what ends it. */
  watch(told: () => void): () => void;
}

/** What the peer holds of it. It goes on when the peer lets go of that, as the reference's does. */
export class Subscription implements RemoteObject {
  readonly interfaceName = logInterfaces.subscription;
  readonly observer: RemoteReference;
  readonly #feed: Feed;
  readonly #ended: (reason: unknown) => void;
  #unwatch: () => void = () => undefined;
  #inFlightCount = 0;
  #isWoken = false;
  #isOver = false;

  /** @param ended - is told once, with the reason where it was a failure. */
  constructor(observer: RemoteReference, feed: Feed, ended: (reason: unknown) => void) {
    this.observer = observer;
    this.#feed = feed;
    this.#ended = ended;
  }

  /** Begins to tell, in a later turn: whoever subscribed is answered first. */
  start(): void {
    const takeBack = this.observer.notifyOnDisconnect(() => this.end());
    const unwatch = this.#feed.watch(() => this.#wake());
    this.#unwatch = () => {
      takeBack();
      unwatch();
    };
    if (this.#isOver) this.#unwatch();
    else this.#wake();
  }

  call(method: string): Promise<Value> {
    if (method !== 'unsubscribe') throw violation(`there is no method ${method.slice(0, 64)}`);
    this.end();
    return Promise.resolve(null);
  }

  /** Tells no more. Idempotent. */
  end(reason?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unwatch();
    this.#ended(reason);
  }

  /** Never at once: what is logged may be logged in the midst of anything. */
  #wake(): void {
    if (this.#isWoken || this.#isOver) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      this.#tell();
    });
  }

  #tell(): void {
    while (!this.#isOver && this.#inFlightCount < this.#feed.inFlightMax) {
      const telling = this.#feed.tellNext(this.observer);
      if (telling === undefined) return;
      this.#inFlightCount += 1;
      telling.then(
        () => {
          this.#inFlightCount -= 1;
          this.#wake();
        },
        (error: unknown) => this.end(error),
      );
    }
  }
}
