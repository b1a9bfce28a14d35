/**
 * One file that a helper uploads for its clients: its ciphertext is fetched from them, encoded and sent to servers, and what came
 * of it told to all of them.
 *
 *   sizes and encoding → fetch, piece by piece, after what is there → encode and send → remove
 *
 * What the clients know is asked first, so that none is needed once the ciphertext is there. A job that fails leaves what has come
 * in: the next one for the same file goes on behind it. The helper never has the key; whether the ciphertext is the right one only
 * its client can tell.
 * @see Tahoe-LAFS src/allmydata/immutable/offloaded.py, CHKUploadHelper
 */
import { formatBase32 } from '#core/base32.js';
import { concealed } from '#core/capability/types.js';
import type { ChkVerifyCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { parametersOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { READ_SIZE_MAX, uebFieldsOf } from '#wire/foolscap/upload-helper.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import type { OfferedFile } from '#wire/upload-helper.js';
import type { Places } from '../places.js';
import { ciphertextEncoder } from '../upload/file-encoder.js';
import { sendFile } from '../upload/send-file.js';
import type { SendContext } from '../upload/send-file.js';
import { CiphertextReaders } from './ciphertext-readers.js';
import type { CiphertextSource } from './ciphertext-source.js';
import { letGo } from './held-ciphertext.js';
import type { HeldFiles, WholeCiphertext } from './held-ciphertext.js';

/** The largest file, in bytes. */
export const FILE_SIZE_MAX = 2 ** 40;
/** The most blocks of all shares together: one hash of each is kept until the file's end. */
const BLOCK_COUNT_MAX = 4_194_304;

/** What a helper counts, under the reference's names. */
export type HelperCounter =
  'upload_requests' | 'upload_already_present' | 'upload_need_upload' | 'resumes' | 'fetched_bytes' | 'encoded_bytes';

/** What jobs are made of. */
export interface JobContext extends SendContext {
  readonly files: HeldFiles;
  /** What all ciphertext together may take, in bytes. */
  readonly sizeMax: number;
  /** Places for files that are encoded at the same time. */
  readonly encoders: Places;
  readonly signal: AbortSignal;
  readonly count: (counter: HelperCounter, value: number) => void;
  /** Bytes that jobs under way will come to, by storage index in base32. */
  readonly reserved: Map<string, number>;
}

/** What came of a file. */
export interface JobOutcome {
  readonly results: HelperResults;
  readonly capability: ChkVerifyCapability;
}

/** A job. It begins with its first reader. */
export class HelperJob {
  readonly storageIndex: Uint8Array;
  readonly #context: JobContext;
  readonly #readers: CiphertextReaders;
  #running: Promise<JobOutcome> | undefined;
  #fetchedBytes = 0;
  #isDone = false;

  constructor(context: JobContext, storageIndex: Uint8Array) {
    this.#context = context;
    this.storageIndex = storageIndex;
    this.#readers = new CiphertextReaders(context.log);
  }

  /**
   * Adds a client that has the ciphertext.
   * @returns what came of the file.
   * @throws ERR_NO_CIPHERTEXT, ERR_TOO_LARGE, ERR_NO_SPACE, ERR_DISK, ERR_FILE, ERR_CANCELLED, and as `sendFile`.
   */
  async upload(source: CiphertextSource): Promise<JobOutcome> {
    this.#readers.add(source);
    this.#running ??= this.#run();
    try {
      return await this.#running;
    } finally {
      this.#readers.close();
    }
  }

  /** Whether the file is in the grid by it. */
  get isDone(): boolean {
    return this.#isDone;
  }

  async #run(): Promise<JobOutcome> {
    const { encoders, reserved, signal } = this.#context;
    const name = formatBase32(this.storageIndex);
    try {
      const offered = await this.#readers.ask((source, options) => source.describe(options), signal);
      const file = fileOf(offered);
      await this.#reserve(name, file.size);
      const whole = await this.#fetch(file.size);
      try {
        return await encoders.run(signal, () => this.#send(whole, file, offered.happy));
      } finally {
        await whole.close();
      }
    } finally {
      if (this.#isDone) await letGo(this.#context.files, this.#context.log, this.storageIndex);
      reserved.delete(name);
    }
  }

  /** Takes the room that the file will need, beside what others have and will need. */
  async #reserve(name: string, size: number): Promise<void> {
    const { files, reserved, sizeMax } = this.#context;
    reserved.set(name, size);
    const taken = new Map([...(await files.sizes()), ...reserved]);
    const sum = [...taken.values()].reduce((all, one) => all + one, 0);
    if (sum > sizeMax) throw new TahoeError('ERR_NO_SPACE', { where: 'files that this helper uploads (helper_size)' });
  }

  /** Fetches what is missing. One that is whole already but of another size is no use. */
  async #fetch(size: number): Promise<WholeCiphertext> {
    const { files } = this.#context;
    const there = await files.openWhole(this.storageIndex);
    if (there?.size === size) return there;
    if (there !== undefined) {
      await there.close();
      await files.remove(this.storageIndex);
    }
    await this.#fetchRest(size);
    const whole = await files.openWhole(this.storageIndex);
    if (whole?.size === size) return whole;
    await whole?.close();
    throw new TahoeError('ERR_DISK', { what: 'keeping a file', reason: 'it is gone, or not as long as it was' });
  }

  async #fetchRest(size: number): Promise<void> {
    const { count, files, signal } = this.#context;
    const incoming = await files.openIncoming(this.storageIndex, size);
    try {
      if (incoming.size > 0) count('resumes', 1);
      while (incoming.size < size) {
        const [offset, length] = [incoming.size, Math.min(READ_SIZE_MAX, size - incoming.size)];
        const bytes = await this.#readers.ask((source, options) => source.read(offset, length, options), signal);
        await incoming.append(bytes);
        this.#fetchedBytes += bytes.length;
        count('fetched_bytes', bytes.length);
      }
      await incoming.complete();
    } finally {
      await incoming.close();
    }
  }

  async #send(whole: WholeCiphertext, file: FileParameters, happy: number): Promise<JobOutcome> {
    const { crypto, signal } = this.#context;
    const { storageIndex } = this;
    const source = { file, read: (offset: number, size: number) => whole.read(offset, size) };
    const sent = { storageIndex, happy, source, openEncoder: () => ciphertextEncoder(crypto, file) };
    const { encoded, outcome } = await sendFile(this.#context, sent, { signal });
    this.#isDone = true;
    this.#context.count('encoded_bytes', file.size);
    const sharemap = new Map<number, Set<string>>();
    for (const [serverId, shares] of outcome.holdings)
      for (const share of shares) sharemap.set(share, (sharemap.get(share) ?? new Set()).add(serverId));
    const { preexistingShares, pushedShares } = outcome;
    const { ueb, uebHash } = encoded;
    const ciphertextFetched = this.#fetchedBytes;
    const { needed, size, total } = file;
    return {
      results: { uebHash, ueb: uebFieldsOf(ueb), sharemap, pushedShares, preexistingShares, ciphertextFetched },
      capability: concealed({ kind: 'chk-verify', storageIndex, uebHash, needed, total, size }),
    };
  }
}

/**
 * How a file that is offered is encoded.
 * @throws ERR_TOO_LARGE.
 */
export function fileOf({ size, ...encoding }: OfferedFile): FileParameters {
  if (size > FILE_SIZE_MAX) throw new TahoeError('ERR_TOO_LARGE', { what: 'file', limitBytes: FILE_SIZE_MAX });
  const file = parametersOf(encoding, size, encoding.segmentSize);
  if (file.segmentCount * file.total > BLOCK_COUNT_MAX) {
    const limit = Math.floor(BLOCK_COUNT_MAX / file.total) * file.segmentSize;
    throw new TahoeError('ERR_TOO_LARGE', { what: 'file in segments of this size', limitBytes: limit });
  }
  return file;
}
