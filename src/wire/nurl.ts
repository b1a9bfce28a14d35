/**
 * NURLs: where a storage server listens, which key it must hold, and what opens it.
 *
 *     pb://<SPKI hash>@<host>:<port>/<swissnum>#v=1        pb+tor://… for an onion service
 *
 * The hash is SHA-256 over the certificate's SubjectPublicKeyInfo (DER), base64url without padding, 43
 * characters. The swissnum is a secret: a NURL prints itself without it, and no error repeats any of it.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "NURLs"
 */
import { TahoeError } from '#core/errors.js';

/** A server's address, parsed. Its string and JSON forms hide the swissnum. */
export class Nurl {
  readonly tor: boolean;
  /** SHA-256 of the SubjectPublicKeyInfo, base64url, 43 characters. */
  readonly spkiHash: string;
  /** A name or address, without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  readonly #swissnum: string;

  constructor(fields: { tor: boolean; spkiHash: string; host: string; port: number; swissnum: string }) {
    this.tor = fields.tor;
    this.spkiHash = fields.spkiHash;
    this.host = fields.host;
    this.port = fields.port;
    this.#swissnum = fields.swissnum;
  }

  /** The secret that opens the server's storage service. */
  dangerousSwissnum(): string {
    return this.#swissnum;
  }

  /** The whole NURL with its secret. */
  dangerouslyFormat(): string {
    return `${this.#prefix()}/${this.#swissnum}#v=1`;
  }

  /** `host:port` as a URL writes it. */
  get authority(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${String(this.port)}`;
  }

  toString(): string {
    return `${this.#prefix()}/[hidden]#v=1`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #prefix(): string {
    return `${this.tor ? 'pb+tor' : 'pb'}://${this.spkiHash}@${this.authority}`;
  }
}

/** The last character of a hash has two bits that belong to no byte; they are zero. */
const NURL =
  /^pb(\+tor)?:\/\/([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])@(\[[0-9A-Fa-f:.]+\]|[^@:/[\]\s]+):([0-9]{1,5})\/([^/#?\s]+)#v=1$/;

/** @throws ERR_NURL when `text` is not a NURL of version 1. The message repeats nothing of it. */
export function parseNurl(text: string): Nurl {
  const match = NURL.exec(text.trim());
  if (match === null) throw new TahoeError('ERR_NURL', { reason: 'pb://HASH@HOST:PORT/SWISSNUM#v=1 is expected' });
  const [, tor, spkiHash = '', host = '', portText = '', swissnum = ''] = match;
  const port = Number(portText);
  if (port < 1 || port > 65_535) throw new TahoeError('ERR_NURL', { reason: 'the port is not in 1 to 65535' });
  return new Nurl({ tor: tor !== undefined, spkiHash, host: host.replace(/^\[|\]$/g, ''), port, swissnum });
}
