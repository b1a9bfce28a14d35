/**
 * What a storage server says of itself, and the file in which a node is told of servers: `private/servers.yaml`.
 *
 *     storage:
 *       v0-…:                                  server id, any text
 *         ann:
 *           nickname: …
 *           anonymous-storage-FURL: pb://<tub id, 32 base32 characters>@…/<swissnum>
 *           anonymous-storage-NURLs: [pb://…#v=1, …]
 *           permutation-seed-base32: …
 *
 * Read as PyYAML's safe loader reads it (YAML 1.1). One broken entry costs that server only. The FURL must be there
 * even for servers over HTTPS: its tub id is what lease secrets are derived from. Addresses hold secrets, so no reason
 * repeats anything of them.
 * @see Tahoe-LAFS docs/configuration.rst, "Static Server Definitions"
 */
import { parseDocument, stringify } from 'yaml';
import type { Document } from 'yaml';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { parseFurl } from './foolscap/furl.js';
import type { Furl } from './foolscap/furl.js';
import { CERTIFICATE_COUNT_MAX, certificateOf } from './grid-certificate.js';
import type { GridCertificate } from './grid-certificate.js';
import { parseNurl } from './nurl.js';
import type { Nurl } from './nurl.js';

/** The largest servers.yaml that is read, in characters. */
export const SERVERS_FILE_SIZE_MAX = 4 << 20;
/** The most servers that one file may name. */
export const SERVER_COUNT_MAX = 4096;
/** The most addresses of one server that are tried. */
export const NURL_COUNT_MAX = 16;
/** The longest server id and nickname, in characters. */
export const NAME_LENGTH_MAX = 256;
/** The most storage plugins of one server that are named. */
export const PLUGIN_COUNT_MAX = 8;

/** The most uses of a YAML alias: none are needed, a bomb needs many. */
const ALIAS_COUNT_MAX = 16;
const TUB_ID_FURL = /^pb:\/\/([a-z2-7]{32})@/i;
const KEY_SERVER_ID = /^v0-([0-9a-zA-Z]{52})$/;

/** A server as it was announced. Without `nurls` it is known, but cannot be used over HTTPS. */
export interface StorageAnnouncement {
  readonly serverId: string;
  readonly nickname: string;
  readonly permutationSeed: Uint8Array;
  /** 20 bytes. */
  readonly tubId: Uint8Array;
  /** At most NURL_COUNT_MAX. */
  readonly nurls: readonly Nurl[];
  /** Of grid managers, not verified; at most CERTIFICATE_COUNT_MAX. */
  readonly certificates: readonly GridCertificate[];
  /** Its address over Foolscap, where it is a whole one. */
  readonly furl?: Furl | undefined;
  /** Names of storage plugins it is offered by, none of which can be used; at most PLUGIN_COUNT_MAX. */
  readonly plugins?: readonly string[];
}

/** What a servers.yaml says: its servers in the file's order, and what of it was left out and why. */
export interface ServerList {
  readonly servers: readonly StorageAnnouncement[];
  readonly skipped: readonly { readonly where: string; readonly reason: string }[];
}

type Digest = Pick<CryptoProvider, 'sha256'>;

/**
 * The servers of a servers.yaml. An empty file has none.
 * @param file - what the file is called in errors.
 * @throws ERR_YAML when the text as a whole is not a YAML map with a map `storage`, or is larger than the limits above.
 */
export function parseServersYaml(text: string, file: string, crypto: Digest): ServerList {
  const skipped: { where: string; reason: string }[] = [];
  const entries = readServersYaml(text, file, (where, reason) => skipped.push({ where, reason }));
  const servers: StorageAnnouncement[] = [];
  for (const [key, entry] of entries) {
    const serverId = scalarText(key) ?? '';
    const note = (reason: string): void => {
      skipped.push({ where: serverId.slice(0, NAME_LENGTH_MAX), reason });
    };
    try {
      servers.push(parseAnnouncement(serverId, asMap(asMap(entry, 'the entry').get('ann'), '"ann"'), crypto, note));
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      note(error.code === 'ERR_MESSAGE' ? (error as TahoeError<'ERR_MESSAGE'>).facts.reason : error.message);
    }
  }
  return { servers, skipped };
}

