/**
 * What a copy into a directory comes to: which files go into which directory. A source directory with a name becomes
 * a directory of that name; of one without, a bare capability, the contents are copied.
 */
import { normalizeName } from '#core/directory/names.js';
import { TahoeError } from '#core/errors.js';
import { quotePath } from '#node/quoted-path.js';
import { allEnded } from '../parallel.js';
import type { Source, SourceDirectory, SourceFile } from './source.js';

/** One directory of the target and what goes into it, by name. */
export interface PlannedDirectory {
  readonly files: Map<string, SourceFile>;
  readonly directories: Map<string, PlannedDirectory>;
}

/**
 * Looks through all sources before anything is written.
 * @throws ERR_USAGE when two of them would take one name; what reading a directory throws.
 */
export async function planCopy(sources: readonly Source[]): Promise<PlannedDirectory> {
  const root = emptyDirectory();
  for (const source of sources) await add(root, source);
  return root;
}

/** How much there is to do. */
export function countPlanned({ files, directories }: PlannedDirectory): { files: number; directories: number } {
  const below = [...directories.values()].map(countPlanned);
  return {
    files: below.reduce((sum, counts) => sum + counts.files, files.size),
    directories: below.reduce((sum, counts) => sum + counts.directories, 1),
  };
}

async function add(target: PlannedDirectory, source: Source): Promise<void> {
  if (source.kind === 'file') addFile(target, source);
  else await addContents(source.name === undefined ? target : subdirectory(target, source.name), source);
}

async function addContents(target: PlannedDirectory, source: SourceDirectory): Promise<void> {
  await allEnded((await source.children()).map((child) => add(target, child)));
}

function addFile({ files, directories }: PlannedDirectory, source: SourceFile): void {
  const name = nameOf(source.name);
  if (files.has(name) || directories.has(name)) throw collision();
  files.set(name, source);
}

function subdirectory({ files, directories }: PlannedDirectory, given: string): PlannedDirectory {
  const name = nameOf(given);
  if (files.has(name)) throw collision();
  const directory = directories.get(name) ?? emptyDirectory();
  directories.set(name, directory);
  return directory;
}

/** As directories of the grid compare names: two spellings of one letter are one name there. */
function nameOf(name = ''): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw new TahoeError('ERR_USAGE', { reason: `${quotePath(name)} cannot be the name of a copy` });
  }
  return normalizeName(name);
}

function emptyDirectory(): PlannedDirectory {
  return { files: new Map(), directories: new Map() };
}

function collision(): TahoeError {
  const reason = 'cannot copy multiple files with the same name into the same target directory';
  return new TahoeError('ERR_USAGE', { reason });
}
