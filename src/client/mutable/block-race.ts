/**
 * Gets a number of answers from different shares of one version, from whichever servers give them first.
 *
 * As many shares as are needed are asked, the lowest numbers first, since those hold the contents as they are. What
 * fails is replaced; what is overdue has another share asked beside it. A share that failed is not used again. One that
 * does not match its hashes is reported to its server, unless it turns out that somebody has overwritten it meanwhile.
 */
import { setMaxListeners } from 'node:events';
import { formatBase32 } from '#core/base32.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { encodeCheckstring } from '#core/mutable/version.js';
import { withDeadline } from '../deadline.js';
import { reportBadShare } from './corruption.js';
import { endless } from './mutable-context.js';
import { isShareError } from './server-query.js';
import type { Servermap } from './servermap.js';
import type { MutableShareReader } from './share-reader.js';

/** When an answer is overdue and another share is asked beside it. */
const HEDGE_DELAY_MS = 2_000;
/** How long an answer may take at all, and how much longer for each byte of it. */
const ANSWER_TIMEOUT_MS = 20_000;
const RATE_MIN_BYTES_PER_SECOND = 16 * 1024;
/** How long a share that did not match may take to say whether it was overwritten. */
const SECOND_LOOK_TIMEOUT_MS = 5_000;
/** How many shares' reasons a failure names. */
const REASONS_MAX = 5;

/** Of which file, and on which shares. */
export interface BlockRaceOptions {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** How many shares the file needs, for messages. */
  readonly needed: number;
  readonly shares: readonly MutableShareReader[];
  /** When an answer is overdue, in milliseconds; HEDGE_DELAY_MS if left out. */
  readonly hedgeDelayMs?: number;
  /** Where a bad share is noted, so that a writer replaces it. */
  readonly map: Servermap;
  /** Looks for more shares on servers that were not asked; wanted once, when these are not enough. */
  readonly searchFurther?: (signal: AbortSignal) => Promise<readonly MutableShareReader[]>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Runner {
  readonly share: MutableShareReader;
  overdueCount: number;
}

interface Attempt {
  readonly runner: Runner;
  overdue: boolean;
}

/** What a share answered. */
export interface BlockAnswer<Value> {
  readonly share: MutableShareReader;
  readonly value: Value;
}

/** The shares of one version. */
export class BlockRace {
  readonly #options: BlockRaceOptions;
  readonly #reasons: string[] = [];
  #runners: Runner[];
  #search: 'possible' | 'running' | 'over';
  #hasMoved = false;
  readonly #listeners = new Set<() => void>();

  constructor(options: BlockRaceOptions) {
    this.#options = options;
    this.#runners = [...options.shares]
      .sort((a, b) => a.shareNumber - b.shareNumber)
      .map((share) => ({ share, overdueCount: 0 }));
    this.#search = options.searchFurther === undefined ? 'over' : 'possible';
  }

  /** Whether a share was overwritten or removed while it was read: another look at the servers may help. */
  get hasMoved(): boolean {
    return this.#hasMoved;
  }

  /**
   * Runs `task` on shares of different numbers until `count` of them have answered.
   * @param size - of one answer, in bytes, for its deadline.
   * @throws ERR_NOT_ENOUGH_SHARES when no share is left to ask; ERR_CANCELLED.
   */
  async collect<Value>(
    count: number,
    size: number,
    task: (share: MutableShareReader, signal: AbortSignal) => Promise<Value>,
    signal: AbortSignal,
  ): Promise<BlockAnswer<Value>[]> {
    const ended = new AbortController();
    setMaxListeners(0, ended.signal);
    const answers = new Map<number, BlockAnswer<Value>>();
    const attempts = new Set<Attempt>();
    let wake: () => void = () => undefined;
    const notify = (): void => {
      wake();
    };
    const start = (runner: Runner): void => {
      const attempt: Attempt = { runner, overdue: false };
      attempts.add(attempt);
      void this.#run(attempt, size, task, ended.signal, notify).then((answer) => {
        attempts.delete(attempt);
        if (answer !== undefined) answers.set(runner.share.shareNumber, answer);
        notify();
      });
    };
    signal.addEventListener('abort', notify);
    this.#listeners.add(notify);
    try {
      for (;;) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the read' }, { cause: signal.reason });
        if (answers.size >= count) return [...answers.values()].slice(0, count);
        while (answers.size + onTime(attempts) < count) {
          const next = this.#best(attempts, answers);
          if (next === undefined) {
            this.#startSearch();
            break;
          }
          start(next);
        }
        if (attempts.size === 0 && this.#search === 'over') throw this.#shortage(count);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', notify);
      this.#listeners.delete(notify);
      ended.abort();
    }
  }

