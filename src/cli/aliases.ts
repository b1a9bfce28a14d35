/**
 * Aliases: short names for directories, a line `name: capability` each in private/aliases of the node directory, shared
 * with the reference. An older file, private/root_dir.cap, holds the alias `tahoe`.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "Starting Directories"
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCapability } from '#core/capability/parse.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { replaceFile, systemCode } from '#node/durable-file.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { localFileError } from './local-file.js';

/** The alias of a path that names none. */
export const DEFAULT_ALIAS = 'tahoe';

/** They hold capabilities: their owner's alone. */
const ALIASES_MODE = 0o600;

/** Capabilities by name, as they stand in the files. Secrets. */
export type Aliases = ReadonlyMap<string, string>;

/**
 * The aliases of the node directory.
 * @param dirCap - the value of --dir-cap, which takes the default alias's place.
 * @throws ERR_FILE when a file of theirs cannot be read; that there is none is no error.
 */
export async function readAliases(context: CommandContext, dirCap?: string): Promise<Aliases> {
  const aliases = new Map<string, string>();
  const root = (await readPrivate('root_dir.cap', context)).trim();
  if (root !== '') aliases.set(DEFAULT_ALIAS, root);
  for (const line of (await readPrivate('aliases', context)).split('\n').map((text) => text.trim())) {
    const colon = line.indexOf(':');
    if (line.startsWith('#') || colon < 0) continue;
    aliases.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  if (dirCap !== undefined) aliases.set(DEFAULT_ALIAS, dirCap.trim());
  return aliases;
}

/** Adds a line at the end; what stands in the file stays. @throws ERR_FILE, ERR_NO_SPACE. */
export async function addAlias(context: CommandContext, name: string, capability: string): Promise<void> {
  const before = await readPrivate('aliases', context);
  const text = before === '' || before.endsWith('\n') ? before : `${before}\n`;
  await replaceFile(privatePath('aliases', context), `${text}${name}: ${capability}\n`, ALIASES_MODE);
}

/** The name of a new alias, without its colon. @throws ERR_USAGE when it cannot be one or is taken. */
export function newAliasName(word: string, aliases: Aliases): string {
  const name = word.replace(/:$/, '');
  if (name.includes(':')) throw new TahoeError('ERR_USAGE', { reason: 'Alias names cannot contain colons.' });
  if (/\s/.test(name)) throw new TahoeError('ERR_USAGE', { reason: 'Alias names cannot contain spaces.' });
  if (name === '' || /^#|\//.test(name)) {
    throw new TahoeError('ERR_USAGE', { reason: 'An alias is a name without slashes that does not begin with #.' });
  }
  if (aliases.has(name)) throw new TahoeError('ERR_USAGE', { reason: `Alias '${name}' already exists!` });
  return name;
}

/** The directory that a text names. @param what - what errors call it. @throws ERR_USAGE when it names none. */
export function directoryNamed(text: string, what: string): DirectoryCapability {
  const capability = parseCapability(text);
  if (capability.kind === 'directory') return capability;
  throw new TahoeError('ERR_USAGE', { reason: `${what} is no capability of a directory (URI:DIR2…)` });
}

async function readPrivate(name: string, context: CommandContext): Promise<string> {
  const path = privatePath(name, context);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return '';
    throw localFileError(path, error);
  }
}

function privatePath(name: string, context: CommandContext): string {
  return join(chooseDirectory({}, context), 'private', name);
}
