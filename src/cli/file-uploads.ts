/**
 * Stores files that nothing names yet. Large ones go each by itself, several at a time; small ones that wait at the same
 * time go with one request, for that costs more than such a file does. A gateway that does not know of this, as the
 * reference's does not, gets each by itself.
 * @see src/wire/small-files.ts
 */
import { inOnePiece, join } from '#core/bytes.js';
import { TahoeError, isTahoeError } from '#core/errors.js';
import { encodeSmallFiles, parseSmallFilesAnswer } from '#wire/small-files.js';
import { SMALL_FILES_COUNT_MAX, SMALL_FILES_PATH, SMALL_FILE_SIZE_MAX } from '#wire/small-files.js';
import type { SmallFileAnswer } from '#wire/small-files.js';
import { sentenceOf } from './gateway-client.js';
import type { GatewayClient } from './gateway-client.js';
import type { LocalFile } from './local-file.js';
import { Lanes } from './parallel.js';

/** How many files a command begins at a time: those that go with one request, and as many that are read meanwhile. */
const FILES_AT_ONCE = 2 * SMALL_FILES_COUNT_MAX;
/** Requests with small files at a time; others wait, and then go together. */
const REQUESTS_AT_ONCE = 2;
/** What a gateway answers that does not know of such requests. */
const UNKNOWN = [404, 405, 501];

/** A small file on its way. */
interface WaitingFile {
  readonly bytes: Uint8Array;
  readonly resolve: (capability: string) => void;
  readonly reject: (error: unknown) => void;
}

/** What stores them. */
export interface FileUploadsOptions {
  readonly client: Pick<GatewayClient, 'call' | 'put'>;
  readonly signal: AbortSignal;
  /** For those that go by themselves. */
  readonly lanes: Lanes;
}

/** The uploads of one command. */
export class FileUploads {
  readonly #options: FileUploadsOptions;
  readonly #turns = new Lanes(FILES_AT_ONCE);
  readonly #waiting: WaitingFile[] = [];
  #requestCount = 0;
  #takesMany = true;

  constructor(options: FileUploadsOptions) {
    this.#options = options;
  }

  /** Does what is to be done with one file when its turn comes, as Lanes do. */
  inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.#turns.run(action);
  }

  /**
   * Stores a file.
   * @param sizeBytes - as far as it is known before it is opened.
   * @returns its capability, a secret.
   * @throws what `open` and reading throw; ERR_GATEWAY, ERR_GATEWAY_REPLY, ERR_TIMEOUT; the signal's reason.
   */
  async store(sizeBytes: number | undefined, open: () => Promise<LocalFile>): Promise<string> {
    if (this.#takesMany && isSmall(sizeBytes)) {
      const bytes = await withOpen(open, readSmall);
      if (bytes !== undefined) return this.#storeSmall(bytes);
    }
    return this.#inLane(() => withOpen(open, (file) => this.#put(file.read(), file.sizeBytes)));
  }

  #storeSmall(bytes: Uint8Array): Promise<string> {
    const stored = new Promise<string>((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }));
    this.#sendWaiting();
    return stored;
  }

  #sendWaiting(): void {
    while (this.#requestCount < REQUESTS_AT_ONCE && this.#waiting.length > 0) {
      this.#requestCount++;
      void this.#send(this.#waiting.splice(0, SMALL_FILES_COUNT_MAX)).finally(() => {
        this.#requestCount--;
        this.#sendWaiting();
      });
    }
  }

  /** Never fails: each file is told. */
  async #send(files: readonly WaitingFile[]): Promise<void> {
    try {
      const answers = files.length > 1 && this.#takesMany ? await this.#askMany(files) : undefined;
      if (answers === undefined) await Promise.all(files.map((file) => this.#sendAlone(file)));
      else files.forEach((file, i) => tell(file, answers[i]));
    } catch (error) {
      for (const { reject } of files) reject(error);
    }
  }

  async #sendAlone({ bytes, resolve, reject }: WaitingFile): Promise<void> {
    await this.#inLane(() => this.#put(inOnePiece(bytes), bytes.length)).then(resolve, reject);
  }

  /** @returns undefined when the gateway does not know of such requests. */
  async #askMany(files: readonly WaitingFile[]): Promise<readonly SmallFileAnswer[] | undefined> {
    const body = encodeSmallFiles(files.map(({ bytes }) => bytes));
    const { client, signal } = this.#options;
    const { status, text } = await client.call('POST', SMALL_FILES_PATH.slice(1), { signal, body, accepted: UNKNOWN });
    this.#takesMany = !UNKNOWN.includes(status);
    if (!this.#takesMany) return undefined;
    try {
      return parseSmallFilesAnswer(text, files.length);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_MESSAGE')) throw error;
      throw new TahoeError('ERR_GATEWAY_REPLY', { status, reason: error.facts.reason }, { cause: error });
    }
  }

  async #put(content: AsyncIterable<Uint8Array>, sizeBytes: number | undefined): Promise<string> {
    const { client, signal } = this.#options;
    return (await client.put(content, { sizeBytes, signal })).capability;
  }

  /** One that fails keeps no other from its turn: whether it does is for the caller to say. */
  async #inLane(action: () => Promise<string>): Promise<string> {
    const [outcome] = await this.#options.lanes.run(() => Promise.allSettled([action()]));
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }
}

function isSmall(sizeBytes: number | undefined): boolean {
  return sizeBytes !== undefined && sizeBytes > 0 && sizeBytes <= SMALL_FILE_SIZE_MAX;
}

function tell({ resolve, reject }: WaitingFile, answer: SmallFileAnswer | undefined): void {
  if (answer === undefined) reject(new RangeError('an answer for each file'));
  else if ('capability' in answer) resolve(answer.capability);
  else reject(new TahoeError('ERR_GATEWAY_REPLY', { status: answer.status, reason: sentenceOf(answer.reason) }));
}

async function withOpen<Result>(
  open: () => Promise<LocalFile>,
  action: (file: LocalFile) => Promise<Result>,
): Promise<Result> {
  const file = await open();
  try {
    return await action(file);
  } finally {
    await file.close();
  }
}

/** The whole of it; undefined when it has grown and is not small any more. */
async function readSmall(file: LocalFile): Promise<Uint8Array | undefined> {
  if (!isSmall(file.sizeBytes)) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of file.read()) pieces.push(piece);
  return join(pieces);
}
