/**
 * `POST /uri/CAP/…?t=`: what is done to a directory, or to a file. Arguments stand in the query or in a form, and
 * `when_done=` leads on from any of them.
 *
 *   mkdir, mkdir-with-children, mkdir-immutable   make one at the path, or with `name=` inside of it
 *   upload        stores the form's `file`, as `name=` in a directory, or in place of the file that is there
 *   uri           links `uri=` as `name=`         set_children   links what the JSON in the body names
 *   unlink        removes `name=`                 rename         gives `from_name=` the name `to_name=`
 *   relink        moves `from_name=` to `to_dir=` and `to_name=`
 *   check         looks how anything is           start-…, stream-…   walk below a directory
 * @see Tahoe-LAFS docs/frontends/webapi.rst
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requireCapability } from '#core/capability/parse.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import { queryArguments } from '../arguments.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { CHILDREN_SIZE_MAX, childOfGiven, parseChildren } from '../children-json.js';
import { readForm, withoutForm } from '../form.js';
import type { FormFile } from '../form.js';
import { requireLooking } from '../guard.js';
import { sendLine, textOfChild } from '../reply.js';
import { readBody } from '../request-body.js';
import type { Gateway } from '../services.js';
import { find, knownChild, targetOf } from '../target.js';
import { redirect, whenDoneOf } from '../when-done.js';
import { checkChild } from './check.js';
import { makeAt } from './post-mkdir.js';
import { uploadAt } from './post-upload.js';
import { isWalk } from '../walk-names.js';
import { walkBelow } from './walks.js';

/** One request, understood. */
export interface Posting {
  readonly services: Gateway;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly args: Arguments;
  /** The one of the form. */
  readonly file: FormFile | undefined;
  readonly whenDone: string | undefined;
  readonly signal: AbortSignal;
}

/** @returns what there is to say. */
type Change = (posting: Posting, directory: Directory) => Promise<string>;

const changes: ReadonlyMap<string, Change> = new Map([
  ['uri', linkCapability],
  ['delete', unlink],
  ['unlink', unlink],
  ['rename', rename],
  ['relink', relink],
  ['set_children', setChildren],
  ['set-children', setChildren],
]);
/** Operations whose body is JSON, not a form. */
const WITH_JSON = ['mkdir-with-children', 'mkdir-immutable', 'set_children', 'set-children'];
const MAKING = ['mkdir', 'mkdir-with-children', 'mkdir-immutable'];

/** Answers it. */
export async function postThing(
  services: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const signal = clientGone(reply);
  const hasJson = WITH_JSON.includes(queryArguments(request).operation);
  const form = hasJson ? withoutForm(request) : await readForm(services, request);
  try {
    const { args, file } = form;
    requireLooking(services.guard, args);
    return await answer({ services, request, reply, args, file, signal, whenDone: whenDoneOf(request, args) });
  } finally {
    await form.close();
  }
}

async function answer(posting: Posting): Promise<FastifyReply> {
  const { services, request, args, signal } = posting;
  if (MAKING.includes(args.operation)) return done(posting, await makeAt(posting));
  const target = targetOf(request);
  const found = await find(services, target, signal);
  const { child } = found;
  if (args.operation === 'check') return checkChild(posting, knownChild(found, target), true);
  if (args.operation === 'upload') return done(posting, await uploadAt(posting, found));
  if (child.kind !== 'directory') throw badOperation('POST to file: bad', args);
  if (isWalk(args.operation)) return walkBelow(posting, child);
  const change = changes.get(args.operation);
  if (change === undefined) throw badOperation('POST to a directory with bad', args);
  return done(posting, await change(posting, await services.openDirectory(child, signal)));
}

function done({ reply, whenDone }: Posting, text: string): FastifyReply {
  return whenDone === undefined ? sendLine(reply, 200, text) : redirect(reply, whenDone);
}

async function linkCapability({ services, args, signal }: Posting, directory: Directory): Promise<string> {
  const text = required(args, 'uri', 'set-uri requires a uri').trim();
  const name = required(args, 'name', 'set-uri requires a name');
  const child = childOfGiven(name, { write: text });
  await directory.link([{ name, child }], args.overwrite, { signal });
  return textOfChild(services.crypto, child);
}

async function unlink({ args, signal }: Posting, directory: Directory): Promise<string> {
  // Forms leave out a field that is empty, and a name may be.
  await directory.unlink(args.get('name') ?? '', {}, { signal });
  return 'thing unlinked';
}

async function rename(posting: Posting, directory: Directory): Promise<string> {
  if (posting.args.get('to_dir') !== undefined) throw refused('to_dir= is not valid for rename');
  if (posting.args.get('to_name') === undefined) throw refused('to_name= is required for rename');
  return relink(posting, directory);
}

async function relink(posting: Posting, directory: Directory): Promise<string> {
  const { args, signal } = posting;
  const from = args.get('from_name')?.trim();
  if (from === undefined) throw refused('from_name= is required');
  const to = args.get('to_name')?.trim() ?? from;
  for (const [argument, name] of Object.entries({ from_name: from, to_name: to })) {
    if (name.includes('/')) throw refused(`${argument}= may not contain a slash`);
  }
  const target = await directoryNamed(posting, args.get('to_dir')?.trim(), directory);
  await directory.move(from, target, to, args.overwrite, { signal });
  return 'thing moved';
}

async function setChildren({ request, args, signal }: Posting, directory: Directory): Promise<string> {
  const { overwrite } = args;
  const children = parseChildren(await readBody(request, 'list of children', CHILDREN_SIZE_MAX));
  await directory.link(children, overwrite, { signal });
  return 'Okay so I did it.';
}

/** `to_dir=`: a capability, and a path from it. */
async function directoryNamed(
  { services, signal }: Posting,
  text: string | undefined,
  usual: Directory,
): Promise<Directory> {
  if (text === undefined) return usual;
  const [root = '', ...names] = text.split('/');
  const path = names.filter((name, i) => name !== '' || i < names.length - 1);
  const notDirectory = (cause?: unknown): TahoeError =>
    new TahoeError('ERR_USAGE', { reason: 'to_dir is not a directory' }, { cause });
  const found = await services.follow(requireCapability(root), path, signal).catch((error: unknown) => {
    throw isTahoeError(error, 'ERR_NOT_A_DIRECTORY') ? notDirectory(error) : error;
  });
  if (found.kind === 'missing') throw new TahoeError('ERR_NO_SUCH_CHILD', { name: found.rest[0] });
  if (found.child.kind !== 'directory') throw notDirectory();
  return services.openDirectory(found.child, signal);
}

function required(args: Arguments, name: string, reason: string): string {
  const value = args.get(name) ?? '';
  if (value === '') throw refused(reason);
  return value;
}

function badOperation(what: string, { operation }: Arguments): TahoeError {
  return refused(`${what} t=${operation.slice(0, 100)}`);
}

function refused(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
