/**
 * Fetches a published server list from a web server, which is trusted with nothing: the list's signature is verified
 * by whoever asked. Where the server offers a stream of events beside the list, that is followed, too: it is named by
 *
 *     Link: <events>; rel="monitor"; type="text/event-stream"
 *
 * @see docs/server-lists.md; RFC 5989 for the relation
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { EVENT_STREAM_MEDIA_TYPE, EventStreamReader, STREAM_SILENCE_MS } from '#wire/event-stream.js';
import { SERVER_LIST_SIZE_MAX } from '#wire/server-list.js';
import { withDeadline } from './deadline.js';
import { dialledConnector } from './dialled-connector.js';
import type { Dialler } from './dialler.js';
import { openStream, readWhole } from './http-stream.js';
import type { StreamReply } from './http-stream.js';
import { Agent } from './undici.js';

/** How long a list may take to come as a whole, in milliseconds, and how long it may say nothing meanwhile. */
const FETCH_TIMEOUT_MS = 60_000;
const FETCH_SILENCE_MS = 20_000;
/** An event says only that there is news. */
const EVENT_LENGTH_MAX = 4096;
/** The longest ETag that is sent back, in characters. */
const ETAG_LENGTH_MAX = 256;
const MONITOR_LINK = /<([^<>]{1,1024})>[^,]*;\s*rel="?monitor"?/;

/** What came. */
export interface FetchedList {
  /** Undefined when it is the one with the ETag that was named. */
  readonly document: Uint8Array | undefined;
  readonly etag: string | undefined;
  /** Where changes are told, if anywhere. */
  readonly eventsUrl: string | undefined;
}

/** Where lists come from. */
export interface ListFetcher {
  /** @throws ERR_CONNECT, ERR_TIMEOUT, ERR_CANCELLED, ERR_TOO_LARGE, ERR_SERVER_REPLY. */
  fetch(url: string, etag: string | undefined, signal: AbortSignal): Promise<FetchedList>;
  /** Calls `changed` at each event until the stream ends. @throws as `fetch`. */
  follow(url: string, changed: () => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Fetches over HTTP and HTTPS, the latter with the certificate authorities of the system. */
export class HttpListFetcher implements ListFetcher {
  readonly #agent: Agent;
  readonly #clock: Clock;

  constructor(clock: Clock, dialler: Dialler) {
    const connect = dialledConnector(dialler, clock);
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    this.#agent = new Agent({ connect, connections: 4, pipelining: 1, allowH2: false, ...timeouts });
    this.#clock = clock;
  }

  async fetch(url: string, etag: string | undefined, signal: AbortSignal): Promise<FetchedList> {
    const headers = { accept: 'application/json', ...(etag === undefined ? {} : { 'if-none-match': etag }) };
    const what = 'fetching the server list';
    const limit = { clock: this.#clock, timeoutMs: FETCH_TIMEOUT_MS, what: `${what} from ${hostOf(url)}`, signal };
    return withDeadline(limit, (ended) =>
      this.#open(url, { what, headers, silenceMs: FETCH_SILENCE_MS, signal: ended }, async (reply) => {
        const news = { etag: etagOf(reply), eventsUrl: eventsUrlOf(reply, url) };
        if (reply.status === 304 && etag !== undefined) return { ...news, etag, document: undefined };
        if (reply.status !== 200) throw unusable(url, what, reply);
        return { ...news, document: await readWhole(reply.body, 'server list', SERVER_LIST_SIZE_MAX) };
      }),
    );
  }

  async follow(url: string, changed: () => void, signal: AbortSignal): Promise<void> {
    const what = 'following the server list';
    const request = { what, headers: { accept: EVENT_STREAM_MEDIA_TYPE }, silenceMs: STREAM_SILENCE_MS, signal };
    await this.#open(url, request, async (reply) => {
      const isStream = reply.header('content-type')?.startsWith(EVENT_STREAM_MEDIA_TYPE) === true;
      if (reply.status !== 200 || !isStream) throw unusable(url, what, reply);
      const reader = new EventStreamReader(EVENT_LENGTH_MAX);
      for await (const piece of reply.body) if (reader.read(piece).length > 0) changed();
    });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #open<Result>(
    url: string,
    request: { what: string; headers: Record<string, string>; silenceMs: number; signal: AbortSignal },
    read: (reply: StreamReply) => Promise<Result>,
  ): Promise<Result> {
    const { origin, pathname, search } = new URL(url);
    return openStream(
      this.#agent,
      { ...request, peer: hostOf(url), origin, path: pathname + search },
      this.#clock,
      read,
    );
  }
}

/** How people and logs call the place: a path or a query may hold a secret. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

function etagOf(reply: StreamReply): string | undefined {
  const etag = reply.header('etag');
  return etag !== undefined && etag.length <= ETAG_LENGTH_MAX ? etag : undefined;
}

/** Only at the same place as the list. */
function eventsUrlOf(reply: StreamReply, url: string): string | undefined {
  const target = MONITOR_LINK.exec(reply.header('link') ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, url)) return undefined;
  const events = new URL(target, url);
  return events.origin === new URL(url).origin ? events.href : undefined;
}

function unusable(url: string, what: string, { status }: StreamReply): TahoeError {
  const isElsewhere = status >= 300 && status < 400;
  const reason = isElsewhere ? 'it points elsewhere, which is not followed' : `its status is ${String(status)}`;
  return new TahoeError('ERR_SERVER_REPLY', { server: hostOf(url), what, reason });
}
