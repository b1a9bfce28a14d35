/**
 * The objects of ours that one peer holds: a number for each, and how often it was sent, for the peer tells how many of
 * its references are gone. Number 0 is the connection itself.
 */
import { TahoeError } from '#core/errors.js';
import { EXPORT_COUNT_MAX } from './limits.js';
import type { PeerConnection, RemoteObject } from './tub.js';
import { violation } from './value-builders.js';

interface Exported {
  readonly clid: number;
  readonly object: RemoteObject;
  readonly registered: boolean;
  sentCount: number;
}

/** The table of one connection. */
export class Exports {
  readonly #byNumber = new Map<number, Exported>();
  readonly #byObject = new Map<RemoteObject, Exported>();
  #lastNumber = 0;

  /** Objects that the peer holds now. */
  get size(): number {
    return this.#byNumber.size;
  }

  /**
   * Counts an object as sent once more.
   * @param furl - of what is registered: the first time, the peer is told it.
   * @throws ERR_TOO_MANY.
   */
  send(object: RemoteObject, furl: string | undefined): { clid: number; introduction: readonly string[] } {
    const known = this.#byObject.get(object);
    if (known !== undefined) {
      known.sentCount += 1;
      return { clid: known.clid, introduction: [] };
    }
    if (this.#byNumber.size >= EXPORT_COUNT_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'objects in the hands of one peer', limit: EXPORT_COUNT_MAX });
    }
    this.#lastNumber += 1;
    const entry = { clid: this.#lastNumber, object, registered: furl !== undefined, sentCount: 1 };
    this.#byNumber.set(entry.clid, entry);
    this.#byObject.set(object, entry);
    const introduction = [object.interfaceName, ...(furl === undefined || furl === '' ? [] : [furl])];
    return { clid: entry.clid, introduction };
  }

  /** @throws ERR_VIOLATION when the peer holds no object of that number. */
  object(clid: number): RemoteObject {
    const entry = this.#byNumber.get(clid);
    if (entry === undefined) throw violation('there is no object of that number here');
    return entry.object;
  }

  /** The peer has let go of `count` references. */
  release(clid: number, count: number, peer: PeerConnection): void {
    const entry = this.#byNumber.get(clid);
    if (entry === undefined) return;
    entry.sentCount -= count;
    if (entry.sentCount <= 0) this.#forget(entry, peer);
  }

  /** The connection has ended. */
  releaseAll(peer: PeerConnection): void {
    for (const entry of [...this.#byNumber.values()]) this.#forget(entry, peer);
  }

  #forget(entry: Exported, peer: PeerConnection): void {
    this.#byNumber.delete(entry.clid);
    this.#byObject.delete(entry.object);
    if (!entry.registered) entry.object.released?.(peer);
  }
}
