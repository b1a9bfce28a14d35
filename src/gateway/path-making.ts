/** Follows a path for somebody who writes: directories that it lacks are made, all but the last name. */
import type { Child } from '#core/directory/child.js';
import { isTahoeError } from '#core/errors.js';
import { fileInTheWay, makePath } from './making.js';
import type { GatewayServices } from './services.js';
import { foundAt, lookUp, rootChildOf } from './target.js';
import type { Place, Target } from './target.js';

/** Where something is written. */
export interface Writeable {
  /** What is there already. */
  readonly child: Child | undefined;
  /** Undefined at the root. */
  readonly place: Place | undefined;
}

/**
 * What is at the address, or the directory that it is to be in.
 * @throws ERR_FILE_IN_THE_WAY when a directory would have to be where a file is; ERR_CAPABILITY, and what reading and
 *   writing directories throws.
 */
export async function findOrMake(services: GatewayServices, target: Target, signal: AbortSignal): Promise<Writeable> {
  const { path } = target;
  const name = path.at(-1);
  if (name === undefined) return { child: rootChildOf(target), place: undefined };
  const found = await lookUp(services, target, signal).catch((error: unknown) => {
    throw isTahoeError(error, 'ERR_NOT_A_DIRECTORY') ? fileInTheWay(path.join('/'), error) : error;
  });
  if (found.kind === 'found') return foundAt(found, target);
  const parent = await makePath(services, found.parent, found.rest.slice(0, -1), signal);
  return { child: undefined, place: { parent, name } };
}
