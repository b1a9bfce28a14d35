/**
 * Which servers have answered this node, in a file that outlives it: `private/met-servers`, their ids as a JSON array, the
 * newest last. After a start they are dialled before the thousands that an introducer may tell of besides. The file is
 * a help and never the truth: one that is missing, damaged or written by somebody else costs some seconds.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { MetServers } from '#client/grid-member.js';
import { KNOWN_SERVERS_MAX } from '#client/known-servers.js';
import type { NodeDirectory } from './node-directory.js';

/** Its name in private/. */
export const MET_SERVERS_FILE = 'met-servers';
/** How long news waits for more of it, in milliseconds. */
const WRITE_DELAY_MS = 5_000;
const ID_LENGTH_MAX = 256;

/** What it is opened with. */
export interface MetServersOptions {
  readonly directory: Pick<NodeDirectory, 'read' | 'writePrivate'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The memory, open. It must be closed. */
export class MetServersFile implements MetServers {
  readonly #options: MetServersOptions;
  readonly #ids: Set<string>;
  #cancelWrite: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: MetServersOptions, ids: readonly string[]) {
    this.#options = options;
    this.#ids = new Set(ids);
  }

  /** Reads it. What cannot be read is as if it were not there. */
  static async open(options: MetServersOptions): Promise<MetServersFile> {
    const text = await options.directory.read(`private/${MET_SERVERS_FILE}`).catch(() => undefined);
    return new MetServersFile(options, parseIds(text ?? '[]'));
  }

  has(serverId: string): boolean {
    return this.#ids.has(serverId);
  }

  add(serverId: string): void {
    if (this.#ids.has(serverId) || serverId.length > ID_LENGTH_MAX) return;
    this.#ids.add(serverId);
    const [oldest] = this.#ids;
    if (this.#ids.size > KNOWN_SERVERS_MAX && oldest !== undefined) this.#ids.delete(oldest);
    this.#cancelWrite ??= this.#options.clock.schedule(WRITE_DELAY_MS, () => {
      this.#writeNext();
    });
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.#cancelWrite?.();
    if (this.#cancelWrite !== undefined) this.#writeNext();
    await this.#writing;
  }

  #writeNext(): void {
    this.#cancelWrite = undefined;
    this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const { directory, log } = this.#options;
    try {
      await directory.writePrivate(MET_SERVERS_FILE, `${JSON.stringify([...this.#ids])}\n`);
    } catch (error) {
      log.warn('servers that were met are not kept', { reason: reasonOf(error) });
    }
  }
}

function parseIds(text: string): string[] {
  try {
    const ids: unknown = JSON.parse(text);
    if (!Array.isArray(ids)) return [];
    const isId = (id: unknown): id is string => typeof id === 'string' && id.length <= ID_LENGTH_MAX;
    return ids.filter(isId).slice(-KNOWN_SERVERS_MAX);
  } catch {
    return [];
  }
}
