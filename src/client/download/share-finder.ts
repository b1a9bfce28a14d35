/**
 * Finds the shares of a file: asks servers in permuted order what they hold, and only while more shares are wanted. At first
 * a few more than are needed are asked, which is all that it takes where the file lies as it was stored; when they bring too
 * little, or take their time, many at a time. A slow server stops counting against those, so that it cannot hold up the
 * search.
 *
 * Servers of our own kind give a beginning and an end of each share with their answer, which are kept with it as long as
 * all of a file's are within KEPT_EDGES_SIZE_MAX.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { EdgeSizes, ShareEdges } from '#wire/immutable-beginnings.js';
import type { StorageServer } from '../storage-server.js';

/** How many servers are asked at once. */
const OUTSTANDING_MAX = 10;
/** How many more are asked at first than shares are needed. */
const SPARE_COUNT = 2;
/** What the first ones may take until many are asked. */
const PATIENCE_MS = 250;
/** After so long another server is asked as well. */
const OVERDUE_MS = 3_000;
/** After so long a server's answer is no longer waited for. */
const LIST_TIMEOUT_MS = 30_000;
/** What is kept of a file's shares that was not asked for by itself, in bytes: what a server says may be anything. */
const KEPT_EDGES_SIZE_MAX = 4 << 20;

/** A share that a server says it holds. */
export interface FoundShare {
  readonly server: StorageServer;
  readonly shareNumber: number;
  /** What it gave of it, where it is one that does. */
  readonly edges?: ShareEdges | undefined;
}

/** What to search for, and where. */
export interface ShareFinderOptions {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** In permuted order. */
  readonly servers: readonly StorageServer[];
  /** How many shares make the file. */
  readonly needed: number;
  /** How much is asked for of each share together with which there are. */
  readonly edgeSizes: EdgeSizes;
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
  /** How many of the first are still to be asked. */
  #firstCount: number;
  #cancelPatience: (() => void) | undefined;
  #isWide = false;
  #keptSize = 0;

  constructor(options: ShareFinderOptions) {
    this.#options = options;
    this.#waiting = [...options.servers];
    this.#firstCount = options.needed + SPARE_COUNT;
  }

  /** The shares found since the last call. */
  take(): FoundShare[] {
    return this.#found.splice(0);
  }

  /** Whether every server has answered or failed. */
  get exhausted(): boolean {
    return this.#waiting.length === 0 && this.#outstanding === 0;
  }

  /**
   * Asks more servers, as many as may be asked at once, unless those that were asked first may still bring enough.
   * @param missing - how many shares are looked for.
   */
  searchFurther(missing: number): void {
    if (this.#cancelPatience === undefined) this.#beginPatience();
    else if (missing > this.#counted) this.#isWide = true;
    while (this.#counted < OUTSTANDING_MAX && (this.#isWide || this.#firstCount > 0)) {
      const server = this.#waiting.shift();
      if (server === undefined) return;
      this.#firstCount--;
      void this.#ask(server);
    }
  }

  #beginPatience(): void {
    const { changed, clock } = this.#options;
    this.#cancelPatience = clock.schedule(PATIENCE_MS, () => {
      this.#isWide = true;
      changed();
    });
  }

  async #ask(server: StorageServer): Promise<void> {
    const { clock, changed, log } = this.#options;
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
      this.#found.push(...(await this.#sharesOn(server)));
    } catch (error) {
      this.failures.push(`${server.shortName}: ${reasonOf(error)}`);
      log.info('server did not list its shares', { server: server.shortName, reason: reasonOf(error) });
    } finally {
      cancelTimer();
      uncount();
      this.#outstanding--;
      if (this.#outstanding === 0) this.#cancelPatience?.();
      changed();
    }
  }

  async #sharesOn(server: StorageServer): Promise<FoundShare[]> {
    const { edgeSizes, storageIndex } = this.#options;
    // A small answer: where nobody waits for it any more it is let come, for giving it up would cost the connection.
    const options = { timeoutMs: LIST_TIMEOUT_MS };
    const beginnings = await server.readBeginnings?.(storageIndex, edgeSizes, options);
    if (beginnings === undefined) {
      return [...(await server.listShares(storageIndex, options))].map((shareNumber) => ({ server, shareNumber }));
    }
    const size = [...beginnings.values()].reduce((sum, { beginning, end }) => sum + beginning.length + end.length, 0);
    const isKept = this.#keptSize + size <= KEPT_EDGES_SIZE_MAX;
    if (isKept) this.#keptSize += size;
    return [...beginnings].map(([shareNumber, edges]) => ({ server, shareNumber, edges: isKept ? edges : undefined }));
  }
}
