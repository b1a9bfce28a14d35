/**
 * `backup`: stores a local directory under TO/Archives/TIME and as TO/Latest, and uses again what an earlier backup
 * has stored. `backup prune` takes old archives out of TO/Archives.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { TahoeError } from '#core/errors.js';
import { nativeBulkCrypto } from '#core/native-bulk-crypto.js';
import { compareNames } from '#core/directory/names.js';
import { BackupDatabase, loadSqlite } from '../backup/backup-database.js';
import { archiveName, progressLine, reportLines } from '../backup/backup-report.js';
import { backUpDirectory, noCounts } from '../backup/backup-run.js';
import type { BackupCounts, BackupWork } from '../backup/backup-run.js';
import { exclusionOf, VERSION_CONTROL } from '../backup/exclusion.js';
import { countTargets, readBackupTree } from '../backup/local-tree.js';
import type { BackupDirectory } from '../backup/local-tree.js';
import { archivesToPrune } from '../backup/prune.js';
import { verifyTree } from '../backup/verification.js';
import type { CommandContext, CommandModule } from '../context.js';
import { chooseDirectory, resolveLocal } from '../directory-choice.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { FileStoreTools } from '../file-store-command.js';
import { FileUploads } from '../file-uploads.js';
import { findNode, readNode } from '../grid-node.js';
import type { GridNode } from '../grid-node.js';
import { localFileError } from '../local-file.js';
import { writeLine } from '../output.js';
import { allEnded, Lanes } from '../parallel.js';
import { addressOf, parseRemotePath } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';

/** Something was left out. */
const INCOMPLETE = 2;
/** What holds the backups of earlier times. */
const ARCHIVES = 'Archives';
/** How often the database is written while a backup runs, in milliseconds: what a crash costs at most. */
const SAVE_EACH_MS = 10_000;

interface BackupWords {
  readonly verbose?: boolean;
  readonly ignoreTimestamps?: boolean;
  readonly exclude: readonly string[];
  readonly excludeFromUtf8: readonly string[];
  readonly excludeVcs?: boolean;
  readonly verify?: boolean;
  readonly keepLast?: string;
  readonly keepDaily?: string;
  readonly keepWeekly?: string;
  readonly keepMonthly?: string;
  readonly dryRun?: boolean;
}

/** Backs up. */
export const command: CommandModule = {
  describe(command) {
    const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
    withFileStoreOptions(command)
      .usage('[options] FROM ALIAS:TO\n       backup prune [--keep-… N] [--dry-run] ALIAS:TO')
      .description(
        'Stores a local directory as TO/Archives/TIME and TO/Latest. What earlier backups have stored is used again. ' +
          'Links and special files are left out; then the exit status is 2. With prune and a --keep option, old archives ' +
          'are taken out of TO/Archives instead; the newest is always kept.',
      )
      .argument('<from>', 'a directory of this machine; or prune')
      .argument('<to>', 'such as ALIAS:backups')
      .option('-v, --verbose', 'tell what is done with each file')
      .option('--ignore-timestamps', 'store every file again, even if its size and times are unchanged')
      .option(
        '--exclude <pattern>',
        'leave out names that match, such as *.tmp; may be given several times',
        collect,
        [],
      )
      .option('--exclude-from-utf-8 <file>', 'the same with patterns from a file, one a line', collect, [])
      .option('--exclude-vcs', 'leave out what version control systems keep')
      .option('--verify', 'read every share of the backup whole once it is stored')
      .option('--keep-last <count>', 'with prune: keep this many of the last archives')
      .option('--keep-daily <count>', 'with prune: keep the last archive of each of this many days')
      .option('--keep-weekly <count>', 'with prune: the same of weeks')
      .option('--keep-monthly <count>', 'with prune: the same of months')
      .option('--dry-run', 'with prune: only print what would go');
  },

  async run(command, context) {
    const words = command.opts<BackupWords>();
    const [from = '', to = ''] = command.args;
    const rules = [words.keepLast, words.keepDaily, words.keepWeekly, words.keepMonthly];
    const isPrune = rules.some((rule) => rule !== undefined);
    if (isPrune && from !== 'prune') throw usage('the --keep options are for: backup prune ALIAS:TO');
    return isPrune ? prune(command, context, to) : backUp(command, context, { from, to });
  },
};

