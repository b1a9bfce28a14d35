/**
 * Announcements in a file that outlives the node: one JSON object a line, as they travel, with their signatures.
 *
 * Append-only, and rewritten when it has twice as many lines as announcements. What comes while the disk is busy is
 * written and synced together. A line that a crash has torn, or that somebody has changed, is passed over by whoever
 * verifies the signatures; it costs only itself.
 */
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { join, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { AnnouncementRecord } from '#wire/announcement-memory.js';
import { announcementTableLimits } from '#wire/announcement-table.js';
import { dangerouslyFormatAnnouncement, parseSignedAnnouncement } from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { fileError, replaceFile, syncDirectory, systemCode } from './durable-file.js';
import { GroupedWrites } from './grouped-writes.js';
import { PRIVATE_MODE } from './node-directory.js';

/** So many lines there may be beyond two for each announcement before the file is rewritten. */
const SPARE_LINES = 1024;
/** No file of ours is longer, in bytes: what is behind is not read. */
const FILE_SIZE_MAX = 8 * announcementTableLimits.bytes;

/** The file, open. It must be closed. */
export class AnnouncementLog implements AnnouncementRecord {
  readonly kept: readonly SignedAnnouncement[];
  readonly #path: string;
  readonly #current: () => readonly SignedAnnouncement[];
  #handle: FileHandle | undefined;
  #lines = 0;
  #bytes = 0;
  readonly #writes = new GroupedWrites<SignedAnnouncement>((items) => this.#append(items));
  /** Those of the last write: they are on the disk, and those who wait for that may not have noted it yet. */
  #last: readonly SignedAnnouncement[] = [];

  private constructor(path: string, kept: readonly SignedAnnouncement[], current: () => readonly SignedAnnouncement[]) {
    this.#path = path;
    this.kept = kept;
    this.#current = current;
  }

  /**
   * Opens the file, or begins a new one.
   * @param current - the announcements that count now: what the file is rewritten to.
   * @throws ERR_FILE, ERR_NO_SPACE.
   */
  static async open(path: string, current: () => readonly SignedAnnouncement[]): Promise<AnnouncementLog> {
    const kept = await readKept(path);
    const log = new AnnouncementLog(path, kept, current);
    // Without what is damaged, so that what is appended is no continuation of half a line.
    await log.#rewrite(kept);
    return log;
  }

  /** @throws ERR_FILE, ERR_NO_SPACE: then it is as if it had not come. */
  async keep(announcement: SignedAnnouncement): Promise<void> {
    await this.#writes.add(announcement);
  }

  async close(): Promise<void> {
    await this.#writes.ended();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #append(announcements: readonly SignedAnnouncement[]): Promise<void> {
    const current = this.#current();
    if (this.#lines >= 2 * current.length + SPARE_LINES) await this.#rewrite([...current, ...this.#last]);
    const handle = this.#handle;
    if (handle === undefined) throw new TahoeError('ERR_FILE', { file: this.#path, reason: 'it is closed' });
    const bytes = join(announcements.map(lineOf));
    try {
      await handle.appendFile(bytes);
      await handle.datasync();
      this.#lines += announcements.length;
      this.#bytes += bytes.length;
      this.#last = announcements;
    } catch (error) {
      await handle.truncate(this.#bytes).catch(() => undefined);
      throw fileError(this.#path, error);
    }
  }

  async #rewrite(announcements: readonly SignedAnnouncement[]): Promise<void> {
    const content = join(announcements.map(lineOf));
    await replaceFile(this.#path, content, PRIVATE_MODE);
    await this.#handle?.close();
    try {
      this.#handle = await open(this.#path, 'a');
      await syncDirectory(dirname(this.#path));
    } catch (error) {
      throw fileError(this.#path, error);
    }
    this.#lines = announcements.length;
    this.#bytes = content.length;
  }
}

function lineOf(announcement: SignedAnnouncement): Uint8Array {
  return utf8(`${dangerouslyFormatAnnouncement(announcement)}\n`);
}

async function readKept(path: string): Promise<SignedAnnouncement[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw fileError(path, error);
  });
  const lines = bytes.subarray(0, FILE_SIZE_MAX).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').flatMap(announcementOf);
}

function announcementOf(line: string): SignedAnnouncement[] {
  try {
    return [parseSignedAnnouncement(line)];
  } catch {
    return [];
  }
}
