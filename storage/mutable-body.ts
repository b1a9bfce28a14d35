/**
 * The body of a read-test-write, taken in while it arrives. A client sends a whole share in one request, so its long
 * strings are put aside: the first MEMORY_SIZE_MAX bytes of them in memory, all in a nameless file where there are
 * more or where memory is short. What is left is decoded at the end.
 * @see diverting-scanner.ts
 */
import { concat } from '#core/bytes.js';
import { DivertingScanner, Diverted } from '#wire/diverting-scanner.js';
import { toReadTestWriteRequest } from '#wire/storage-mutable.js';
import type { ReadTestWriteRequest } from '#wire/storage-mutable.js';
import { announcedSize, messageTooLarge } from './authorization.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import type { MemoryHold } from './memory-budget.js';
import { readBody } from './request-body.js';
import type { BodySource } from './request-body.js';
import type { ShareFile } from './share-files.js';

/** The largest request, in bytes. The reference's own client holds all of it in memory. */
export const READ_TEST_WRITE_SIZE_MAX = 2 ** 32;
/** What long strings take in memory for one request, in bytes. */
const MEMORY_SIZE_MAX = 1 << 20;
/** A share of 1 GiB comes in some 8200 vectors of 8 items each. */
const limits = { divertSize: 256, skeletonSizeMax: 1 << 20, itemCountMax: 100_000 };

/** What a request is received with. */
export interface MutableBodyOptions {
  readonly body: BodySource;
  readonly memory: MemoryHold;
  /** Makes the file for a body of so many bytes. */
  readonly createScratch: (sizeBytes: number) => Promise<ShareFile>;
}

/** A request that has arrived. Whoever has it closes it. */
export interface ReceivedRequest {
  readonly request: ReadTestWriteRequest<Content>;
  close(): Promise<void>;
}

/**
 * Receives a request.
 * @throws ERR_CBOR, ERR_MESSAGE, ERR_TOO_LARGE, ERR_TOO_MANY, ERR_NO_SPACE, ERR_DISK; what readBody throws.
 */
export async function receiveReadTestWrite(options: MutableBodyOptions): Promise<ReceivedRequest> {
  const { body, memory } = options;
  const scanner = new DivertingScanner(limits);
  const strings = new LongStrings(options);
  let size = 0;
  let skeletonSize = 0;
  try {
    for await (const pieces of readBody(body)) {
      for (const piece of pieces) {
        size += piece.length;
        if (size > READ_TEST_WRITE_SIZE_MAX) throw messageTooLarge(READ_TEST_WRITE_SIZE_MAX);
        await strings.append(scanner.push(piece));
        memory.grow(scanner.skeletonSize - skeletonSize);
        skeletonSize = scanner.skeletonSize;
      }
    }
    const request = toReadTestWriteRequest(scanner.finish(), strings.toContent());
    return { request, close: () => strings.close() };
  } catch (error) {
    await strings.close();
    throw error;
  }
}

/** The long strings of one request, one behind the other. */
class LongStrings {
  readonly #options: MutableBodyOptions;
  #inMemory: Uint8Array[] = [];
  #size = 0;
  #file: ShareFile | undefined;

  constructor(options: MutableBodyOptions) {
    this.#options = options;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (size === 0) return;
    const { body, createScratch, memory } = this.#options;
    const fits = this.#size + size <= MEMORY_SIZE_MAX && memory.tryGrow(size);
    if (this.#file === undefined && fits) this.#inMemory.push(...parts);
    else {
      this.#file ??= await createScratch(announcedSize(body.request) ?? this.#size + size);
      const before = this.#inMemory;
      this.#inMemory = [];
      const offset = this.#size - before.reduce((sum, part) => sum + part.length, 0);
      await this.#file.write([...before, ...parts], offset);
    }
    this.#size += size;
  }

  /** What makes a content of each byte string of the message, short or long. */
  toContent(): (value: unknown) => Content | undefined {
    const file = this.#file;
    const bytes = concat(...this.#inMemory);
    return (value) => {
      if (value instanceof Uint8Array) return contentOf(value);
      if (!(value instanceof Diverted)) return undefined;
      const { position, size } = value;
      if (file === undefined) return contentOf(bytes.subarray(position, position + size));
      return { size, read: (from, count) => file.read(position + from, count) };
    };
  }

  async close(): Promise<void> {
    this.#inMemory = [];
    await this.#file?.close();
    this.#file = undefined;
  }
}
