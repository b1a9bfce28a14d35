/**
 * The introducer's remote interfaces, version 2, for both of their ends: announcements as Foolscap values.
 *
 *     publish_v2(announcement, canary)                             announcement: (message, signature, key), byte strings
 *     subscribe_v2(subscriber, service_name, subscriber_info)      subscriber: an object with announce_v2(set of announcements)
 *
 * @see Tahoe-LAFS src/allmydata/introducer/interfaces.py
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { SignedAnnouncement } from '../signed-announcement.js';
import { Dict, Tuple } from './values.js';
import type { Value } from './values.js';

/** The names of the interfaces on the wire. */
export const introducerInterfaces = {
  introducer: 'RIIntroducerPublisherAndSubscriberService_v2.tahoe.allmydata.com',
  subscriber: 'RIIntroducerSubscriberClient_v2.tahoe.allmydata.com',
} as const;

/** What an introducer must say that it speaks. */
export const INTRODUCER_PROTOCOL = 'http://allmydata.org/tahoe/protocols/introducer/v2';

/** The tuple of an announcement. */
export function formatAnnouncementTuple({ key, message, signature }: SignedAnnouncement): Tuple {
  return new Tuple(message, utf8(signature), utf8(key));
}

/** The announcement of a tuple. @throws ERR_ANNOUNCEMENT when it is none. */
export function parseAnnouncementTuple(value: Value): SignedAnnouncement {
  const [message, signature, key, ...more] = value instanceof Tuple ? value.items : [];
  if (!(message instanceof Uint8Array) || more.length > 0) {
    throw new TahoeError('ERR_ANNOUNCEMENT', { reason: 'a tuple of message, signature and key is expected' });
  }
  return { message, signature: asciiOf(signature), key: asciiOf(key) };
}

/** What an introducer says of itself. */
export function formatIntroducerVersion(applicationVersion: string): Dict {
  return new Dict([
    [utf8(INTRODUCER_PROTOCOL), new Dict([])],
    [utf8('application-version'), utf8(applicationVersion)],
  ]);
}

/** What a subscriber says of itself. */
export function formatSubscriberInfo(nickname: string, applicationVersion: string): Dict {
  return new Dict([
    [utf8('version'), 0],
    [utf8('nickname'), nickname],
    [utf8('app-versions'), []],
    [utf8('my-version'), applicationVersion],
    [utf8('oldest-supported'), '1.0.0'],
  ]);
}

/** A text of a dict, be it bytes or text there; empty where there is none, cut where it is long. */
export function infoText(info: Dict, name: string): string {
  const value = info.get(name);
  const text = value instanceof Uint8Array ? asciiOf(value) : value;
  return typeof text === 'string' ? text.slice(0, 128) : '';
}

/** Empty for what is no text. */
function asciiOf(value: Value | undefined): string {
  if (!(value instanceof Uint8Array) || value.length > 256) return '';
  try {
    return fromUtf8(value);
  } catch {
    return '';
  }
}
