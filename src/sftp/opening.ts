/** Opens files: the checks of what may be opened how, in the reference's order, and what comes of it. */
import { literalCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import type { Metadata } from '#core/directory/metadata.js';
import { attributesOf, isReadOnly } from './attributes.js';
import type { Attributes } from './attributes.js';
import { openContents, streamContents } from './contents.js';
import type { OpenContents } from './file-reader.js';
import type { EntryPlace, Place, RootPlace } from './places.js';
import { openFlags } from './requests.js';
import type { SftpServices } from './services.js';
import { refusal } from './status.js';
import type { WrittenFileStart } from './written-file.js';

/** How a file is to be opened. */
export interface OpenMode {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly appends: boolean;
  readonly creates: boolean;
  readonly truncates: boolean;
  readonly isExclusive: boolean;
}

/** A file that is open to be read. */
export interface ReadFile {
  readonly contents: OpenContents;
  /** As they were when it was opened. */
  readonly attributes: Attributes;
}

/** @throws ERR_SFTP for flags that contradict each other. */
export function openMode(flags: number): OpenMode {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const mode: OpenMode = {
    reads: has(openFlags.read),
    writes: has(openFlags.write),
    appends: has(openFlags.append),
    creates: has(openFlags.create),
    truncates: has(openFlags.truncate),
    isExclusive: has(openFlags.exclusive),
  };
  if (!mode.reads && !mode.writes) throw refusal('badMessage', 'a file is opened to be read, to be written, or both');
  if (mode.isExclusive && !mode.creates) throw refusal('badMessage', 'EXCL is of no meaning without CREAT');
  return mode;
}

/** Opens what is there to be read. @throws ERR_SFTP, and what reading directories and files throws. */
export async function openToRead(services: SftpServices, place: Place, signal: AbortSignal): Promise<ReadFile> {
  const found = await findExisting(place, signal);
  if (found === undefined) throw refusal('noSuchFile', 'there is no such file, and it was not to be created');
  const contents = await openContents(services, found.child, signal);
  const standing = { isParentReadOnly: isParentReadOnly(place), metadata: found.metadata };
  return { contents, attributes: attributesOf(found.child, standing, contents.size) };
}

/**
 * What a file that is to be written begins with. Attributes that come with the request are of no meaning: whoever opens a
 * file is about to write to it, and sshfs sends a mode of 0 with every file that is there.
 * @param lasting - ends when the server does.
 * @throws as `openToRead`
 */
export async function startWriting(
  services: SftpServices,
  place: Place,
  mode: OpenMode,
  { lasting, signal }: { readonly lasting: AbortSignal; readonly signal: AbortSignal },
): Promise<WrittenFileStart> {
  const found = place.kind === 'root' ? rootStart(place, mode) : await entryStart(place, mode, signal);
  const { child } = found;
  const begins = child !== undefined && !mode.truncates;
  return {
    ...found,
    place: place.kind === 'entry' ? place : undefined,
    isChanged: (mode.truncates || child === undefined) && !mode.isExclusive,
    appends: mode.appends,
    contents: begins ? streamContents(services, child, lasting) : undefined,
  };
}

interface Found {
  readonly child: Child | undefined;
  readonly metadata: Metadata;
}

function rootStart({ child }: RootPlace, mode: OpenMode): Found {
  checkIsFile(child);
  if (changes(mode) && isReadOnly(child, { isParentReadOnly: true, metadata: undefined })) {
    throw refusal('permissionDenied', 'this file cannot be written to by its capability alone');
  }
  if (mode.isExclusive) throw refusal('failure', 'it exists already, and was to be created');
  return { child, metadata: new Map() };
}

async function entryStart(place: EntryPlace, mode: OpenMode, signal: AbortSignal): Promise<Found> {
  const { name, parent } = place;
  if (mode.isExclusive) {
    if (!parent.isWriteable) throw refusal('failure', 'nothing can be created in a directory that is only read');
    // The name is taken at once, so that of two who create it only one succeeds.
    const child = literalCapability(new Uint8Array(0));
    await parent.link([{ name, child }], 'nothing', { signal });
  }
  const entry = await parent.entry(name, { signal });
  if (entry === undefined) return missingStart(place, mode);
  checkIsFile(entry.child);
  if (changes(mode) && isReadOnly(entry.child, { isParentReadOnly: !parent.isWriteable, metadata: entry.metadata })) {
    throw refusal('permissionDenied', 'this file may only be read');
  }
  return entry;
}

function missingStart({ parent }: EntryPlace, mode: OpenMode): Found {
  if (!mode.creates) throw refusal('noSuchFile', 'there is no such file, and it was not to be created');
  if (!parent.isWriteable) {
    throw refusal('permissionDenied', 'nothing can be created in a directory that is only read');
  }
  return { child: undefined, metadata: new Map() };
}

/** Whether the mode alone says that the file will be another. */
function changes({ truncates, writes }: OpenMode): boolean {
  return writes || truncates;
}

function checkIsFile(child: Child): void {
  if (child.kind === 'directory') {
    throw refusal('permissionDenied', 'this is a directory, and cannot be opened as if it were a file');
  }
  if (child.kind === 'unknown') {
    throw refusal('permissionDenied', 'its capability is of no kind that is known here; a later release may know it');
  }
}

async function findExisting(
  place: Place,
  signal: AbortSignal,
): Promise<(Pick<DirectoryEntry, 'child'> & { readonly metadata?: Metadata }) | undefined> {
  return place.kind === 'root' ? { child: place.child } : place.parent.entry(place.name, { signal });
}

function isParentReadOnly(place: Place): boolean {
  return place.kind === 'root' || !place.parent.isWriteable;
}
