/**
 * The introducer over HTTPS, for both of its ends: below its root, with the swissnum of its NURL in `Authorization`.
 *
 *     POST /tallac/v1/announcements           a signed announcement as JSON; answered {"outcome": "new"}
 *     GET  /tallac/v1/announcements           {"announcements": [ … ]}
 *     GET  /tallac/v1/announcements/events    Server-Sent Events: those that are there, then `ready`, then each that comes
 *
 *     event: announcement                     event: ready
 *     data: {"message": …, …}                 data: {}
 *
 * `?service=storage` leaves out all other services.
 * @see docs/introducer.md
 */
import type { OfferOutcome } from './announcement-table.js';
import { formatStreamEvent } from './event-stream.js';
import { ANNOUNCEMENT_TEXT_LENGTH_MAX, dangerouslyFormatAnnouncement } from './signed-announcement.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from './signed-announcement.js';

/** Where announcements are published and read. */
export const ANNOUNCEMENTS_PATH = '/tallac/v1/announcements';
/** Where they are followed. */
export const ANNOUNCEMENT_EVENTS_PATH = `${ANNOUNCEMENTS_PATH}/events`;
/** The parameter that names a service. */
export const SERVICE_PARAMETER = 'service';
/** The media type of announcements. */
export const ANNOUNCEMENT_MEDIA_TYPE = 'application/json';
/** The kinds of events. */
export const ANNOUNCEMENT_EVENT = 'announcement';
/** That all that was there has been told. */
export const READY_EVENT = 'ready';
/** The longest event, in characters. */
export const ANNOUNCEMENT_EVENT_LENGTH_MAX = ANNOUNCEMENT_TEXT_LENGTH_MAX + 256;

const outcomes: readonly OfferOutcome[] = ['new', 'updated', 'duplicate', 'stale', 'full'];

/** One event. Secret, as the announcement is. */
export function dangerouslyFormatAnnouncementEvent(announcement: SignedAnnouncement): string {
  return formatStreamEvent(ANNOUNCEMENT_EVENT, dangerouslyFormatAnnouncement(announcement));
}

/** All of them as one document. Secret, as they are. */
export function dangerouslyFormatAnnouncements(announcements: readonly VerifiedAnnouncement[]): string {
  const texts = announcements.map(({ signed }) => dangerouslyFormatAnnouncement(signed));
  return `{"announcements": [${texts.join(',\n')}]}\n`;
}

/** The answer to a publisher. */
export function formatOutcome(outcome: OfferOutcome): string {
  return JSON.stringify({ outcome });
}

/** What became of an announcement; undefined for what is no such answer. */
export function parseOutcome(text: string): OfferOutcome | undefined {
  return outcomes.find((outcome) => text.trim() === formatOutcome(outcome));
}
