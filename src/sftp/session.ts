/** One SFTP session of a user: a request in, a reply out. Requests may be answered in another order than they came. */
import { withDeadline } from '#client/deadline.js';
import type { Clock } from '#core/environment.js';
import { openMode } from './opening.js';
import { parsePath, realPath } from './paths.js';
import { Handles } from './handles.js';
import type { OpenHandle, UserShare } from './handles.js';
import { done } from './replies.js';
import type { ListedName, Reply } from './replies.js';
import type { Request } from './requests.js';
import { refusal } from './status.js';
import type { UserFiles } from './user-files.js';
import { COMMIT_TIMEOUT_MS } from './written-file.js';

/** The most that one read is answered with, in bytes; whoever asks for more asks again. */
export const READ_SIZE_MAX = 261_120;
/** How long a request may take that stores no file. */
const REQUEST_TIMEOUT_MS = 300_000;
/** How many names one answer lists, and how many bytes of them. */
const NAMES_MAX = 100;
const NAMES_SIZE_MAX = 131_072;

/** What a session is made of. */
export interface SessionOptions {
  readonly clock: Clock;
  readonly files: UserFiles;
  readonly share: UserShare;
}

/** A session; it must be ended. */
export class SftpSession {
  readonly #clock: Clock;
  readonly #files: UserFiles;
  readonly #share: UserShare;
  readonly #handles: Handles;
  readonly #ended = new AbortController();

  constructor({ clock, files, share }: SessionOptions) {
    this.#clock = clock;
    this.#files = files;
    this.#share = share;
    this.#handles = new Handles(share);
  }

  /** The answer to a request. @throws ERR_SFTP, ERR_TIMEOUT, ERR_CANCELLED, and what the grid throws. */
  async answer(request: Request): Promise<Reply> {
    if (request.kind === 'write' || request.kind === 'close') return this.#answer(request, this.#ended.signal);
    const timeoutMs = isOfWritten(request) ? COMMIT_TIMEOUT_MS : REQUEST_TIMEOUT_MS;
    const limits = { clock: this.#clock, timeoutMs, what: 'the request', signal: this.#ended.signal };
    return withDeadline(limits, (signal) => this.#answer(request, signal));
  }

  /** Ends it: what was written and not closed is lost. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#handles.abandonAll();
  }

  async #answer(request: Request, signal: AbortSignal): Promise<Reply> {
    switch (request.kind) {
      case 'open':
      case 'opendir':
        return { kind: 'handle', handle: await this.#handles.add(() => this.#open(request, signal)) };
      case 'close':
        await this.#handles.close(request.handle);
        return done;
      case 'read':
        return this.#read(this.#handles.get(request.handle), request.offset, Math.min(request.size, READ_SIZE_MAX));
      case 'write':
        await this.#write(this.#handles.get(request.handle), request.offset, request.bytes);
        return done;
      case 'readdir':
        return this.#list(this.#handles.get(request.handle));
      case 'fstat':
        return this.#handleAttributes(this.#handles.get(request.handle));
      case 'fsetstat':
        await this.#setHandleAttributes(this.#handles.get(request.handle), request);
        return done;
      case 'stat':
      case 'lstat':
        return { kind: 'attributes', attributes: await this.#files.stat(parsePath(request.path), signal) };
      case 'realpath': {
        const name = new TextDecoder().decode(realPath(request.path));
        return { kind: 'names', names: [{ name, longName: name, attributes: {} }] };
      }
      case 'fstatvfs':
        this.#handles.get(request.handle);
        return { kind: 'extended', bytes: this.#files.space() };
      case 'statvfs':
        return { kind: 'extended', bytes: this.#files.space() };
      case 'readlink':
      case 'symlink':
        throw refusal('unsupported', 'there are no symbolic links here');
      case 'unknown':
        throw refusal('unsupported', `${request.what} are not understood here`);
      default:
        await this.#change(request, signal);
        return done;
    }
  }

  async #change(
    request: Extract<Request, { kind: 'setstat' | 'mkdir' | 'remove' | 'rmdir' | 'rename' | 'posix-rename' }>,
    signal: AbortSignal,
  ): Promise<void> {
    switch (request.kind) {
      case 'setstat':
        return this.#files.setAttributes(parsePath(request.path), request.attributes, signal);
      case 'mkdir':
        return this.#files.makeDirectory(parsePath(request.path), request.attributes, signal);
      case 'remove':
        return this.#files.remove(parsePath(request.path), signal);
      case 'rmdir':
        return this.#files.removeDirectory(parsePath(request.path), signal);
      case 'rename':
      case 'posix-rename': {
        const overwrites = request.kind === 'posix-rename';
        return this.#files.rename(parsePath(request.from), parsePath(request.to), overwrites, signal);
      }
    }
  }

  async #open(request: Extract<Request, { kind: 'open' | 'opendir' }>, signal: AbortSignal): Promise<OpenHandle> {
    if (request.kind === 'opendir') {
      return { kind: 'listing', names: [...(await this.#files.list(parsePath(request.path), signal))] };
    }
    openMode(request.flags);
    return this.#files.open(parsePath(request.path), request.flags, signal);
  }

  async #read(opened: OpenHandle, offset: number, size: number): Promise<Reply> {
    const bytes = await this.#bytes(opened, offset, size);
    if (bytes.length === 0 && size > 0) throw refusal('eof', 'the file ends before');
    return { kind: 'data', bytes };
  }

  #bytes(opened: OpenHandle, offset: number, size: number): Promise<Uint8Array> {
    if (opened.kind === 'listing') throw refusal('badMessage', 'this is the handle of a directory');
    if (opened.kind === 'read') {
      this.#share.reading(opened.file.contents);
      return opened.file.contents.read(offset, size);
    }
    if (!opened.mode.reads) throw refusal('permissionDenied', 'the file was not opened to be read');
    return opened.file.read(offset, size);
  }

  async #write(opened: OpenHandle, offset: number, bytes: Uint8Array): Promise<void> {
    if (opened.kind !== 'written' || !opened.mode.writes) {
      throw refusal('permissionDenied', 'the file was not opened to be written');
    }
    await opened.file.write(offset, bytes);
  }

  async #handleAttributes(opened: OpenHandle): Promise<Reply> {
    if (opened.kind === 'listing') throw refusal('badMessage', 'this is the handle of a directory');
    const attributes = opened.kind === 'read' ? opened.file.attributes : await opened.file.attributes();
    return { kind: 'attributes', attributes };
  }

  async #setHandleAttributes(
    opened: OpenHandle,
    { attributes }: Extract<Request, { kind: 'fsetstat' }>,
  ): Promise<void> {
    if (opened.kind !== 'written' || !opened.mode.writes) {
      throw refusal('permissionDenied', 'the file was not opened to be written');
    }
    await opened.file.setAttributes(attributes);
  }

  #list(opened: OpenHandle): Reply {
    if (opened.kind !== 'listing') throw refusal('badMessage', 'this is the handle of a file');
    const names: ListedName[] = [];
    for (let size = 0; names.length < NAMES_MAX && size < NAMES_SIZE_MAX;) {
      const name = opened.names.shift();
      if (name === undefined) break;
      names.push(name);
      size += name.name.length + name.longName.length;
    }
    if (names.length === 0) throw refusal('eof', 'that was all');
    return { kind: 'names', names };
  }
}

/** Whether it may have to wait until a file that is written has been fetched. */
function isOfWritten({ kind }: Request): boolean {
  return kind === 'read' || kind === 'fstat' || kind === 'fsetstat';
}
