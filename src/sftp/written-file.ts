/**
 * A file that is open to be written. Its bytes are kept in a file of this machine; at the close they go to the grid as
 * a whole and are linked, so that nothing half-written is ever seen. What is asked of it is done in order; what went
 * wrong on the way is told again at the close, and nothing is stored then.
 */
import type { Child } from '#core/directory/child.js';
import { forbidsWriting } from '#core/directory/metadata.js';
import type { Metadata } from '#core/directory/metadata.js';
import { TahoeError } from '#core/errors.js';
import type { Directory } from '#client/directory/directory.js';
import { withDeadline } from '#client/deadline.js';
import { CONTENTS_SIZE_MAX } from '#client/mutable/version-reader.js';
import { attributesOfWritten, metadataWith } from './attributes.js';
import type { Attributes } from './attributes.js';
import type { PendingFile, PendingFiles } from './pending-files.js';
import type { Scratch, SftpServices } from './services.js';
import { refusal } from './status.js';

/** How long storing a file may take. */
export const COMMIT_TIMEOUT_MS = 3_600_000;
const COPY_SIZE = 1_048_576;

/** Where the file will stand. */
export interface LinkPlace {
  readonly parent: Directory;
  readonly name: string;
}

/** What is known of a file when it is opened. */
export interface WrittenFileStart {
  /** What is there already. */
  readonly child: Child | undefined;
  /** Undefined where it was opened by its capability. */
  readonly place: LinkPlace | undefined;
  readonly metadata: Metadata;
  /** Whether there is something to store even if nothing is written. */
  readonly isChanged: boolean;
  /** Whether each write goes to the end. */
  readonly appends: boolean;
  /** The contents that it begins with; undefined for none. */
  readonly contents: AsyncIterable<Uint8Array> | undefined;
}

/** One such file. */
export class WrittenFile implements PendingFile {
  readonly order: number;
  readonly #services: SftpServices;
  /** Ends when the server does. */
  readonly #signal: AbortSignal;
  readonly #pending: PendingFiles<WrittenFile>;
  #work: Promise<unknown> = Promise.resolve();
  #start: WrittenFileStart | undefined;
  #place: LinkPlace | undefined;
  #metadata: Metadata = new Map();
  #scratch: Scratch | undefined;
  #failure: Error | undefined;
  #isChanged = false;
  #isAbandoned = false;
  #isClosed = false;

  /** @param pending - forgets it when it is at its end. */
  constructor(services: SftpServices, signal: AbortSignal, pending: PendingFiles<WrittenFile>) {
    this.#services = services;
    this.#signal = signal;
    this.#pending = pending;
    this.order = pending.nextOrder();
  }

  /** Where it will stand; undefined before it is open, and where it was opened by its capability. */
  get place(): LinkPlace | undefined {
    return this.#place;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  settled(): Promise<void> {
    return this.#work.then(
      () => undefined,
      () => undefined,
    );
  }

  /** Finds out what is to be written to; all that is asked later waits for it. @throws what `find` throws. */
  begin(find: () => Promise<WrittenFileStart>): Promise<void> {
    const begun = this.#next(async () => {
      try {
        this.#start = await find();
        this.#scratch = await this.#services.openScratch();
      } catch (error) {
        this.#pending.forget(this);
        throw error;
      }
      const { isChanged, metadata, place } = this.#start;
      this.#place = place;
      this.#metadata = metadata;
      this.#isChanged = isChanged;
    });
    void this.#next(() => this.#fill()).catch(() => undefined); // it is told with what comes next
    return begun;
  }

  read(offset: number, size: number): Promise<Uint8Array> {
    return this.#onScratch((scratch) => scratch.read(offset, size));
  }

  /** @throws ERR_NO_SPACE, ERR_DISK */
  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#onScratch(async (scratch) => {
      this.#isChanged = true;
      await scratch.write(this.#start?.appends === true ? scratch.size : offset, bytes);
    });
  }

  attributes(): Promise<Attributes> {
    return this.#onScratch((scratch) => Promise.resolve(attributesOfWritten(scratch.size, this.#metadata)));
  }

  setAttributes(attributes: Attributes): Promise<void> {
    return this.#onScratch(async (scratch) => {
      const { size } = attributes;
      this.#metadata = metadataWith(this.#metadata, attributes);
      if (size === undefined) return;
      this.#isChanged = true;
      await scratch.resize(size);
    });
  }

  /** It will stand elsewhere. */
  move(place: LinkPlace): void {
    this.#place = place;
  }

  /** Nothing of it is to be stored, unless that has begun. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /**
   * Stores what was written, if there is anything.
   * @throws what went wrong since it was opened, and what storing it throws: then the grid is as it was.
   */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    return this.#next(async () => {
      try {
        if (this.#isAbandoned || this.#scratch === undefined) return;
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#isChanged) await this.#commit(this.#scratch);
      } finally {
        this.#pending.forget(this);
        await this.#scratch?.close();
      }
    });
  }

  #next<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#work.then(action);
    this.#work = result.catch(() => undefined);
    return result;
  }

  #onScratch<Result>(action: (scratch: Scratch) => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(refusal('badMessage', 'the file handle is closed'));
    return this.#next(async () => {
      if (this.#scratch === undefined) throw refusal('failure', 'the file is not open');
      if (this.#failure !== undefined) throw this.#failure;
      try {
        return await action(this.#scratch);
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    });
  }

  async #fill(): Promise<void> {
    const contents = this.#start?.contents;
    if (contents === undefined || this.#scratch === undefined) return;
    try {
      for await (const piece of contents) await this.#scratch.write(this.#scratch.size, piece);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  async #commit(scratch: Scratch): Promise<void> {
    const { clock } = this.#services;
    const limits = { clock, timeoutMs: COMMIT_TIMEOUT_MS, what: 'storing the file', signal: this.#signal };
    await withDeadline(limits, async (signal) => {
      const child = this.#start?.child;
      if (child?.kind === 'ssk') {
        const contents = await wholeOf(scratch);
        await (await this.#services.openMutable(child, signal)).overwrite(contents, { signal });
        await this.#describe(signal);
        return;
      }
      const { capability } = await this.#services.upload(piecesOf(scratch), signal);
      if (this.#isAbandoned || this.#place === undefined) return;
      const { name, parent } = this.#place;
      await parent.link([{ name, child: capability, metadata: this.#metadata }], 'files', { signal });
    });
  }

  /** A mutable file stays where it is linked; only that nobody is to write to it is kept with the link. */
  async #describe(signal: AbortSignal): Promise<void> {
    if (this.#place === undefined || !forbidsWriting(this.#metadata)) return;
    await this.#place.parent.describe(this.#place.name, this.#metadata, { signal });
  }
}

async function* piecesOf(scratch: Scratch): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < scratch.size; offset += COPY_SIZE) yield scratch.read(offset, COPY_SIZE);
}

async function wholeOf(scratch: Scratch): Promise<Uint8Array> {
  const { size } = scratch;
  if (size <= CONTENTS_SIZE_MAX) return scratch.read(0, size);
  throw new TahoeError('ERR_TOO_LARGE', { what: 'mutable file', limitBytes: CONTENTS_SIZE_MAX });
}