async function backUp(
  command: Command,
  context: CommandContext,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<number> {
  const words = command.opts<BackupWords>();
  const startMs = context.clock.monotonicMs();
  const isExcluded = exclusionOf(await patternsOf(words, context));
  const path = resolveLocal(from, context);
  return withFileStore('the backup', command, context, async (tools) => {
    const parent = below(parseRemotePath(to, tools.aliases));
    // The gateway is asked first: it answers while SQLite is made ready and the tree is read.
    const looking = awaited(findNode(tools.client, parent, tools.signal));
    void awaited(loadSqlite());
    const tree = await readBackupTree(path, basename(path), isExcluded).catch((error: unknown) => {
      throw localFileError(path, error);
    });
    const node = await looking;
    const counts = noCounts();
    const run = { words, counts, context, startMs };
    const { places, root } = await storeBesidePlaces(tree, { parent, node }, run, tools);
    const archive = below(places.archives, archiveName(context.clock.nowMs()));
    await allEnded([archive, below(places.parent, 'Latest')].map((place) => attach(place, root, tools)));
    const isSound = words.verify !== true || (await verify(root, tools, context));
    const elapsedMs = context.clock.monotonicMs() - startMs;
    const lines = context.isQuiet ? [] : reportLines(counts, elapsedMs, words.verbose === true);
    for (const line of lines) await writeLine(context.stdout, line);
    if (!isSound) return FAILURE;
    return counts.filesSkipped + counts.directoriesSkipped > 0 ? INCOMPLETE : SUCCESS;
  });
}

interface Run {
  readonly words: BackupWords;
  readonly counts: BackupCounts;
  readonly context: CommandContext;
  readonly startMs: number;
}

/** Where a backup is entered. */
interface Places {
  /** What holds Archives and Latest. */
  readonly parent: RemotePath;
  readonly archives: RemotePath;
}

/** The same promise, which may fail before anybody waits for it. */
function awaited<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => undefined);
  return promise;
}

/**
 * Stores the tree and sees to the directories in the grid meanwhile, which have to be there only at the end. Where these
 * cannot be made, the rest is given up.
 * @throws what either throws, the directories' first.
 */
async function storeBesidePlaces(
  tree: BackupDirectory,
  { parent, node }: { readonly parent: RemotePath; readonly node: GridNode | undefined },
  run: Run,
  tools: FileStoreTools,
): Promise<{ readonly places: Places; readonly root: string }> {
  const database = await BackupDatabase.open(join(chooseDirectory({}, run.context), 'private', 'backupdb.sqlite'), {
    now: () => run.context.clock.nowMs() / 1000,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
    crypto: nativeBulkCrypto,
  });
  const failed = new AbortController();
  const making = ensureArchives(parent, node, tools);
  making.catch((error: unknown) => failed.abort(error));
  const signal = AbortSignal.any([tools.signal, failed.signal]);
  const [made, stored] = await Promise.allSettled([making, storeTree(tree, database, run, { ...tools, signal })]);
  if (made.status === 'rejected') throw made.reason;
  if (stored.status === 'rejected') throw stored.reason;
  return { places: made.value, root: stored.value };
}

/**
 * Stores the tree; what is stored is remembered, also when it breaks off. The database is closed then.
 * @returns the root's capability.
 */
