/**
 * `cp`: copies files and directories between this machine and the grid, or within either. A word with an alias or a
 * capability is in the grid, any other is a local path.
 */
import { TahoeError } from '#core/errors.js';
import type { CommandContext, CommandModule } from '../context.js';
import { gridSource } from '../copy/grid-source.js';
import { fillDirectory, makeDirectoryAt, storeFileAt } from '../copy/grid-target.js';
import type { GridCopyWork } from '../copy/grid-target.js';
import { localSource, statIfThere } from '../copy/local-source.js';
import { writeLocalFile, writeLocalTree } from '../copy/local-target.js';
import { countPlanned, planCopy } from '../copy/plan.js';
import type { PlannedDirectory } from '../copy/plan.js';
import type { Source, SourceFile } from '../copy/source.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { FileStoreTools } from '../file-store-command.js';
import { FileUploads } from '../file-uploads.js';
import { findNode } from '../grid-node.js';
import type { GridNode } from '../grid-node.js';
import { writeLine } from '../output.js';
import { Lanes } from '../parallel.js';
import { CountProgress } from '../progress.js';
import { hiddenCapability, isRemote, parseRemotePath } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';
import { quotePath } from '#node/quoted-path.js';

interface CpWords {
  readonly recursive?: boolean;
  readonly verbose?: boolean;
  readonly capsOnly?: boolean;
}

/** Where a copy goes; `missing` is what is not there yet. */
type Target =
  | { readonly where: 'local'; readonly kind: 'file' | 'directory' | 'missing'; readonly path: string }
  | { readonly where: 'grid'; readonly kind: 'file' | 'missing'; readonly place: RemotePath }
  | { readonly where: 'grid'; readonly kind: 'directory'; readonly place: RemotePath; readonly node: GridNode };

/** Copies. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] FROM... TO')
      .description(
        'Copies files and directories. What begins with an alias or a capability is in the grid, any other path is on ' +
          'this machine. A directory with a name is copied as a directory of that name, a bare capability as its contents.',
      )
      .argument('<paths...>', 'what to copy, and last of all where to')
      .option('-r, --recursive', 'copy directories, with all below them')
      .option('-v, --verbose', 'tell on standard error how far it is')
      .option('--caps-only', 'write the capability of each file instead of its content, for comparing trees');
  },

  async run(command, context) {
    const words = command.opts<CpWords>();
    const [to = ''] = command.args.slice(-1);
    const from = command.args.slice(0, -1);
    if (from.length === 0) throw usage('cp requires at least two arguments');
    return withFileStore('the copy', command, context, async (tools) => {
      const target = await targetOf(to, tools, context);
      const sources: Source[] = [];
      for (const word of from) sources.push(await sourceOf(word, words, tools, context));
      const copied = await copy({ sources, target, isSlashed: to.endsWith('/'), from, words, tools, context });
      if (!context.isQuiet) await writeLine(context.stdout, `Success: ${copied}`);
      return SUCCESS;
    });
  },
};

interface Copy {
  readonly sources: readonly Source[];
  readonly target: Target;
  /** Whether a slash ends TO. */
  readonly isSlashed: boolean;
  readonly from: readonly string[];
  readonly words: CpWords;
  readonly tools: FileStoreTools;
  readonly context: CommandContext;
}

async function targetOf(
  word: string,
  { client, aliases, signal }: FileStoreTools,
  context: CommandContext,
): Promise<Target> {
  if (!isRemote(word)) {
    const path = resolveLocal(word, context);
    const found = await statIfThere(path);
    const kind = found === undefined ? 'missing' : found.isDirectory() ? 'directory' : 'file';
    return { where: 'local', kind, path };
  }
  const place = parseRemotePath(word, aliases);
  const node = await findNode(client, place, signal);
  if (node?.type === 'dirnode') return { where: 'grid', kind: 'directory', place, node };
  return { where: 'grid', kind: node === undefined ? 'missing' : 'file', place };
}

function sourceOf(word: string, words: CpWords, tools: FileStoreTools, context: CommandContext): Promise<Source> {
  if (!isRemote(word)) return localSource(resolveLocal(word, context), word);
  const reading = { client: tools.client, signal: tools.signal, capsOnly: words.capsOnly === true };
  return gridSource(reading, parseRemotePath(word, tools.aliases), word);
}

/** @returns what was copied. @throws ERR_USAGE when the words do not go together. */
async function copy(task: Copy): Promise<string> {
  const { sources, target, isSlashed, words, from } = task;
  const [first] = sources;
  if (sources.some(({ kind }) => kind === 'directory') && words.recursive !== true) {
    throw usage('cannot copy directories without --recursive');
  }
  const isToFile =
    target.kind === 'file' || (target.kind === 'missing' && sources.length === 1 && first?.kind === 'file');
  if (isToFile && isSlashed) throw usage('target is not a directory, but ends with a slash');
  if (isToFile && sources.length > 1) throw usage('copying multiple things requires target be a directory');
  if (isToFile && first?.kind === 'file') {
    await copyFile(first, task);
    return 'file copied';
  }
  if (isToFile) throw usage('cannot copy directory into a file');
  const unnamed = sources.findIndex(({ kind, name }) => kind === 'file' && name === undefined);
  if (unnamed >= 0) {
    const shown = quotePath(hiddenCapability(from[unnamed] ?? ''));
    throw usage(`when copying into a directory, all source files must have names, but ${shown} is unnamed`);
  }
  await copyInto(await planCopy(sources), task);
  return 'files copied';
}

async function copyFile(source: SourceFile, { target, tools }: Copy): Promise<void> {
  if (target.where === 'local') await writeLocalFile(target.path, source);
  else await storeFileAt(target.place, source, tools);
}

async function copyInto(planned: PlannedDirectory, { target, words, tools, context }: Copy): Promise<void> {
  const counts = countPlanned(planned);
  const progress = new CountProgress(context, { label: 'cp', total: counts.files, what: 'files' });
  const say = (text: string): void => {
    if (words.verbose === true) context.stderr.write(`${text}\n`);
  };
  say(`starting copy, ${String(counts.files)} files, ${String(counts.directories)} directories`);
  let copied = 0;
  const done = (): void => {
    copied++;
    progress.add(1);
    say(`${String(copied)}/${String(counts.files)} files`);
  };
  const lanes = new Lanes();
  const uploads = new FileUploads({ ...tools, lanes });
  const work: GridCopyWork = { ...tools, clock: context.clock, lanes, uploads, done };
  try {
    if (target.where === 'local') await writeLocalTree(target.path, planned, work);
    else if (target.kind === 'directory') await fillDirectory(target.node, planned, work);
    else await makeDirectoryAt(target.place, planned, work);
  } finally {
    progress.end();
  }
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
