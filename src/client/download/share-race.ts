/**
 * Gets a number of answers from different shares of a file, from whichever servers give them first.
 *
 * It starts as many as are needed, replaces what fails, and when an answer is overdue starts another share
 * beside it (a hedge), so that a server that lies, stalls or dies costs time but never the answer. A share that
 * failed is not used again; one that was overdue is used last.
 */
import { setMaxListeners } from 'node:events';
import { formatBase32 } from '#core/base32.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { StorageServer } from '../storage-server.js';
import { ShareFinder } from './share-finder.js';
import type { FoundShare } from './share-finder.js';
import { ShareReader } from './share-reader.js';
import type { ShareReaderOptions } from './share-reader.js';
import { wantedEdges } from './speculation.js';

/** When an answer is overdue and another share is tried beside it. */
const HEDGE_DELAY_MS = 2_000;
const REPORT_TIMEOUT_MS = 15_000;
/** How many servers' reasons a failure names. */
const REASONS_MAX = 5;

/** Which file, and the servers that may hold shares of it, in permuted order. */
export interface ShareRaceOptions extends Omit<ShareReaderOptions, keyof FoundShare> {
  readonly servers: readonly StorageServer[];
  readonly clock: Clock;
  readonly log: Log;
}

interface Runner {
  readonly reader: ShareReader;
  /** How often it was overdue. */
  overdueCount: number;
}

interface Attempt {
  readonly runner: Runner;
  overdue: boolean;
}

/** An answer with the share it is from. */
export interface ShareAnswer<Value> {
  readonly shareNumber: number;
  readonly value: Value;
}

/** The shares of one file, known and yet to be found. */
export class ShareRace {
  readonly #options: ShareRaceOptions;
  readonly #finder: ShareFinder;
  readonly #failures: string[] = [];
  readonly #listeners = new Set<() => void>();
  #runners: Runner[] = [];

