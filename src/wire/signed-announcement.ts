/**
 * Announcements as they travel: the words of a service about itself, signed by the key that is its name.
 *
 *     message     UTF-8 JSON, an object: service-name, nickname, seqnum, …; at most 16 KiB
 *     signature   `v0-` and base32 of 64 bytes: Ed25519 over exactly the bytes of the message
 *     key         `v0-` and base32 of 32 bytes: whose signature it is, and the id of the server
 *
 * Over Foolscap the three travel as a tuple, over HTTPS as a JSON object of three texts. A message is verified over the
 * bytes that came and is never written anew. A message may hold secrets (the swissnum of a FURL): no error repeats it.
 * @see Tahoe-LAFS src/allmydata/introducer/common.py, `sign_to_foolscap`
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { fromUtf8, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { isSignedBy } from './signing-key.js';

/** The largest message, in bytes. */
export const ANNOUNCEMENT_SIZE_MAX = 16 * 1024;
/** The longest name of a service and the longest texts that people are shown of one, in characters. */
export const SERVICE_NAME_LENGTH_MAX = 64;
const SHOWN_LENGTH_MAX = 256;
/** The service that storage nodes announce. */
export const STORAGE_SERVICE = 'storage';

/** As it came, or as it goes. */
export interface SignedAnnouncement {
  readonly message: Uint8Array;
  readonly signature: string;
  readonly key: string;
}

/** One whose signature was found to be right. */
export interface VerifiedAnnouncement {
  readonly signed: SignedAnnouncement;
  /** The key that signed it. */
  readonly serverId: string;
  readonly serviceName: string;
  /** Undefined when it has none: then any that has one goes before it. */
  readonly sequenceNumber: number | undefined;
  readonly nickname: string;
  /** What program its sender says to be. */
  readonly version: string;
  /** All that it says. */
  readonly fields: ReadonlyMap<string, unknown>;
}

type Signer = Pick<CryptoProvider, 'ed25519Sign' | 'ed25519PublicKey'>;
type Verifier = Pick<CryptoProvider, 'ed25519Verify'>;

const SIGNATURE = /^v0-([a-z2-7]{103})$/;
const KEY = /^v0-([a-z2-7]{52})$/;

/** Signs what is to be announced. @param seed - the Ed25519 seed, 32 bytes. */
export function signAnnouncement(
  fields: Readonly<Record<string, unknown>>,
  seed: Uint8Array,
  crypto: Signer,
): SignedAnnouncement {
  const message = utf8(JSON.stringify(fields));
  const signature = `v0-${formatBase32(crypto.ed25519Sign(seed, message))}`;
  return { message, signature, key: `v0-${formatBase32(crypto.ed25519PublicKey(seed))}` };
}

/**
 * Reads an announcement and verifies its signature.
 * @throws ERR_ANNOUNCEMENT when it is too large, its signature is not its key's, or it names no service.
 */
export function verifyAnnouncement(signed: SignedAnnouncement, crypto: Verifier): VerifiedAnnouncement {
  const { message, signature, key } = signed;
  if (message.length > ANNOUNCEMENT_SIZE_MAX) {
    throw refused(`it is larger than ${String(ANNOUNCEMENT_SIZE_MAX)} bytes`);
  }
  const publicKey = bytesOf(KEY, key, 'its key is not v0- and 52 characters of base32');
  const signatureBytes = bytesOf(SIGNATURE, signature, 'its signature is not v0- and 103 characters of base32');
  if (!isSignedBy(crypto, publicKey, message, signatureBytes)) throw refused('its signature is not that of its key');
  const fields = parseMessage(message);
  const serviceName = fields.get('service-name');
  if (typeof serviceName !== 'string' || serviceName === '' || serviceName.length > SERVICE_NAME_LENGTH_MAX) {
    throw refused('it names no service');
  }
  return {
    signed,
    serverId: key,
    serviceName,
    sequenceNumber: sequenceNumberOf(fields.get('seqnum')),
    nickname: shown(fields.get('nickname')),
    version: shown(fields.get('my-version')),
    fields,
  };
}

/** The JSON object of one announcement. Secret, as its message is. */
export function dangerouslyFormatAnnouncement({ message, signature, key }: SignedAnnouncement): string {
  return JSON.stringify({ message: fromUtf8(message), signature, key });
}

/** Reads such an object; nothing is verified. @throws ERR_ANNOUNCEMENT. */
export function parseSignedAnnouncement(text: string): SignedAnnouncement {
  const { message, signature, key } = Object.fromEntries(parseObject(text)) as Record<string, unknown>;
  if (typeof message !== 'string' || typeof signature !== 'string' || typeof key !== 'string') {
    throw refused('an object of the texts message, signature and key is expected');
  }
  return { message: utf8(message), signature, key };
}

/** The longest text of such an object: every character of the message may be escaped. */
export const ANNOUNCEMENT_TEXT_LENGTH_MAX = 6 * ANNOUNCEMENT_SIZE_MAX + 512;

function bytesOf(pattern: RegExp, text: string, reason: string): Uint8Array {
  const encoded = pattern.exec(text)?.[1];
  if (encoded === undefined) throw refused(reason);
  try {
    return parseBase32(encoded);
  } catch (cause) {
    throw refused(reason, cause);
  }
}

function parseMessage(message: Uint8Array): ReadonlyMap<string, unknown> {
  try {
    return parseObject(fromUtf8(message));
  } catch (cause) {
    throw refused('its message is no JSON object in UTF-8', cause);
  }
}

function parseObject(text: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of JSON.parse repeats the text.
    throw refused('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('it is no JSON object');
  return new Map(Object.entries(value));
}

/** Only whole numbers that are exact count: beyond them two numbers could be taken for one. */
function sequenceNumberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, SHOWN_LENGTH_MAX) : '';
}

function refused(reason: string, cause?: unknown): TahoeError<'ERR_ANNOUNCEMENT'> {
  return new TahoeError('ERR_ANNOUNCEMENT', { reason }, { cause });
}
