/**
 * Share files in memory: for tests, for nodes that shall leave no trace, and as the plainest statement of what
 * `ShareFiles` asks for. Nothing outlives the process.
 */
import { formatBase32 } from '#core/base32.js';
import { concat } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { NoShareFile, PreparedShare, ShareChange, ShareFile, ShareFiles, SmallShare } from './share-files.js';

/** What the store may hold unless told otherwise, in bytes. */
const CAPACITY = 1 << 30;

/** The content of one file; it stays readable by whoever has it open. */
interface Content {
  bytes: Uint8Array;
}

class MemoryFile implements ShareFile {
  readonly size: number;
  readonly #content: Content;

  constructor(content: Content) {
    this.#content = content;
    this.size = content.bytes.length;
  }

  read(offset: number, size: number): Promise<Uint8Array> {
    return Promise.resolve(this.#content.bytes.slice(offset, offset + size));
  }

  write(parts: readonly Uint8Array[], offset: number): Promise<void> {
    const written = concat(...parts);
    const missing = offset + written.length - this.#content.bytes.length;
    if (missing > 0) this.#content.bytes = concat(this.#content.bytes, new Uint8Array(missing));
    this.#content.bytes.set(written, offset);
    return Promise.resolve();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A file that is in no place yet. */
class MemoryPrepared implements PreparedShare {
  readonly content: Content;
  readonly file: ShareFile;

  constructor(content: Content) {
    this.content = content;
    this.file = new MemoryFile(content);
  }
}

/** Shares in maps. */
export class MemoryFiles implements ShareFiles {
  readonly failure = undefined;
  readonly #capacity: number;
  readonly #final = new Map<string, Map<number, Content>>();
  readonly #incoming = new Map<string, Content>();
  readonly #advisories = new Map<string, string>();
  readonly #quarantine = new Map<string, Uint8Array>();
  readonly #marks = new WeakMap<Content, string>();
  #markCount = 0;

  /** @param capacity - how many bytes of shares there is room for. */
  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** Puts `bytes` into a final place as they are, sound or not. */
  place(storageIndex: Uint8Array, shareNumber: number, bytes: Uint8Array): void {
    const shares = this.#sharesOf(storageIndex).set(shareNumber, { bytes });
    this.#final.set(formatBase32(storageIndex), shares);
  }

  #sharesOf(storageIndex: Uint8Array): Map<number, Content> {
    return this.#final.get(formatBase32(storageIndex)) ?? new Map<number, Content>();
  }

  /** The reports of damage, by name. */
  get advisories(): ReadonlyMap<string, string> {
    return this.#advisories;
  }

  /** What was moved out of the way, by name. */
  get quarantined(): ReadonlyMap<string, Uint8Array> {
    return this.#quarantine;
  }

  list(storageIndex: Uint8Array): Promise<readonly number[]> {
    return Promise.resolve([...(this.#final.get(formatBase32(storageIndex))?.keys() ?? [])]);
  }

  open(storageIndex: Uint8Array, shareNumber: number): Promise<ShareFile | NoShareFile> {
    const content = this.#final.get(formatBase32(storageIndex))?.get(shareNumber);
    return Promise.resolve(content === undefined ? 'absent' : new MemoryFile(content));
  }

  createIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<ShareFile> {
    const content = { bytes: new Uint8Array(0) };
    this.#incoming.set(incomingKey(storageIndex, shareNumber), content);
    return Promise.resolve(new MemoryFile(content));
  }

  removeIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    this.#incoming.delete(incomingKey(storageIndex, shareNumber));
    return Promise.resolve();
  }

  publish(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const key = incomingKey(storageIndex, shareNumber);
    const content = this.#incoming.get(key);
    if (content === undefined) {
      return Promise.reject(new TahoeError('ERR_DISK', { what: 'placing a share', reason: 'ENOENT' }));
    }
    this.#incoming.delete(key);
    this.place(storageIndex, shareNumber, content.bytes);
    return Promise.resolve();
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  prepare(storageIndex: Uint8Array, copied?: number): Promise<PreparedShare> {
    const old = copied === undefined ? undefined : this.#sharesOf(storageIndex).get(copied);
    return Promise.resolve(new MemoryPrepared({ bytes: old?.bytes.slice() ?? new Uint8Array(0) }));
  }

  discard(_prepared: PreparedShare): Promise<void> {
    return Promise.resolve();
  }

  commit(storageIndex: Uint8Array, changes: readonly ShareChange[]): Promise<void> {
    for (const { prepared, shareNumber } of changes) {
      if (prepared instanceof MemoryPrepared) this.place(storageIndex, shareNumber, prepared.content.bytes);
      else this.#sharesOf(storageIndex).delete(shareNumber);
    }
    return Promise.resolve();
  }

  replace(storageIndex: Uint8Array, shares: readonly SmallShare[]): Promise<readonly string[]> {
    return Promise.all(
      shares.map(async ({ bytes, shareNumber }) => {
        this.place(storageIndex, shareNumber, bytes);
        return (await this.markOf(storageIndex, shareNumber)) ?? '';
      }),
    );
  }

  markOf(storageIndex: Uint8Array, shareNumber: number): Promise<string | undefined> {
    const content = this.#sharesOf(storageIndex).get(shareNumber);
    if (content === undefined) return Promise.resolve(undefined);
    const mark = this.#marks.get(content) ?? String((this.#markCount += 1));
    this.#marks.set(content, mark);
    return Promise.resolve(mark);
  }

  quarantine(storageIndex: Uint8Array, shareNumber: number, name: string): Promise<void> {
    const shares = this.#sharesOf(storageIndex);
    this.#quarantine.set(name, shares.get(shareNumber)?.bytes ?? new Uint8Array(0));
    shares.delete(shareNumber);
    return Promise.resolve();
  }

  createScratch(): Promise<ShareFile> {
    return Promise.resolve(new MemoryFile({ bytes: new Uint8Array(0) }));
  }

  writeAdvisory(name: string, text: string): Promise<void> {
    this.#advisories.set(name, text);
    return Promise.resolve();
  }

  advisoryCount(): Promise<number> {
    return Promise.resolve(this.#advisories.size);
  }

  /** Incoming files are not counted: the store subtracts what they still need. */
  freeBytes(): Promise<number> {
    let used = 0;
    for (const shares of this.#final.values()) for (const { bytes } of shares.values()) used += bytes.length;
    return Promise.resolve(Math.max(0, this.#capacity - used));
  }

  close(): Promise<void> {
    this.#incoming.clear();
    return Promise.resolve();
  }
}

function incomingKey(storageIndex: Uint8Array, shareNumber: number): string {
  return `${formatBase32(storageIndex)}/${String(shareNumber)}`;
}
