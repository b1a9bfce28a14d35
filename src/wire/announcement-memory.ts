/**
 * Accepting announcements: verified, compared with what is known, kept, and only then told. So whoever was told of a
 * number, and whoever was told that it is accepted, can rely on it after a crash: nothing older is accepted again.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { AnnouncementTable, OfferOutcome } from './announcement-table.js';
import { verifyAnnouncement } from './signed-announcement.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from './signed-announcement.js';

/** Where announcements outlive the process. */
export interface AnnouncementRecord {
  /** Those that were kept, in any order; nothing of them was verified. */
  readonly kept: readonly SignedAnnouncement[];
  /** Keeps one durably. @throws when it cannot be. */
  keep(announcement: SignedAnnouncement): Promise<void>;
}

/** What a memory is made of. */
export interface AnnouncementMemoryOptions {
  readonly crypto: Pick<CryptoProvider, 'ed25519Verify'>;
  readonly table: AnnouncementTable;
  readonly record: AnnouncementRecord;
}

/** The announcements of one place where they are announced. */
export class AnnouncementMemory {
  readonly #options: AnnouncementMemoryOptions;
  readonly #listeners = new Set<(news: VerifiedAnnouncement) => void>();
  /** How many of those that were kept are no announcements any more: damaged, or not what was written. */
  readonly damagedCount: number;

  constructor(options: AnnouncementMemoryOptions) {
    this.#options = options;
    this.damagedCount = options.record.kept.filter((signed) => !this.#load(signed)).length;
  }

  /** What is known. */
  entries(): readonly VerifiedAnnouncement[] {
    return this.#options.table.entries();
  }

  /** Hears what is taken from now on. Must not throw. @returns what ends it. */
  listen(listener: (news: VerifiedAnnouncement) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Takes an announcement, if it is a right one and new. It is durable when this resolves.
   * @throws ERR_ANNOUNCEMENT when it is none; what the record throws.
   */
  async offer(signed: SignedAnnouncement): Promise<OfferOutcome> {
    const { crypto, record, table } = this.#options;
    const verified = verifyAnnouncement(signed, crypto);
    const judged = table.judge(verified);
    if (judged !== 'new' && judged !== 'updated') return judged;
    await record.keep(signed);
    // Another one may have been taken meanwhile.
    const outcome = table.offer(verified);
    if (outcome === 'new' || outcome === 'updated') for (const listener of [...this.#listeners]) listener(verified);
    return outcome;
  }

  #load(signed: SignedAnnouncement): boolean {
    try {
      this.#options.table.offer(verifyAnnouncement(signed, this.#options.crypto));
      return true;
    } catch {
      return false;
    }
  }
}
