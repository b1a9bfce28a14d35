/**
 * What was announced, one announcement for each service of each key: the rule by which a new one takes the place of the
 * old, within bounds. Nothing is ever forgotten, since a number that was forgotten could be replayed; so a full table
 * takes news of those that it knows, and nobody new.
 * @see Tahoe-LAFS src/allmydata/introducer/client.py, `_process_announcement` (the rule)
 */
import { equalBytes } from '#core/bytes.js';
import type { VerifiedAnnouncement } from './signed-announcement.js';

/** How much one table holds. */
export interface TableLimits {
  readonly count: number;
  /** Of all messages together. */
  readonly bytes: number;
}

/** What a table holds unless told otherwise. */
export const announcementTableLimits: TableLimits = { count: 4096, bytes: 16 << 20 };

/** `new`, `updated`: taken. `duplicate`: it is the one that is there. `stale`: it is older than that, or as old. `full`. */
export type OfferOutcome = 'new' | 'updated' | 'duplicate' | 'stale' | 'full';

/** The table. */
export class AnnouncementTable {
  readonly limits: TableLimits;
  readonly #entries = new Map<string, VerifiedAnnouncement>();
  #bytes = 0;

  constructor(limits: Partial<TableLimits> = {}) {
    this.limits = { ...announcementTableLimits, ...limits };
  }

  get size(): number {
    return this.#entries.size;
  }

  /** In the order in which their keys came first. */
  entries(): readonly VerifiedAnnouncement[] {
    return [...this.#entries.values()];
  }

  /** What `offer` would say. */
  judge(offered: VerifiedAnnouncement): OfferOutcome {
    const known = this.#entries.get(indexOf(offered));
    const bytes = this.#bytes + offered.signed.message.length - (known?.signed.message.length ?? 0);
    if (known !== undefined) {
      // Ed25519 signatures can be made to differ for one message: the message decides.
      if (equalBytes(known.signed.message, offered.signed.message)) return 'duplicate';
      if (!goesBefore(offered, known)) return 'stale';
    }
    if (bytes > this.limits.bytes || (known === undefined && this.#entries.size >= this.limits.count)) return 'full';
    return known === undefined ? 'new' : 'updated';
  }

  /** Takes it, if it goes before what is there. */
  offer(offered: VerifiedAnnouncement): OfferOutcome {
    const outcome = this.judge(offered);
    if (outcome !== 'new' && outcome !== 'updated') return outcome;
    const index = indexOf(offered);
    this.#bytes += offered.signed.message.length - (this.#entries.get(index)?.signed.message.length ?? 0);
    this.#entries.set(index, offered);
    return outcome;
  }
}

function indexOf({ serviceName, serverId }: VerifiedAnnouncement): string {
  return `${serverId} ${serviceName}`;
}

function goesBefore(offered: VerifiedAnnouncement, known: VerifiedAnnouncement): boolean {
  if (offered.sequenceNumber === undefined) return false;
  return known.sequenceNumber === undefined || offered.sequenceNumber > known.sequenceNumber;
}
