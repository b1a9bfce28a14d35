/**
 * Who may ask for what, decided on the request's head alone: the swissnum, the exact set of secrets, the body's
 * media type and announced size, and whether the reply's form is acceptable. No byte of a body has been read and
 * no disk touched when a request is refused here.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Authorization"
 */
import type { IncomingMessage } from 'node:http';
import type { CryptoProvider } from '#core/crypto.js';
import { utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { CBOR_MEDIA_TYPE, dangerouslyFormatAuthorization, parseSecrets } from '#wire/storage.js';
import type { SecretKind } from '#wire/storage.js';
import { http2StreamOf } from './http2-request.js';

/** What an endpoint asks of a request's head. */
export interface HeadRules<Kind extends SecretKind> {
  readonly secrets: readonly Kind[];
  /** For endpoints that take a CBOR message: its largest size in bytes. */
  readonly messageSizeMax?: number;
  /** Whether a success is answered with CBOR. */
  readonly repliesCbor?: boolean;
}

/** The secrets of an admitted request. */
export type Secrets<Kind extends SecretKind> = Readonly<Record<Kind, Uint8Array>>;

/** All values of a header, one for each time that it was sent. @param name - in lower case. */
export function headerValues(request: IncomingMessage, name: string): string[] {
  const { rawHeaders } = request;
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [header = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]];
    if (header.length === name.length && header.toLowerCase() === name) values.push(value);
  }
  return values;
}

/** Whether a request was told the secret of this server. */
export class Gatekeeper {
  readonly #crypto: CryptoProvider;
  readonly #expected: Uint8Array;

  /** @param swissnum - the server's secret. */
  constructor(crypto: CryptoProvider, swissnum: string) {
    this.#crypto = crypto;
    this.#expected = utf8(dangerouslyFormatAuthorization(swissnum));
  }

  /**
   * Admits a request or refuses it.
   * @throws ERR_SWISSNUM, ERR_HEADER, ERR_MEDIA_TYPE, ERR_TOO_LARGE, ERR_NOT_ACCEPTABLE.
   */
  admit<Kind extends SecretKind>(request: IncomingMessage, rules: HeadRules<Kind>): Secrets<Kind> {
    this.#checkSwissnum(request);
    const secrets = parseSecrets(headerValues(request, 'x-tahoe-authorization'), rules.secrets);
    if (rules.messageSizeMax !== undefined) checkMessageHead(request, rules.messageSizeMax);
    if (rules.repliesCbor === true) checkAccept(request);
    return secrets;
  }

  #checkSwissnum(request: IncomingMessage): void {
    const [value, ...others] = headerValues(request, 'authorization');
    if (others.length > 0) throw new TahoeError('ERR_HEADER', { header: 'Authorization', reason: 'it is there twice' });
    if (value !== undefined && !/^[\x20-\x7e\t]*$/.test(value)) {
      throw new TahoeError('ERR_HEADER', { header: 'Authorization', reason: 'it is not ASCII' });
    }
    if (!this.#crypto.equalSecrets(utf8(value ?? ''), this.#expected)) throw new TahoeError('ERR_SWISSNUM', {});
  }
}

function checkMessageHead(request: IncomingMessage, sizeMax: number): void {
  const mediaType = request.headers['content-type'];
  if (mediaType !== undefined && mediaTypeOf(mediaType) !== CBOR_MEDIA_TYPE) {
    throw new TahoeError('ERR_MEDIA_TYPE', { expected: CBOR_MEDIA_TYPE });
  }
  const size = announcedSize(request);
  if (size !== undefined && size > sizeMax) throw messageTooLarge(sizeMax);
}

/** The error for a message of more than `limitBytes` bytes. */
export function messageTooLarge(limitBytes: number): TahoeError {
  return new TahoeError('ERR_TOO_LARGE', { what: 'message', limitBytes });
}

/** The size of the body that the head announces, in bytes; undefined where it announces none. */
export function announcedSize(request: IncomingMessage): number | undefined {
  if (request.headers['transfer-encoding'] !== undefined) return undefined;
  const size = request.headers['content-length'];
  // Over HTTP/2 a body needs no announcement: only a head that is also the end has none.
  if (size === undefined && http2StreamOf(request)?.endAfterHeaders === false) return undefined;
  return Number(size ?? 0);
}

/**
 * Whether a refusal may say why in plain text. A client that takes CBOR alone would not look at it, and the reference's
 * does not even read it: the connection then waits for ever for somebody who does.
 */
export function acceptsText(request: IncomingMessage): boolean {
  return accepts(request, ['*/*', 'text/*', 'text/plain']);
}

function checkAccept(request: IncomingMessage): void {
  if (accepts(request, ['*/*', 'application/*', CBOR_MEDIA_TYPE])) return;
  throw new TahoeError('ERR_NOT_ACCEPTABLE', { offered: CBOR_MEDIA_TYPE });
}

/** Only the first Accept header counts; none, or an empty one, accepts all. */
function accepts(request: IncomingMessage, types: readonly string[]): boolean {
  const accept = headerValues(request, 'accept')[0]?.trim() ?? '';
  return accept === '' || accept.split(',').some((range) => acceptsOne(range, types));
}

function acceptsOne(range: string, types: readonly string[]): boolean {
  const [, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  return !refused && types.includes(mediaTypeOf(range));
}

function mediaTypeOf(text: string): string {
  return (text.split(';')[0] ?? '').trim().toLowerCase();
}
