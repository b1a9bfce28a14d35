/**
 * How two Tubs come to speak Banana, as texts and decisions. Three blocks of lines, each ended by an empty one:
 *
 *     plain   GET /id/<tub id> HTTP/1.1 + Upgrade: TLS/1.0        ⇄   HTTP/1.1 101 Switching Protocols
 *     TLS     hello: what each side can do and who it is          ⇄   (both, at once)
 *     TLS     decision: what the master, whose tub id is the greater, has chosen
 *
 * A connection more between two Tubs that have one is refused or replaces it: each side tells which process it is (its incarnation)
 * and the client which connection it last heard of, and from these the master sees whether the old one is stale.
 * @see https://foolscap.readthedocs.io, "Negotiation"
 */
import { fromUtf8, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { vocabularyHashes } from './vocabulary.js';

/** The longest block, in bytes, with its end. */
export const BLOCK_SIZE_MAX = 4096;
/** The version of Banana that we speak, and the only one: all releases of ten years do. */
const VERSION = 3;
const VOCABULARY_MAX = vocabularyHashes.length - 1;
const TUB_ID = /^[a-z2-7]{32}$/;

/** A block's lines, by their names in lower case. */
export type Block = ReadonlyMap<string, string>;

/** Which connection of which process: the master's incarnation and a number it gave. */
export interface ConnectionMark {
  readonly incarnation: string;
  readonly sequence: number;
}

/** What a side knows of itself before it says hello. */
export interface Greeting {
  readonly tubId: string;
  readonly incarnation: string;
  /** From the client: the last connection that this peer, as master, decided on; undefined when there was none. */
  readonly lastConnection?: ConnectionMark | undefined;
  readonly isClient: boolean;
}

/** A hello as it was received and checked. */
export interface Hello {
  readonly tubId: string;
  readonly incarnation: string | undefined;
  /** `none` for the incarnation where it remembers nothing; undefined where it says nothing. */
  readonly lastConnection: ConnectionMark | undefined;
  readonly vocabularyTable: number;
}

// ---- plain text ------------------------------------------------------------------------------------------------

/** What a client says first. */
export function formatRequest(tubId: string, host: string): Uint8Array {
  return utf8(`GET /id/${tubId} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n`);
}

/** The tub id that a client asks for. @throws ERR_NEGOTIATION when it asks for something else. */
export function parseRequest(block: Uint8Array): string {
  const [first = '', ...lines] = textLines(block);
  const [, tubId] = /^GET \/id\/([a-z2-7]{32}) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (tubId === undefined) throw failed('it asks for no tub');
  if (!lines.some((line) => /^upgrade:.*TLS\/1\.0/i.test(line))) throw failed('it does not want TLS');
  return tubId;
}

/** The server's consent. */
export const acceptance: Uint8Array = utf8(
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, PB/1.0\r\nConnection: Upgrade\r\n\r\n',
);

/** The server's refusal. */
export function formatRefusal(reason: string): Uint8Array {
  return utf8(`HTTP/1.1 500 Internal Server Error: ${reason}\r\n\r\n`);
}

/** @throws ERR_NEGOTIATION when the server does not consent. */
export function checkAcceptance(block: Uint8Array): void {
  const [first = '', ...lines] = textLines(block);
  if (!/^HTTP\/1\.[01] 101( |$)/.test(first)) throw failed(`it answered ${JSON.stringify(first.slice(0, 100))}`);
  if (!lines.some((line) => /^upgrade:.*TLS\/1\.0/i.test(line))) throw failed('it does not take TLS');
}

// ---- hello -------------------------------------------------------------------------------------------------------

/** A hello. */
export function formatHello({ incarnation, isClient, lastConnection, tubId }: Greeting): Uint8Array {
  const { incarnation: last, sequence } = lastConnection ?? { incarnation: 'none', sequence: 0 };
  return formatBlock({
    'banana-negotiation-range': `${String(VERSION)} ${String(VERSION)}`,
    'initial-vocab-table-range': `0 ${String(VOCABULARY_MAX)}`,
    ...(isClient ? { 'last-connection': `${last} ${String(sequence)}` } : {}),
    'my-incarnation': incarnation,
    'my-tub-id': tubId,
  });
}

/**
 * @param certified - the tub id that the peer's certificate gives.
 * @throws ERR_NEGOTIATION when the peer refuses, claims to be another or has nothing in common with us.
 */
export function parseHello(bytes: Uint8Array, certified: string): Hello {
  const block = parseBlock(bytes);
  const error = block.get('error');
  if (error !== undefined) throw failed(`it says ${JSON.stringify(error.slice(0, 200))}`);
  const [least = 0, most = 0] = numbers(block.get('banana-negotiation-range'));
  if (least > VERSION || most < VERSION) throw failed('it speaks no version of Banana that is known here');
  const tubId = block.get('my-tub-id') ?? '';
  if (!TUB_ID.test(tubId) || tubId !== certified)
    throw failed('its certificate does not give the tub id that it claims');
  const [first = 0, last = 0] = numbers(block.get('initial-vocab-table-range') ?? '0 0');
  const vocabularyTable = Math.min(VOCABULARY_MAX, last);
  if (vocabularyTable < first) throw failed('it speaks no vocabulary that is known here');
  const incarnation = block.get('my-incarnation');
  return { tubId, incarnation, lastConnection: parseMark(block.get('last-connection')), vocabularyTable };
}

// ---- decision ----------------------------------------------------------------------------------------------------

/** The master's decision: its name for this connection, and the words to begin with. */
export function formatDecision(mark: ConnectionMark, vocabularyTable: number): Uint8Array {
  return formatBlock({
    'banana-decision-version': String(VERSION),
    'current-connection': `${mark.incarnation} ${String(mark.sequence)}`,
    'initial-vocab-table-index': `${String(vocabularyTable)} ${vocabularyHashes[vocabularyTable] ?? ''}`,
  });
}

/** The end of a negotiation that failed, on either side, after TLS. */
export function formatError(reason: string): Uint8Array {
  return formatBlock({ 'banana-decision-version': '1', error: reason.replaceAll(/[\r\n]/g, ' ') });
}

/** @throws ERR_NEGOTIATION when the master refuses or decides on something unknown. */
export function parseDecision(bytes: Uint8Array): {
  readonly mark: ConnectionMark | undefined;
  readonly vocabularyTable: number;
} {
  const block = parseBlock(bytes);
  const error = block.get('error');
  if (error !== undefined) throw failed(`it says ${JSON.stringify(error.slice(0, 200))}`);
  if (block.get('banana-decision-version') !== String(VERSION)) throw failed('it chose another version of Banana');
  const [indexText = '0', hash = ''] = (block.get('initial-vocab-table-index') ?? '0').split(' ');
  const vocabularyTable = Number(indexText);
  const expected = vocabularyHashes[vocabularyTable];
  if (expected === undefined || (vocabularyTable > 0 && hash !== expected)) throw failed('it chose other words');
  return { mark: parseMark(block.get('current-connection')), vocabularyTable };
}

/** What the master knows of a connection that there is already. */
export interface Existing {
  readonly mark: ConnectionMark;
  /** The process at its other end. */
  readonly peerIncarnation: string | undefined;
}

/** Whether a peer that says hello again means that the connection there is has gone: the new one then replaces it. */
export function replaces(hello: Hello, existing: Existing): boolean {
  const { incarnation, lastConnection } = hello;
  if (incarnation === undefined || lastConnection === undefined) return false;
  if (incarnation !== existing.peerIncarnation) return true;
  // It has not heard of any yet: one of several connections that it tries at once.
  if (lastConnection.incarnation === 'none') return false;
  if (lastConnection.incarnation !== existing.mark.incarnation) return true;
  return lastConnection.sequence === existing.mark.sequence;
}

// ---- blocks ------------------------------------------------------------------------------------------------------

/** Takes one block out of bytes that arrive in pieces. */
export class BlockReader {
  #bytes = new Uint8Array(0);

  /**
   * @returns the block without its end and what follows it, or undefined while it is incomplete.
   * @throws ERR_NEGOTIATION when it is longer than BLOCK_SIZE_MAX.
   */
  feed(chunk: Uint8Array): { readonly block: Uint8Array; readonly rest: Uint8Array } | undefined {
    const bytes = new Uint8Array(this.#bytes.length + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, this.#bytes.length);
    const end = endOfBlock(bytes);
    if (end === -1 ? bytes.length > BLOCK_SIZE_MAX : end > BLOCK_SIZE_MAX) throw failed('a block is too long');
    this.#bytes = end === -1 ? bytes : new Uint8Array(0);
    return end === -1 ? undefined : { block: bytes.subarray(0, end), rest: bytes.subarray(end + 4) };
  }
}

function endOfBlock(bytes: Uint8Array): number {
  for (let i = bytes.indexOf(13); i !== -1 && i <= BLOCK_SIZE_MAX; i = bytes.indexOf(13, i + 1)) {
    if (bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i;
  }
  return -1;
}

function formatBlock(lines: Readonly<Record<string, string>>): Uint8Array {
  const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return utf8(`${text.join('')}\r\n`);
}

function parseBlock(bytes: Uint8Array): Block {
  return new Map(
    textLines(bytes).map((line) => {
      const colon = line.indexOf(':');
      if (colon === -1) throw failed('a line has no name');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
}

function textLines(bytes: Uint8Array): readonly string[] {
  try {
    return fromUtf8(bytes).split('\r\n');
  } catch {
    throw failed('a block is not text');
  }
}

function numbers(text: string | undefined): number[] {
  const match = /^([0-9]{1,9}) ([0-9]{1,9})$/.exec(text ?? '');
  if (match === null) throw failed('a range is not two numbers');
  return match.slice(1).map(Number);
}

function parseMark(text: string | undefined): ConnectionMark | undefined {
  const [, incarnation, sequence] = /^(\S{1,64}) ([0-9]{1,15})$/.exec(text ?? '') ?? [];
  return incarnation === undefined ? undefined : { incarnation, sequence: Number(sequence) };
}

function failed(reason: string): TahoeError {
  return new TahoeError('ERR_NEGOTIATION', { reason });
}
