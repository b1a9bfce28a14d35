/**
 * A directory of the grid: its entries, and changes to them. Any capability that reads one opens it; only that of a
 * mutable directory with write authority changes it and shows what grants writing to its children.
 *
 * Changes are run again when somebody else wrote at the same time, so that both are kept. Nothing is kept between calls:
 * each one reads the newest contents.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { equalBytes } from '#core/bytes.js';
import type {
  ChkReadCapability,
  DirectoryCapability,
  KnownCapability,
  MutableReadCapability,
  MutableWriteCapability,
} from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { describing, linking, renaming, unlinking } from '#core/directory/changes.js';
import type { ChangeContext, DirectoryChange, Link, Overwrite, RemovalConditions } from '#core/directory/changes.js';
import { DirectoryEdit } from '#core/directory/edit.js';
import {
  DIRECTORY_SIZE_MAX,
  openEntry,
  packDirectory,
  splitDirectory,
  unpackDirectory,
} from '#core/directory/entries.js';
import type {
  DirectoryAccess,
  DirectoryEntry,
  DirectoryListing,
  NewEntry,
  WriteAccess,
} from '#core/directory/entries.js';
import type { Metadata } from '#core/directory/metadata.js';
import { normalizeName } from '#core/directory/names.js';
import { TahoeError } from '#core/errors.js';
import { ImmutableReader } from '../download/immutable-reader.js';
import type { DownloadContext } from '../download/immutable-reader.js';
import type { MutableContents } from './mutable-contents.js';

/** The largest directory that is taken apart only to recall what it was, in bytes. */
const RECALLED_SIZE_MAX = 131_072;

/** What directories are opened with. */
export interface DirectoryContext extends DownloadContext {
  /** The mutable file of that capability, shared by all who write to it in this process. */
  openMutable(capability: MutableWriteCapability | MutableReadCapability): MutableContents;
}

/** What ends a call early. Deadlines are those of the files that hold the directories. */
export interface DirectoryCallOptions {
  readonly signal?: AbortSignal;
}

/** A directory as it was read. */
export interface ListedContents extends DirectoryListing {
  readonly sizeBytes: number;
}

/** Where the contents come from, and where changed ones go. */
interface Opened {
  readonly access: DirectoryAccess;
  readonly contents: Pick<MutableContents, 'read' | 'recall'>;
  readonly writer?: { readonly access: WriteAccess; readonly file: MutableContents };
}

/**
 * The directory that a capability names. Nothing is read yet.
 * @throws ERR_NOT_A_DIRECTORY when it names a file, or only verifies.
 */
export function openDirectory(context: DirectoryContext, capability: KnownCapability): Directory {
  if (capability.kind !== 'directory') throw notADirectory('it names a file');
  return new Directory(context, capability, openContents(context, capability));
}

/** The contents of a new mutable directory of these entries, which depend on its write key (16 bytes). */
export function newDirectoryContents(
  crypto: CryptoProvider,
  entries: readonly NewEntry[],
): (writeKey: Uint8Array) => Uint8Array {
  return (writeKey) => packDirectory(crypto, { kind: 'write', writeKey }, entries);
}

/** One directory, opened with what one capability grants. @see openDirectory */
export class Directory {
  readonly capability: DirectoryCapability;
  readonly #context: DirectoryContext;
  readonly #opened: Opened;
  readonly #changes: ChangeContext;

  constructor(context: DirectoryContext, capability: DirectoryCapability, opened: Opened) {
    this.capability = capability;
    this.#context = context;
    this.#opened = opened;
    this.#changes = { crypto: context.crypto, nowSeconds: () => context.clock.nowMs() / 1000 };
  }

  get isWriteable(): boolean {
    return this.#opened.writer !== undefined;
  }

  get isMutable(): boolean {
    return this.#opened.access.kind !== 'immutable';
  }

