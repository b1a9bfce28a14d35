/**
 * The files of one user, as the operations of SFTP: each takes a path and waits for what is on its way there, so that
 * whoever closes a file and goes on with it at once finds it. What leads nowhere, and what may not be, is a refusal.
 * @see Tahoe-LAFS docs/frontends/FTP-and-SFTP.rst
 */
import type { DirectoryCapability } from '#core/capability/types.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import { attributesOf, forbidWriting, metadataWith } from './attributes.js';
import type { Attributes } from './attributes.js';
import { longNameOf } from './long-name.js';
import { openMode, openToRead, startWriting } from './opening.js';
import type { OpenMode, ReadFile } from './opening.js';
import type { SftpPath } from './paths.js';
import { allSettled } from './pending-files.js';
import type { PendingFiles } from './pending-files.js';
import { currentSize, dangerousKeyOf, directoryOf, locate } from './places.js';
import type { EntryPlace, Place } from './places.js';
import type { ListedName } from './replies.js';
import type { SftpServices } from './services.js';
import { encodeSpace, spaceOf } from './space.js';
import { refusal } from './status.js';
import { WrittenFile } from './written-file.js';

/** Whose files, and what they are kept with. */
export interface UserFilesOptions {
  readonly services: SftpServices;
  readonly user: { readonly name: string; readonly root: DirectoryCapability };
  /** Of all users. */
  readonly pending: PendingFiles<WrittenFile>;
  /** Ends when the server does. */
  readonly lasting: AbortSignal;
}

/** An open file. */
export type OpenedFile =
  | { readonly kind: 'read'; readonly file: ReadFile }
  | { readonly kind: 'written'; readonly file: WrittenFile; readonly mode: OpenMode };

/** The files of one user. */
export class UserFiles {
  readonly #services: SftpServices;
  readonly #user: UserFilesOptions['user'];
  readonly #pending: PendingFiles<WrittenFile>;
  readonly #lasting: AbortSignal;

  constructor({ lasting, pending, services, user }: UserFilesOptions) {
    this.#services = services;
    this.#user = user;
    this.#pending = pending;
    this.#lasting = lasting;
  }

