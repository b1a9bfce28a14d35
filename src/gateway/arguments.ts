/**
 * The arguments of a request: what stands in its query, then the fields of a form in its body. Of several by one name
 * the first counts. What cannot be understood is refused, never taken for something else.
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import type { FastifyRequest } from 'fastify';
import type { MutableFormat } from '#core/capability/types.js';
import { fromUtf8 } from '#core/bytes.js';
import type { Overwrite } from '#core/directory/changes.js';
import { TahoeError } from '#core/errors.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { readBody } from './request-body.js';

/** The longest form, in bytes. Files do not come this way. */
const FORM_SIZE_MAX = 1 << 20;
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

/**
 * Those in the query and in the form that the body is, if it is one.
 * @throws ERR_TOO_LARGE, ERR_USAGE when it is no such form.
 */
export async function formArguments(request: FastifyRequest): Promise<Arguments> {
  return isForm(request) ? new Arguments(queryOf(request), await formFields(request)) : new Arguments(queryOf(request));
}

/** Whether the body is a form. */
export function isForm(request: FastifyRequest): boolean {
  return /^(multipart\/form-data|application\/x-www-form-urlencoded)\s*(;|$)/i.test(contentType(request));
}

function contentType(request: FastifyRequest): string {
  return request.headers['content-type'] ?? '';
}

function queryOf(request: FastifyRequest): ReadonlyMap<string, string> {
  const query = Object.entries(request.query as Record<string, string | string[]>);
  return new Map(query.map(([name, value]) => [name, Array.isArray(value) ? (value[0] ?? '') : value]));
}

async function formFields(request: FastifyRequest): Promise<ReadonlyMap<string, string>> {
  const body = await readBody(request, 'form', FORM_SIZE_MAX);
  const fields = new Map<string, string>();
  const add = (value: string, name: string): void => {
    if (!fields.has(name)) fields.set(name, value);
  };
  if (!/^multipart/i.test(contentType(request))) {
    new URLSearchParams(textOf(body)).forEach(add);
    return fields;
  }
  const response = new Response(body, { headers: { 'content-type': contentType(request) } });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is for long bodies, which this one cannot be
  const form = await response.formData().catch((cause: unknown) => {
    throw new TahoeError('ERR_USAGE', { reason: 'the form cannot be read' }, { cause });
  });
  form.forEach((value, name) => {
    if (typeof value === 'string') add(value, name);
  });
  return fields;
}

function textOf(body: Uint8Array): string {
  try {
    return fromUtf8(body);
  } catch (cause) {
    throw new TahoeError('ERR_USAGE', { reason: 'the form is not UTF-8' }, { cause });
  }
}

function refused(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