  /**
   * All entries.
   * @throws ERR_DIRECTORY when the contents are damaged, ERR_TOO_LARGE, and what reading the file throws.
   */
  async list(options: DirectoryCallOptions = {}): Promise<ListedContents> {
    const contents = await this.#opened.contents.read(options);
    const listing = unpackDirectory(this.#context.crypto, this.#opened.access, contents);
    for (const { reason } of listing.refused) this.#context.log.warn('directory entry hidden', { reason });
    return { ...listing, sizeBytes: contents.length };
  }

  /** One entry; undefined when there is none of that name. @throws as `list`, and ERR_CHILD_NAME */
  async entry(name: string, options: DirectoryCallOptions = {}): Promise<DirectoryEntry | undefined> {
    const wanted = normalizeName(name);
    return this.#entryIn(await this.#opened.contents.read(options), wanted);
  }

  /**
   * The entry as it was when this process last read or wrote the directory; nobody is asked.
   * @returns `unknown` where it has not, or that is forgotten, or the directory is large. @throws as `entry`
   */
  recall(name: string): DirectoryEntry | 'unknown' | undefined {
    const contents = this.#opened.contents.recall?.();
    if (contents === undefined || contents.length > RECALLED_SIZE_MAX) return 'unknown';
    return this.#entryIn(contents, normalizeName(name));
  }

  #entryIn(contents: Uint8Array, wanted: string): DirectoryEntry | undefined {
    const stored = splitDirectory(contents).get(wanted);
    const entry = stored && openEntry(this.#context.crypto, this.#opened.access, stored);
    return entry === undefined || 'reason' in entry ? undefined : entry;
  }

  /**
   * Links children, all or none.
   * @throws ERR_CHILD_EXISTS, ERR_DIRECTORY_READ_ONLY, ERR_CHILD_NAME, and what writing the file throws.
   */
  async link(links: readonly Link[], overwrite?: Overwrite, options: DirectoryCallOptions = {}): Promise<void> {
    await this.#change(linking(this.#changes, links, overwrite), options);
  }

  /**
   * Removes an entry.
   * @returns what it was; undefined when it was not there.
   * @throws ERR_NO_SUCH_CHILD, ERR_CHILD_TYPE, ERR_DIRECTORY_READ_ONLY, and what writing the file throws.
   */
  async unlink(
    name: string,
    conditions?: RemovalConditions,
    options: DirectoryCallOptions = {},
  ): Promise<DirectoryEntry | undefined> {
    return this.#change(unlinking(this.#changes, name, conditions), options);
  }

  /** Replaces an entry's metadata, all but its times. @throws ERR_NO_SUCH_CHILD and as `link` */
  async describe(name: string, metadata: Metadata, options: DirectoryCallOptions = {}): Promise<void> {
    await this.#change(describing(this.#changes, name, metadata), options);
  }

  /** Gives an entry another name, in one step. @throws ERR_NO_SUCH_CHILD and as `link` */
  async rename(from: string, to: string, overwrite?: Overwrite, options: DirectoryCallOptions = {}): Promise<void> {
    await this.#change(renaming(this.#changes, from, to, overwrite), options);
  }

  /**
   * Moves an entry into another directory, or into this one under another name. It is linked there before it is unlinked
   * here, so that it is never lost; what took its name here in the meantime stays.
   * @throws ERR_NO_SUCH_CHILD and as `link`
   */
  async move(
    from: string,
    target: Directory,
    to: string = from,
    overwrite?: Overwrite,
    options: DirectoryCallOptions = {},
  ): Promise<void> {
    if (this.#isSameAs(target)) return this.rename(from, to, overwrite, options);
    this.#writer();
    const entry = await this.entry(from, options);
    if (entry === undefined) throw new TahoeError('ERR_NO_SUCH_CHILD', { name: from });
    await target.link([{ ...entry, name: to }], overwrite, options);
    await this.unlink(from, { mustExist: false, onlyChild: entry.child }, options);
  }

  async #change<Result>(change: DirectoryChange<Result>, options: DirectoryCallOptions): Promise<Result> {
    const { access, file } = this.#writer();
    const outcome: { result?: Result } = {};
    await file.modify((old, isFirst) => {
      const edit = new DirectoryEdit(this.#context.crypto, access, old);
      outcome.result = change(edit, isFirst);
      return edit.finish();
    }, options);
    return outcome.result as Result; // the change was run at least once
  }

  #writer(): NonNullable<Opened['writer']> {
    if (this.#opened.writer === undefined) throw new TahoeError('ERR_DIRECTORY_READ_ONLY', {});
    return this.#opened.writer;
  }

  #isSameAs(other: Directory): boolean {
    const [own, others] = [this.#opened.writer, other.#opened.writer];
    return own !== undefined && others !== undefined && equalBytes(own.access.writeKey, others.access.writeKey);
  }
}

function openContents(context: DirectoryContext, { file }: DirectoryCapability): Opened {
  switch (file.kind) {
    case 'lit':
      return { access: { kind: 'immutable' }, contents: { read: () => Promise.resolve(file.data) } };
    case 'chk':
      return { access: { kind: 'immutable' }, contents: { read: (options) => readImmutable(context, file, options) } };
    case 'ssk-ro':
      return { access: { kind: 'read' }, contents: context.openMutable(file) };
    case 'ssk': {
      const access: WriteAccess = { kind: 'write', writeKey: file.writeKey };
      const contents = context.openMutable(file);
      return { access, contents, writer: { access, file: contents } };
    }
    case 'chk-verify':
    case 'ssk-verify':
      throw notADirectory(
        'it only verifies one; to list it takes a capability that reads it (URI:DIR2-RO:, URI:DIR2-CHK:)',
      );
  }
}

async function readImmutable(
  context: DirectoryContext,
  capability: ChkReadCapability,
  { signal = new AbortController().signal }: DirectoryCallOptions = {},
): Promise<Uint8Array> {
  if (capability.size > DIRECTORY_SIZE_MAX) {
    throw new TahoeError('ERR_TOO_LARGE', { what: 'directory', limitBytes: DIRECTORY_SIZE_MAX });
  }
  const contents = new Uint8Array(capability.size);
  const reader = new ImmutableReader(context, capability);
  let offset = 0;
  try {
    for await (const part of reader.read({ begin: 0, end: capability.size }, signal)) {
      contents.set(part, offset);
      offset += part.length;
    }
  } finally {
    reader.close();
  }
  return contents;
}

function notADirectory(reason: string): TahoeError {
  return new TahoeError('ERR_NOT_A_DIRECTORY', { what: 'this capability', reason });
}
