/**
 * Server-Sent Events, read however they are cut: for streams that others than a storage server send.
 * @see WHATWG HTML, "Server-sent events"
 */
import { TahoeError } from '#core/errors.js';

/** The content type of a stream. */
export const EVENT_STREAM_MEDIA_TYPE = 'text/event-stream';
/** How often a stream says something, be it nothing, in milliseconds. */
export const STREAM_HEARTBEAT_MS = 15_000;
/** After so long without a byte a stream is given up. */
export const STREAM_SILENCE_MS = 45_000;

/** One event; empty texts for what it does not say. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Its text. @param data - in one line. */
export function formatStreamEvent(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}

/** Reads a stream. */
export class EventStreamReader {
  readonly #lengthMax: number;
  readonly #decoder = new TextDecoder();
  #text = '';

  /** @param lengthMax - of one event, in characters. */
  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  /** @returns the events that are complete; comments are none. @throws ERR_TOO_LARGE when one is too long. */
  read(bytes: Uint8Array): StreamEvent[] {
    const blocks = (this.#text + this.#decoder.decode(bytes, { stream: true })).replaceAll('\r', '').split('\n\n');
    this.#text = blocks.pop() ?? '';
    if ([this.#text, ...blocks].some(({ length }) => length > this.#lengthMax)) {
      throw new TahoeError('ERR_TOO_LARGE', { what: 'event of a stream', limitBytes: this.#lengthMax });
    }
    return blocks.flatMap(parseBlock);
  }
}

function parseBlock(block: string): StreamEvent[] {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name !== '')
      fields.set(name, name === 'data' && fields.has('data') ? `${fields.get('data') ?? ''}\n${value}` : value);
  }
  return fields.size === 0
    ? []
    : [{ event: fields.get('event') ?? '', id: fields.get('id') ?? '', data: fields.get('data') ?? '' }];
}
