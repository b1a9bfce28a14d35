/**
 * How a server's answers over HTTPS are judged, before a byte of their bodies is kept and after.
 *
 * The rules are those of the reference's client: a CBOR answer says that it is CBOR; bytes of a share come as 206 with
 * a Content-Range that starts where asked and ends no later; 204 is an empty read. Ours besides: a body is as long as
 * its range says, and nobody allocates a share that was not asked for. Pure: heads and values in, bounds and values out.
 */
import { isTahoeError } from '#core/errors.js';
import { CHANGE_FEED_MEDIA_TYPE, FeedReader } from '#wire/change-feed.js';
import type { FeedEvent } from '#wire/change-feed.js';
import { CBOR_MEDIA_TYPE, CBOR_REPLY_SIZE_MAX, parseContentRange, SHARE_MEDIA_TYPE } from '#wire/storage.js';
import type { AllocateReply, ByteRange } from '#wire/storage.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';

/** The largest body that is read though nobody looks at it, in bytes: its connection can be used again. */
export const IGNORED_BODY_SIZE_MAX = 64 * 1024;

/** The headers of a reply: names in lower case, a list where one came several times. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The size in bytes that a body may have at most; `exact` when it must be that. */
export interface BodyBound {
  readonly sizeMax: number;
  readonly exact: boolean;
  /** Takes the body as it comes; nothing of it is kept then. @throws UnusableReply */
  readonly sink?: (chunk: Uint8Array) => void;
}

/** Why a reply cannot be used, in words that follow a colon. Becomes the reason of an ERR_SERVER_REPLY. */
export class UnusableReply extends Error {}

/** What the server's clock said, Unix milliseconds to the second; undefined where it said nothing that is a time. */
export function timeOf({ date }: ReplyHeaders): number | undefined {
  const timeMs = typeof date === 'string' ? Date.parse(date) : NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** A body that is CBOR. @throws UnusableReply when its head does not say so. */
export function boundCbor(_status: number, headers: ReplyHeaders): BodyBound {
  checkMediaType(headers, CBOR_MEDIA_TYPE);
  return { sizeMax: CBOR_REPLY_SIZE_MAX, exact: false };
}

/** The same for a body of at most `sizeMax` bytes. */
export function boundCborUpTo(sizeMax: number): typeof boundCbor {
  return (status, headers) => ({ ...boundCbor(status, headers), sizeMax });
}

/** A feed without end, each event of it for `told`. @throws UnusableReply when its head does not say so. */
export function boundFeed(told: (event: FeedEvent) => void): typeof boundCbor {
  return (_status, headers) => {
    checkMediaType(headers, CHANGE_FEED_MEDIA_TYPE);
    const reader = new FeedReader();
    const sink = (chunk: Uint8Array): void => {
      for (const event of readEvents(reader, chunk)) told(event);
    };
    return { sizeMax: Infinity, exact: false, sink };
  };
}

function readEvents(reader: FeedReader, chunk: Uint8Array): readonly FeedEvent[] {
  try {
    return reader.read(chunk);
  } catch (error) {
    if (isTahoeError(error, 'ERR_MESSAGE')) throw new UnusableReply(error.message);
    throw error;
  }
}

/** A body that nobody looks at. */
export function boundIgnored(): BodyBound {
  return { sizeMax: IGNORED_BODY_SIZE_MAX, exact: false };
}

/**
 * Bytes of a share for `asked`: none with 204, else what Content-Range says, which may end early.
 * @throws UnusableReply when the head names another range, no range, or another kind of body.
 */
export function boundRead(asked: ByteRange, status: number, headers: ReplyHeaders): BodyBound {
  if (status === 204) return { sizeMax: 0, exact: true };
  checkMediaType(headers, SHARE_MEDIA_TYPE);
  const header = headers['content-range'];
  const given = typeof header === 'string' ? parseContentRange(header) : undefined;
  if (given === undefined) throw new UnusableReply('its Content-Range is not usable');
  if (given.begin !== asked.begin || given.end > asked.end) {
    throw new UnusableReply(`bytes ${formatBytes(asked)} were asked for and it sends ${formatBytes(given)}`);
  }
  return { sizeMax: given.end - given.begin, exact: true };
}

/** @throws UnusableReply when a share was allocated that is not in `asked`. */
export function checkAllocated(reply: AllocateReply, asked: ReadonlySet<number>): AllocateReply {
  for (const shareNumber of reply.allocated) {
    if (!asked.has(shareNumber)) {
      throw new UnusableReply(`it allocated share ${String(shareNumber)}, which was not asked for`);
    }
  }
  return reply;
}

/** @throws UnusableReply when a share was stored that is not in `asked`. */
export function checkStored(reply: WholeSharesReply, asked: ReadonlyMap<number, unknown>): WholeSharesReply {
  for (const shareNumber of reply.stored) {
    if (!asked.has(shareNumber)) {
      throw new UnusableReply(`it stored share ${String(shareNumber)}, which was not sent`);
    }
  }
  return reply;
}

const statusReasons: Readonly<Record<number, string>> = {
  200: 'it sends something else than was asked for',
  401: 'it does not accept the secret',
  404: 'it knows no such thing',
  405: 'it does not allow that now',
  409: 'it holds other bytes there already',
  413: 'the request is too large for it',
  416: 'it does not accept the range',
  500: 'it failed inside',
  503: 'it is too busy',
  507: 'it has no space left',
};

/** What a status that is no answer to the operation means, with its number. */
export function describeStatus(status: number): string {
  const redirect = status >= 300 && status < 400 ? 'it points elsewhere, which is not followed' : undefined;
  return `${redirect ?? statusReasons[status] ?? 'that is no answer'} (status ${String(status)})`;
}

function checkMediaType(headers: ReplyHeaders, expected: string): void {
  const header = headers['content-type'];
  const mediaType = typeof header === 'string' ? header.split(';', 1)[0]?.trim().toLowerCase() : undefined;
  if (mediaType !== expected) throw new UnusableReply(`its body is not of type ${expected}`);
}

function formatBytes(range: ByteRange): string {
  return `${String(range.begin)} to ${String(range.end)}`;
}
