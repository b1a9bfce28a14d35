/**
 * A helper of ours over HTTPS, pinned to the key that its NURL names: it says once from where it wants the ciphertext, which is
 * sent as one body beside the events that tell what becomes of it.
 *
 * It counts as connected as long as a reply of its own lasts, in which it says every 15 seconds that it is there.
 */
import type { Clock } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { EVENT_STREAM_MEDIA_TYPE, EventStreamReader, STREAM_SILENCE_MS } from '#wire/event-stream.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import type { Nurl } from '#wire/nurl.js';
import {
  CBOR_MEDIA_TYPE,
  dangerouslyFormatAuthorization,
  formatContentRange,
  SHARE_MEDIA_TYPE,
} from '#wire/storage.js';
import {
  encodeOfferedFile,
  HELPER_EVENT_LENGTH_MAX,
  HELPER_PATH,
  helperCiphertextPath,
  helperUploadPath,
  parseHelperEvent,
} from '#wire/upload-helper.js';
import type { HelperEvent } from '#wire/upload-helper.js';
import { TIMER_MS_MAX } from '../deadline.js';
import type { Dialler } from '../dialler.js';
import { exchange } from '../http-exchange.js';
import { openStream, readWhole } from '../http-stream.js';
import type { StreamReply, StreamRequest } from '../http-stream.js';
import { boundIgnored } from '../https-replies.js';
import { PinnedConnector } from '../pinned-connector.js';
import type { HelperConnection } from './helper-connection.js';
import { UPLOAD_COUNT_MAX } from './helper-link.js';
import type { OfferedCiphertext } from './offered-ciphertext.js';
import { Pool } from '../undici.js';

/** TCP and TLS of one connection, and how long a helper may take to say that it is there. */
const CONNECT_TIMEOUT_MS = 10_000;
const READY_TIMEOUT_MS = 30_000;
/** How long a helper may take nothing of the ciphertext: its disk may be slow. In milliseconds. */
const SEND_SILENCE_MS = 300_000;
/** What is read of a refusal, in bytes. */
const REFUSAL_SIZE_MAX = 4096;
/** Each upload takes a connection for its events and one for the ciphertext; one more says that the helper is there. */
const CONNECTION_COUNT_MAX = 2 * UPLOAD_COUNT_MAX + 1;

/** What it is made of. */
export interface HttpsHelperOptions {
  readonly name: string;
  readonly nurl: Nurl;
  readonly clock: Clock;
  readonly dialler: Dialler;
}

type Request = Pick<StreamRequest, 'what' | 'method' | 'path' | 'body' | 'signal'>;

/** One helper, connected or not. It must be closed. */
export class HttpsHelper {
  readonly #options: HttpsHelperOptions;
  readonly #connector: PinnedConnector;
  readonly #pool: Pool;
  readonly #authorization: string;

  constructor(options: HttpsHelperOptions) {
    const { clock, dialler, name, nurl } = options;
    this.#options = options;
    this.#authorization = dangerouslyFormatAuthorization(nurl.dangerousSwissnum());
    const connectTimeoutMs = CONNECT_TIMEOUT_MS;
    this.#connector = new PinnedConnector({ nurl, shortName: name, clock, dialler, connectTimeoutMs });
    const { connect } = this.#connector;
    const limits = { connections: CONNECTION_COUNT_MAX, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };
    this.#pool = new Pool(this.#origin, { connect, allowH2: false, ...limits });
  }