  /** @throws ERR_SFTP, and what reading directories and files throws. The same holds for all that follows. */
  async open(path: SftpPath, flags: number, signal: AbortSignal): Promise<OpenedFile> {
    const mode = openMode(flags);
    if (path.root === undefined && path.names.length === 0) {
      throw refusal('noSuchFile', 'this is the root, and no file');
    }
    if (mode.writes || mode.creates) return this.#openToWrite(path, mode, signal);
    const place = await this.#locate(path, signal);
    await allSettled(this.#pendingAt(path, place));
    return { kind: 'read', file: await openToRead(this.#services, place, signal) };
  }

  async stat(path: SftpPath, signal: AbortSignal): Promise<Attributes> {
    const place = await this.#locate(path, signal);
    await allSettled(this.#pendingAt(path, place));
    if (place.kind === 'root') {
      const size = await currentSize(this.#services, place.child, signal);
      return attributesOf(place.child, { isParentReadOnly: true, metadata: undefined }, size);
    }
    const { name, parent } = place;
    const entry = await parent.entry(name, { signal });
    if (entry !== undefined) return this.#attributesOfEntry(parent, entry, signal);
    const [coming] = this.#pendingAt(path, place).reverse();
    if (coming === undefined) throw noSuchChild(name);
    return coming.attributes();
  }

  async setAttributes(path: SftpPath, attributes: Attributes, signal: AbortSignal): Promise<void> {
    if (attributes.size !== undefined) throw refusal('unsupported', 'a file is cut through a handle, not by its path');
    const place = await this.#locate(path, signal);
    const coming = this.#pendingAt(path, place);
    const open = coming.filter((file) => !file.isClosed);
    await Promise.all(open.map((file) => file.setAttributes(attributes)));
    await allSettled(coming);
    if (place.kind === 'root') {
      if (open.length > 0) return;
      throw refusal('noSuchFile', 'what is named by its capability has no attributes that could be set');
    }
    const { name, parent } = place;
    const entry = await parent.entry(name, { signal });
    if (entry === undefined && open.length > 0) return;
    if (entry === undefined) throw noSuchChild(name);
    if (attributes.mode === undefined && attributes.mtime === undefined) return;
    await parent.describe(name, metadataWith(entry.metadata, attributes), { signal });
  }

  async list(path: SftpPath, signal: AbortSignal): Promise<readonly ListedName[]> {
    const place = await this.#locate(path, signal);
    const child = place.kind === 'root' ? place.child : (await existing(place, signal)).child;
    if (child.kind !== 'directory') throw refusal('permissionDenied', 'this is no directory, and cannot be listed');
    const directory = await this.#services.openDirectory(child, signal);
    const { entries } = await directory.list({ signal });
    const nowSeconds = this.#services.clock.nowMs() / 1000;
    return [...entries.values()].map(({ child, metadata, name }) => {
      const attributes = attributesOf(child, { isParentReadOnly: !directory.isWriteable, metadata });
      return { name, longName: longNameOf(name, attributes, nowSeconds), attributes };
    });
  }

  /** Makes a directory, and those on the way to it; one that is there already is taken. */
  async makeDirectory(path: SftpPath, attributes: Attributes, signal: AbortSignal): Promise<void> {
    if (forbidWriting(attributes)) {
      throw refusal('permissionDenied', 'a directory that nobody could write to would stay empty');
    }
    const root = path.root ?? this.#user.root;
    if (root.kind !== 'directory') throw refusal('failure', 'a file is in the way');
    let directory = await this.#services.openDirectory(root, signal);
    for (const name of path.names) directory = await this.#subdirectory(directory, name, signal);
  }

  async remove(path: SftpPath, signal: AbortSignal): Promise<void> {
    const place = await this.#entryAt(path, 'removed', signal);
    const coming = this.#pendingAt(path, place);
    for (const file of coming) file.abandon();
    await allSettled(coming);
    await place.parent.unlink(place.name, { mustExist: coming.length === 0, mustBe: 'file' }, { signal });
  }

  async removeDirectory(path: SftpPath, signal: AbortSignal): Promise<void> {
    const { name, parent } = await this.#entryAt(path, 'removed', signal);
    const entry = await parent.entry(name, { signal });
    if (entry?.child.kind === 'directory') {
      const directory = await this.#services.openDirectory(entry.child, signal);
      if ((await directory.list({ signal })).entries.size > 0) throw refusal('failure', 'the directory is not empty');
    }
    await parent.unlink(name, { mustBe: 'directory' }, { signal });
  }

  /** @param overwrites - whether a file that is there is replaced; a directory never is. */
  async rename(from: SftpPath, to: SftpPath, overwrites: boolean, signal: AbortSignal): Promise<void> {
    const [source, target] = await Promise.all([
      this.#entryAt(from, 'renamed', signal),
      this.#entryAt(to, 'a new name', signal),
    ]);
    const inTheWay = this.#pendingAt(to, target);
    if (!overwrites && inTheWay.length > 0) throw taken();
    await allSettled(inTheWay);
    if (!overwrites && (await target.parent.entry(target.name, { signal })) !== undefined) throw taken();
    const coming = this.#pendingAt(from, source);
    await allSettled(coming);
    const open = coming.filter((file) => !file.isClosed);
    for (const file of open) this.#moveTo(file, to, target);
    await allSettled(coming); // what was closed meanwhile stands by its old name
    try {
      await source.parent.move(source.name, target.parent, target.name, overwrites ? 'files' : 'nothing', { signal });
    } catch (error) {
      if (open.length > 0 && isTahoeError(error, 'ERR_NO_SUCH_CHILD')) return;
      throw !overwrites && isTahoeError(error, 'ERR_CHILD_EXISTS') ? taken(error) : error;
    }
  }

  /** How much room there is. */
  space(): Uint8Array {
    const { file } = this.#user.root;
    return encodeSpace(spaceOf(this.#services.freeBytes()), file.kind !== 'ssk');
  }

  async #openToWrite(path: SftpPath, mode: OpenMode, signal: AbortSignal): Promise<OpenedFile> {
    const file = new WrittenFile(this.#services, this.#lasting, this.#pending);
    const earlier = this.#pending.at(this.#keyOf(path));
    this.#pending.add(this.#keyOf(path), file);
    await file.begin(async () => {
      const place = await this.#locate(path, signal);
      const key = place.kind === 'entry' ? dangerousKeyOf(place) : undefined;
      // Only those that were there before: they do not wait for this one.
      const before = key === undefined ? [] : this.#pending.at(key).filter((other) => other.order < file.order);
      if (key !== undefined) this.#pending.add(key, file);
      await allSettled([...earlier, ...before]);
      return startWriting(this.#services, place, mode, { lasting: this.#lasting, signal });
    });
    return { kind: 'written', file, mode };
  }

  async #attributesOfEntry(parent: Directory, entry: DirectoryEntry, signal: AbortSignal): Promise<Attributes> {
    const size = await currentSize(this.#services, entry.child, signal);
    return attributesOf(entry.child, { isParentReadOnly: !parent.isWriteable, metadata: entry.metadata }, size);
  }

  async #subdirectory(parent: Directory, name: string, signal: AbortSignal): Promise<Directory> {
    const entry = await parent.entry(name, { signal });
    if (entry !== undefined) return this.#asDirectory(entry, signal);
    if (!parent.isWriteable) throw new TahoeError('ERR_DIRECTORY_READ_ONLY', {});
    const child = await this.#services.createDirectory([], { format: this.#services.mutableFormat, signal });
    try {
      await parent.link([{ name, child }], 'nothing', { signal });
      return await this.#services.openDirectory(child, signal);
    } catch (error) {
      const other = isTahoeError(error, 'ERR_CHILD_EXISTS') ? await parent.entry(name, { signal }) : undefined;
      if (other === undefined) throw error;
      return this.#asDirectory(other, signal);
    }
  }

  #asDirectory({ child }: DirectoryEntry, signal: AbortSignal): Promise<Directory> {
    if (child.kind !== 'directory') throw refusal('failure', 'a file is in the way');
    return directoryOf(this.#services, child, signal);
  }

  #locate(path: SftpPath, signal: AbortSignal): Promise<Place> {
    return locate(this.#services, this.#user.root, path, signal);
  }

  async #entryAt(path: SftpPath, what: string, signal: AbortSignal): Promise<EntryPlace> {
    const place = await this.#locate(path, signal);
    if (place.kind === 'entry') return place;
    throw refusal('noSuchFile', `what is named by its capability alone cannot be ${what}`);
  }

  /** A secret: paths may hold capabilities. */
  #keyOf({ whole }: SftpPath): string {
    return `${this.#user.name}:${whole}`;
  }

  #pendingAt(path: SftpPath, place: Place): WrittenFile[] {
    const key = place.kind === 'entry' ? dangerousKeyOf(place) : undefined;
    return this.#pending.at(this.#keyOf(path), ...(key === undefined ? [] : [key]));
  }

  #moveTo(file: WrittenFile, to: SftpPath, target: EntryPlace): void {
    file.move(target);
    this.#pending.forget(file);
    this.#pending.add(this.#keyOf(to), file);
    const key = dangerousKeyOf(target);
    if (key !== undefined) this.#pending.add(key, file);
  }
}

async function existing({ name, parent }: EntryPlace, signal: AbortSignal): Promise<DirectoryEntry> {
  const entry = await parent.entry(name, { signal });
  if (entry === undefined) throw noSuchChild(name);
  return entry;
}

function noSuchChild(name: string): TahoeError<'ERR_NO_SUCH_CHILD'> {
  return new TahoeError('ERR_NO_SUCH_CHILD', { name });
}

function taken(cause?: unknown): TahoeError<'ERR_SFTP'> {
  return refusal('permissionDenied', 'there is something by the new name already', cause);
}