/**
 * One announcement's fields; those that are unknown are ignored.
 * @param skip - is told of each address that cannot be used while the rest can.
 * @throws ERR_MESSAGE when the id, the FURL's tub id or the permutation seed is missing or malformed.
 */
export function parseAnnouncement(
  serverId: string,
  fields: ReadonlyMap<unknown, unknown>,
  crypto: Digest,
  skip: (reason: string) => void,
): StorageAnnouncement {
  if (serverId === '' || serverId.length > NAME_LENGTH_MAX) {
    throw broken(`the server id is not a text of 1 to ${String(NAME_LENGTH_MAX)} characters`);
  }
  const offers = pluginOffers(fields.get('storage-options'));
  const anonymous = fields.get('anonymous-storage-FURL');
  const isAnonymous = anonymous !== undefined && anonymous !== null;
  const furl = isAnonymous ? anonymous : offers.find(({ furl }) => furl !== undefined)?.furl;
  return {
    serverId,
    nickname: parseNickname(fields.get('nickname')),
    permutationSeed: parsePermutationSeed(serverId, fields.get('permutation-seed-base32'), crypto),
    tubId: parseTubId(furl),
    ...(offers.length > 0 && { plugins: offers.map(({ name }) => name) }),
    nurls: isAnonymous ? parseNurls(fields.get('anonymous-storage-NURLs'), skip) : [],
    certificates: parseCertificates(fields.get('grid-manager-certificates'), skip),
    furl: furlOrUndefined(anonymous),
  };
}

/** What is needed to write a server into a servers.yaml. The FURL holds the swissnum. */
export interface ServersYamlEntry {
  readonly serverId: string;
  readonly nickname: string;
  readonly furl: string;
  readonly nurls: readonly Nurl[];
  readonly permutationSeed: Uint8Array;
  readonly certificates?: readonly GridCertificate[];
}

/** A servers.yaml in block style, as PyYAML would write it. Secret: it holds the servers' swissnums. */
export function dangerouslyFormatServersYaml(entries: readonly ServersYamlEntry[]): string {
  const storage = entries.map(({ serverId, nickname, furl, nurls, permutationSeed, certificates = [] }) => [
    serverId,
    {
      ann: {
        'anonymous-storage-FURL': furl,
        'anonymous-storage-NURLs': nurls.map((nurl) => nurl.dangerouslyFormat()),
        ...(certificates.length === 0 ? {} : { 'grid-manager-certificates': certificates }),
        nickname,
        'permutation-seed-base32': formatBase32(permutationSeed),
      },
    },
  ]);
  return stringify({ storage: Object.fromEntries(storage) as unknown }, { version: '1.1', lineWidth: 0 });
}

// ---- the file ----------------------------------------------------------------------------------------------

/**
 * The entries of a servers.yaml by server id, nothing of them judged yet.
 * @param skip - is told what of the file does not count.
 * @throws ERR_YAML as parseServersYaml does.
 */
export function readServersYaml(
  text: string,
  file: string,
  skip: (where: string, reason: string) => void,
): ReadonlyMap<unknown, unknown> {
  const fail = (reason: string, cause?: unknown): TahoeError => new TahoeError('ERR_YAML', { file, reason }, { cause });
  if (text.length > SERVERS_FILE_SIZE_MAX) throw fail('it is too large');
  const document = parseDocument(text, { version: '1.1', logLevel: 'error' });
  for (const { code, linePos } of document.errors) {
    const where = `line ${String(linePos?.[0].line ?? 0)}`;
    // PyYAML lets the last of two equal keys win; so do we, but say it.
    if (code !== 'DUPLICATE_KEY') throw fail(`${where} is not YAML`);
    skip(where, 'a key is there twice; the last one counts');
  }
  const root = toPlain(document, fail);
  if (root === null) return new Map();
  const storage = root instanceof Map ? (root.get('storage') as unknown) : undefined;
  if (root instanceof Map && storage === null) return new Map();
  if (!(storage instanceof Map)) throw fail('a map "storage" of servers is expected');
  if (storage.size > SERVER_COUNT_MAX) throw fail(`it names more than ${String(SERVER_COUNT_MAX)} servers`);
  return storage;
}

