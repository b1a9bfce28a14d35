/**
 * The operations that have handles: a manifest, the statistics of a tree, and its check or repair. Each collects while it
 * goes, so that what there is so far can be shown.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=start-manifest", "t=start-deep-stats", "t=start-deep-check"
 */
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import type { CheckReport, ShareLocation } from '#client/check/check-report.js';
import { DeepCheckCounter, DeepRepairCounter } from '#client/traversal/check-counts.js';
import { DeepStatsCounter } from '#client/traversal/deep-stats.js';
import { dangerouslyDescribeNode } from '#client/traversal/manifest.js';
import type { WalkStep } from '#client/traversal/walk.js';
import type { Work } from './operations.js';
import type { GatewayServices } from './services.js';
import { beforeRepair, survey } from './survey.js';
import type { Surveyed, SurveyOptions } from './survey.js';

/** How many lines of a manifest are kept; longer ones are for `t=stream-manifest`. */
export const MANIFEST_LINES_MAX = 1_000_000;
/** How many results are kept to be looked at one by one before those of healthy objects are left out. */
export const HEALTHY_RESULTS_MAX = 20_000;
/** How many are kept at all. */
export const RESULTS_MAX = 100_000;

/** One of them. */
export type WalkWork = ManifestWork | StatsWork | DeepCheckWork;

/** What all of them know. */
abstract class TreeWork implements Work {
  protected readonly services: GatewayServices;
  protected readonly root: DirectoryCapability;
  readonly stats = new DeepStatsCounter();
  #visited = 0;

  constructor(services: GatewayServices, root: DirectoryCapability) {
    this.services = services;
    this.root = root;
  }

  /** Of the directory where it began, base32; empty where it has none. */
  get origin(): string {
    const storageIndex = storageIndexOf(this.services.crypto, this.root);
    return storageIndex === undefined ? '' : formatBase32(storageIndex);
  }

  abstract run(signal: AbortSignal): Promise<void>;

  progress(): Record<string, number> {
    return { objects: this.#visited };
  }

  protected count(step: WalkStep): void {
    this.stats.add(step);
    if (step.kind === 'node') this.#visited++;
  }
}

/** All paths and capabilities. */
export class ManifestWork extends TreeWork {
  readonly kind = 'manifest';
  readonly lines: { readonly path: readonly string[]; readonly cap: string | null }[] = [];
  readonly verifycaps = new Set<string>();
  readonly storageIndexes = new Set<string>();

  async run(signal: AbortSignal): Promise<void> {
    let failure: TahoeError | undefined;
    for await (const step of this.services.walk(this.root, signal)) {
      this.count(step);
      if (step.kind === 'unreadable') failure ??= step.error;
      if (step.kind !== 'node') continue;
      if (this.lines.length >= MANIFEST_LINES_MAX) throw tooMany();
      const {
        path,
        cap,
        verifycap,
        'storage-index': storageIndex,
      } = dangerouslyDescribeNode(this.services.crypto, step);
      this.lines.push({ path, cap });
      if (verifycap !== '') this.verifycaps.add(verifycap);
      if (storageIndex !== '') this.storageIndexes.add(storageIndex);
    }
    // What lacks a part must not be taken for the whole.
    if (failure !== undefined) throw failure;
  }
}

/** How much there is of what. */
export class StatsWork extends TreeWork {
  readonly kind: 'size' | 'stats';

  constructor(kind: 'size' | 'stats', services: GatewayServices, root: DirectoryCapability) {
    super(services, root);
    this.kind = kind;
  }

  async run(signal: AbortSignal): Promise<void> {
    let failure: TahoeError | undefined;
    for await (const step of this.services.walk(this.root, signal)) {
      this.count(step);
      if (step.kind === 'unreadable') failure ??= step.error;
    }
    if (failure !== undefined) throw failure;
  }
}

/** What was found of one object. */
export interface ObjectResult {
  readonly path: readonly string[];
  readonly report: Surveyed;
}

/** The state of all objects that have shares. */
export class DeepCheckWork extends TreeWork {
  readonly kind = 'check';
  readonly isRepair: boolean;
  readonly checks = new DeepCheckCounter();
  readonly repairs = new DeepRepairCounter();
  readonly results = new Map<string, ObjectResult>();
  readonly corruptShares: ShareLocation[] = [];
  readonly remainingCorruptShares: ShareLocation[] = [];
  readonly failures: { readonly path: readonly string[]; readonly reason: string }[] = [];
  readonly #options: SurveyOptions;

  constructor(services: GatewayServices, root: DirectoryCapability, options: SurveyOptions) {
    super(services, root);
    this.#options = options;
    this.isRepair = options.repair;
  }

  async run(signal: AbortSignal): Promise<void> {
    for await (const step of survey(this.services, this.root, this.#options, signal)) {
      if (step.kind === 'listed') this.count(step);
      if (step.kind === 'unreadable') this.#addFailure(step.path, step.error);
      if (step.kind !== 'checked' && step.kind !== 'unchecked') continue;
      this.count(step.node);
      if (step.kind === 'unchecked') this.#addFailure(step.node.path, step.error);
      else if (step.report !== undefined) this.#addResult(step.node.path, step.report);
    }
  }

  override progress(): Record<string, number> {
    return { ...super.progress(), ...(this.isRepair ? this.repairs.counts() : this.checks.counts()) };
  }

  /** Those that were not healthy when they were looked at. */
  unhealthy(): { readonly path: readonly string[]; readonly report: CheckReport }[] {
    return [...this.results.values()]
      .map(({ path, report }) => ({ path, report: beforeRepair(report) }))
      .filter(({ report }) => !report.healthy);
  }

  #addResult(path: readonly string[], report: Surveyed): void {
    const before = beforeRepair(report);
    if ('before' in report) this.repairs.add(report);
    else this.checks.add(report);
    keep(this.corruptShares, before.corruptShares);
    if ('after' in report) keep(this.remainingCorruptShares, report.after.corruptShares);
    if (this.results.size >= (before.healthy ? HEALTHY_RESULTS_MAX : RESULTS_MAX)) return;
    this.results.set(formatBase32(before.storageIndex), { path, report });
  }

  #addFailure(path: readonly string[], { message }: TahoeError): void {
    if (this.failures.length < RESULTS_MAX) this.failures.push({ path, reason: message });
  }
}

function keep(list: ShareLocation[], more: readonly ShareLocation[]): void {
  list.push(...more.slice(0, RESULTS_MAX - list.length));
}

function tooMany(): TahoeError {
  return new TahoeError('ERR_TOO_MANY', {
    what: 'objects (t=stream-manifest has no limit)',
    limit: MANIFEST_LINES_MAX,
  });
}
