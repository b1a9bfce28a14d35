/**
 * The introducer as an object that Foolscap peers call: nothing else in the introducer knows of it.
 *
 * A subscriber is told at once of all there are, and then of each that comes. What waits for a slow one is the newest
 * announcement of each key, sent together when the call before has ended.
 * @see Tahoe-LAFS src/allmydata/introducer/server.py
 */
import { fromUtf8 } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import {
  formatAnnouncementTuple,
  formatIntroducerVersion,
  infoText,
  introducerInterfaces,
  parseAnnouncementTuple,
} from '#wire/foolscap/introducer.js';
import { anyShape, referenceTo, takeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, PeerConnection, RemoteObject, RemoteReference } from '#wire/foolscap/tub.js';
import { Dict, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { violation } from '#wire/foolscap/value-builders.js';
import { announcementTableLimits } from '#wire/announcement-table.js';
import { SERVICE_NAME_LENGTH_MAX } from '#wire/signed-announcement.js';
import type { VerifiedAnnouncement } from '#wire/signed-announcement.js';
import type { Introducer } from '../introducer.js';

/** How many announcements go with one call, so that each fits a peer's limits. */
const ANNOUNCEMENTS_A_CALL = 100;

/** What the object stands on. */
export interface IntroducerObjectOptions {
  readonly introducer: Introducer;
  readonly applicationVersion: string;
  readonly log: Log;
}

/** The introducer, for any number of peers. */
export class IntroducerObject implements RemoteObject {
  readonly interfaceName = introducerInterfaces.introducer;
  readonly #options: IntroducerObjectOptions;
  /** What each connection has subscribed to: again is once. */
  readonly #subscribed = new WeakMap<PeerConnection, Set<string>>();

  constructor(options: IntroducerObjectOptions) {
    this.#options = options;
  }

  call(method: string, given: CallArguments, peer: PeerConnection): Promise<Value> {
    if (method === 'get_version') return Promise.resolve(formatIntroducerVersion(this.#options.applicationVersion));
    if (method === 'publish_v2') return this.#publish(given);
    if (method === 'subscribe_v2') return Promise.resolve(this.#subscribe(given, peer));
    throw violation(`there is no method ${method.slice(0, 64)}`);
  }

  async #publish(given: CallArguments): Promise<null> {
    const [announcement = null] = takeArguments(given, 'announcement', 'canary');
    const outcome = await this.#options.introducer.publish(parseAnnouncementTuple(announcement), 'foolscap');
    // What is old is ignored, as the reference does; what there is no room for is said.
    if (outcome === 'full')
      throw new TahoeError('ERR_BUSY', { what: 'places for announcements', limit: announcementTableLimits.count });
    return null;
  }

  #subscribe(given: CallArguments, peer: PeerConnection): null {
    const [first = null, name = null, info = null] = takeArguments(
      given,
      'subscriber',
      'service_name',
      'subscriber_info',
    );
    const subscriber = referenceTo()(first, 'the subscriber');
    const serviceName = serviceNameOf(name);
    if (!(info instanceof Dict)) throw violation('the subscriber_info is not a dict');
    anyShape(info, 'the subscriber_info');
    const subscribed = this.#subscribed.get(peer) ?? new Set();
    if (subscribed.has(serviceName)) return null;
    this.#subscribed.set(peer, subscribed.add(serviceName));
    const { introducer, log } = this.#options;
    const outbox = new Outbox(subscriber, log, introducer.announcements(serviceName));
    const unsubscribe = introducer.subscribe({
      serviceName,
      dialect: 'foolscap',
      nickname: infoText(info, 'nickname'),
      version: infoText(info, 'my-version'),
      address: peer.remoteAddress ?? '',
      tell: (news) => {
        outbox.add(news);
      },
    });
    peer.notifyOnDisconnect(unsubscribe);
    outbox.send();
    return null;
  }
}

function serviceNameOf(value: Value): string {
  if (!(value instanceof Uint8Array) || value.length > SERVICE_NAME_LENGTH_MAX) {
    throw violation('the service_name is not a byte string of at most 64 bytes');
  }
  try {
    return fromUtf8(value);
  } catch {
    throw violation('the service_name is not UTF-8');
  }
}

/** What waits for one subscriber, one call at a time. */
class Outbox {
  readonly #subscriber: RemoteReference;
  readonly #log: Log;
  readonly #waiting: Map<string, VerifiedAnnouncement>;
  #isSending = false;

  constructor(subscriber: RemoteReference, log: Log, first: readonly VerifiedAnnouncement[]) {
    this.#subscriber = subscriber;
    this.#log = log;
    this.#waiting = new Map(first.map((one) => [one.serverId, one]));
  }

  add(news: VerifiedAnnouncement): void {
    this.#waiting.set(news.serverId, news);
    this.send();
  }

  /** Begins to send, unless that is under way. */
  send(): void {
    if (!this.#isSending) void this.#sendAll();
  }

  /** Never throws. Nothing may come between the last look at what waits and the word that nobody sends any more. */
  async #sendAll(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#waiting.size > 0 && this.#subscriber.connected) await this.#sendSome();
    } catch (error) {
      this.#log.info('subscriber not told', { reason: reasonOf(error) });
      this.#waiting.clear();
    } finally {
      this.#isSending = false;
    }
  }

  async #sendSome(): Promise<void> {
    const batch = [...this.#waiting].slice(0, ANNOUNCEMENTS_A_CALL);
    for (const [index] of batch) this.#waiting.delete(index);
    const tuples = batch.map(([, { signed }]) => formatAnnouncementTuple(signed));
    await this.#subscriber.call('announce_v2', [new ValueSet(tuples)]);
  }
}
