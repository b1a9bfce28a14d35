/**
 * What is said at Tor's control port, as far as an onion service takes it. Commands and replies are lines of ASCII that
 * end in CR LF; of a reply
 *
 *     250-TEXT         more follows        250+TEXT, lines, .    more follows, and the lines belong to it
 *     250 TEXT         the end             650…                  an event, which is no reply
 *
 * @see https://spec.torproject.org/control-spec
 */
import { TahoeError } from '#core/errors.js';

/** The longest line that is read, in characters. */
export const CONTROL_LINE_LENGTH_MAX = 8192;
/** The most lines of one reply. */
export const CONTROL_LINE_COUNT_MAX = 256;

/** A whole reply. */
export interface ControlReply {
  /** 250 for success; 5xx for what went wrong. */
  readonly status: number;
  /** The texts of its lines, without codes. Lines of data are not kept. */
  readonly lines: readonly string[];
}

/** How one may prove who one is. */
export interface ProtocolInfo {
  /** Such as NULL, COOKIE, SAFECOOKIE, HASHEDPASSWORD. */
  readonly methods: readonly string[];
  /** Where the cookie is. */
  readonly cookieFile: string | undefined;
}

/** An onion service that Tor has now. */
export interface AddedOnion {
  /** Its address without `.onion`. */
  readonly serviceId: string;
  /** Secret: TYPE:BASE64, as ADD_ONION takes it again. Only of a new one. */
  readonly privateKey: string | undefined;
}

/** Puts lines together to replies. */
export class ControlReplyReader {
  #lines: string[] = [];
  #count = 0;
  #isData = false;

  /**
   * Takes one line, without its end.
   * @returns the reply that it ends.
   * @throws ERR_MESSAGE when it is no line of a reply, or one reply has too many.
   */
  feed(line: string): ControlReply | undefined {
    this.#count += 1;
    if (this.#count > CONTROL_LINE_COUNT_MAX) throw malformed('it has too many lines');
    if (this.#isData) {
      this.#isData = line !== '.';
      return undefined;
    }
    const [, status, mark, text = ''] = /^([2-6][0-9]{2})([ +-])(.*)$/.exec(line) ?? [];
    if (status === undefined) throw malformed('a status of three digits is expected');
    this.#isData = mark === '+';
    if (!status.startsWith('6')) this.#lines.push(text);
    if (mark !== ' ') return undefined;
    const lines = this.#lines;
    this.#lines = [];
    this.#count = 0;
    return status.startsWith('6') ? undefined : { status: Number(status), lines };
  }
}

/** @throws ERR_MESSAGE when the reply names no method. */
export function parseProtocolInfo({ lines }: ControlReply): ProtocolInfo {
  const auth = lines.find((line) => line.startsWith('AUTH '));
  const [, methods] = /(?:^| )METHODS=([A-Za-z0-9,_]+)/.exec(auth ?? '') ?? [];
  if (methods === undefined) throw malformed('it names no method of authentication');
  const [, quoted] = / COOKIEFILE=("(?:[^"\\]|\\.)*")/.exec(auth ?? '') ?? [];
  return { methods: methods.split(','), cookieFile: quoted === undefined ? undefined : parseQuoted(quoted) };
}

/** What Tor says to prove that it knows the cookie, too: 32 bytes each, in hexadecimal. @throws ERR_MESSAGE. */
export function parseAuthChallenge({ lines }: ControlReply): {
  readonly serverHash: string;
  readonly serverNonce: string;
} {
  const match = /^AUTHCHALLENGE SERVERHASH=([0-9A-Fa-f]{64}) SERVERNONCE=([0-9A-Fa-f]{64})$/.exec(lines[0] ?? '');
  const [, serverHash, serverNonce] = match ?? [];
  if (serverHash === undefined || serverNonce === undefined) throw malformed('it holds no challenge');
  return { serverHash: serverHash.toLowerCase(), serverNonce: serverNonce.toLowerCase() };
}

/** @throws ERR_MESSAGE when the reply names no service. */
export function parseAddedOnion({ lines }: ControlReply): AddedOnion {
  const [serviceId] = lines.flatMap((line) => /^ServiceID=([a-z2-7]{16,56})$/.exec(line)?.[1] ?? []);
  const [privateKey] = lines.flatMap((line) => /^PrivateKey=(\S{1,2048})$/.exec(line)?.[1] ?? []);
  if (serviceId === undefined) throw malformed('it names no onion service');
  return { serviceId, privateKey };
}

/** The places of SOCKS proxies that `GETINFO net/listeners/socks` names: each `127.0.0.1:9050` or `unix:/PATH`. */
export function parseSocksListeners({ lines }: ControlReply): readonly string[] {
  const value = lines.flatMap((line) => /^net\/listeners\/socks=(.*)$/.exec(line)?.[1] ?? []).join(' ');
  return [...value.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([quoted]) => parseQuoted(quoted));
}

/** How far Tor is with connecting to its network, in per cent; undefined where the reply does not say. */
export function parseBootstrapProgress({ lines }: ControlReply): number | undefined {
  const [progress] = lines.flatMap((line) => / PROGRESS=([0-9]{1,3})(?: |$)/.exec(line)?.[1] ?? []);
  return progress === undefined ? undefined : Number(progress);
}

const KEY = /^[A-Za-z0-9-]{1,32}:[A-Za-z0-9+/=-]{1,2048}$/;

/**
 * Asks for an onion service that lives as long as the connection.
 * @param key - as Tor gave it, or `NEW:ED25519-V3` for a new one. Secret.
 * @throws ERR_MESSAGE when it is no key: whatever else a file holds is not sent.
 */
export function dangerouslyFormatAddOnion(key: string, externalPort: number, localPort: number): string {
  if (!KEY.test(key)) throw new TahoeError('ERR_MESSAGE', { what: 'key of the onion service', reason: 'it is none' });
  return `ADD_ONION ${key} Port=${String(externalPort)},127.0.0.1:${String(localPort)}`;
}

/** The rules of C for backslashes, as far as Tor writes them. */
function parseQuoted(quoted: string): string {
  return quoted.slice(1, -1).replaceAll(/\\([0-7]{1,3}|.)/g, (_all, escaped: string) => {
    if (/^[0-7]/.test(escaped)) return String.fromCharCode(Number.parseInt(escaped, 8) & 0xff);
    return { n: '\n', r: '\r', t: '\t' }[escaped] ?? escaped;
  });
}

function malformed(reason: string): TahoeError {
  return new TahoeError('ERR_MESSAGE', { what: 'reply of the control port', reason });
}
