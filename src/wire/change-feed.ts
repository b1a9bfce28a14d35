/**
 * The change feed's text, for both of its ends: Server-Sent Events that name a share and what became of it.
 *
 *     id: EPOCH-NUMBER
 *     event: added | written | removed | damaged | look-again
 *     data: {"storage-index":"…","share-number":0,"sequence-number":7}
 *
 * `look-again` has an empty object: changes may have been missed, so whoever cares asks for the shares again. The
 * sequence number comes with `written` where the share has one. An event with an id alone says where the feed begins.
 * @see docs/storage-api.md; WHATWG HTML, "Server-sent events"
 */
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import { parseShareNumber } from './storage.js';

/** Where the feed is, below the server's root. */
export const CHANGE_FEED_PATH = '/tallac/v1/events';
/** The parameter of its query, repeated for each storage index. */
export const CHANGE_FEED_PARAMETER = 'storage-index';
/** The content type of a feed. */
export const CHANGE_FEED_MEDIA_TYPE = 'text/event-stream';
/** Storage indexes that one feed may name. */
export const CHANGE_FEED_INDEX_COUNT_MAX = 256;
/** A comment that says nothing, so that silence means trouble. */
export const HEARTBEAT_TEXT = ': \n\n';

const kinds = ['added', 'written', 'removed', 'damaged'] as const;

/** What may become of a share. */
export type ChangeKind = (typeof kinds)[number];

/** A change of one share. */
export interface ShareChange {
  readonly kind: ChangeKind;
  /** 26 characters of base32. */
  readonly storageIndex: string;
  readonly shareNumber: number;
  /** Of a mutable share that was written, where it could be read. */
  readonly sequenceNumber?: number | undefined;
}

/** What a feed tells. */
export type FeedMessage = ShareChange | { readonly kind: 'look-again' };

/** Where in which server's feed a message stands. Both numbers only grow. */
export interface FeedPosition {
  /** Another one after each start of the server. */
  readonly epoch: number;
  readonly number: number;
}

/** `EPOCH-NUMBER`. */
export function formatPosition({ epoch, number }: FeedPosition): string {
  return `${String(epoch)}-${String(number)}`;
}

/** @returns undefined for what no server gave. */
export function parsePosition(text: string): FeedPosition | undefined {
  const match = /^([0-9]{1,15})-([0-9]{1,15})$/.exec(text);
  return match === null ? undefined : { epoch: Number(match[1]), number: Number(match[2]) };
}

/** One message, or with none the bare position. */
export function formatFeedEvent(position: FeedPosition, message?: FeedMessage): string {
  const id = `id: ${formatPosition(position)}\n`;
  if (message === undefined) return `${id}\n`;
  return `${id}event: ${message.kind}\ndata: ${JSON.stringify(dataOf(message))}\n\n`;
}

function dataOf(message: FeedMessage): Record<string, string | number | undefined> {
  if (message.kind === 'look-again') return {};
  const { sequenceNumber, shareNumber, storageIndex } = message;
  return { 'storage-index': storageIndex, 'share-number': shareNumber, 'sequence-number': sequenceNumber };
}

/**
 * The message of an event's fields.
 * @returns undefined for an event of a kind that this version does not know.
 * @throws ERR_MESSAGE when the data is not that of its kind.
 */
export function parseFeedMessage(event: string, data: string): FeedMessage | undefined {
  if (event === 'look-again') return { kind: 'look-again' };
  const kind = kinds.find((known) => known === event);
  if (kind === undefined) return undefined;
  const fields = parseObject(data);
  const storageIndex = fields['storage-index'];
  const shareNumber = parseShareNumber(String(fields['share-number']));
  const sequenceNumber = fields['sequence-number'];
  if (typeof storageIndex !== 'string' || !/^[a-z2-7]{26}$/.test(storageIndex) || shareNumber === undefined) {
    throw feedError('it names no share');
  }
  return Number.isSafeInteger(sequenceNumber)
    ? { kind, storageIndex, shareNumber, sequenceNumber: sequenceNumber as number }
    : { kind, storageIndex, shareNumber };
}

/** What came with one event: where it stands, where it says so, and what it tells, where that is known here. */
export interface FeedEvent {
  readonly id: string | undefined;
  readonly message: FeedMessage | undefined;
}

/** The longest event that is read, in characters; those of a feed have some hundred. */
export const FEED_EVENT_LENGTH_MAX = 4096;

/** Reads the text of a feed, however it is cut. */
export class FeedReader {
  readonly #decoder = new TextDecoder();
  #text = '';

  /** @returns the events that are complete. @throws ERR_MESSAGE when one is too long, or is not what it says. */
  read(bytes: Uint8Array): FeedEvent[] {
    const blocks = (this.#text + this.#decoder.decode(bytes, { stream: true })).replaceAll('\r', '').split('\n\n');
    this.#text = blocks.pop() ?? '';
    if ([this.#text, ...blocks].some(({ length }) => length > FEED_EVENT_LENGTH_MAX)) throw feedError('it is too long');
    return blocks.flatMap(parseBlock);
  }
}

/** A block of comments alone is no event. */
function parseBlock(block: string): FeedEvent[] {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [name = '', ...rest] = line.split(':');
    if (name !== '') fields.set(name, rest.join(':').replace(/^ /, ''));
  }
  if (fields.size === 0) return [];
  const message = parseFeedMessage(fields.get('event') ?? '', fields.get('data') ?? '');
  return [{ id: fields.get('id'), message }];
}

/** The path of a feed of these storage indexes (16 bytes each). */
export function changeFeedPath(storageIndexes: readonly Uint8Array[]): string {
  const query = storageIndexes.map((index) => `${CHANGE_FEED_PARAMETER}=${formatBase32(index)}`);
  return `${CHANGE_FEED_PATH}?${query.join('&')}`;
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // It is refused below.
  }
  throw feedError('its data is no JSON object');
}

function feedError(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'event of the change feed', reason });
}