  constructor(options: ShareRaceOptions) {
    this.#options = options;
    this.#finder = new ShareFinder({
      ...options,
      needed: options.capability.needed,
      edgeSizes: wantedEdges(options.capability),
      changed: () => {
        this.#notify();
      },
    });
  }

  /**
   * Runs `task` on shares of different numbers until `count` of them have answered.
   * @param atOnce - how many are started at first, where more than `count` will be wanted soon.
   * @throws ERR_NO_SHARES or ERR_NOT_ENOUGH_SHARES when no share is left to try; ERR_CANCELLED by the signal.
   */
  async collect<Value>(
    count: number,
    task: (reader: ShareReader, signal: AbortSignal) => Promise<Value>,
    signal: AbortSignal,
    atOnce = count,
  ): Promise<ShareAnswer<Value>[]> {
    const heat = new Heat({ count, atOnce }, task, this.#options.clock, () => {
      this.#notify();
    });
    const cancel = (): void => {
      this.#notify();
    };
    signal.addEventListener('abort', cancel);
    try {
      for (;;) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the download' }, { cause: signal.reason });
        for (const { runner, error } of heat.takeFailures()) this.#dismiss(runner, error);
        if (heat.won) return heat.answers;
        this.#field();
        if (!this.#start(heat) && heat.idle && this.#finder.exhausted) throw this.#shortage();
        await this.#change();
      }
    } finally {
      signal.removeEventListener('abort', cancel);
      heat.close();
    }
  }

  /** Adds the shares that were found meanwhile. */
  #field(): void {
    for (const share of this.#finder.take()) this.#runners.push({ reader: this.#reader(share), overdueCount: 0 });
  }

  /** Starts shares while the heat wants more. @returns whether it has all it wants. */
  #start<Value>(heat: Heat<Value>): boolean {
    while (heat.missing > 0) {
      const runner = this.#best(heat);
      if (runner === undefined) {
        this.#finder.searchFurther(heat.missing);
        return false;
      }
      heat.start(runner);
    }
    return true;
  }

  /** The share to try next: seldom overdue, on a server that the heat does not use yet, found early. */
  #best<Value>(heat: Heat<Value>): Runner | undefined {
    const rank = (runner: Runner): number => runner.overdueCount * 1000 + heat.usesOf(runner.reader.server);
    return this.#runners
      .filter(({ reader }) => !heat.has(reader.shareNumber))
      .reduce<Runner | undefined>(
        (best, next) => (best === undefined || rank(next) < rank(best) ? next : best),
        undefined,
      );
  }

  #dismiss(runner: Runner, error: unknown): void {
    if (!this.#runners.includes(runner)) return;
    this.#runners = this.#runners.filter((other) => other !== runner);
    const { server, shareNumber } = runner.reader;
    const reason = reasonOf(error);
    this.#failures.push(`share ${String(shareNumber)} on ${server.shortName}: ${reason}`);
    this.#options.log.warn('share not usable', { server: server.shortName, shareNumber, reason });
    if (!isTahoeError(error) || error.family !== 'integrity') return;
    server
      .reportCorrupt(this.#options.storageIndex, shareNumber, reason, { timeoutMs: REPORT_TIMEOUT_MS })
      .catch((failure: unknown) => {
        this.#options.log.info('damage not reported', { server: server.shortName, reason: reasonOf(failure) });
      });
  }

  #shortage(): TahoeError {
    const { capability, storageIndex, servers } = this.#options;
    const found = new Set(this.#runners.map(({ reader }) => reader.shareNumber)).size;
    const problems = [...this.#failures, ...this.#finder.failures];
    const more = problems.length - REASONS_MAX;
    const asked = `${String(servers.length)} servers were asked`;
    const detail = [asked, ...problems.slice(0, REASONS_MAX), ...(more > 0 ? [`and ${String(more)} more`] : [])];
    const facts = { storageIndex: formatBase32(storageIndex), needed: capability.needed, detail: detail.join('; ') };
    return found === 0 && this.#failures.length === 0
      ? new TahoeError('ERR_NO_SHARES', facts)
      : new TahoeError('ERR_NOT_ENOUGH_SHARES', { ...facts, found });
  }

  #reader(share: FoundShare): ShareReader {
    return new ShareReader({ ...this.#options, ...share });
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#listeners.add(resolve));
  }

  #notify(): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

/** One collection under way: which shares run for it and which have answered. */
class Heat<Value> {
  readonly #count: number;
  readonly #atOnce: number;
  readonly #task: (reader: ShareReader, signal: AbortSignal) => Promise<Value>;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #ended = new AbortController();
  readonly #attempts = new Set<Attempt>();
  readonly #answers = new Map<number, Value>();
  #failures: { runner: Runner; error: unknown }[] = [];

  constructor(
    { count, atOnce }: { readonly count: number; readonly atOnce: number },
    task: (reader: ShareReader, signal: AbortSignal) => Promise<Value>,
    clock: Clock,
    changed: () => void,
  ) {
    this.#count = count;
    this.#atOnce = atOnce;
    this.#task = task;
    this.#clock = clock;
    this.#changed = changed;
    setMaxListeners(0, this.#ended.signal); // every share that runs listens
  }

  get won(): boolean {
    return this.#answers.size >= this.#count;
  }

  get idle(): boolean {
    return this.#attempts.size === 0;
  }

  /** How many fewer are on time than are to be. */
  get missing(): number {
    const onTime = [...this.#attempts].filter((attempt) => !attempt.overdue).length;
    return Math.max(0, this.#atOnce - this.#answers.size - onTime);
  }

  get answers(): ShareAnswer<Value>[] {
    return [...this.#answers].slice(0, this.#count).map(([shareNumber, value]) => ({ shareNumber, value }));
  }

  has(shareNumber: number): boolean {
    return (
      this.#answers.has(shareNumber) ||
      [...this.#attempts].some(({ runner }) => runner.reader.shareNumber === shareNumber)
    );
  }

  usesOf(server: StorageServer): number {
    return [...this.#attempts].filter(({ runner }) => runner.reader.server === server).length;
  }

  takeFailures(): { runner: Runner; error: unknown }[] {
    const failures = this.#failures;
    this.#failures = [];
    return failures;
  }

  start(runner: Runner): void {
    const attempt: Attempt = { runner, overdue: false };
    this.#attempts.add(attempt);
    const cancelTimer = this.#clock.schedule(HEDGE_DELAY_MS, () => {
      attempt.overdue = true;
      runner.overdueCount++;
      this.#changed();
    });
    this.#task(runner.reader, this.#ended.signal)
      .then(
        (value) => this.#answers.set(runner.reader.shareNumber, value),
        (error: unknown) => this.#failures.push({ runner, error }),
      )
      .finally(() => {
        cancelTimer();
        this.#attempts.delete(attempt);
        this.#changed();
      })
      .catch(() => undefined);
  }

  /** Ends what still runs. What fails from now on does not count against its share. */
  close(): void {
    this.#ended.abort();
  }
}
