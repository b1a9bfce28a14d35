/**
 * One cycle of garbage collection: finds in the index the shares without a live lease, and has the store remove
 * them, each after it was read anew.
 *
 * The first cycle only writes a report, `tallac/expiry-report.json`, and so does the first with other settings, or
 * after an absence that may be a clock set wrong. Shares go when the report has lain there for REPORT_GRACE_MS.
 * While the time of day is doubtful nothing is removed.
 *
 *     tallac/expiry-state.json   {"wallMs": of the last cycle, "reportedMs": of the report, "policy": of the report}
 */
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { ClockGuard } from './clock-guard.js';
import type { ExpiringStore } from './expired-shares.js';
import { describePolicy, isExpired } from './expiry-policy.js';
import type { ExpiryPolicy } from './expiry-policy.js';
import { findExpired, reportOf } from './expiry-report.js';
import type { ExpiredShares, ExpiryReport } from './expiry-report.js';
import type { OwnFiles } from './own-files.js';
import { indexedPages } from './indexed-pages.js';
import type { ShareIndex } from './share-index.js';

/** How long a report lies there before the first share goes. */
export const REPORT_GRACE_MS = 24 * 3_600_000;
/** How long a store may be away without having to report again. */
export const ABSENCE_MAX_MS = 7 * 24 * 3_600_000;
/** The file that tells what the last cycles did. */
export const EXPIRY_STATE_FILE = 'expiry-state.json';
/** The file that the operator reads. */
export const EXPIRY_REPORT_FILE = 'expiry-report.json';

/** What a cycle works on. */
export interface ExpiryOptions {
  readonly index: ShareIndex;
  readonly store: ExpiringStore;
  readonly policy: ExpiryPolicy;
  readonly files: OwnFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a cycle came to. Times in Unix milliseconds, sizes in bytes. */
export type ExpiryOutcome =
  | { readonly kind: 'paused'; readonly reason: string }
  /** Nothing was removed yet. */
  | { readonly kind: 'reported'; readonly report: ExpiryReport; readonly removesAfterMs: number }
  | { readonly kind: 'waiting'; readonly removesAfterMs: number }
  | { readonly kind: 'removed'; readonly shareCount: number; readonly diskBytes: number; readonly keptCount: number };

interface ExpiryState {
  readonly wallMs: number;
  readonly reportedMs: number;
  readonly policy: string;
}

/** The garbage collection of one store, from its start on. */
export class ExpiryCycle {
  readonly #options: ExpiryOptions;
  readonly #guard: ClockGuard;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    this.#guard = new ClockGuard(options.clock);
  }

  /**
   * Runs one cycle. Nothing is removed after `signal`.
   * @throws ERR_DISK, ERR_NO_SPACE when the report cannot be written or a share cannot be looked at.
   */
  async run(signal?: AbortSignal): Promise<ExpiryOutcome> {
    const { index, policy, clock, log } = this.#options;
    const state = await this.#readState();
    const doubt = this.#guard.doubt(state?.wallMs ?? 0);
    if (doubt !== undefined) return this.#pause(doubt);
    if (!(await index.settle())) return this.#pause('the index is not complete');
    const nowMs = clock.nowMs();
    try {
      const expired = await findExpired(indexedPages(index), policy, nowMs);
      const isReported = state?.policy === describePolicy(policy) && nowMs - state.wallMs <= ABSENCE_MAX_MS;
      if (!isReported) return await this.#report(expired, nowMs);
      const removesAfterMs = state.reportedMs + REPORT_GRACE_MS;
      const outcome: ExpiryOutcome =
        nowMs < removesAfterMs
          ? { kind: 'waiting', removesAfterMs }
          : await this.#remove(expired, state, nowMs, signal);
      await this.#remember({ ...state, wallMs: nowMs });
      return outcome;
    } catch (error) {
      if (!isTahoeError(error, 'ERR_INDEX')) throw error;
      log.debug('storage.expiry-interrupted', { reason: reasonOf(error) });
      return this.#pause('the index is being made anew');
    }
  }

  #pause(reason: string): ExpiryOutcome {
    this.#options.log.warn('storage.expiry-paused', { reason });
    return { kind: 'paused', reason };
  }

  async #report(expired: ExpiredShares, nowMs: number): Promise<ExpiryOutcome> {
    const { policy, files, log } = this.#options;
    const report = reportOf(expired, policy, nowMs);
    await files.write(EXPIRY_REPORT_FILE, report);
    await files.write(EXPIRY_STATE_FILE, { wallMs: nowMs, reportedMs: nowMs, policy: describePolicy(policy) });
    const { shareCount, diskBytes } = report;
    log.warn('storage.expiry-reported', { shareCount, diskBytes, file: EXPIRY_REPORT_FILE });
    return { kind: 'reported', report, removesAfterMs: nowMs + REPORT_GRACE_MS };
  }

  async #remove(
    { shares }: ExpiredShares,
    { wallMs }: ExpiryState,
    nowMs: number,
    signal: AbortSignal | undefined,
  ): Promise<ExpiryOutcome> {
    const { store, policy, log } = this.#options;
    let [shareCount, diskBytes, keptCount] = [0, 0, 0];
    for (const { place, record } of shares) {
      if (signal?.aborted === true) break;
      const doubt = this.#guard.doubt(wallMs);
      if (doubt !== undefined) return this.#pause(doubt);
      const { storageIndex, shareNumber } = place;
      const removal = await store.removeExpired(storageIndex, shareNumber, (share) =>
        isExpired(policy, share, nowMs / 1000),
      );
      if (removal === 'kept') keptCount += 1;
      if (removal !== 'removed') continue;
      shareCount += 1;
      diskBytes += record.diskBytes;
    }
    log.info('storage.expiry-removed', { shareCount, diskBytes, keptCount });
    return { kind: 'removed', shareCount, diskBytes, keptCount };
  }

  /** A full disk is a reason to remove, not to stop removing. */
  async #remember(state: ExpiryState): Promise<void> {
    const { files, log } = this.#options;
    await files.write(EXPIRY_STATE_FILE, state).catch((error: unknown) => {
      log.warn('storage.expiry-not-remembered', { reason: reasonOf(error) });
    });
  }

  /** What earlier cycles left; undefined where there is nothing, or nothing that makes sense. */
  async #readState(): Promise<ExpiryState | undefined> {
    const value = await this.#options.files.read(EXPIRY_STATE_FILE);
    if (typeof value !== 'object' || value === null) return undefined;
    const { wallMs, reportedMs, policy } = value as Record<string, unknown>;
    if (!isTime(wallMs) || !isTime(reportedMs) || typeof policy !== 'string') return undefined;
    return { wallMs, reportedMs, policy };
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
