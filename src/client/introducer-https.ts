/**
 * A node's link to one introducer over HTTPS, pinned to the key that its NURL names: announces what the node has to
 * announce and hears what others do, and comes back when the connection ends.
 */
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { fromUtf8, utf8 } from '#core/bytes.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import { EVENT_STREAM_MEDIA_TYPE, EventStreamReader, STREAM_SILENCE_MS } from '#wire/event-stream.js';
import {
  ANNOUNCEMENT_EVENT,
  ANNOUNCEMENT_EVENT_LENGTH_MAX,
  ANNOUNCEMENT_EVENTS_PATH,
  ANNOUNCEMENT_MEDIA_TYPE,
  ANNOUNCEMENTS_PATH,
  parseOutcome,
  READY_EVENT,
  SERVICE_PARAMETER,
} from '#wire/introducer.js';
import type { Nurl } from '#wire/nurl.js';
import { dangerouslyFormatAnnouncement, parseSignedAnnouncement, STORAGE_SERVICE } from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import type { Dialler } from './dialler.js';
import { openStream, readWhole } from './http-stream.js';
import type { StreamReply } from './http-stream.js';
import { hearAll } from './introducer-link.js';
import type { IntroducerSession } from './introducer-link.js';
import { PinnedConnector } from './pinned-connector.js';
import { Pool } from './undici.js';

/** TCP and TLS of one connection, and any silence before an answer, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_SILENCE_MS = 30_000;
const ANSWER_SIZE_MAX = 4096;

/** What a link is made of. */
export interface HttpsIntroducerOptions {
  /** For people, such as `introducer default`. */
  readonly name: string;
  readonly nurl: Nurl;
  /** Such as `tallac/0.1.0`: told to the introducer. */
  readonly applicationVersion: string;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly random: Random;
  readonly log: Log;
}

/** One introducer's HTTPS end, as a link uses it. */
export class HttpsIntroducer implements IntroducerSession {
  readonly #options: HttpsIntroducerOptions;
  readonly #connector: PinnedConnector;
  readonly #pool: Pool;
  readonly #origin: string;

  constructor(options: HttpsIntroducerOptions) {
    const { clock, dialler, name, nurl } = options;
    const connectTimeoutMs = CONNECT_TIMEOUT_MS;
    this.#options = options;
    this.#origin = `https://${nurl.authority}`;
    this.#connector = new PinnedConnector({ nurl, shortName: name, clock, dialler, connectTimeoutMs });
    const { connect } = this.#connector;
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    this.#pool = new Pool(this.#origin, { connect, connections: 2, pipelining: 1, allowH2: false, ...timeouts });
  }

  async publish(announcement: SignedAnnouncement, signal: AbortSignal): Promise<void> {
    const body = utf8(dangerouslyFormatAnnouncement(announcement));
    const headers = { 'content-type': ANNOUNCEMENT_MEDIA_TYPE };
    const request = { what: 'announcing', method: 'POST', path: ANNOUNCEMENTS_PATH, body } as const;
    await this.#open({ ...request, headers, silenceMs: ANSWER_SILENCE_MS, signal }, async (reply) => {
      const text = fromUtf8(await readWhole(reply.body, 'answer of the introducer', ANSWER_SIZE_MAX));
      const outcome = parseOutcome(text);
      if (outcome !== undefined && outcome !== 'stale' && outcome !== 'full') return;
      if (outcome === undefined) throw this.#unusable(request.what, `its status is ${String(reply.status)}`);
      const full = 'it holds as many announcements as it can';
      throw this.#unusable(request.what, outcome === 'full' ? full : 'it has heard a later announcement of this node');
    });
  }

  async follow(memory: AnnouncementMemory, heard: (isAll: boolean) => void, signal: AbortSignal): Promise<void> {
    const what = 'following announcements';
    const path = `${ANNOUNCEMENT_EVENTS_PATH}?${SERVICE_PARAMETER}=${STORAGE_SERVICE}`;
    const headers = { accept: EVENT_STREAM_MEDIA_TYPE };
    await this.#open({ what, method: 'GET', path, headers, silenceMs: STREAM_SILENCE_MS, signal }, async (reply) => {
      const isStream = reply.header('content-type')?.startsWith(EVENT_STREAM_MEDIA_TYPE) === true;
      if (reply.status !== 200 || !isStream) throw this.#unusable(what, `its status is ${String(reply.status)}`);
      const reader = new EventStreamReader(ANNOUNCEMENT_EVENT_LENGTH_MAX);
      // The next piece is read when all of this one is known and kept.
      for await (const piece of reply.body) await this.#hear(reader.read(piece), memory, heard);
    });
  }

  async close(): Promise<void> {
    const closed = this.#pool.destroy();
    this.#connector.close();
    await closed;
  }

  async #hear(
    events: readonly { readonly event: string; readonly data: string }[],
    memory: AnnouncementMemory,
    heard: (isAll: boolean) => void,
  ): Promise<void> {
    const { log, name } = this.#options;
    const announcements = events.flatMap(({ data, event }) => {
      if (event !== ANNOUNCEMENT_EVENT) return [];
      try {
        return [parseSignedAnnouncement(data)];
      } catch (error) {
        log.warn('announcement refused', { introducer: name, reason: reasonOf(error) });
        return [];
      }
    });
    const hasNews = await hearAll(announcements, memory, this.#options);
    const isAll = events.some(({ event }) => event === READY_EVENT);
    if (hasNews || isAll) heard(isAll);
  }

  #open<Result>(
    request: Omit<Parameters<typeof openStream>[1], 'peer' | 'origin'>,
    read: (reply: StreamReply) => Promise<Result>,
  ): Promise<Result> {
    const { applicationVersion, clock, name, nurl } = this.#options;
    const authorization = dangerouslyFormatAuthorization(nurl.dangerousSwissnum());
    const headers = { 'user-agent': applicationVersion, ...request.headers, authorization };
    return openStream(this.#pool, { ...request, headers, peer: name, origin: this.#origin }, clock, read);
  }

  #unusable(what: string, reason: string): TahoeError {
    return new TahoeError('ERR_SERVER_REPLY', { server: this.#options.name, what, reason });
  }
}
