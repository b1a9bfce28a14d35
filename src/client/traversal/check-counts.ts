/**
 * The sums of a deep check and of a deep repair, under the names that they have in JSON.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=start-deep-check"
 */

/** What the sums need of one object's check. */
export interface CheckVerdict {
  readonly healthy: boolean;
  readonly recoverable: boolean;
  readonly corruptShares: readonly unknown[];
}

/** What they need of one object's repair. */
export interface RepairVerdict {
  readonly repairAttempted: boolean;
  readonly repairSuccessful: boolean;
  readonly before: CheckVerdict;
  /** The same as `before` where no repair was attempted. */
  readonly after: CheckVerdict;
}

/** The sums of a deep check. */
export interface DeepCheckCounts {
  'count-objects-checked': number;
  'count-objects-healthy': number;
  'count-objects-unhealthy': number;
  'count-objects-unrecoverable': number;
  'count-corrupt-shares': number;
}

/** The sums of a deep repair. */
export interface DeepRepairCounts {
  'count-objects-checked': number;
  'count-objects-healthy-pre-repair': number;
  'count-objects-unhealthy-pre-repair': number;
  'count-objects-unrecoverable-pre-repair': number;
  'count-objects-healthy-post-repair': number;
  'count-objects-unhealthy-post-repair': number;
  'count-objects-unrecoverable-post-repair': number;
  'count-repairs-attempted': number;
  'count-repairs-successful': number;
  'count-repairs-unsuccessful': number;
  'count-corrupt-shares-pre-repair': number;
  'count-corrupt-shares-post-repair': number;
}

/** Adds up checks. */
export class DeepCheckCounter {
  readonly #counts: DeepCheckCounts = {
    'count-objects-checked': 0,
    'count-objects-healthy': 0,
    'count-objects-unhealthy': 0,
    'count-objects-unrecoverable': 0,
    'count-corrupt-shares': 0,
  };

  add({ healthy, recoverable, corruptShares }: CheckVerdict): void {
    this.#counts['count-objects-checked']++;
    this.#counts[`count-objects-${healthy ? 'healthy' : 'unhealthy'}`]++;
    if (!recoverable) this.#counts['count-objects-unrecoverable']++;
    this.#counts['count-corrupt-shares'] += corruptShares.length;
  }

  counts(): DeepCheckCounts {
    return { ...this.#counts };
  }
}

/** Adds up repairs. */
export class DeepRepairCounter {
  readonly #before = new DeepCheckCounter();
  readonly #after = new DeepCheckCounter();
  #attempted = 0;
  #successful = 0;

  add({ repairAttempted, repairSuccessful, before, after }: RepairVerdict): void {
    this.#before.add(before);
    this.#after.add(after);
    if (repairAttempted) this.#attempted++;
    if (repairAttempted && repairSuccessful) this.#successful++;
  }

  counts(): DeepRepairCounts {
    const [before, after] = [this.#before.counts(), this.#after.counts()];
    return {
      'count-objects-checked': before['count-objects-checked'],
      'count-objects-healthy-pre-repair': before['count-objects-healthy'],
      'count-objects-unhealthy-pre-repair': before['count-objects-unhealthy'],
      'count-objects-unrecoverable-pre-repair': before['count-objects-unrecoverable'],
      'count-objects-healthy-post-repair': after['count-objects-healthy'],
      'count-objects-unhealthy-post-repair': after['count-objects-unhealthy'],
      'count-objects-unrecoverable-post-repair': after['count-objects-unrecoverable'],
      'count-repairs-attempted': this.#attempted,
      'count-repairs-successful': this.#successful,
      'count-repairs-unsuccessful': this.#attempted - this.#successful,
      'count-corrupt-shares-pre-repair': before['count-corrupt-shares'],
      'count-corrupt-shares-post-repair': after['count-corrupt-shares'],
    };
  }
}
