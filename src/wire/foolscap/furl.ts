/**
 * Furls: where an object of a Tub is reached, whose it must be, and what it is called there.
 *
 *     pb://<tub id>@<hint>,<hint>…/<name>        hint: tcp:HOST:PORT, tcp:[V6]:PORT, HOST:PORT, tor:HOST:PORT, i2p:HOST[:PORT]
 *
 * The tub id is SHA-1 over the Tub's certificate (DER) in base32; what stands behind its 32 characters is for later versions. The
 * name is a secret: a furl prints itself without it, and no error repeats any of it.
 * @see https://foolscap.readthedocs.io, "Connection Hints"
 */
import { TahoeError } from '#core/errors.js';

/** The longest furl, in characters, as the reference's remote interfaces have it. */
const FURL_LENGTH_MAX = 1000;
/** Hints of one furl that are tried. */
export const HINT_COUNT_MAX = 16;

/** A place, and the network that leads there. */
export interface Hint {
  readonly network: 'tcp' | 'tor' | 'i2p';
  readonly host: string;
  /** 1 to 65535; 0 where a hint of I2P has none. */
  readonly port: number;
}

/** A furl, parsed. Its string and JSON forms hide the name. */
export class Furl {
  /** 32 characters of base32. */
  readonly tubId: string;
  /** Those of its hints that are known here. */
  readonly hints: readonly Hint[];
  readonly #name: string;

  constructor(tubId: string, hints: readonly Hint[], name: string) {
    this.tubId = tubId;
    this.hints = hints;
    this.#name = name;
  }

  /** The swissnum: who knows it may call. */
  dangerousName(): string {
    return this.#name;
  }

  /** The whole furl with its secret, and those of its hints that are known here. */
  dangerouslyFormat(): string {
    return `${this.#prefix()}/${this.#name}`;
  }

  toString(): string {
    return `${this.#prefix()}/[hidden]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  #prefix(): string {
    return `pb://${this.tubId}@${this.hints.map(formatHint).join(',')}`;
  }
}

const FURL = /^pb:\/\/([a-z2-7]{32})[^@/]*@([^/]*)\/([^\s]+)$/;
const TCP_HINT = /^(?:(tcp|tor):)?(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+):([0-9]{1,5})$/;
const I2P_HINT = /^(i2p):([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/;

/** @throws ERR_FURL when `text` is none. Hints of networks that are not known are left out; there may be none left. */
export function parseFurl(text: string): Furl {
  const [, tubId, hints = '', name] = (text.length > FURL_LENGTH_MAX ? null : FURL.exec(text.trim())) ?? [];
  if (tubId === undefined || name === undefined) {
    throw new TahoeError('ERR_FURL', { reason: 'pb://TUBID@HINTS/NAME is expected' });
  }
  return new Furl(tubId, hints.split(',').flatMap(parseHint).slice(0, HINT_COUNT_MAX), name);
}

function parseHint(text: string): Hint[] {
  const hint = text.trim();
  const isI2p = hint.startsWith('i2p:');
  const [, network = 'tcp', host = '', portText = '0'] = (isI2p ? I2P_HINT : TCP_HINT).exec(hint) ?? [];
  const port = Number(portText);
  if (host === '' || port > 65_535 || (port < 1 && !isI2p)) return [];
  return [{ network: network as Hint['network'], host: host.replaceAll(/^\[|\]$/g, ''), port }];
}

function formatHint({ host, network, port }: Hint): string {
  const place = host.includes(':') ? `[${host}]` : host;
  return `${network}:${place}${network === 'i2p' && port === 0 ? '' : `:${String(port)}`}`;
}
