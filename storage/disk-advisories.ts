/** Reports of damage on a disk, one file each, in the reference's directory for them. */
import { join } from 'node:path';
import { utf8 } from '#core/bytes.js';
import { entriesOf } from './directory-entries.js';
import { onDisk } from './disk-error.js';
import type { DiskLayout } from './disk-layout.js';
import type { FileSystem, OpenFile } from './file-system.js';
import type { ShareFile } from './share-files.js';
import { ADVISORY_COUNT_MAX } from './share-store.js';

const FILE_MODE = 0o600;

/** What the reports stand on. */
export interface DiskAdvisoriesOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly toShareFile: (handle: OpenFile, size: number) => ShareFile;
  readonly syncDirectory: (path: string) => Promise<void>;
}

/** The reports of one storage directory. */
export class DiskAdvisories {
  readonly #options: DiskAdvisoriesOptions;
  #count: number | undefined;
  /** Reports that this process began to write: no two unfinished ones have one name. */
  #begunCount = 0;

  constructor(options: DiskAdvisoriesOptions) {
    this.#options = options;
  }

  /** Written where the next start clears away what is unfinished, and then moved: it is whole or not there. */
  async write(name: string, text: string): Promise<void> {
    const { layout, syncDirectory, system } = this.#options;
    this.#begunCount += 1;
    const unfinished = join(layout.incoming, `${name}.${String(this.#begunCount)}`);
    try {
      await this.#writeWhole(unfinished, utf8(text));
      await onDisk('keeping a report', () => system.rename(unfinished, join(layout.advisories, name)));
    } catch (error) {
      await system.rm(unfinished, { force: true }).catch(() => undefined);
      throw error;
    }
    if (this.#count !== undefined) this.#count += 1;
    await syncDirectory(layout.advisories);
  }

  async #writeWhole(path: string, bytes: Uint8Array): Promise<void> {
    const { system, toShareFile } = this.#options;
    const handle = await onDisk('keeping a report', () => system.open(path, 'wx+', FILE_MODE));
    const file = toShareFile(handle, 0);
    try {
      await file.write([bytes], 0);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** How many there are: counted anew when there seem to be too many, for the operator may have removed some. */
  async count(): Promise<number> {
    const { layout, system } = this.#options;
    if (this.#count === undefined || this.#count >= ADVISORY_COUNT_MAX) {
      this.#count = (await onDisk('counting reports', () => entriesOf(system, layout.advisories))).length;
    }
    return this.#count;
  }
}
