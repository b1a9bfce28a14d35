/**
 * The versions of mutable files that this node has seen, in a file that outlives it: `private/seen-versions`.
 *
 * Append-only, a record for each news, and rewritten when it has twice as many records as files. An ordinary LevelDB
 * would do as well, but it ends the process where its files are damaged, and this is one small table that fits in
 * memory. A record, 72 bytes, big-endian:
 *
 *     0    16  storage index
 *     16   8   sequence number
 *     24   32  root hash
 *     56   16  HMAC-SHA-256 of the above under a key of the node's own, cut short
 *
 * A record counts when its code is right; others (the last one, torn by a crash; damage; what somebody wrote who does
 * not have the node's secrets) are passed over and gone with the next rewriting. Nothing that is missing does harm: it
 * is as if the node had not seen that version.
 */
import { createHmac } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ByteReader, ByteWriter, concat, equalBytes, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { taggedHash } from '#core/derive.js';
import type { Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { SEEN_FILES_MAX, SeenTable } from '#client/mutable/seen-versions.js';
import type { SeenVersion, SeenVersions } from '#client/mutable/seen-versions.js';
import { fileError, replaceFile, syncDirectory, systemCode } from './durable-file.js';
import { GroupedWrites } from './grouped-writes.js';

const BODY_SIZE = 56;
const CODE_SIZE = 16;
const RECORD_SIZE = BODY_SIZE + CODE_SIZE;
/** So many records there may be beyond two for each file before the file is rewritten. */
const SPARE_RECORDS = 1024;
/** No file of ours is longer: what is behind is not read. */
const FILE_SIZE_MAX = RECORD_SIZE * 4 * SEEN_FILES_MAX;

/** Where it lies and what it is protected with. */
export interface SeenVersionsOptions {
  readonly path: string;
  readonly crypto: Pick<CryptoProvider, 'sha256' | 'sha256Hasher' | 'aesCtr'>;
  /** The node's private/secret, 32 bytes. */
  readonly secret: Uint8Array;
  readonly log: Log;
  /** How many files are remembered. */
  readonly filesMax?: number;
}

/** The memory, open. It must be closed. */
export class SeenVersionsFile implements SeenVersions {
  readonly #options: SeenVersionsOptions;
  readonly #key: Uint8Array;
  readonly #table: SeenTable;
  #records = 0;
  #handle: FileHandle | undefined;
  readonly #writes = new GroupedWrites<Uint8Array>((items) => this.#append(items));

  private constructor(options: SeenVersionsOptions) {
    this.#options = options;
    this.#table = new SeenTable(options.filesMax);
    this.#key = taggedHash(options.crypto, utf8('tallac_seen_versions_v1'), options.secret);
  }

  /** Opens it, or begins a new one. @throws ERR_FILE, ERR_NO_SPACE. */
  static async open(options: SeenVersionsOptions): Promise<SeenVersionsFile> {
    const file = new SeenVersionsFile(options);
    await file.#load();
    await file.#rewrite();
    return file;
  }

  highest(storageIndex: Uint8Array): Promise<SeenVersion | undefined> {
    return Promise.resolve(this.#table.get(storageIndex));
  }

  /** @throws ERR_FILE, ERR_NO_SPACE: then it is known until the node stops, and no longer. */
  async saw(storageIndex: Uint8Array, version: SeenVersion): Promise<void> {
    if (!this.#table.raise(storageIndex, version)) return;
    await this.#writes.add(this.#encode(storageIndex, version));
  }

  async close(): Promise<void> {
    await this.#writes.ended();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #load(): Promise<void> {
    const { log, path } = this.#options;
    const bytes = await readFile(path).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
      throw fileError(path, error);
    });
    let bad = 0;
    for (let offset = 0; offset < Math.min(bytes.length, FILE_SIZE_MAX); offset += RECORD_SIZE) {
      const record = new Uint8Array(bytes.subarray(offset, offset + RECORD_SIZE));
      if (record.length < RECORD_SIZE || !this.#isOwn(record)) bad += 1;
      else this.#take(record);
    }
    if (bad > 0) log.warn('records of seen versions passed over', { count: bad });
  }

  #take(record: Uint8Array): void {
    const reader = new ByteReader(record);
    const storageIndex = reader.bytes(16);
    const sequenceNumber = reader.uint64();
    this.#table.raise(storageIndex, { sequenceNumber, rootHash: reader.bytes(32) });
  }

  /** Appends and syncs. What cannot be written leaves no torn record in the way of the next: it is cut off again. */
  async #append(records: readonly Uint8Array[]): Promise<void> {
    const { path } = this.#options;
    if (this.#records >= 2 * this.#table.size + SPARE_RECORDS) {
      await this.#rewrite();
      return;
    }
    const handle = this.#handle;
    if (handle === undefined) throw new TahoeError('ERR_FILE', { file: path, reason: 'it is closed' });
    try {
      await handle.appendFile(concat(...records));
      await handle.datasync();
      this.#records += records.length;
    } catch (error) {
      await handle.truncate(this.#records * RECORD_SIZE).catch(() => undefined);
      throw fileError(path, error);
    }
  }

  /** Replaces the file by one with a record for each file that is remembered. */
  async #rewrite(): Promise<void> {
    const { path } = this.#options;
    const records = [...this.#table.entries()].map(([key, version]) => this.#encode(Buffer.from(key, 'hex'), version));
    await replaceFile(path, concat(...records), 0o600);
    await this.#handle?.close();
    try {
      this.#handle = await open(path, 'a');
      await syncDirectory(dirname(path));
    } catch (error) {
      throw fileError(path, error);
    }
    this.#records = records.length;
  }

  #encode(storageIndex: Uint8Array, { rootHash, sequenceNumber }: SeenVersion): Uint8Array {
    const body = new ByteWriter().bytes(storageIndex).uint64(sequenceNumber).bytes(rootHash).finish();
    return concat(body, this.#codeOf(body));
  }

  #isOwn(record: Uint8Array): boolean {
    return equalBytes(this.#codeOf(record.subarray(0, BODY_SIZE)), record.subarray(BODY_SIZE));
  }

  #codeOf(body: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#key).update(body).digest().subarray(0, CODE_SIZE);
  }
}
