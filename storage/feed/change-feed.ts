/**
 * The change feed of a store: hears of every change, and tells each reader of those at the indexes that it named.
 *
 * Whoever does not know an index learns nothing of it, not even whether it is there: a name that is unknown is
 * listened for like any other. Nothing waits for a reader: one that does not keep up is cut.
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { FeedPosition, ShareChange } from '#wire/change-feed.js';
import type { OpenShare } from '../share-store.js';
import type { StoreEvent, StoreEvents } from '../store-events.js';
import { ChangeRing } from './change-ring.js';
import type { NumberedChange } from './change-ring.js';
import { FEED_QUEUE_COUNT_MAX, FeedStream } from './feed-stream.js';
import { SEQUENCE_HEAD_SIZE, sequenceNumberOf } from './sequence-number.js';

/** Feeds that are open at once. */
export const FEED_COUNT_MAX = 512;

/** What a feed stands on. */
export interface ChangeFeedOptions {
  readonly events: StoreEvents;
  readonly clock: Clock;
  /** Opens a mutable share, to read its sequence number; without it none is told. */
  readonly openMutable?: (storageIndex: Uint8Array, shareNumber: number) => Promise<OpenShare | undefined>;
}

/** The feed. Whoever makes it closes it. */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #ring: ChangeRing;
  readonly #readers = new Map<string, Set<FeedStream>>();
  readonly #streams = new Set<FeedStream>();
  readonly #endListening: () => void;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.#ring = new ChangeRing(options.clock.nowMs());
    this.#endListening = options.events.listen((event) => {
      this.#hear(event);
    });
  }

  /** How many readers there are. */
  get readerCount(): number {
    return this.#streams.size;
  }

  /**
   * Begins to tell a reader.
   * @param storageIndexes - in base32, each once.
   * @param after - the last position that the reader knows.
   * @throws ERR_BUSY when there are too many.
   */
  open(storageIndexes: ReadonlySet<string>, after?: FeedPosition): FeedStream {
    if (this.#streams.size >= FEED_COUNT_MAX)
      throw new TahoeError('ERR_BUSY', { what: 'feeds', limit: FEED_COUNT_MAX });
    const stream = new FeedStream({
      clock: this.#options.clock,
      epoch: this.#ring.epoch,
      complete: (change) => this.#complete(change),
      closed: () => {
        this.#forget(stream, storageIndexes);
      },
    });
    const missed = after === undefined ? [] : this.#missed(storageIndexes, after);
    stream.begin(this.#ring.position, missed === undefined);
    for (const entry of missed ?? []) stream.tell(entry);
    this.#streams.add(stream);
    for (const index of storageIndexes) {
      const readers = this.#readers.get(index) ?? new Set();
      this.#readers.set(index, readers.add(stream));
    }
    return stream;
  }

  /** Ends every feed; readers come back elsewhere or later. */
  close(): void {
    this.#endListening();
    this.endAll();
  }

  /** Ends the feeds that are open now. */
  endAll(): void {
    for (const stream of this.#streams) stream.finish();
  }

  #hear(event: StoreEvent): void {
    if (event.kind === 'leased') return;
    const { kind, shareNumber } = event;
    const entry = this.#ring.add({ kind, shareNumber, storageIndex: formatBase32(event.storageIndex) });
    for (const stream of this.#readers.get(entry.change.storageIndex) ?? []) stream.tell(entry);
  }

  /** What a reader is still to be told; undefined when that is not known, or too much. */
  #missed(storageIndexes: ReadonlySet<string>, after: FeedPosition): NumberedChange[] | undefined {
    const missed = this.#ring.since(after)?.filter(({ change }) => storageIndexes.has(change.storageIndex));
    return missed === undefined || missed.length >= FEED_QUEUE_COUNT_MAX ? undefined : missed;
  }

  #forget(stream: FeedStream, storageIndexes: ReadonlySet<string>): void {
    this.#streams.delete(stream);
    for (const index of storageIndexes) {
      const readers = this.#readers.get(index);
      if (readers?.delete(stream) === true && readers.size === 0) this.#readers.delete(index);
    }
  }

  /** Adds the sequence number, as it is when the change is told: it may be a later one already. */
  async #complete(change: ShareChange): Promise<ShareChange> {
    const { openMutable } = this.#options;
    if (change.kind !== 'written' || openMutable === undefined) return change;
    try {
      const share = await openMutable(parseBase32(change.storageIndex), change.shareNumber);
      if (share === undefined) return change;
      try {
        return { ...change, sequenceNumber: sequenceNumberOf(await share.read(0, SEQUENCE_HEAD_SIZE)) };
      } finally {
        await share.close();
      }
    } catch {
      // Whoever wants to know asks for the share and hears why.
      return change;
    }
  }
}
