/**
 * What a request's address names: a capability and a path of names from it, `/uri/CAP/NAME/NAME`. A name may hold a
 * slash, percent-encoded; a slash at the end is of no meaning behind a directory.
 */
import type { FastifyRequest } from 'fastify';
import { parseCapability, requireCapability } from '#core/capability/parse.js';
import type { KnownCapability } from '#core/capability/types.js';
import { childOfText } from '#core/directory/child.js';
import type { Child, UnknownChild } from '#core/directory/child.js';
import type { Metadata } from '#core/directory/metadata.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import type { PathFound, PathMissing } from '#client/directory/path.js';
import type { GatewayServices } from './services.js';

/** An address, taken apart. */
export interface Target {
  /** The capability as it was written. */
  readonly root: string;
  readonly path: readonly string[];
}

/** An entry of a directory, as one reaches it. */
export interface Place {
  readonly parent: Directory;
  readonly name: string;
}

/** What is at an address. */
export interface Found {
  readonly child: Child;
  /** Of its link; undefined at the root. */
  readonly metadata: Metadata | undefined;
  /** Undefined at the root. */
  readonly place: Place | undefined;
}

/** The address of a request. @throws ERR_USAGE when it is no UTF-8 or has an empty name inside. */
export function targetOf(request: FastifyRequest): Target {
  const [root = '', ...path] = namesOf(request);
  if (path.at(-1) === '') path.pop();
  if (path.includes('')) {
    const reason = 'The webapi does not allow empty pathname components, i.e. a double slash';
    throw new TahoeError('ERR_USAGE', { reason });
  }
  return { root, path };
}

/** What stands in the address behind the name of the resource, decoded. @throws ERR_USAGE when it is no UTF-8. */
export function namesOf(request: FastifyRequest): string[] {
  const [, , ...encoded] = (request.raw.url ?? '').split('?', 1).join('').split('/');
  return encoded.map(decoded);
}

/** The capability at the root. @throws ERR_CAPABILITY when it is not known. */
export function rootOf({ root }: Target): KnownCapability {
  return requireCapability(root);
}

/** The same, or what is made of one that is not known, which is nothing where it might grant writing. */
export function rootChildOf({ root }: Target): KnownCapability | UnknownChild {
  const capability = parseCapability(root);
  if (capability.kind !== 'unknown') return capability;
  const child = childOfText({ write: root }, { deepImmutable: false });
  if (child.kind === 'unknown') return child;
  return { kind: 'unknown', slots: { write: new Uint8Array(0), read: new Uint8Array(0) } };
}

/** What is at the address. @throws ERR_NO_SUCH_CHILD, and as `lookUp` */
export async function find(services: GatewayServices, target: Target, signal: AbortSignal): Promise<Found> {
  if (target.path.length === 0) return { child: rootChildOf(target), metadata: undefined, place: undefined };
  const found = await lookUp(services, target, signal);
  if (found.kind === 'missing') throw new TahoeError('ERR_NO_SUCH_CHILD', { name: found.rest[0] });
  return foundAt(found, target);
}

/** What was found. @throws ERR_CAPABILITY when it is at the root and its capability is not known. */
export function knownChild({ child, place }: Found, target: Target): Child {
  return place === undefined ? rootOf(target) : child;
}

/** What is there, or how far the path leads. @throws ERR_CAPABILITY, ERR_USAGE, and what following a path throws. */
export async function lookUp(
  services: GatewayServices,
  target: Target,
  signal: AbortSignal,
): Promise<PathFound | PathMissing> {
  const root = rootOf(target);
  try {
    return await services.follow(root, target.path, signal);
  } catch (error) {
    if (!isTahoeError(error, 'ERR_NOT_A_DIRECTORY') || root.kind === 'directory') throw error;
    const reason = `Files have no children named ${JSON.stringify(target.path[0])}`;
    throw new TahoeError('ERR_NOT_A_DIRECTORY', { what: 'the capability', reason }, { cause: error });
  }
}

/** What was found at the end of the path. */
export function foundAt({ child, metadata, parent }: PathFound, { path }: Target): Found {
  const name = path.at(-1);
  return { child, metadata, place: parent === undefined || name === undefined ? undefined : { parent, name } };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new TahoeError('ERR_USAGE', { reason: 'the address is not percent-encoded UTF-8' }, { cause });
  }
}
