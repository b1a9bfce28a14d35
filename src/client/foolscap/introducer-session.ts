/**
 * A node's link to one introducer over Foolscap: for introducers that speak nothing else.
 * @see Tahoe-LAFS src/allmydata/introducer/client.py
 */
import { utf8 } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import { announcementTableLimits } from '#wire/announcement-table.js';
import {
  formatAnnouncementTuple,
  formatSubscriberInfo,
  INTRODUCER_PROTOCOL,
  introducerInterfaces,
  parseAnnouncementTuple,
} from '#wire/foolscap/introducer.js';
import { anyShape, setOf, takeArguments } from '#wire/foolscap/shapes.js';
import type { CallArguments, RemoteObject, RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { Dict } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { violation } from '#wire/foolscap/value-builders.js';
import { STORAGE_SERVICE } from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { hearAll } from '../introducer-link.js';
import type { IntroducerSession } from '../introducer-link.js';
import { connectionEnd } from './connection-end.js';

/** What a session is made of. */
export interface FoolscapIntroducerOptions {
  /** For people, such as `introducer default`. */
  readonly name: string;
  /** Secret. */
  readonly furl: string;
  readonly tub: Pick<Tub, 'connect'>;
  readonly nickname: string;
  readonly applicationVersion: string;
  readonly log: Log;
}

/** One introducer's Foolscap end, as a link uses it. */
export class FoolscapIntroducer implements IntroducerSession {
  readonly #options: FoolscapIntroducerOptions;

  constructor(options: FoolscapIntroducerOptions) {
    this.#options = options;
  }

  async publish(announcement: SignedAnnouncement, signal: AbortSignal): Promise<void> {
    const introducer = await this.#connect(signal);
    const canary: RemoteObject = { interfaceName: '', call: () => Promise.reject(violation('a canary only lives')) };
    await introducer.call('publish_v2', [formatAnnouncementTuple(announcement), canary], undefined, { signal });
  }

  async follow(memory: AnnouncementMemory, heard: (isAll: boolean) => void, signal: AbortSignal): Promise<void> {
    const { applicationVersion, nickname } = this.#options;
    const introducer = await this.#connect(signal);
    const subscriber = new Subscriber(memory, heard, this.#options);
    const info = formatSubscriberInfo(nickname, applicationVersion);
    await introducer.call('subscribe_v2', [subscriber, utf8(STORAGE_SERVICE), info], undefined, { signal });
    // An introducer that knows nobody says nothing.
    heard(true);
    await connectionEnd(introducer, signal);
  }

  /** The connection is the tub's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #connect(signal: AbortSignal): Promise<RemoteReference> {
    const { furl, name, tub } = this.#options;
    const introducer = await tub.connect(furl, { signal });
    const version = await introducer.call('get_version', [], undefined, { signal });
    if (version instanceof Dict && version.get(INTRODUCER_PROTOCOL) !== undefined) return introducer;
    const reason =
      'it does not speak version 2 of the introducer protocol; its operator can put a newer one in its place';
    throw new TahoeError('ERR_SERVER_REPLY', { server: name, what: 'asking for its version', reason });
  }
}

/** Hears announcements. */
class Subscriber implements RemoteObject {
  readonly interfaceName = introducerInterfaces.subscriber;
  readonly #memory: AnnouncementMemory;
  readonly #heard: (isAll: boolean) => void;
  readonly #options: FoolscapIntroducerOptions;

  constructor(memory: AnnouncementMemory, heard: (isAll: boolean) => void, options: FoolscapIntroducerOptions) {
    this.#memory = memory;
    this.#heard = heard;
    this.#options = options;
  }

  async call(method: string, given: CallArguments): Promise<Value> {
    if (method !== 'announce_v2') throw violation(`there is no method ${method.slice(0, 64)}`);
    const [announcements = null] = takeArguments(given, 'announcements');
    const values = setOf(anyShape, announcementTableLimits.count)(announcements, 'the announcements');
    if (
      await hearAll(
        values.flatMap((value) => this.#read(value)),
        this.#memory,
        this.#options,
      )
    )
      this.#heard(false);
    return null;
  }

  /** One that is none keeps no other out. */
  #read(value: Value): SignedAnnouncement[] {
    try {
      return [parseAnnouncementTuple(value)];
    } catch (error) {
      this.#options.log.warn('announcement refused', { introducer: this.#options.name, reason: reasonOf(error) });
      return [];
    }
  }
}
