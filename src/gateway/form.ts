/**
 * The form that the body of a request is: its fields become arguments, and the file in its field `file` is kept until all
 * has been read, for what is to be done with it may stand behind it. A short file stays in memory, a longer one goes to
 * the spool.
 */
import type { FastifyRequest } from 'fastify';
import { concat, fromUtf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { Spool } from '#client/upload/plaintext.js';
import { Arguments, queryOf } from './arguments.js';
import { boundaryOf, readParts } from './multipart.js';
import { readAll, readBody } from './request-body.js';
import type { GatewayServices } from './services.js';

/** What all fields of a form may hold, in bytes; the file is not one of them. */
const FIELDS_SIZE_MAX = 1 << 20;
const FIELDS_MAX = 1000;
/** How much of a file is kept in memory, and how much is read from the spool at once, in bytes. */
const MEMORY_SIZE_MAX = 1 << 20;
const PIECE_SIZE = 1 << 18;

/** A request with its form, if it has one. */
export interface Form {
  readonly args: Arguments;
  readonly file: FormFile | undefined;
  /** Lets go of the file. */
  close(): Promise<void>;
}

/** The file of a form. */
export interface FormFile {
  readonly name: string | undefined;
  readonly sizeBytes: number;
  bytes(): AsyncIterable<Uint8Array>;
}

/** Whether the body is a form. */
export function isForm(request: FastifyRequest): boolean {
  return /^(multipart\/form-data|application\/x-www-form-urlencoded)\s*(;|$)/i.test(typeOf(request));
}

/** A request whose body is no form, or is not to be taken for one. */
export function withoutForm(request: FastifyRequest): Form {
  return { args: new Arguments(queryOf(request)), file: undefined, close: () => Promise.resolve() };
}

/**
 * Reads the form, if the body is one. The caller closes it.
 * @throws ERR_TOO_LARGE, ERR_TOO_MANY, ERR_USAGE when it is no such form, and what the spool throws.
 */
export async function readForm(services: GatewayServices, request: FastifyRequest): Promise<Form> {
  if (!isForm(request)) return withoutForm(request);
  if (/^multipart/i.test(typeOf(request))) return new MultipartForm(services).read(request);
  const fields = new Map<string, string>();
  new URLSearchParams(textOf(await readBody(request, 'form', FIELDS_SIZE_MAX))).forEach((value, name) => {
    if (!fields.has(name)) fields.set(name, value);
  });
  return { ...withoutForm(request), args: new Arguments(queryOf(request), fields) };
}

class MultipartForm {
  readonly #services: GatewayServices;
  readonly #fields = new Map<string, string>();
  #size = 0;
  #file: KeptFile | undefined;

  constructor(services: GatewayServices) {
    this.#services = services;
  }

  async read(request: FastifyRequest): Promise<Form> {
    try {
      const parts = readParts(request.raw as AsyncIterable<Uint8Array>, boundaryOf(typeOf(request)));
      for await (const { name, fileName, body } of parts) {
        if (name === 'file' && this.#file === undefined) {
          this.#file = new KeptFile(this.#services, fileName);
          await this.#file.append(body);
        } else if (!this.#fields.has(name)) {
          await this.#addField(name, body);
        }
      }
    } catch (error) {
      await this.#file?.close();
      throw error;
    }
    const file = this.#file;
    return { args: new Arguments(queryOf(request), this.#fields), file, close: async () => file?.close() };
  }

  async #addField(name: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#fields.size >= FIELDS_MAX) throw new TahoeError('ERR_TOO_MANY', { what: 'fields', limit: FIELDS_MAX });
    const value = await readAll({ bytes: body }, 'form', FIELDS_SIZE_MAX - this.#size);
    this.#size += value.length;
    this.#fields.set(name, textOf(value));
  }
}

class KeptFile implements FormFile {
  readonly name: string | undefined;
  readonly #services: GatewayServices;
  #parts: Uint8Array[] = [];
  #partsSize = 0;
  #spooledSize = 0;
  #spool: Spool | undefined;

  constructor(services: GatewayServices, name: string | undefined) {
    this.#services = services;
    this.name = name;
  }

  get sizeBytes(): number {
    return this.#spooledSize + this.#partsSize;
  }

  async append(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const part of bytes) {
      this.#parts.push(part);
      this.#partsSize += part.length;
      if (this.#partsSize > MEMORY_SIZE_MAX) await this.#spoolParts();
    }
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let offset = 0; offset < this.#spooledSize; offset += PIECE_SIZE) {
      const size = Math.min(PIECE_SIZE, this.#spooledSize - offset);
      if (this.#spool !== undefined) yield await this.#spool.read(offset, size);
    }
    yield* this.#parts;
  }

  async close(): Promise<void> {
    this.#parts = [];
    await this.#spool?.close();
  }

  async #spoolParts(): Promise<void> {
    this.#spool ??= await this.#services.openSpool();
    await this.#spool.append(concat(...this.#parts));
    this.#spooledSize += this.#partsSize;
    this.#parts = [];
    this.#partsSize = 0;
  }
}

function typeOf(request: FastifyRequest): string {
  return request.headers['content-type'] ?? '';
}

function textOf(body: Uint8Array): string {
  try {
    return fromUtf8(body);
  } catch (cause) {
    throw new TahoeError('ERR_USAGE', { reason: 'the form is not UTF-8' }, { cause });
  }
}