  /**
   * Waits until the helper says that it is there.
   * @throws ERR_CONNECT, ERR_PIN, ERR_TIMEOUT, ERR_CANCELLED, ERR_SERVER_REPLY.
   */
  connect(signal: AbortSignal): Promise<HelperConnection> {
    const { clock, name } = this.#options;
    const what = 'waiting for it';
    const late = new AbortController();
    let cancelTimer = (): void => undefined;
    const connection = new Promise<HelperConnection>((resolve, reject) => {
      cancelTimer = clock.schedule(READY_TIMEOUT_MS, () => {
        reject(new TahoeError('ERR_TIMEOUT', { what: `${what} at ${name}`, timeoutMs: READY_TIMEOUT_MS }));
        late.abort();
      });
      const request = { what, path: HELPER_PATH, signal: AbortSignal.any([signal, late.signal]) };
      const presence = this.#events(request, (event) => {
        if (event.kind !== 'ready') return;
        const upload: HelperConnection['upload'] = (offered, ending) => this.#upload(offered, ending);
        resolve({ name, upload, ended: () => presence.catch(() => undefined) });
      });
      presence.then(() => {
        reject(this.#unusable(what, 'it ended'));
      }, reject);
    });
    return connection.finally(cancelTimer);
  }

  async close(): Promise<void> {
    const closed = this.#pool.destroy();
    this.#connector.close();
    await closed;
  }

  get #origin(): string {
    return `https://${this.#options.nurl.authority}`;
  }

  async #upload(offered: OfferedCiphertext, signal: AbortSignal): Promise<HelperResults> {
    const over = new AbortController();
    let sending: Promise<void> | undefined;
    let sendingError = '';
    const request = {
      what: 'uploading',
      method: 'POST' as const,
      path: helperUploadPath(offered.storageIndex),
      body: encodeOfferedFile(offered.file),
      signal,
    };
    try {
      const results = await this.#events(request, (event) => {
        if (event.kind === 'results') return event.results;
        if (event.kind === 'failed') throw this.#unusable(request.what, `${event.reason}${sendingError}`);
        if (event.kind !== 'wanted') return undefined;
        // What becomes of it the helper says as well: another client may send the file.
        sending ??= this.#send(offered, event, AbortSignal.any([signal, over.signal])).catch((error: unknown) => {
          sendingError = ` (${reasonOf(error)})`;
        });
        return undefined;
      });
      if (results !== undefined) return results;
      throw this.#unusable(request.what, `it ended without a result${sendingError}`);
    } finally {
      over.abort();
      await sending;
    }
  }

  /** Sends what the helper does not have. */
  async #send(
    offered: OfferedCiphertext,
    { offset, uploadId }: Extract<HelperEvent, { kind: 'wanted' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, name } = this.#options;
    const { size } = offered.file;
    const what = 'sending the ciphertext';
    if (offset >= size) throw this.#unusable(what, 'it wants what lies behind the end');
    const request = {
      what,
      shortName: name,
      method: 'PUT' as const,
      path: helperCiphertextPath(offered.storageIndex, uploadId),
      headers: {
        authorization: this.#authorization,
        'content-type': SHARE_MEDIA_TYPE,
        'content-range': formatContentRange({ begin: offset, end: size }),
      },
      body: { size: size - offset, chunks: offered.from(offset) },
      boundBody: boundIgnored,
      timeoutMs: TIMER_MS_MAX,
      silenceTimeoutMs: SEND_SILENCE_MS,
      signal,
      endedUsedConnection: (error: unknown) => this.#connector.endedUsedConnection(error),
    };
    const { status } = await exchange(this.#pool, request, clock);
    if (status !== 204) throw this.#unusable(what, `its status is ${String(status)}`);
  }

  /** Asks, and hears events until one of them gives a value. @returns undefined at the end of the reply. */
  async #events<Result>(
    request: Request,
    heard: (event: HelperEvent) => Result | undefined,
  ): Promise<Result | undefined> {
    const { clock, name } = this.#options;
    const headers = {
      accept: `${EVENT_STREAM_MEDIA_TYPE}, text/plain`,
      authorization: this.#authorization,
      ...(request.body === undefined ? {} : { 'content-type': CBOR_MEDIA_TYPE }),
    };
    const asked = { ...request, peer: name, origin: this.#origin, headers, silenceMs: STREAM_SILENCE_MS };
    return openStream(this.#pool, asked, clock, async (reply) => {
      await this.#requireEvents(request.what, reply);
      const reader = new EventStreamReader(HELPER_EVENT_LENGTH_MAX);
      for await (const piece of reply.body) {
        for (const event of reader.read(piece)) {
          const parsed = parseHelperEvent(event);
          const result = parsed && heard(parsed);
          if (result !== undefined) return result;
        }
      }
      return undefined;
    });
  }

  async #requireEvents(what: string, reply: StreamReply): Promise<void> {
    const { body, status } = reply;
    if (status === 200 && reply.header('content-type')?.startsWith(EVENT_STREAM_MEDIA_TYPE) === true) return;
    const said = new TextDecoder().decode(await readWhole(body, 'answer of the helper', REFUSAL_SIZE_MAX));
    const told = said.slice(0, 200).replaceAll(/\p{C}/gu, ' ');
    throw this.#unusable(what, `its status is ${String(status)}${told === '' ? '' : `, and it says: ${told}`}`);
  }

  #unusable(what: string, reason: string): TahoeError {
    return new TahoeError('ERR_SERVER_REPLY', { server: this.#options.name, what, reason });
  }
}
