/**
 * The helper, however it is spoken to. Clients give it ciphertext and the encoding they want, and get back what names the file;
 * keys and plaintext never come here.
 *
 * All clients of one storage index share one job. That a file is wanted holds nothing: a job begins with the first client that
 * sends it, so that one that asks and goes away leaves nothing behind.
 * @see Tahoe-LAFS src/allmydata/immutable/offloaded.py, Helper
 */
import { setMaxListeners } from 'node:events';
import { formatBase32 } from '#core/base32.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { Places } from '../places.js';
import type { SendContext } from '../upload/send-file.js';
import type { CiphertextSource } from './ciphertext-source.js';
import { lookForFile } from './grid-look.js';
import { letGo } from './held-ciphertext.js';
import type { HeldFiles } from './held-ciphertext.js';
import { HelperJob } from './helper-job.js';
import type { HelperCounter, JobContext, JobOutcome } from './helper-job.js';

/**
 * Calls that are being answered, of all clients. Below what a connection answers at a time: beyond that it would not read the
 * ciphertext that the jobs of those very calls wait for.
 */
export const CALL_COUNT_MAX = 96;
/** Looks into the grid, and files that are encoded, at a time: each of the latter takes some 20 MiB. */
const LOOK_COUNT_MAX = 16;
const ENCODING_COUNT_MAX = 4;

/** What a helper is made of. */
export interface UploadHelperOptions extends SendContext {
  readonly files: HeldFiles;
  /** What all ciphertext together may take, in bytes. */
  readonly sizeMax: number;
  /** Waits until the grid has been looked at. */
  ready(signal: AbortSignal): Promise<void>;
}

/** What a helper that wants a file takes it by. */
export interface WantedFile {
  /** @throws ERR_BUSY, and as `HelperJob.upload`. */
  upload(source: CiphertextSource): Promise<JobOutcome>;
}

/** The helper, for any number of clients. It must be closed. */
export class UploadHelper {
  readonly #options: UploadHelperOptions;
  readonly #context: JobContext;
  readonly #closing = new AbortController();
  readonly #jobs = new Map<string, HelperJob>();
  readonly #lookers = new Places(LOOK_COUNT_MAX);
  readonly #counters: Record<HelperCounter, number> = {
    upload_requests: 0,
    upload_already_present: 0,
    upload_need_upload: 0,
    resumes: 0,
    fetched_bytes: 0,
    encoded_bytes: 0,
  };
  #callCount = 0;

  constructor(options: UploadHelperOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal); // every call that waits listens
    this.#context = {
      ...options,
      encoders: new Places(ENCODING_COUNT_MAX),
      signal: this.#closing.signal,
      reserved: new Map(),
      count: (counter, value) => {
        this.#counters[counter] += value;
      },
    };
  }

  /**
   * Looks whether the file is in the grid.
   * @param storageIndex - 16 bytes.
   * @returns what is to be said of it, or that it is wanted.
   * @throws ERR_BUSY, ERR_CANCELLED.
   */
  ask(storageIndex: Uint8Array): Promise<HelperResults | WantedFile> {
    return this.#counted(() => this.#ask(storageIndex));
  }

  /** Figures under the reference's names. */
  async figures(): Promise<Readonly<Record<string, number>>> {
    const { encoding, incoming } = await this.#options.files.figures();
    const all = {
      active_uploads: this.#jobs.size,
      incoming_count: incoming.count,
      incoming_size: incoming.size,
      incoming_size_old: incoming.oldSize,
      encoding_count: encoding.count,
      encoding_size: encoding.size,
      encoding_size_old: encoding.oldSize,
      ...this.#counters,
    };
    return Object.fromEntries(Object.entries(all).map(([name, value]) => [`chk_upload_helper.${name}`, value]));
  }

  /** Whether a job is under way, by the storage index in base32. */
  isBusyWith(name: string): boolean {
    return this.#jobs.has(name);
  }

  /** Ends all jobs; what has come in stays. */
  close(): void {
    this.#closing.abort();
  }

  async #ask(storageIndex: Uint8Array): Promise<HelperResults | WantedFile> {
    this.#context.count('upload_requests', 1);
    const name = formatBase32(storageIndex);
    const results = this.#jobs.has(name) ? undefined : await this.#look(storageIndex);
    if (results !== undefined) {
      this.#context.count('upload_already_present', 1);
      // A helper that died between storing a file and removing what it held of it still holds that.
      if (!this.#jobs.has(name)) await letGo(this.#options.files, this.#options.log, storageIndex);
      return results;
    }
    // The one under way: its end counts for who comes too late to be part of it.
    const job = this.#jobs.get(name);
    if (job === undefined) this.#context.count('upload_need_upload', 1);
    return { upload: (source) => this.#counted(() => this.#upload(storageIndex, source, job)) };
  }

  #look(storageIndex: Uint8Array): Promise<HelperResults | undefined> {
    const { signal } = this.#closing;
    return this.#lookers.run(signal, async () => {
      await this.#options.ready(signal);
      return lookForFile(this.#options, storageIndex, signal);
    });
  }

  async #upload(storageIndex: Uint8Array, source: CiphertextSource, seen: HelperJob | undefined): Promise<JobOutcome> {
    const name = formatBase32(storageIndex);
    const job = this.#jobs.get(name) ?? (seen?.isDone === true ? seen : new HelperJob(this.#context, storageIndex));
    if (!job.isDone) this.#jobs.set(name, job);
    try {
      return await job.upload(source);
    } catch (error) {
      this.#options.log.warn('upload for a client failed', { storageIndex: name, reason: reasonOf(error) });
      throw error;
    } finally {
      if (this.#jobs.get(name) === job) this.#jobs.delete(name);
    }
  }

  async #counted<Result>(action: () => Promise<Result>): Promise<Result> {
    if (this.#callCount >= CALL_COUNT_MAX) {
      throw new TahoeError('ERR_BUSY', { what: 'places for uploads', limit: CALL_COUNT_MAX });
    }
    this.#callCount += 1;
    try {
      return await action();
    } finally {
      this.#callCount -= 1;
    }
  }
}
