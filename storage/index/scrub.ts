/**
 * The scrub: reads every share there is, at leisure, and finds those whose data are no longer what they were. It
 * needs no capability, only the checksums that the index keeps.
 *
 * A pass goes through the index in the order of its keys, one read at a time. Where it is stands on the disk, so
 * that a node that is started anew goes on from there. A share that is found damaged is read a second time before
 * anybody is told, and told of once.
 *
 *     tallac/scrub-state.json   {"after": key in hex, "" before the first and behind the last; "startedMs", figures}
 */
import { toHex } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import type { SharePlace } from '../store-events.js';
import { indexedPages } from './indexed-pages.js';
import type { OwnFiles } from './own-files.js';
import { paceOf } from './pace.js';
import { judge } from './scrub-verdict.js';
import type { Verdict } from './scrub-verdict.js';
import { noFigures, parseScrubState } from './scrub-state.js';
import type { ScrubFigures, ScrubState } from './scrub-state.js';
import type { IndexedShare, ShareIndex } from './share-index.js';
import type { Pace, ShareInventory } from './share-inventory.js';
import { shareKey } from './share-record.js';

/** The file that tells how far a pass has come. */
export const SCRUB_STATE_FILE = 'scrub-state.json';
/** How long after the beginning of one pass the next one begins. */
export const PASS_INTERVAL_MS = 7 * 24 * 3_600_000;

/** How much is read at most before it is written down how far the pass has come, in bytes and shares. */
const SAVE_BYTES = 268_435_456;
const SAVE_SHARES = 1024;

/** Tells whoever keeps the shares: the event, the advisory and the quarantine are theirs. */
export type DamageHook = (place: SharePlace, reason: string) => Promise<void>;

/** What a scrub works on. */
export interface ScrubOptions {
  readonly index: ShareIndex;
  readonly inventory: ShareInventory;
  readonly files: OwnFiles;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** Infinity for as fast as it goes. */
  readonly bytesPerSecond: number;
  readonly onDamage: DamageHook;
}

/** The scrub of one store. One pass runs at a time. */
export class Scrub {
  readonly #options: ScrubOptions;
  #state: ScrubState = { after: '', startedMs: 0, figures: noFigures };
  #savedBytes = 0;
  #savedShares = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
  }

  /** What the pass under way, or else the last one, has found. */
  get figures(): ScrubFigures {
    return this.#state.figures;
  }

  /** Begins a pass, or goes on with one, unless the last began less than PASS_INTERVAL_MS ago. @see pass */
  async passWhenDue(signal: AbortSignal): Promise<boolean> {
    const { files, clock } = this.#options;
    this.#state = parseScrubState(await files.read(SCRUB_STATE_FILE)) ?? this.#state;
    const elapsedMs = clock.nowMs() - this.#state.startedMs;
    const isDue = this.#state.after !== '' || elapsedMs >= PASS_INTERVAL_MS || elapsedMs < 0;
    return isDue ? this.pass(signal) : false;
  }

  /**
   * Goes through all shares, from where the last pass was broken off.
   * @returns whether it came to the end: not if `signal` was aborted or the index is in doubt.
   * @throws ERR_DISK, ERR_NO_SPACE when it cannot be written down how far it came.
   */
  async pass(signal: AbortSignal): Promise<boolean> {
    const { index, files, clock, bytesPerSecond, log } = this.#options;
    if (!(await index.settle())) return false;
    this.#state = parseScrubState(await files.read(SCRUB_STATE_FILE)) ?? this.#state;
    const { after } = this.#state;
    if (after === '') this.#state = { after, startedMs: clock.nowMs(), figures: noFigures };
    const pace = paceOf(clock, bytesPerSecond, 'the scrub', signal);
    try {
      for await (const shares of indexedPages(index, after === '' ? undefined : Buffer.from(after, 'hex'))) {
        for (const share of shares) await this.#visit(share, pace, signal);
      }
    } catch (error) {
      if (!isTahoeError(error, 'ERR_INDEX', 'ERR_CANCELLED')) throw error;
      log.debug('storage.scrub-interrupted', { reason: reasonOf(error) });
      await this.#save();
      return false;
    }
    this.#state = { ...this.#state, after: '' };
    await this.#save();
    log.info('storage.scrub-finished', { ...this.#state.figures });
    return true;
  }

  async #visit(share: IndexedShare, pace: Pace, signal: AbortSignal): Promise<void> {
    // Not only where data are read: a store may hold nothing but empty shares.
    if (signal.aborted) await pace(0);
    const verdict = await this.#check(share, pace);
    this.#count(share, verdict);
    this.#state = { ...this.#state, after: toHex(shareKey(share.place)) };
    this.#savedBytes += share.record.dataSize;
    this.#savedShares += 1;
    if (this.#savedBytes >= SAVE_BYTES || this.#savedShares >= SAVE_SHARES) await this.#save();
  }

  /** @returns undefined where the share could not be read for reasons of the moment. */
  async #check(share: IndexedShare, pace: Pace): Promise<Verdict | undefined> {
    const { place } = share;
    const { index, log } = this.#options;
    try {
      const verdict = await this.#read(share, pace);
      if (verdict.kind !== 'damaged') return verdict;
      // A write that the index has not heard of yet looks the same: what it says now counts.
      await index.settle();
      const record = await index.record(place);
      if (record === undefined) return { kind: 'absent' };
      const again = await this.#read({ place, record }, pace);
      if (again.kind === 'damaged') await this.#report({ place, record }, again.reason);
      return again;
    } catch (error) {
      if (!isTahoeError(error, 'ERR_DISK')) throw error;
      log.warn('storage.scrub-unread', { reason: reasonOf(error) });
      return undefined;
    }
  }

  /** Reads the share and amends its record. */
  async #read(share: IndexedShare, pace: Pace): Promise<Verdict> {
    const { index, inventory, crypto, clock } = this.#options;
    const { place, record } = share;
    const verdict = judge(record, await inventory.digest(place, crypto, pace));
    const lastScrubbedMs = clock.nowMs();
    switch (verdict.kind) {
      case 'sound':
        await index.amend(share, (before) => ({ ...before, lastScrubbedMs, isRotten: false }));
        break;
      case 'new':
        await index.amend(share, (before) => ({ ...before, lastScrubbedMs, checksum: verdict.checksum }));
        break;
      case 'changed':
      case 'absent':
        index.note({ ...place, kind: 'written' });
        break;
      case 'damaged':
        break;
    }
    return verdict;
  }

  async #report(share: IndexedShare, reason: string): Promise<void> {
    const { index, onDamage, clock } = this.#options;
    const lastScrubbedMs = clock.nowMs();
    if (!share.record.isRotten) await onDamage(share.place, reason);
    await index.amend(share, (before) => ({ ...before, lastScrubbedMs, isRotten: true }));
  }

  #count({ record }: IndexedShare, verdict: Verdict | undefined): void {
    const { figures } = this.#state;
    const one = (...kinds: readonly (Verdict['kind'] | undefined)[]): number => (kinds.includes(verdict?.kind) ? 1 : 0);
    this.#state = {
      ...this.#state,
      figures: {
        shareCount: figures.shareCount + 1,
        bytes: figures.bytes + record.dataSize,
        newCount: figures.newCount + one('new'),
        damagedCount: figures.damagedCount + one('damaged'),
        unreadCount: figures.unreadCount + one('changed', 'absent', undefined),
      },
    };
  }

  async #save(): Promise<void> {
    this.#savedBytes = 0;
    this.#savedShares = 0;
    await this.#options.files.write(SCRUB_STATE_FILE, this.#state);
  }
}
