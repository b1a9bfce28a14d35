/**
 * Writes copies into the grid. Files are stored first, several at a time, and then each directory is written once,
 * with all its entries: a copy that is interrupted leaves no directory behind that is filled in part, and storing the
 * same files again is quick.
 */
import { formatPythonJson } from '#core/directory/json-format.js';
import type { JsonObject, JsonValue } from '#core/directory/json-value.js';
import { TahoeError } from '#core/errors.js';
import type { Clock } from '#core/environment.js';
import { quotePath } from '#node/quoted-path.js';
import type { FileUploads } from '../file-uploads.js';
import type { GatewayClient } from '../gateway-client.js';
import { readNode } from '../grid-node.js';
import type { GridNode } from '../grid-node.js';
import { allEnded } from '../parallel.js';
import { addressOf } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';
import type { CopyWork } from './local-target.js';
import type { PlannedDirectory } from './plan.js';
import type { SourceFile } from './source.js';

/** What a copy into the grid is done with. */
export interface GridCopyWork extends CopyWork {
  readonly client: GatewayClient;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** For files that nothing names yet. */
  readonly uploads: FileUploads;
}

/** One entry of a directory that is about to be written. */
interface NewEntry {
  readonly name: string;
  readonly type: 'filenode' | 'dirnode';
  /** A secret. */
  readonly capability: string;
}

/** Stores a file where a path names it. @throws what the source and the gateway throw. */
export async function storeFileAt(
  place: RemotePath,
  source: SourceFile,
  tools: Pick<GridCopyWork, 'client' | 'signal'>,
): Promise<void> {
  await storeFile(addressOf(place), source, tools);
}

/**
 * Copies into a directory that is there.
 * @param node - the directory, with its children.
 * @throws ERR_USAGE when it cannot be written to, or a file stands where a directory is to be.
 */
export async function fillDirectory(node: GridNode, planned: PlannedDirectory, work: GridCopyWork): Promise<void> {
  const { write } = node;
  if (write === undefined) throw usage('the target directory can only be read; use its write capability');
  const files = [...planned.files].map(([name, source]) => fileInto(write, node, name, source, work));
  const below = [...planned.directories].map(([name, child]) => directoryInto(node, name, child, work));
  const entries = (await allEnded([...files, ...below])).filter((entry) => entry !== undefined);
  if (entries.length === 0) return;
  const address = `${addressOf({ root: write, path: '' })}?t=set_children`;
  await work.client.call('POST', address, { signal: work.signal, body: childrenText(entries) });
}

/** Makes a directory with all that goes into it. @returns its capability, which nothing names yet; a secret. */
export async function makeDirectory(planned: PlannedDirectory, work: GridCopyWork): Promise<string> {
  const files = [...planned.files].map(([name, source]) => newFile(name, source, work));
  const below = [...planned.directories].map(([name, child]) => newDirectory(name, child, work));
  const entries = await allEnded([...files, ...below]);
  const body = childrenText(entries, work.clock.nowMs() / 1000);
  const { client, signal } = work;
  const { text } = await work.lanes.run(() => client.call('POST', 'uri?t=mkdir-with-children', { signal, body }));
  return text.trim();
}

/** Makes a directory where a path names it. */
export async function makeDirectoryAt(place: RemotePath, planned: PlannedDirectory, work: GridCopyWork): Promise<void> {
  const capability = await makeDirectory(planned, work);
  const path = place.path.replace(/\/$/, '');
  const address = `${addressOf({ root: place.root, path })}?t=uri`;
  await work.client.call('PUT', address, { signal: work.signal, body: capability });
}

/** A mutable file that is there is written over and stays the same file; anything else is replaced. */
async function fileInto(
  write: string,
  node: GridNode,
  name: string,
  source: SourceFile,
  work: GridCopyWork,
): Promise<NewEntry | undefined> {
  const existing = node.children.get(name);
  if (existing?.type === 'dirnode') throw usage(`a directory named ${quotePath(name)} is in the way of a file`);
  if (existing?.isMutable !== true) return newFile(name, source, work);
  await work.lanes.run(() => storeFile(addressOf({ root: write, path: name }), source, work));
  work.done();
  return undefined;
}

async function directoryInto(
  node: GridNode,
  name: string,
  planned: PlannedDirectory,
  work: GridCopyWork,
): Promise<NewEntry | undefined> {
  const existing = node.children.get(name);
  if (existing === undefined) return newDirectory(name, planned, work);
  const root = existing.write ?? existing.read;
  if (existing.type !== 'dirnode' || root === undefined) {
    throw usage(`a file named ${quotePath(name)} is in the way of a directory`);
  }
  await fillDirectory(await readNode(work.client, { root, path: '' }, work.signal), planned, work);
  return undefined;
}

async function newDirectory(name: string, planned: PlannedDirectory, work: GridCopyWork): Promise<NewEntry> {
  return { name, type: 'dirnode', capability: await makeDirectory(planned, work) };
}

async function newFile(name: string, source: SourceFile, work: GridCopyWork): Promise<NewEntry> {
  const capability =
    source.linkable ?? (await work.uploads.inTurn(() => work.uploads.store(source.sizeBytes, () => source.open())));
  work.done();
  return { name, type: 'filenode', capability };
}

async function storeFile(
  address: string,
  source: SourceFile,
  { client, signal }: Pick<GridCopyWork, 'client' | 'signal'>,
): Promise<void> {
  const open = await source.open();
  try {
    await client.put(open.read(), { sizeBytes: open.sizeBytes, address, signal });
  } finally {
    await open.close();
  }
}

/** @param linkedAt - when they are linked, for a directory that does not keep count of that itself yet. */
function childrenText(entries: readonly NewEntry[], linkedAt?: number): string {
  const times = new Map([
    ['linkcrtime', linkedAt ?? 0],
    ['linkmotime', linkedAt ?? 0],
  ]);
  const metadata: JsonObject = new Map(linkedAt === undefined ? [] : [['tahoe', times]]);
  const children = entries.map(({ name, type, capability }): [string, JsonValue] => {
    const fields: [string, JsonValue][] = [[type === 'dirnode' ? 'rw_uri' : 'ro_uri', capability]];
    if (linkedAt !== undefined) fields.push(['metadata', metadata]);
    return [name, [type, new Map(fields)]];
  });
  return formatPythonJson(new Map(children));
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
