/**
 * Finds the shares of a file: asks servers in permuted order what they hold, a few at a time, and only while
 * more shares are wanted. A slow server stops counting against the few, so that it cannot hold up the search.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { StorageServer } from '../storage-server.js';

/** How many servers are asked at once. */
const OUTSTANDING_MAX = 10;
/** After so long another server is asked as well. */
const OVERDUE_MS = 3_000;
/** After so long a server's answer is no longer waited for. */
const LIST_TIMEOUT_MS = 30_000;

/** A share that a server says it holds. */
export interface FoundShare {
  readonly server: StorageServer;
  readonly shareNumber: number;
}

/** What to search for, and where. */
export interface ShareFinderOptions {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** In permuted order. */
  readonly servers: readonly StorageServer[];
  readonly clock: Clock;
  readonly log: Log;
  /** Called when shares were found or a server failed. */
  readonly changed: () => void;
}

/** The search for one file's shares. */
export class ShareFinder {
  /** The servers that could not say, with why. */
  readonly failures: string[] = [];
  readonly #options: ShareFinderOptions;
  readonly #waiting: StorageServer[];
  readonly #found: FoundShare[] = [];
  #outstanding = 0;
  #counted = 0;

  constructor(options: ShareFinderOptions) {
    this.#options = options;
    this.#waiting = [...options.servers];
  }

  /** The shares found since the last call. */
  take(): FoundShare[] {
    return this.#found.splice(0);
  }

  /** Whether every server has answered or failed. */
  get exhausted(): boolean {
    return this.#waiting.length === 0 && this.#outstanding === 0;
  }

  /** Asks more servers, as many as may be asked at once. */
  searchFurther(): void {
    while (this.#counted < OUTSTANDING_MAX) {
      const server = this.#waiting.shift();
      if (server === undefined) return;
      void this.#ask(server);
    }
  }

  async #ask(server: StorageServer): Promise<void> {
    const { storageIndex, clock, changed, log } = this.#options;
    this.#outstanding++;
    this.#counted++;
    let counted = true;
    const uncount = (): void => {
      if (counted) this.#counted--;
      counted = false;
    };
    const cancelTimer = clock.schedule(OVERDUE_MS, () => {
      uncount();
      changed();
    });
    try {
      // A small answer: where nobody waits for it any more it is let come, for giving it up would cost the connection.
      const shares = await server.listShares(storageIndex, { timeoutMs: LIST_TIMEOUT_MS });
      for (const shareNumber of shares) this.#found.push({ server, shareNumber });
    } catch (error) {
      this.failures.push(`${server.shortName}: ${reasonOf(error)}`);
      log.info('server did not list its shares', { server: server.shortName, reason: reasonOf(error) });
    } finally {
      cancelTimer();
      uncount();
      this.#outstanding--;
      changed();
    }
  }
}
