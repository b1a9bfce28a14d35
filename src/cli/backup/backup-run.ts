/**
 * Stores a tree: files several at a time, each directory when all in it is stored. What an earlier backup has stored
 * and has not changed is used again.
 * @see Tahoe-LAFS docs/frontends/CLI.rst, "tahoe backup"
 */
import { formatPythonJson } from '#core/directory/json-format.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { isTahoeError } from '#core/errors.js';
import { quotePath } from '#node/quoted-path.js';
import type { FileUploads } from '../file-uploads.js';
import type { GatewayClient } from '../gateway-client.js';
import { objectOf, parseAnswer } from '../line-stream.js';
import { openLocalFile } from '../local-file.js';
import { allEnded } from '../parallel.js';
import type { Lanes } from '../parallel.js';
import { addressOf } from '../remote-path.js';
import type { BackupDatabase, EarlierCopy } from './backup-database.js';
import { fileMetadata } from './file-metadata.js';
import type { BackupDirectory, BackupTarget } from './local-tree.js';

/** What became of the tree so far. */
export interface BackupCounts {
  filesCreated: number;
  filesReused: number;
  filesSkipped: number;
  directoriesCreated: number;
  directoriesReused: number;
  directoriesSkipped: number;
  filesChecked: number;
  directoriesChecked: number;
}

/** What a backup is done with. */
export interface BackupWork {
  readonly client: GatewayClient;
  readonly signal: AbortSignal;
  readonly lanes: Lanes;
  readonly uploads: FileUploads;
  readonly database: BackupDatabase;
  readonly counts: BackupCounts;
  /** Whether an unchanged size and unchanged times mean an unchanged file. */
  readonly usesTimes: boolean;
  /** One more thing is through. */
  readonly advance: () => Promise<void>;
  /** What is left out, and why. */
  readonly warn: (text: string) => void;
  /** For who wants to know everything. */
  readonly tell: (text: string) => void;
}

/** One entry of a directory, stored. */
interface StoredEntry {
  readonly name: string;
  readonly type: 'filenode' | 'dirnode';
  readonly capability: string;
  readonly metadata: JsonValue;
}

/** Nothing yet. */
export function noCounts(): BackupCounts {
  return {
    filesCreated: 0,
    filesReused: 0,
    filesSkipped: 0,
    directoriesCreated: 0,
    directoriesReused: 0,
    directoriesSkipped: 0,
    filesChecked: 0,
    directoriesChecked: 0,
  };
}

/** Stores a directory with all below it. @returns its capability. @throws what the gateway's client throws. */
export async function backUpDirectory(directory: BackupDirectory, work: BackupWork): Promise<string> {
  const stored = await allEnded(directory.children.map((child) => backUp(child, work)));
  const entries = stored.filter((entry) => entry !== undefined);
  const capability = await work.lanes.run(() => storeDirectory(directory, entries, work));
  await work.advance();
  return capability;
}

async function backUp(target: BackupTarget, work: BackupWork): Promise<StoredEntry | undefined> {
  if (target.kind === 'skipped') return skip(target.warning, target.isDirectory, work);
  const { name } = target;
  const metadata = fileMetadata(target.stats);
  if (target.kind === 'directory') {
    return { name, type: 'dirnode', capability: await backUpDirectory(target, work), metadata };
  }
  const stored = await work.uploads.inTurn(async () => {
    try {
      return { capability: await storeFile(target, work) };
    } catch (error) {
      // One file that cannot be read keeps no other from being stored.
      if (!isTahoeError(error, 'ERR_FILE')) throw error;
      return { reason: error.facts.reason };
    }
  });
  if (stored.capability === undefined) {
    return skip(`WARNING: ${stored.reason} on file ${quotePath(target.path)}`, false, work);
  }
  await work.advance();
  return { name, type: 'filenode', capability: stored.capability, metadata };
}

async function skip(warning: string, isDirectory: boolean, work: BackupWork): Promise<undefined> {
  work.warn(warning);
  if (isDirectory) work.counts.directoriesSkipped++;
  else work.counts.filesSkipped++;
  await work.advance();
  return undefined;
}

async function storeFile(target: Extract<BackupTarget, { kind: 'file' }>, work: BackupWork): Promise<string> {
  const { database, counts, tell } = work;
  const { path } = target;
  const earlier = database.findFile(target, work.usesTimes);
  if (earlier !== undefined && (await work.lanes.run(() => isStillThere(earlier, 'files', work)))) {
    counts.filesReused++;
    tell(`skipping ${quotePath(path)}..`);
    return earlier.capability;
  }
  tell(`uploading ${quotePath(path)}..`);
  const capability = await work.uploads.store(Number(target.stats.size), () => openLocalFile(path));
  database.addFile(target, capability);
  counts.filesCreated++;
  tell(` ${path} -> ${capability}`);
  return capability;
}

async function storeDirectory(
  { path }: BackupDirectory,
  entries: readonly StoredEntry[],
  work: BackupWork,
): Promise<string> {
  const { client, signal, database, counts, tell } = work;
  const contents = new Map(entries.map(({ name, capability }) => [name, capability]));
  const earlier = database.findDirectory(contents);
  if (earlier !== undefined && (await isStillThere(earlier, 'directories', work))) {
    counts.directoriesReused++;
    tell(` re-using old directory for ${quotePath(path)}`);
    return earlier.capability;
  }
  tell(` creating directory for ${quotePath(path)}`);
  const { text } = await client.call('POST', 'uri?t=mkdir-immutable', { signal, body: childrenText(entries) });
  const capability = text.trim();
  database.addDirectory(contents, capability);
  counts.directoriesCreated++;
  return capability;
}

/** Asks the servers, where that is due. What cannot be checked is stored anew. */
async function isStillThere(
  { capability, isDue }: EarlierCopy,
  kind: 'files' | 'directories',
  work: BackupWork,
): Promise<boolean> {
  if (!isDue) return true;
  const { client, signal, database, counts } = work;
  counts[`${kind}Checked`]++;
  const address = `${addressOf({ root: capability, path: '' })}?t=check&output=JSON`;
  try {
    const { text } = await client.call('POST', address, { signal });
    if (objectOf(parseAnswer(text)['results'])['healthy'] !== true) return false;
  } catch (error) {
    if (!isTahoeError(error, 'ERR_GATEWAY_REPLY')) throw error;
    return false;
  }
  if (kind === 'files') database.confirmFile(capability);
  else database.confirmDirectory(capability);
  return true;
}

function childrenText(entries: readonly StoredEntry[]): string {
  const children = entries.map(({ name, type, capability, metadata }): [string, JsonValue] => {
    const fields: [string, JsonValue][] = [
      ['ro_uri', capability],
      ['metadata', metadata],
    ];
    return [name, [type, new Map(fields)]];
  });
  return formatPythonJson(new Map(children));
}
