/**
 * Makes directory entries durable. A new or renamed file survives a power cut only once its directory was synced.
 *
 * Syncs of one directory are shared: all who ask while one is running wait together for a single next one, which
 * begins after they asked and so covers what each of them did.
 */
import { onDisk } from './disk-error.js';
import { nodeFileSystem } from './node-file-system.js';

interface Turn {
  running: Promise<void>;
  next: Promise<void> | undefined;
}

/** Shared syncs of directories. */
export class DirectorySync {
  readonly #turns = new Map<string, Turn>();
  readonly #syncOne: (directory: string) => Promise<void>;

  constructor(syncOne: (directory: string) => Promise<void> = (directory) => syncDirectory(directory)) {
    this.#syncOne = syncOne;
  }

  /** Resolves when every entry that `directory` had at the call is durable. @throws what the sync throws. */
  async sync(directory: string): Promise<void> {
    const turn = this.#turns.get(directory);
    if (turn === undefined) return this.#begin(directory);
    turn.next ??= turn.running.then(
      () => this.#begin(directory),
      () => this.#begin(directory),
    );
    return turn.next;
  }

  async #begin(directory: string): Promise<void> {
    const turn: Turn = { running: this.#syncOne(directory), next: undefined };
    this.#turns.set(directory, turn);
    try {
      await turn.running;
    } finally {
      if (turn.next === undefined) this.#turns.delete(directory);
    }
  }
}

/**
 * Syncs one directory now.
 * @throws ERR_DISK when it cannot be opened or closed; the system's error when it cannot be synced.
 */
export async function syncDirectory(directory: string, system = nodeFileSystem): Promise<void> {
  const handle = await onDisk('opening a directory', () => system.open(directory, 'r'));
  try {
    await handle.sync();
  } finally {
    await onDisk('closing a directory', async () => {
      if (handle.closeNow === undefined) await handle.close();
      else handle.closeNow();
    });
  }
}
