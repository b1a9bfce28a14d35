/**
 * The marker of a store: which volume it is, and which node's.
 *
 *     <storage_dir>/tallac/volume.json     {"format":1,"volume":"<26 characters>","node":"<tub id>"}
 *     <node directory>/private/storage-volume     the same 26 characters: the store that this node has had
 *
 * The volume's name is 16 random bytes in base32. The node remembers it apart from the store, so that a mount that
 * is missing is noticed. The reference looks at neither file.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '#core/environment.js';
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import { fileError, replaceFile, systemCode } from '../durable-file.js';
import type { NodeDirectory } from '../node-directory.js';

/** The directory in a store that holds what is ours alone. */
export const OWN_DIRECTORY = 'tallac';
const MARKER_FILE = 'volume.json';
const MARKER_MODE = 0o600;
const MEMORY_FILE = 'storage-volume';
const VOLUME_NAME_BYTES = 16;

/** Whose store it is. */
export interface VolumeMarker {
  /** The volume's name, 26 characters. */
  readonly volume: string;
  /** The tub id of the node that it belongs to, 32 characters. */
  readonly node: string;
}

/** The text of a marker. */
export function formatMarker({ volume, node }: VolumeMarker): string {
  return `${JSON.stringify({ format: 1, volume, node })}\n`;
}

/** @returns undefined when the text is no marker. */
export function parseMarker(text: string): VolumeMarker | undefined {
  const pattern = /^\{"format":1,"volume":"([a-z2-7]{26})","node":"([a-z2-7]{32})"\}\s*$/;
  const [, volume, node] = pattern.exec(text) ?? [];
  return volume === undefined || node === undefined ? undefined : { volume, node };
}

/** A marker with a new name. */
export function createMarker(node: string, random: Random): VolumeMarker {
  return { volume: formatBase32(random.bytes(VOLUME_NAME_BYTES)), node };
}

/**
 * The marker of a store; undefined when there is none.
 * @throws ERR_FILE when it cannot be read or is no marker: it is never replaced by itself.
 */
export async function readMarker(storageDirectory: string): Promise<VolumeMarker | undefined> {
  const path = join(storageDirectory, OWN_DIRECTORY, MARKER_FILE);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(path, error);
  });
  if (text === undefined) return undefined;
  const marker = parseMarker(text);
  if (marker !== undefined) return marker;
  const reason = 'it does not say whose store this is; put it back, or remove it and run: tallac storage adopt NODEDIR';
  throw new TahoeError('ERR_FILE', { file: path, reason });
}

/** Writes the marker durably. @throws ERR_FILE, ERR_NO_SPACE. */
export async function writeMarker(storageDirectory: string, marker: VolumeMarker): Promise<void> {
  await replaceFile(join(storageDirectory, OWN_DIRECTORY, MARKER_FILE), formatMarker(marker), MARKER_MODE);
}

/** The name of the volume that the node had last; undefined when it had none yet. @throws ERR_FILE. */
export async function rememberedVolume(directory: NodeDirectory): Promise<string | undefined> {
  return directory.read(join('private', MEMORY_FILE));
}

/** Has the node remember its volume, durably. @throws ERR_FILE, ERR_NO_SPACE. */
export async function rememberVolume(directory: NodeDirectory, volume: string): Promise<void> {
  if ((await rememberedVolume(directory)) !== volume) await directory.writePrivate(MEMORY_FILE, `${volume}\n`);
}