async function storeTree(
  tree: BackupDirectory,
  database: BackupDatabase,
  { words, counts, context, startMs }: Run,
  tools: FileStoreTools,
): Promise<string> {
  const { clock, stdout, stderr, isQuiet } = context;
  const total = countTargets(tree);
  let done = 0;
  let savedMs = clock.monotonicMs();
  const lanes = new Lanes();
  const work: BackupWork = {
    ...tools,
    database,
    counts,
    lanes,
    uploads: new FileUploads({ ...tools, lanes }),
    usesTimes: words.ignoreTimestamps !== true,
    warn: (text) => stderr.write(`${text}\n`),
    tell: (text) => words.verbose === true && !isQuiet && stdout.write(`${text}\n`),
    advance: async () => {
      const nowMs = clock.monotonicMs();
      done++;
      if (!isQuiet) await writeLine(stdout, progressLine(done, total, nowMs - startMs));
      if (nowMs - savedMs < SAVE_EACH_MS) return;
      savedMs = nowMs;
      await database.save();
    },
  };
  try {
    return await backUpDirectory(tree, work);
  } finally {
    await database.save();
    database.close();
  }
}

async function patternsOf(words: BackupWords, context: CommandContext): Promise<string[]> {
  const patterns = [...words.exclude, ...(words.excludeVcs === true ? VERSION_CONTROL : [])];
  for (const word of words.excludeFromUtf8) {
    const file = resolveLocal(word, context);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw localFileError(file, error);
    });
    patterns.push(...text.split('\n'));
  }
  return patterns;
}

/**
 * Makes Archives where it is missing.
 * @returns both by their capabilities where these are known, so that no later request walks the path from its beginning.
 */
async function ensureArchives(
  parent: RemotePath,
  node: GridNode | undefined,
  { client, signal }: FileStoreTools,
): Promise<Places> {
  const place = below(parent, ARCHIVES);
  const archives = node?.children.get(ARCHIVES);
  if (archives !== undefined) return { parent: directly(node, parent), archives: directly(archives, place) };
  const made = await client.call('POST', `${addressOf(place)}?t=mkdir`, { signal });
  return { parent, archives: { root: made.text.trim(), path: '' } };
}

/** The directory itself, where it may be written. */
function directly(node: GridNode | undefined, place: RemotePath): RemotePath {
  return node?.type === 'dirnode' && node.write !== undefined ? { root: node.write, path: '' } : place;
}

async function attach(place: RemotePath, capability: string, { client, signal }: FileStoreTools): Promise<void> {
  await client.call('PUT', `${addressOf(place)}?t=uri`, { signal, body: capability });
}

async function verify(root: string, { client, signal }: FileStoreTools, context: CommandContext): Promise<boolean> {
  const { unhealthy, lines } = await verifyTree(client, root, signal);
  for (const line of lines) await writeLine(unhealthy > 0 ? context.stderr : context.stdout, line);
  return unhealthy === 0;
}

function below({ root, path }: RemotePath, ...names: readonly string[]): RemotePath {
  return { root, path: [path.replace(/\/+$/, ''), ...names].filter((part) => part !== '').join('/') };
}

async function prune(command: Command, context: CommandContext, to: string): Promise<number> {
  const words = command.opts<BackupWords>();
  const rules = {
    last: countOf('--keep-last', words.keepLast),
    daily: countOf('--keep-daily', words.keepDaily),
    weekly: countOf('--keep-weekly', words.keepWeekly),
    monthly: countOf('--keep-monthly', words.keepMonthly),
  };
  return withFileStore('the clearing', command, context, async ({ client, aliases, signal }) => {
    const archives = below(parseRemotePath(to, aliases), ARCHIVES);
    const { children } = await readNode(client, archives, signal);
    for (const name of archivesToPrune([...children.keys()].sort(compareNames), rules)) {
      if (words.dryRun !== true) await client.call('DELETE', addressOf(below(archives, name)), { signal });
      await writeLine(context.stdout, name);
    }
    return SUCCESS;
  });
}

function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,6}$/.test(text)) throw usage(`${option} takes a number`);
  return Number(text);
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
