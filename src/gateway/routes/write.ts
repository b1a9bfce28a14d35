/**
 * `PUT /uri/CAP/…` writes what an address names, and `DELETE` takes a name out of its directory. What a path lacks in
 * directories is made.
 *
 *   (no t=)       the body is a file: a mutable one that is there is written over (or from `offset=` on), anything else
 *                 by that name replaced
 *   t=uri         the body is a capability to link             t=mkdir   a directory
 *   replace=      true, false or only-files                    format=, private-key=   of a new file
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Writing/Uploading a File", "Attaching an Existing File"
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { MutableReadCapability, MutableWriteCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { typeOfChild } from '#core/directory/child.js';
import { fromUtf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { childOfGiven } from '../children-json.js';
import { EarlyFile } from '../early-file.js';
import { directoryFormat, makeSubdirectory, readContents, storeFile } from '../making.js';
import { findOrMake } from '../path-making.js';
import { sendCapability, sendLine, sendPlain, textOfChild } from '../reply.js';
import { bodyOf, readBody } from '../request-body.js';
import type { GatewayServices } from '../services.js';
import { find, targetOf } from '../target.js';
import type { Place, Target } from '../target.js';

/** The longest capability that is linked, in bytes. */
const CAPABILITY_SIZE_MAX = 65_536;

/** One request, understood. */
interface Writing {
  readonly services: GatewayServices;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly args: Arguments;
  readonly signal: AbortSignal;
  /** What the body is to be, where that is on its way already. */
  readonly early?: EarlyFile | undefined;
}

/** `PUT` */
export async function putThing(
  services: GatewayServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const args = queryArguments(request);
  const signal = clientGone(reply);
  const { operation } = args;
  if (operation !== '' && operation !== 'uri' && operation !== 'mkdir') {
    throw refused(`PUT to a file: bad t=${operation.slice(0, 100)}`);
  }
  const target = targetOf(request);
  const early = await EarlyFile.begin(services, { request, args, target, signal });
  try {
    return await putAt(target, { services, request, reply, args, signal, early });
  } finally {
    await early?.drop();
  }
}

async function putAt(target: Target, writing: Writing): Promise<FastifyReply> {
  const { args, services, signal } = writing;
  const { operation } = args;
  const { child, place } = await findOrMake(services, target, signal);
  if (operation === 'mkdir') return putDirectory(writing, child, place);
  if (child !== undefined && args.overwrite === 'nothing') throw exists(child, place);
  if (operation === 'uri') return putCapability(writing, child, place);
  if (child?.kind === 'directory') throw refused('PUT to a directory');
  if (child?.kind === 'ssk' || child?.kind === 'ssk-ro') return writeOver(writing, child);
  return putFile(writing, child, place);
}

/** `DELETE` */
export async function deleteThing(
  services: GatewayServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const signal = clientGone(reply);
  const { place } = await find(services, targetOf(request), signal);
  if (place === undefined) throw refused('DELETE takes a path: a name in a directory is removed, not the thing itself');
  const entry = await place.parent.unlink(place.name, {}, { signal });
  if (entry === undefined) throw new TahoeError('ERR_NO_SUCH_CHILD', { name: place.name });
  return sendLine(reply, 200, textOfChild(services.crypto, entry.child));
}

async function putDirectory(
  { services, reply, args, signal }: Writing,
  child: Child | undefined,
  place: Place | undefined,
): Promise<FastifyReply> {
  if (child?.kind === 'directory') return sendPlain(reply, dangerouslyFormatCapability(child));
  if (child !== undefined || place === undefined) throw refused('PUT to a file: bad t=mkdir');
  const format = directoryFormat(services, args.format);
  const made = await makeSubdirectory(services, place.parent, place.name, { format, signal });
  return sendPlain(reply, dangerouslyFormatCapability(made));
}

async function putCapability(
  { services, request, reply, args, signal }: Writing,
  child: Child | undefined,
  place: Place | undefined,
): Promise<FastifyReply> {
  if (place === undefined) throw refused('PUT t=uri takes a path: the name that the capability is to get');
  if (child?.kind === 'directory' && args.overwrite === 'files') throw exists(child, place);
  const text = capabilityText(await readBody(request, 'capability', CAPABILITY_SIZE_MAX));
  const linked = childOfGiven(place.name, { write: text });
  await place.parent.link([{ name: place.name, child: linked }], args.overwrite, { signal });
  return sendLine(reply, 200, textOfChild(services.crypto, linked));
}

async function writeOver(
  { services, request, reply, args, signal, early }: Writing,
  capability: MutableWriteCapability | MutableReadCapability,
): Promise<FastifyReply> {
  await early?.drop();
  if (capability.kind === 'ssk-ro') {
    throw refused('PUT to a mutable file: replace or update requested with read-only cap');
  }
  const { offset } = args;
  const contents = await readContents(early?.incoming ?? bodyOf(request));
  const file = await services.openMutable(capability, signal);
  if (offset === undefined) await file.overwrite(contents, { signal });
  else await file.update(offset, contents, { signal });
  return sendCapability(reply, 200, capability);
}

async function putFile(
  { services, request, reply, args, signal, early }: Writing,
  child: Child | undefined,
  place: Place | undefined,
): Promise<FastifyReply> {
  if (args.offset !== undefined) throw refused('PUT to a file: append operation invoked on an immutable cap');
  if (place === undefined) throw refused('PUT to a file: an immutable file never changes; PUT /uri makes a new one');
  if (child === undefined && request.headers['content-range'] !== undefined) {
    throw new TahoeError('ERR_NOT_SUPPORTED', { reason: 'Content-Range in PUT not yet supported' });
  }
  const file = await (early?.stored() ?? storeFile(services, bodyOf(request), args, signal));
  await place.parent.link([{ name: place.name, child: file }], args.overwrite, { signal });
  return sendCapability(reply, child === undefined ? 201 : 200, file);
}

function capabilityText(body: Uint8Array): string {
  try {
    return fromUtf8(body).trim();
  } catch (cause) {
    throw new TahoeError('ERR_CAPABILITY', { reason: 'it is not UTF-8' }, { cause });
  }
}

function exists(child: Child, place: Place | undefined): TahoeError {
  return new TahoeError('ERR_CHILD_EXISTS', { name: place?.name ?? '', existing: typeOfChild(child) });
}

function refused(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
