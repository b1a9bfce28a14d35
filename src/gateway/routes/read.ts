/**
 * `GET` and `HEAD /uri/CAP/…`: a file's bytes, a directory's page, and what is known of either.
 *
 *   t=json           as JSON               t=uri            its capability
 *   t=readonly-uri   the one that only reads       t=check          how it is
 *   t=info           a page about it               t=rename-form    a page to rename what is in it
 *   t=watch          its changes as they come (SSE)
 *   filename=        the name of a file            save=true        has a browser save it
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Reading a File", "Getting Information About Files And Directories"
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { formatBase32 } from '#core/base32.js';
import { readCapabilityOf, storageIndexOf } from '#core/capability/attenuate.js';
import { requireCapability } from '#core/capability/parse.js';
import { isMutable } from '#core/capability/types.js';
import type { DirectoryCapability, FileCapability, KnownCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { directoryJson, fileJson, sizeOf, unknownJson } from '../child-json.js';
import { sendPage } from '../html.js';
import { infoPage, renamePage, shortNameOf } from '../info-page.js';
import { listingPage } from '../listing-page.js';
import { sendPlain, sentenceOf, statusOf, textOfChild } from '../reply.js';
import type { Gateway, GatewayServices } from '../services.js';
import { find, knownChild, targetOf } from '../target.js';
import type { Found, Target } from '../target.js';
import { checkChild } from './check.js';
import { sendContents } from './contents.js';
import { watchChild } from './watch.js';

/** Operations whose answers never change for what is immutable. */
const UNCHANGING = ['', 'json', 'uri', 'readonly-uri'];

/** Of a handle that nobody can guess, in bytes. */
const HANDLE_SIZE = 16;

/** One request, understood. */
interface Reading {
  readonly services: Gateway;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly target: Target;
  readonly args: Arguments;
  readonly operation: string;
  /** The name of a file, for whoever saves it. */
  readonly name: string | undefined;
  readonly signal: AbortSignal;
}

/** Answers it. */
export async function getThing(services: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const target = targetOf(request);
  const signal = clientGone(reply);
  const found = await find(services, target, signal);
  return getFound({ services, request, reply, target, signal }, found, found.place?.name);
}

/** Answers what is asked of something that was found. @param usualName - of a file, where no other is given. */
export async function getFound(
  asked: Pick<Reading, 'services' | 'request' | 'reply' | 'target' | 'signal'>,
  found: Found,
  usualName: string | undefined,
): Promise<FastifyReply> {
  const { services, request, reply, target } = asked;
  const args = queryArguments(request);
  const { operation } = args;
  const reading = { ...asked, args, operation, name: args.get('filename') ?? usualName };
  if (operation === 'check' && request.method === 'GET') {
    return checkChild({ ...reading, whenDone: undefined }, knownChild(found, target), false);
  }
  if (operation === 'info' && request.method === 'GET') {
    const handle = Buffer.from(services.randomBytes(HANDLE_SIZE)).toString('hex');
    return sendPage(reply, infoPage(services.crypto, found.child, handle));
  }
  if (operation === 'watch' && request.method === 'GET') return watchChild(reading, knownChild(found, target));
  if (isUnchanged(reading, found)) return reply.code(304).send();
  switch (found.child.kind) {
    case 'unknown':
      return getUnknown(reading, found);
    case 'directory':
      return getDirectory(reading, found.child);
    default:
      return getFile(reading, found.child, found);
  }
}

async function getFile(reading: Reading, file: FileCapability, found: Found): Promise<FastifyReply> {
  const { services, request, reply, operation, args, name, signal } = reading;
  if (request.method === 'HEAD' && operation !== '') throw badOperation('HEAD file', operation);
  switch (operation) {
    case '':
      return sendContents(services, request, reply, { file, name, isSaved: args.flag('save', false), signal });
    case 'json': {
      const size = await currentSize(reading, file);
      return sendPlain(reply, fileJson(services.crypto, file, size, found));
    }
    default:
      return getCapability(reading, file, 'GET file');
  }
}

