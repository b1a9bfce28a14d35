/**
 * The introducer over HTTPS as a fastify plugin. A request is admitted on its head alone: before the swissnum has been
 * shown no byte of a body is read.
 * @see docs/introducer.md
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { OfferOutcome } from '#wire/announcement-table.js';
import { EVENT_STREAM_MEDIA_TYPE } from '#wire/event-stream.js';
import {
  ANNOUNCEMENT_EVENTS_PATH,
  ANNOUNCEMENT_MEDIA_TYPE,
  ANNOUNCEMENTS_PATH,
  dangerouslyFormatAnnouncements,
  formatOutcome,
  SERVICE_PARAMETER,
} from '#wire/introducer.js';
import { ANNOUNCEMENT_TEXT_LENGTH_MAX, parseSignedAnnouncement } from '#wire/signed-announcement.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { AnnouncementStream } from './announcement-stream.js';
import type { Introducer } from './introducer.js';

const statusOfOutcome: Readonly<Record<OfferOutcome, number>> = {
  new: 201,
  updated: 200,
  duplicate: 200,
  stale: 409,
  full: 507,
};
/** The longest version of a subscriber that is shown, in characters. */
const VERSION_LENGTH_MAX = 128;

/** What the routes stand on. */
export interface IntroducerRoutesOptions {
  readonly introducer: Introducer;
  readonly crypto: Pick<CryptoProvider, 'equalSecrets'>;
  /** The secret that opens it, as its NURL carries it. */
  readonly swissnum: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Registers them. When the application closes, the streams end. */
export function introducerRoutes(app: FastifyInstance, options: IntroducerRoutesOptions): void {
  const { introducer, clock } = options;
  const streams = new Set<AnnouncementStream>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'string', bodyLimit: ANNOUNCEMENT_TEXT_LENGTH_MAX },
    (_request, body, done) => {
      done(null, body);
    },
  );
  app.addHook('onRequest', admission(options));
  app.addHook('preClose', (closed) => {
    for (const stream of streams) stream.finish();
    closed();
  });
  app.setErrorHandler((error, _request, reply) => refuse(error, reply, options.log));
  app.setNotFoundHandler((_request, reply) => refuse(new TahoeError('ERR_NO_SUCH_PATH', {}), reply, options.log));

  app.post(ANNOUNCEMENTS_PATH, async (request, reply) => {
    const text = typeof request.body === 'string' ? request.body : '';
    const outcome = await introducer.publish(parseSignedAnnouncement(text), 'https');
    return reply.code(statusOfOutcome[outcome]).type(ANNOUNCEMENT_MEDIA_TYPE).send(formatOutcome(outcome));
  });
  app.get(ANNOUNCEMENTS_PATH, (request, reply) => {
    const text = dangerouslyFormatAnnouncements(introducer.announcements(serviceOf(request)));
    return reply.header('cache-control', 'no-store').type(ANNOUNCEMENT_MEDIA_TYPE).send(text);
  });
  app.get(ANNOUNCEMENT_EVENTS_PATH, (request, reply) => {
    const serviceName = serviceOf(request);
    let unsubscribe = (): void => undefined;
    const stream = new AnnouncementStream(introducer.announcements(serviceName), clock, () => {
      streams.delete(stream);
      unsubscribe();
    });
    unsubscribe = introducer.subscribe({
      serviceName,
      dialect: 'https',
      nickname: '',
      version: (request.headers['user-agent'] ?? '').slice(0, VERSION_LENGTH_MAX),
      address: request.ip,
      tell: (news) => {
        stream.tell(news);
      },
    });
    streams.add(stream);
    return reply.header('cache-control', 'no-store').type(EVENT_STREAM_MEDIA_TYPE).send(stream);
  });
}

function serviceOf(request: FastifyRequest): string | undefined {
  return new URLSearchParams(request.url.split('?')[1] ?? '').get(SERVICE_PARAMETER) ?? undefined;
}

/** Whoever has not shown the swissnum learns nothing, not even which paths there are. */
function admission({ crypto, swissnum }: IntroducerRoutesOptions) {
  const expected = utf8(dangerouslyFormatAuthorization(swissnum));
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const given = authorizationsOf(request.raw.rawHeaders);
    const isRight = given.length === 1 && crypto.equalSecrets(utf8(given[0] ?? ''), expected);
    if (isRight) done();
    else done(new TahoeError('ERR_SWISSNUM', {}));
  };
}

/** Each value, one for each time that the header was sent. */
function authorizationsOf(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.filter((_value, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === 'authorization');
}

function refuse(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const { status, text } = refusalOf(error);
  if (status >= 500) log.error('introducer request failed', { status, reason: reasonOf(error) });
  return reply.code(status).type('text/plain; charset=utf-8').send(text);
}

function refusalOf(error: unknown): { readonly status: number; readonly text: string } {
  if (isTahoeError(error, 'ERR_SWISSNUM')) return { status: 401, text: error.message };
  if (isTahoeError(error, 'ERR_NO_SUCH_PATH')) return { status: 404, text: error.message };
  if (isTahoeError(error, 'ERR_ANNOUNCEMENT')) return { status: 400, text: error.message };
  if (isTahoeError(error, 'ERR_BUSY')) return { status: 503, text: error.message };
  if (isTahoeError(error, 'ERR_NO_SPACE')) return { status: 507, text: 'the introducer has no space left' };
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500) return { status, text: 'the request is malformed' };
  return { status: 500, text: 'the introducer failed at this request; its log says more' };
}
