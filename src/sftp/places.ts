/** Finds what a path names: something by its capability alone, or an entry of a directory, which need not be there. */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { authorityOf, concealed } from '#core/capability/types.js';
import type { Capability, DirectoryCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { normalizeName } from '#core/directory/names.js';
import { TahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import type { SftpPath } from './paths.js';
import type { MutableContents, SftpServices } from './services.js';
import { refusal } from './status.js';
import type { LinkPlace } from './written-file.js';

/** Something that no directory names. */
export interface RootPlace {
  readonly kind: 'root';
  readonly child: Child;
}

/** A name in a directory. */
export interface EntryPlace extends LinkPlace {
  readonly kind: 'entry';
}

/** What a path names. */
export type Place = RootPlace | EntryPlace;

/**
 * What the path names, from the root of its own or the user's.
 * @throws ERR_NO_SUCH_CHILD, ERR_NOT_A_DIRECTORY, ERR_SFTP, and what reading directories throws.
 */
export async function locate(
  services: SftpServices,
  userRoot: DirectoryCapability,
  { names, root: named }: SftpPath,
  signal: AbortSignal,
): Promise<Place> {
  const root = named === undefined ? userRoot : named;
  const name = names.at(-1);
  if (name === undefined) return { kind: 'root', child: childOf(root) };
  if (root.kind === 'unknown') throw refusal('noSuchFile', 'this capability is of no kind that is known here');
  const found = await services.follow(root, names.slice(0, -1), signal);
  if (found.kind === 'missing') throw new TahoeError('ERR_NO_SUCH_CHILD', { name: found.rest[0] });
  return { kind: 'entry', parent: await directoryOf(services, found.child, signal), name };
}

/** The directory that something is. @throws ERR_NOT_A_DIRECTORY */
export async function directoryOf(services: SftpServices, child: Child, signal: AbortSignal): Promise<Directory> {
  if (child.kind === 'directory') return services.openDirectory(child, signal);
  throw new TahoeError('ERR_NOT_A_DIRECTORY', { what: 'a name on the path', reason: 'it has no children' });
}

/** What tells this entry of a directory from all others. A secret. Undefined where nobody can write there. */
export function dangerousKeyOf({ name, parent }: LinkPlace): string | undefined {
  if (!parent.isWriteable) return undefined;
  return `${dangerouslyFormatCapability(parent.capability)}/${normalizeName(name)}`;
}

/** The size of a mutable file now. @throws what reading it throws. */
export async function currentSize(
  services: SftpServices,
  child: Child,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (child.kind !== 'ssk' && child.kind !== 'ssk-ro') return undefined;
  const file: MutableContents = await services.openMutable(child, signal);
  return (await file.openVersion({ signal })).size;
}

/** What only verifies is, like what is not known, nothing that can be read. */
function childOf(capability: Capability): Child {
  if (capability.kind !== 'unknown' && authorityOf(capability) !== 'verify') return capability;
  return concealed({ kind: 'unknown', slots: { write: new Uint8Array(0), read: new Uint8Array(0) } });
}
