/** Makes files and directories of what a request brings, with the arguments that say how. */
import type { DirectoryCapability, KnownCapability, MutableFormat } from '#core/capability/types.js';
import type { NewEntry } from '#core/directory/entries.js';
import { TahoeError, isTahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import { CONTENTS_SIZE_MAX } from '#client/mutable/version-reader.js';
import type { Arguments, FileFormat } from './arguments.js';
import type { GivenChild } from './children-json.js';
import { readAll } from './request-body.js';
import type { Incoming } from './request-body.js';
import type { GatewayServices } from './services.js';

/** Makes a file. @throws ERR_USAGE, ERR_RSA_KEY, ERR_TOO_LARGE, and what storing it throws */
export async function storeFile(
  services: GatewayServices,
  incoming: Incoming,
  args: Arguments,
  signal: AbortSignal,
): Promise<KnownCapability> {
  const { format = 'chk', privateKey } = args;
  if (format === 'chk') {
    if (privateKey !== undefined) throw new TahoeError('ERR_USAGE', { reason: 'private-key= is for mutable files' });
    return (await services.upload(incoming.bytes, signal)).capability;
  }
  const contents = await readContents(incoming);
  const file = await services.createMutable(contents, { format, signal, ...(privateKey && { privateKey }) });
  return file.capability;
}

/** All that comes as the contents of a mutable file. @throws ERR_TOO_LARGE */
export function readContents(incoming: Incoming): Promise<Uint8Array> {
  return readAll(incoming, 'mutable file', CONTENTS_SIZE_MAX);
}

/** Makes a mutable directory that no other names. @throws ERR_USAGE, ERR_RSA_KEY, and what making it throws */
export async function makeDirectory(
  services: GatewayServices,
  entries: readonly NewEntry[],
  { args, signal, where }: { readonly args: Arguments; readonly signal: AbortSignal; readonly where: string },
): Promise<DirectoryCapability> {
  const { format = directoryFormat(services), privateKey } = args;
  if (format === 'chk') throw new TahoeError('ERR_USAGE', { reason: `format=CHK not accepted for ${where}?t=mkdir` });
  return services.createDirectory(entries, { format, signal, ...(privateKey && { privateKey }) });
}

/** Makes a directory inside another. A directory that came into its place in the meantime is taken instead. */
export async function makeSubdirectory(
  services: GatewayServices,
  parent: Directory,
  name: string,
  { format, signal }: { readonly format: MutableFormat; readonly signal: AbortSignal },
): Promise<DirectoryCapability> {
  const child = await services.createDirectory([], { format, signal });
  try {
    await parent.link([{ name, child }], 'nothing', { signal });
    return child;
  } catch (error) {
    if (!isTahoeError(error, 'ERR_CHILD_EXISTS')) throw error;
    const existing = (await parent.entry(name, { signal }))?.child;
    if (existing?.kind !== 'directory') throw fileInTheWay(name, error);
    return existing;
  }
}

/** Makes the directories of a path, one in the other. @returns the last. @throws ERR_FILE_IN_THE_WAY */
export async function makePath(
  services: GatewayServices,
  parent: Directory,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Directory> {
  let directory = parent;
  for (const name of names) {
    const made = await makeSubdirectory(services, directory, name, { format: directoryFormat(services), signal });
    directory = await services.openDirectory(made, signal);
  }
  return directory;
}

/** The format of a new directory: the one that is named, else the node's. */
export function directoryFormat({ mutableFormat = 'sdmf' }: GatewayServices, named?: FileFormat): MutableFormat {
  return named === undefined || named === 'chk' ? mutableFormat : named;
}

/** Children for a new directory. */
export function newEntries(children: readonly GivenChild[]): NewEntry[] {
  return children.map((child) => ({ ...child, metadata: child.metadata ?? new Map() }));
}

/** What is said where a directory would be made and a file is. */
export function fileInTheWay(name: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_FILE_IN_THE_WAY', { name }, { cause });
}