async function getDirectory(reading: Reading, directory: DirectoryCapability): Promise<FastifyReply> {
  const { services, reply, request, operation, args, signal } = reading;
  if (operation === 'rename-form') {
    const title = `directory ${shortNameOf(services.crypto, directory)}`;
    return sendPage(reply, renamePage(title, pathOf(request), args.get('name') ?? ''));
  }
  if (operation !== '' && operation !== 'json') return getCapability(reading, directory, 'GET directory');
  let entries: readonly DirectoryEntry[];
  try {
    const opened = await services.openDirectory(directory, signal);
    entries = [...(await opened.list({ signal })).entries.values()];
  } catch (error) {
    if (operation !== 'json' || !isTahoeError(error)) throw error;
    return sendPlain(reply.code(statusOf(error)), formatPythonJson(new Map([['error', sentenceOf(error)]])));
  }
  if (operation === 'json') return sendPlain(reply, directoryJson(services.crypto, directory, entries));
  return sendPage(reply, listingPage(services.crypto, directory, { entries, path: pathOf(request) }));
}

function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? '/').split('?', 1).join('');
}

function getUnknown({ services, reply, target, operation }: Reading, found: Found): FastifyReply {
  if (operation === 'json') return sendPlain(reply, unknownJson(services.crypto, found));
  if (found.place === undefined) requireCapability(target.root);
  const reason =
    `GET unknown URI type: can only do t=info and t=json, not t=${shortened(operation)}.\n` +
    'Using a webapi server that supports a later version of Tahoe may help.';
  throw new TahoeError('ERR_USAGE', { reason });
}

function getCapability({ services, reply, operation }: Reading, child: KnownCapability, what: string): FastifyReply {
  if (operation === 'uri') return sendPlain(reply, textOfChild(services.crypto, child));
  if (operation !== 'readonly-uri') throw badOperation(what, operation);
  return sendPlain(reply, textOfChild(services.crypto, readCapabilityOf(services.crypto, child) ?? child));
}

async function currentSize({ services, signal }: Reading, file: FileCapability): Promise<number | undefined> {
  if (file.kind !== 'ssk' && file.kind !== 'ssk-ro') return sizeOf(file);
  return (await (await services.openMutable(file, signal)).openVersion({ signal })).size;
}

/** Sets the entity tag of what never changes. @returns whether the client has it already. */
function isUnchanged({ services, request, reply, operation }: Reading, { child, place }: Found): boolean {
  // Behind a path the JSON holds the metadata of the link, and those change.
  const isFixed = UNCHANGING.includes(operation) && !(operation === 'json' && place !== undefined);
  const tag = isFixed ? entityTag(services, child, operation) : undefined;
  if (tag === undefined) return false;
  reply.header('etag', tag);
  return matches(request.headers['if-none-match'], tag);
}

/** What is immutable stays for ever: its storage index is its version. */
function entityTag({ crypto }: GatewayServices, child: Child, operation: string): string | undefined {
  if (child.kind === 'unknown' || child.kind === 'chk-verify' || isMutable(child)) return undefined;
  const storageIndex = storageIndexOf(crypto, child);
  if (storageIndex === undefined) return undefined;
  return `"${child.kind === 'directory' ? 'DIR:' : ''}${formatBase32(storageIndex)}-${operation}"`;
}

/**
 * Whether an If-None-Match header names the tag: `*`, or a list with it. The reference sends its tags without
 * quotation marks, and what was cached from it is the same file.
 */
function matches(header: string | undefined, tag: string): boolean {
  const tags = (header ?? '').split(',').map((text) => text.trim().replace(/^W\//, ''));
  return tags.some((text) => text === '*' || text === tag || `"${text}"` === tag);
}

function badOperation(what: string, operation: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason: `${what}: bad t=${shortened(operation)}` });
}

function shortened(operation: string): string {
  return operation.slice(0, 100);
}
