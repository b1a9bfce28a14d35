/**
 * Published server lists: the storage servers of a grid in one document, signed by the key of a grid manager.
 *
 *     {"list": "<JSON text>", "signature": "<base32 of 64 bytes: Ed25519 over the UTF-8 of that text>"}
 *
 * and the text in it
 *
 *     {"kind": "tallac-server-list", "version": 1, "number": 7, "issued": "2026-…", "expires": "2026-…",
 *      "servers": {"v0-…": {the fields of an announcement}, …}}
 *
 * A list is believed until it expires and until one with a higher number is known; who is not in that one is gone. It
 * holds the secrets that open the servers, so it is as secret as an introducer's address.
 * @see docs/server-lists.md
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { fromUtf8, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { parseAnnouncement, SERVER_COUNT_MAX } from './announcement.js';
import type { StorageAnnouncement } from './announcement.js';
import { isSignedBy } from './signing-key.js';

/** The largest document, in bytes. */
export const SERVER_LIST_SIZE_MAX = 4 << 20;
const KIND = 'tallac-server-list';

/** What is published. Times in Unix milliseconds. */
export interface ServerListContents {
  /** A whole number that is higher in each list than in those before. */
  readonly number: number;
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** The fields of each server's announcement by server id. */
  readonly servers: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** A list whose signature was found to be right. Whether it has expired is the caller's to ask. */
export interface VerifiedServerList {
  readonly number: number;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly servers: readonly StorageAnnouncement[];
  /** What of it cannot be used, and why. */
  readonly skipped: readonly { readonly where: string; readonly reason: string }[];
}

/** The document, to be put on any web server. It holds the servers' secrets. @param seed - the manager's key. */
export function dangerouslyFormatServerList(
  { number, issuedMs, expiresMs, servers }: ServerListContents,
  seed: Uint8Array,
  crypto: Pick<CryptoProvider, 'ed25519Sign'>,
): string {
  const [issued, expires] = [issuedMs, expiresMs].map((ms) => new Date(ms).toISOString());
  const list = JSON.stringify({
    kind: KIND,
    version: 1,
    number,
    issued,
    expires,
    servers: Object.fromEntries(servers),
  });
  return `${JSON.stringify({ list, signature: formatBase32(crypto.ed25519Sign(seed, utf8(list))) })}\n`;
}

/**
 * Reads a document and verifies its signature. One broken server costs that server only.
 * @param manager - the public key that must have signed it, 32 bytes.
 * @param name - what errors call the list.
 * @throws ERR_SERVER_LIST when it is none, too large, of another version, or not signed by that key.
 */
export function verifyServerList(
  document: Uint8Array,
  manager: Uint8Array,
  name: string,
  crypto: Pick<CryptoProvider, 'ed25519Verify' | 'sha256'>,
): VerifiedServerList {
  const refused = (reason: string): TahoeError => new TahoeError('ERR_SERVER_LIST', { list: name, reason });
  if (document.length > SERVER_LIST_SIZE_MAX) {
    throw refused(`it is larger than ${String(SERVER_LIST_SIZE_MAX)} bytes`);
  }
  const { list, signature } = recordOf(parseJson(textOf(document)));
  if (typeof list !== 'string' || typeof signature !== 'string') throw refused('it is no signed list');
  if (!isSignedBy(crypto, manager, utf8(list), base32OrNothing(signature))) {
    throw refused('it is not signed by the key that server_lists names');
  }
  const fields = recordOf(parseJson(list));
  const { kind, version, number, servers } = fields;
  if (kind !== KIND || version !== 1) throw refused('it is of a kind that this version does not know');
  const issuedMs = timeOf(fields.issued);
  const expiresMs = timeOf(fields.expires);
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) throw refused('it has no number');
  if (issuedMs === undefined || expiresMs === undefined) throw refused('it does not say until when it is valid');
  const entries = Object.entries(recordOf(servers));
  if (entries.length > SERVER_COUNT_MAX) throw refused(`it names more than ${String(SERVER_COUNT_MAX)} servers`);
  return { number, issuedMs, expiresMs, ...readServers(entries, crypto) };
}

function readServers(
  entries: readonly (readonly [serverId: string, fields: unknown])[],
  crypto: Pick<CryptoProvider, 'sha256'>,
): Pick<VerifiedServerList, 'servers' | 'skipped'> {
  const servers: StorageAnnouncement[] = [];
  const skipped: { where: string; reason: string }[] = [];
  for (const [serverId, fields] of entries) {
    const note = (reason: string): void => {
      skipped.push({ where: serverId.slice(0, 64), reason });
    };
    try {
      servers.push(parseAnnouncement(serverId, new Map(Object.entries(recordOf(fields))), crypto, note));
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      note(error.message);
    }
  }
  return { servers, skipped };
}

/** Nothing of what is no object. */
function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return '';
  }
}

function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$/.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isFinite(ms) ? ms : undefined;
}

function base32OrNothing(text: string): Uint8Array {
  try {
    return parseBase32(text);
  } catch {
    return new Uint8Array(0);
  }
}