  /** Once for all collections; it bounds itself in time. */
  #startSearch(): void {
    const { log, searchFurther } = this.#options;
    if (this.#search !== 'possible' || searchFurther === undefined) return;
    this.#search = 'running';
    searchFurther(endless())
      .then((shares) => {
        this.#runners.push(...shares.map((share) => ({ share, overdueCount: 0 })));
      })
      .catch((error: unknown) => {
        log.info('no more shares found', { reason: reasonOf(error) });
      })
      .finally(() => {
        this.#search = 'over';
        for (const notify of this.#listeners) notify();
      });
  }

  /** @returns undefined when the share failed, or nobody waits for it any more. */
  async #run<Value>(
    attempt: Attempt,
    size: number,
    task: (share: MutableShareReader, signal: AbortSignal) => Promise<Value>,
    ended: AbortSignal,
    notify: () => void,
  ): Promise<BlockAnswer<Value> | undefined> {
    const { clock, hedgeDelayMs = HEDGE_DELAY_MS } = this.#options;
    const { share } = attempt.runner;
    const cancelTimer = clock.schedule(hedgeDelayMs, () => {
      attempt.overdue = true;
      attempt.runner.overdueCount += 1;
      notify();
    });
    try {
      const timeoutMs = ANSWER_TIMEOUT_MS + Math.ceil((size * 1000) / RATE_MIN_BYTES_PER_SECOND);
      const what = `server ${share.server.shortName}`;
      const value = await withDeadline({ clock, timeoutMs, what, signal: ended }, (signal) => task(share, signal));
      return { share, value };
    } catch (error) {
      if (!ended.aborted) await this.#dismiss(attempt.runner, error, ended);
      return undefined;
    } finally {
      cancelTimer();
    }
  }

  /** The share to ask next: of a number that is not asked yet, seldom overdue, on a server that is not busy with this. */
  #best(attempts: ReadonlySet<Attempt>, answers: ReadonlyMap<number, unknown>): Runner | undefined {
    const asked = [...attempts].map(({ runner }) => runner);
    const numbers = new Set([...answers.keys(), ...asked.map(({ share }) => share.shareNumber)]);
    const rank = ({ overdueCount, share }: Runner): number =>
      overdueCount * 1000 + asked.filter((other) => other.share.server === share.server).length;
    return this.#runners
      .filter(({ share }) => !numbers.has(share.shareNumber))
      .reduce<Runner | undefined>((best, next) => (best && rank(best) <= rank(next) ? best : next), undefined);
  }

  async #dismiss(runner: Runner, error: unknown, ended: AbortSignal): Promise<void> {
    if (!this.#runners.includes(runner)) return;
    this.#runners = this.#runners.filter((other) => other !== runner);
    const { share } = runner;
    const reason = reasonOf(error);
    this.#reasons.push(`share ${String(share.shareNumber)} on ${share.server.shortName}: ${reason}`);
    if (isTahoeError(error, 'ERR_NO_SUCH_SHARE')) this.#hasMoved = true;
    else if (isShareError(error)) await this.#lookAgain(share, reason, ended);
  }

  /** A share that does not match is bad only if it is still the one that was found. */
  async #lookAgain(share: MutableShareReader, reason: string, ended: AbortSignal): Promise<void> {
    const { clock, log, map, storageIndex } = this.#options;
    const limit = { clock, timeoutMs: SECOND_LOOK_TIMEOUT_MS, what: 'a second look', signal: ended };
    const hasMoved = await withDeadline(limit, (signal) => share.hasMoved(signal)).catch(() => undefined);
    if (hasMoved === true) this.#hasMoved = true;
    if (hasMoved !== false) return;
    const { server, shareNumber, header } = share;
    map.addBad({ server, shareNumber, reason, checkstring: encodeCheckstring(header) });
    reportBadShare({ clock, log }, storageIndex, { server, shareNumber, reason });
  }

  #shortage(count: number): TahoeError {
    const { needed, storageIndex } = this.#options;
    const found = new Set(this.#runners.map(({ share }) => share.shareNumber)).size;
    const more = this.#reasons.length - REASONS_MAX;
    const detail = [...this.#reasons.slice(0, REASONS_MAX), ...(more > 0 ? [`and ${String(more)} more`] : [])];
    return new TahoeError('ERR_NOT_ENOUGH_SHARES', {
      storageIndex: formatBase32(storageIndex),
      needed: Math.max(count, needed),
      found,
      detail: detail.length === 0 ? 'no share is left' : detail.join('; '),
    });
  }
}

function onTime(attempts: ReadonlySet<Attempt>): number {
  return [...attempts].filter(({ overdue }) => !overdue).length;
}
