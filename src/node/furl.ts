/**
 * Furls, the addresses of Foolscap, as far as a node writes them for its storage service.
 *
 *     pb://<tub id>@<hint>,<hint>…/<swissnum>
 *
 * The tub id is SHA-1 over the certificate (DER) in base32, 32 characters; the swissnum is a secret. The same
 * swissnum under the same certificate makes the NURLs of the HTTPS service.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "NURLs"
 */
import { Nurl } from '#wire/nurl.js';
import type { LocationHint } from './config/endpoint-text.js';

/** A furl in its parts. */
export interface Furl {
  /** 32 characters of base32. */
  readonly tubId: string;
  /** As they are written; there may be none. */
  readonly hints: readonly string[];
  /** The secret that opens the service. */
  readonly swissnum: string;
}

const FURL = /^pb:\/\/([a-z2-7]{32})[^@]*@([^/]*)\/(.+)$/;
const ONION_HINT = /^tor:([a-z2-7.]+\.onion):([0-9]{1,5})$/;

/** The furl as text, with its secret. */
export function dangerouslyFormatFurl(furl: Furl): string {
  return `pb://${furl.tubId}@${furl.hints.join(',')}/${furl.swissnum}`;
}

/** The parts of a furl; undefined when `text` is none. */
export function parseFurl(text: string): Furl | undefined {
  const [, tubId, hints = '', swissnum] = FURL.exec(text) ?? [];
  if (tubId === undefined || swissnum === undefined) return undefined;
  return { tubId, hints: hints === '' ? [] : hints.split(','), swissnum };
}

/**
 * The NURLs of a service: one for each hint that is reached over TCP or is an onion service.
 * @param spkiHash - SHA-256 of the certificate's SubjectPublicKeyInfo, base64url, 43 characters.
 */
export function listNurls(spkiHash: string, hints: readonly LocationHint[], swissnum: string): readonly Nurl[] {
  return hints.flatMap((hint) => {
    if (hint.type === 'tcp') return [new Nurl({ tor: false, spkiHash, host: hint.host, port: hint.port, swissnum })];
    const [, host, port] = ONION_HINT.exec(hint.text) ?? [];
    return host === undefined ? [] : [new Nurl({ tor: true, spkiHash, host, port: Number(port), swissnum })];
  });
}
