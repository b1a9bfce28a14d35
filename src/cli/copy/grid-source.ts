/** Files and directories of the grid, to be copied. */
import { compareNames } from '#core/directory/names.js';
import { TahoeError } from '#core/errors.js';
import { quotePath } from '#node/quoted-path.js';
import type { GatewayClient } from '../gateway-client.js';
import { findNode, readNode } from '../grid-node.js';
import type { GridNode } from '../grid-node.js';
import { addressOf, hiddenCapability } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';
import type { OpenSource, Source, SourceDirectory, SourceFile } from './source.js';

/** How the grid is read. */
export interface GridReading {
  readonly client: GatewayClient;
  readonly signal: AbortSignal;
  /** Whether a file's content is its capability, for comparing trees. */
  readonly capsOnly: boolean;
}

/**
 * @param word - as it was typed.
 * @throws ERR_USAGE when there is nothing, or no directory where a slash ends the path; as readNode does.
 */
export async function gridSource(reading: GridReading, place: RemotePath, word: string): Promise<Source> {
  const path = place.path.replace(/\/$/, '');
  const node = await findNode(reading.client, { root: place.root, path }, reading.signal);
  const shown = quotePath(hiddenCapability(word));
  if (node === undefined) throw usage(`No such file or directory ${shown}`);
  const name = path === '' ? undefined : path.replace(/^.*\//s, '');
  if (node.type === 'dirnode') return gridDirectory(reading, node, name, []);
  if (place.path.endsWith('/')) throw usage(`source ${shown} is not a directory, but ends with a slash`);
  return gridFile(reading, node, name);
}

/** @param above - the capabilities of the directories that it lies in: a directory may name one of them. */
function gridDirectory(
  reading: GridReading,
  node: GridNode,
  name: string | undefined,
  above: readonly string[],
): SourceDirectory {
  const own = capabilityOf(node);
  return {
    kind: 'directory',
    name,
    children: async () => {
      if (above.includes(own)) throw usage(`the directory ${quotePath(name ?? '')} lies in itself and has no end`);
      const listed = node.children.size > 0 ? node : await readNode(reading.client, placeOf(own), reading.signal);
      const names = [...listed.children].sort(([a], [b]) => compareNames(a, b));
      return names.map(([child, found]) => sourceOf(reading, found, child, [...above, own]));
    },
  };
}

function sourceOf(reading: GridReading, node: GridNode, name: string, above: readonly string[]): Source {
  if (node.type === 'dirnode') return gridDirectory(reading, node, name, above);
  if (node.type === 'filenode') return gridFile(reading, node, name);
  throw usage(`${quotePath(name)} was made by a later version of Tahoe-LAFS and cannot be copied`);
}

function gridFile(reading: GridReading, node: GridNode, name: string | undefined): SourceFile {
  const read = node.read ?? capabilityOf(node);
  const isLinkable = !node.isMutable && !reading.capsOnly;
  return {
    kind: 'file',
    name,
    linkable: isLinkable ? read : undefined,
    open: () => (reading.capsOnly ? Promise.resolve(textSource(read)) : openGridFile(reading, node, read)),
  };
}

async function openGridFile({ client, signal }: GridReading, node: GridNode, read: string): Promise<OpenSource> {
  const sizeBytes = node.isMutable ? undefined : node.size;
  const file = await client.get(addressOf(placeOf(read)), { sizeBytes, signal });
  return {
    sizeBytes: file.sizeBytes,
    read: () => file.bytes,
    close: async () => {
      await file.bytes.return();
    },
  };
}

function textSource(text: string): OpenSource {
  const bytes = Buffer.from(text);
  return { sizeBytes: bytes.length, read: () => only(bytes), close: () => Promise.resolve() };
}

// eslint-disable-next-line @typescript-eslint/require-await -- what reads it waits
async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

function placeOf(root: string): RemotePath {
  return { root, path: '' };
}

function capabilityOf(node: GridNode): string {
  const capability = node.write ?? node.read;
  if (capability !== undefined) return capability;
  throw new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason: 'it names no capability' });
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
