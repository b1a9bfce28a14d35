/**
 * The arguments of a request: what stands in its query, then the fields of a form in its body. Of several by one name
 * the first counts. What cannot be understood is refused, never taken for something else.
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import type { FastifyRequest } from 'fastify';
import type { MutableFormat } from '#core/capability/types.js';
import type { Overwrite } from '#core/directory/changes.js';
import { TahoeError } from '#core/errors.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';

const TRUE = ['true', 't', '1', 'on'];
const FALSE = ['false', 'f', '0', 'off'];

/** How a file is kept: immutable (CHK), or mutable in one of two formats. */
export type FileFormat = 'chk' | MutableFormat;

/** The arguments of one request. */
export class Arguments {
  readonly #sources: readonly ReadonlyMap<string, string>[];

  constructor(...sources: readonly ReadonlyMap<string, string>[]) {
    this.#sources = sources;
  }

  /** Undefined when it was not given. */
  get(name: string): string | undefined {
    return this.#sources.find((source) => source.has(name))?.get(name);
  }

  /** What is to be done; empty for the usual. */
  get operation(): string {
    return (this.get('t') ?? '').trim();
  }

  /** @throws ERR_USAGE */
  flag(name: string, usual: boolean): boolean {
    const value = this.get(name);
    if (value === undefined) return usual;
    if (TRUE.includes(value.toLowerCase())) return true;
    if (FALSE.includes(value.toLowerCase())) return false;
    throw refused(`invalid boolean argument: ${name}= takes true or false`);
  }

  /** What `replace=` lets a new entry take the place of. @throws ERR_USAGE */
  get overwrite(): Overwrite {
    const value = this.get('replace')?.toLowerCase() ?? 'true';
    if (value === 'only-files') return 'files';
    if (TRUE.includes(value)) return 'anything';
    if (FALSE.includes(value)) return 'nothing';
    throw refused('invalid replace= argument: it takes true, false or only-files');
  }

  /** The format that is asked for; undefined when none is. @throws ERR_USAGE */
  get format(): FileFormat | undefined {
    const value = this.get('format') ?? '';
    if (value === '') return this.flag('mutable', false) ? 'sdmf' : undefined;
    const format = value.toLowerCase();
    if (format === 'chk' || format === 'sdmf' || format === 'mdmf') return format;
    throw refused(`Unknown format: ${value.slice(0, 100)}, I know CHK, SDMF, MDMF`);
  }

  /** Where to write in a mutable file, in bytes. @throws ERR_USAGE */
  get offset(): number | undefined {
    const value = this.get('offset');
    if (value === undefined) return undefined;
    if (/^ *-[0-9]+ *$/.test(value)) throw refused('PUT to a mutable file: Invalid offset');
    if (/^ *\+?[0-9]{1,15} *$/.test(value)) return Number(value);
    throw refused('offset= takes a whole number');
  }

  /** The RSA key of a new file, as PKCS#8 DER. @throws ERR_USAGE when it is not base64, ERR_RSA_KEY */
  get privateKey(): Uint8Array | undefined {
    const value = this.get('private-key');
    if (value === undefined) return undefined;
    if (!/^[A-Za-z0-9_-]+={0,2}$/.test(value)) throw refused('private-key= takes base64 with - and _ for + and /');
    return parsePrivateKeyText(new Uint8Array(Buffer.from(value, 'base64url')));
  }
}

/** The arguments in the query of a request. */
export function queryArguments(request: FastifyRequest): Arguments {
  return new Arguments(queryOf(request));
}

/** What stands in the query of a request. */
export function queryOf(request: FastifyRequest): ReadonlyMap<string, string> {
  const query = Object.entries(request.query as Record<string, string | string[]>);
  return new Map(query.map(([name, value]) => [name, Array.isArray(value) ? (value[0] ?? '') : value]));
}

function refused(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