function toPlain(document: Document, fail: (reason: string, cause: unknown) => TahoeError): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: ALIAS_COUNT_MAX }) as unknown;
  } catch (error) {
    throw fail('its aliases cannot be resolved', error);
  }
}

// ---- the fields --------------------------------------------------------------------------------------------

function parseNickname(value: unknown): string {
  if (value === undefined || value === null) return '';
  const nickname = scalarText(value);
  if (nickname === undefined) throw broken('the nickname is not a text');
  return nickname.slice(0, NAME_LENGTH_MAX);
}

function parsePermutationSeed(serverId: string, value: unknown, crypto: Digest): Uint8Array {
  if (value !== undefined) {
    const text = scalarText(value) ?? '';
    const seed = text === '' ? undefined : base32OrUndefined(text);
    if (seed === undefined) throw broken('permutation-seed-base32 is not base32');
    return seed;
  }
  const key = KEY_SERVER_ID.exec(serverId)?.[1];
  if (key === undefined) return crypto.sha256(utf8(serverId));
  const seed = base32OrUndefined(key);
  if (seed === undefined) throw broken('the server id looks like a key and is not base32');
  return seed;
}

function parseTubId(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw broken('there is no anonymous-storage-FURL');
  const tubId = TUB_ID_FURL.exec(value)?.[1];
  if (tubId === undefined) throw broken('anonymous-storage-FURL does not begin with pb:// and a tub id');
  return parseBase32(tubId.toLowerCase());
}

/** What is offered through storage plugins. A server that offers nothing else is known by the tub of their addresses. */
function pluginOffers(value: unknown): readonly { readonly name: string; readonly furl: string | undefined }[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, PLUGIN_COUNT_MAX).flatMap((option: unknown) => {
    if (typeof option !== 'object' || option === null) return [];
    const fields = option instanceof Map ? option : new Map<unknown, unknown>(Object.entries(option));
    const [name, furl] = [scalarText(fields.get('name')), fields.get('storage-server-FURL') as unknown];
    if (name === undefined) return [];
    return [{ name: name.slice(0, NAME_LENGTH_MAX), furl: typeof furl === 'string' ? furl : undefined }];
  });
}

function furlOrUndefined(value: unknown): Furl | undefined {
  try {
    return typeof value === 'string' ? parseFurl(value) : undefined;
  } catch {
    return undefined;
  }
}

function parseNurls(value: unknown, skip: (reason: string) => void): Nurl[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    skip('anonymous-storage-NURLs is not a list');
    return [];
  }
  const nurls: Nurl[] = [];
  if (value.length > NURL_COUNT_MAX) skip(`only the first ${String(NURL_COUNT_MAX)} NURLs are used`);
  for (const [position, text] of value.slice(0, NURL_COUNT_MAX).entries()) {
    try {
      nurls.push(parseNurl(typeof text === 'string' ? text : ''));
    } catch (error) {
      skip(`NURL ${String(position + 1)} is left out: ${reasonOf(error)}`);
    }
  }
  return nurls;
}

function parseCertificates(value: unknown, skip: (reason: string) => void): GridCertificate[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    skip('grid-manager-certificates is not a list');
    return [];
  }
  const certificates = value.slice(0, CERTIFICATE_COUNT_MAX).map(certificateOf);
  if (certificates.includes(undefined)) skip("a grid manager's certificate is left out: it is none");
  return certificates.filter((certificate) => certificate !== undefined);
}

function asMap(value: unknown, what: string): ReadonlyMap<unknown, unknown> {
  if (!(value instanceof Map)) throw broken(`${what} is not a map`);
  return value;
}

/** The text of a scalar that a person may have written without quotes. */
function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : undefined;
}

function base32OrUndefined(text: string): Uint8Array | undefined {
  try {
    return parseBase32(text.toLowerCase());
  } catch {
    return undefined;
  }
}

function broken(reason: string): TahoeError<'ERR_MESSAGE'> {
  return new TahoeError('ERR_MESSAGE', { what: 'announcement', reason });
}
