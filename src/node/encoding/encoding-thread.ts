/**
 * Encodes large files on a thread of its own, so that the node goes on talking to servers meanwhile.
 *
 * The thread begins with the first large file and ends when none has been encoded for a while. If it dies, the files
 * that it had fail and the next one begins another. Small files are encoded where they are: they are done sooner than
 * a thread could be told of them.
 */
import { Worker } from 'node:worker_threads';
import { chkReadCapability } from '#core/capability/types.js';
import type { CryptoName, CryptoProvider } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import type { EncodedFile } from '#core/immutable/encoder.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { localEncoders } from '#client/upload/file-encoder.js';
import type { EncodedSegment, FileEncoder, OpenEncoder } from '#client/upload/file-encoder.js';
import type { EncodingReply, EncodingRequest } from './messages.js';

/** Files from this size on are encoded on the thread, in bytes. */
export const THREAD_SIZE_MIN = 4_194_304;
/** How long the thread is kept with nothing to do. */
const IDLE_TIMEOUT_MS = 10_000;
/** After a file from this size on it is not kept: beside such an upload the start of another is nothing. In bytes. */
const KEPT_SIZE_MAX = 1 << 28;

/** Who waits for a reply. */
interface Waiter {
  readonly resolve: (reply: EncodingReply) => void;
  readonly reject: (error: Error) => void;
}

/** The thread while it lives, and the files on it. */
class EncodingThread {
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter[]>();
  readonly #ended: (thread: EncodingThread) => void;
  #nextId = 0;
  #failure: Error | undefined;

  /** @param ended - called when the thread is gone, by itself or by `close`. */
  constructor(crypto: CryptoName, ended: (thread: EncodingThread) => void) {
    this.#ended = ended;
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [], workerData: crypto });
    this.#worker.unref();
    this.#worker
      .on('message', (reply: EncodingReply) => this.#waiters.get(reply.id)?.shift()?.resolve(reply))
      .on('error', (error) => {
        this.#fail(error);
      })
      .on('exit', () => {
        this.#fail(new Error('the encoding thread has ended'));
      });
  }

  /** How many files are being encoded. */
  get fileCount(): number {
    return this.#waiters.size;
  }

  open(file: FileParameters, readKey: Uint8Array): number {
    this.#nextId += 1;
    this.#waiters.set(this.#nextId, []);
    this.tell({ id: this.#nextId, kind: 'open', file, readKey });
    return this.#nextId;
  }

  tell(request: EncodingRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  /** Tells, and waits for what is said to it. @throws when the thread ends or the request is refused. */
  async ask(request: EncodingRequest, transfer: ArrayBuffer[] = []): Promise<EncodingReply> {
    if (this.#failure !== undefined) throw this.#failure;
    const reply = await new Promise<EncodingReply>((resolve, reject) => {
      this.#waiters.get(request.id)?.push({ resolve, reject });
      this.tell(request, transfer);
    });
    if (reply.kind === 'failed') throw new Error(reply.reason);
    return reply;
  }

  /** Nobody waits for this file any more. */
  forget(id: number): void {
    this.#waiters.delete(id);
    this.tell({ id, kind: 'close' });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiters = [...this.#waiters.values()].flatMap((ofFile) => ofFile.splice(0));
    for (const { reject } of waiters) reject(this.#failure);
    this.#ended(this);
  }
}

/** Encodes one file on the thread. */
class ThreadEncoder implements FileEncoder {
  readonly #thread: EncodingThread;
  readonly #file: FileParameters;
  readonly #readKey: Uint8Array;
  readonly #id: number;
  readonly #closed: () => void;
  readonly #rooms: ArrayBuffer[] = [];
  #open = true;

  constructor(thread: EncodingThread, file: FileParameters, readKey: Uint8Array, closed: () => void) {
    this.#thread = thread;
    this.#file = file;
    this.#readKey = readKey;
    this.#closed = closed;
    this.#id = thread.open(file, readKey);
  }

  async encode(plaintext: Uint8Array): Promise<EncodedSegment> {
    const room = this.#rooms.pop();
    const request = { id: this.#id, kind: 'segment', plaintext, ...(room && { room }) } as const;
    const reply = await this.#thread.ask(request, room === undefined ? [] : [room]);
    if (reply.kind !== 'segment') throw new Error(`the encoding thread says ${reply.kind}`);
    const { blocks: joined, blockSize } = reply;
    const blocks = Array.from(
      { length: this.#file.total },
      (_, shareNumber) => new Uint8Array(joined, shareNumber * blockSize, blockSize),
    );
    return { blocks, release: () => void this.#rooms.push(joined) };
  }

  async finish(): Promise<EncodedFile> {
    const reply = await this.#thread.ask({ id: this.#id, kind: 'finish' });
    if (reply.kind !== 'finished') throw new Error(`the encoding thread says ${reply.kind}`);
    const { trailers, uebHash } = reply;
    const { needed, total, size } = this.#file;
    return { trailers, capability: chkReadCapability({ readKey: this.#readKey, uebHash, needed, total, size }) };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#thread.forget(this.#id);
    this.#closed();
  }
}

/** A node's encoders: small files here, large ones on the thread. It must be closed. */
export class NodeEncoders {
  readonly #clock: Clock;
  readonly #crypto: CryptoName;
  readonly #local: OpenEncoder;
  #thread: EncodingThread | undefined;
  #cancelTimer: () => void = () => undefined;

  /** @param crypto - the thread uses the provider of the same name. */
  constructor(crypto: CryptoProvider, clock: Clock) {
    this.#clock = clock;
    this.#crypto = crypto.name;
    this.#local = localEncoders(crypto);
  }

  /** @see OpenEncoder */
  readonly open: OpenEncoder = (file, readKey) => {
    if (file.size < THREAD_SIZE_MIN) return this.#local(file, readKey);
    this.#cancelTimer();
    const thread = (this.#thread ??= new EncodingThread(this.#crypto, (ended) => {
      if (this.#thread === ended) this.#thread = undefined;
    }));
    return new ThreadEncoder(thread, file, readKey, () => {
      this.#endWhenIdle(thread, file.size < KEPT_SIZE_MAX ? IDLE_TIMEOUT_MS : 0);
    });
  };

  /** Ends the thread; files that are being encoded fail. */
  async close(): Promise<void> {
    this.#cancelTimer();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.close();
  }

  #endWhenIdle(thread: EncodingThread, delayMs: number): void {
    if (thread.fileCount > 0) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.schedule(delayMs, () => {
      if (this.#thread === thread) this.#thread = undefined;
      void thread.close();
    });
  }
}
