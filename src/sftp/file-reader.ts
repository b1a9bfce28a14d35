/**
 * Reads a file for somebody who asks for small pieces, mostly one after the other and many at a time.
 *
 * The pieces come out of a stream that runs ahead of the reader. What was read last stays for a while, for pieces are
 * asked for out of order. Who jumps gets a new stream, a short one at first: it grows while it is read on.
 */
import type { ReadableFile } from './services.js';
import { refusal } from './status.js';

/** What of the stream is kept, and how far ahead of it a piece is waited for rather than jumped to; in bytes. */
export const WINDOW_SIZE = 2_097_152;
/** How far a stream goes behind a jump, and how much farther each one after it; in bytes. */
const SHORT_STREAM_SIZE = 262_144;
const STREAM_GROWTH = 8;

/** A file that is open to be read. */
export interface OpenContents {
  /** In bytes. */
  readonly size: number;
  /** At most `size` bytes from `offset`, fewer at the end of the file. @throws what reading the file throws. */
  read(offset: number, size: number): Promise<Uint8Array>;
  /** Lets go of what is held in memory; reading on fetches it again. */
  rest(): void;
  close(): void;
}

/** Contents that are in memory already. */
export function literalContents(data: Uint8Array): OpenContents {
  return {
    size: data.length,
    read: (offset, size) => Promise.resolve(data.subarray(offset, offset + size)),
    rest: () => undefined,
    close: () => undefined,
  };
}

/** The contents of a file of the grid. Reads are done one after the other. */
export class FileReader implements OpenContents {
  readonly size: number;
  readonly #file: ReadableFile & { close?(): void };
  #work: Promise<unknown> = Promise.resolve();
  #stream: Stream | undefined;
  #streamSize = Infinity;
  #isClosed = false;
  /** What was read last, in order, and where it begins. */
  #pieces: Uint8Array[] = [];
  #begin = 0;
  #end = 0;

  constructor(file: ReadableFile & { close?(): void }, size: number) {
    this.#file = file;
    this.size = size;
  }

  read(offset: number, size: number): Promise<Uint8Array> {
    const end = Math.min(offset + size, this.size);
    const result = this.#work.then(() => this.#read(offset, end));
    this.#work = result.catch(() => undefined);
    return result;
  }

  rest(): void {
    this.#work = this.#work.then(() => {
      this.#drop();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stream?.stop();
    this.rest();
    this.#file.close?.();
  }

  async #read(offset: number, end: number): Promise<Uint8Array> {
    if (offset >= end) return new Uint8Array(0);
    if (offset < this.#begin || offset > this.#end + WINDOW_SIZE) this.#jump(offset);
    try {
      while (this.#end < end) await this.#advance(offset);
    } catch (error) {
      this.#drop();
      throw error;
    }
    const bytes = this.#held(offset, end);
    this.#forget();
    return bytes;
  }

  #drop(): void {
    this.#stream?.stop();
    this.#stream = undefined;
    this.#pieces = [];
    this.#begin = this.#end;
  }

  #jump(offset: number): void {
    this.#drop();
    this.#begin = offset;
    this.#end = offset;
    this.#streamSize = offset === 0 ? Infinity : SHORT_STREAM_SIZE;
  }

  /** Takes one more piece of the stream. @param wanted - nothing before it is asked for now. */
  async #advance(wanted: number): Promise<void> {
    if (this.#isClosed) throw refusal('badMessage', 'the file was closed meanwhile');
    const stream = (this.#stream ??= new Stream(
      this.#file,
      this.#end,
      Math.min(this.size, this.#end + this.#streamSize),
    ));
    const piece = await stream.next();
    if (piece === undefined) {
      if (this.#end < stream.end) throw refusal('failure', 'the file ended too early');
      this.#stream = undefined;
      this.#streamSize *= STREAM_GROWTH;
      return;
    }
    this.#pieces.push(piece);
    this.#end += piece.length;
    if (this.#end <= wanted) this.#forget();
  }

  /** What is held of that range, in one new array. */
  #held(offset: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - offset);
    let begin = this.#begin;
    for (const piece of this.#pieces) {
      const from = Math.max(offset - begin, 0);
      const to = Math.min(end - begin, piece.length);
      if (from < to) bytes.set(piece.subarray(from, to), begin + from - offset);
      begin += piece.length;
    }
    return bytes;
  }

  /** Keeps no more than the window. */
  #forget(): void {
    for (;;) {
      const [first] = this.#pieces;
      if (first === undefined) return;
      const excess = this.#end - this.#begin - WINDOW_SIZE;
      if (excess <= 0) return;
      if (first.length > excess) this.#pieces[0] = first.subarray(excess);
      else this.#pieces.shift();
      this.#begin += Math.min(first.length, excess);
    }
  }
}

/** A part of the file on its way. */
class Stream {
  readonly end: number;
  readonly #stopped = new AbortController();
  readonly #pieces: AsyncIterator<Uint8Array>;

  constructor(file: ReadableFile, begin: number, end: number) {
    this.end = end;
    this.#pieces = file.read({ begin, end }, this.#stopped.signal)[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const step = await this.#pieces.next();
    return step.done === true ? undefined : step.value;
  }

  stop(): void {
    this.#stopped.abort();
    void Promise.resolve(this.#pieces.return?.()).catch(() => undefined); // it is stopped, whatever it says
  }
}
