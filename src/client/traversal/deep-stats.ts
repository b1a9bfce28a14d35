/**
 * What a tree is made of, in numbers: the reference's deep stats, key by key. Mutable files are counted but not measured.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=start-deep-stats"
 */
import type { Child } from '#core/directory/child.js';
import type { WalkStep } from './walk.js';

/** Bounds, both included, and how many files have a size between them. In bytes. */
export type HistogramBucket = readonly [min: number, max: number, count: number];

/** The counts, under the names that they have in JSON. Sizes in bytes. */
export interface DeepStats {
  readonly 'api-version': 1;
  readonly 'count-immutable-files': number;
  readonly 'count-mutable-files': number;
  readonly 'count-literal-files': number;
  readonly 'count-files': number;
  readonly 'count-directories': number;
  readonly 'count-unknown': number;
  readonly 'size-immutable-files': number;
  readonly 'size-literal-files': number;
  readonly 'size-directories': number;
  readonly 'largest-directory': number;
  readonly 'largest-directory-children': number;
  readonly 'largest-immutable-file': number;
  readonly 'size-files-histogram': readonly HistogramBucket[];
}

type Counts = { -readonly [Key in Exclude<keyof DeepStats, 'api-version' | 'size-files-histogram'>]: number };

/** Two buckets a power of ten, after these. */
const FIRST_BUCKETS: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 3],
];
const BUCKET_RATIO = Math.sqrt(10);

/** Counts the steps of a walk. */
export class DeepStatsCounter {
  readonly #counts: Counts = {
    'count-immutable-files': 0,
    'count-mutable-files': 0,
    'count-literal-files': 0,
    'count-files': 0,
    'count-directories': 0,
    'count-unknown': 0,
    'size-immutable-files': 0,
    'size-literal-files': 0,
    'size-directories': 0,
    'largest-directory': 0,
    'largest-directory-children': 0,
    'largest-immutable-file': 0,
  };
  /** By the lower bound. */
  readonly #histogram = new Map<number, HistogramBucket>();

  add(step: WalkStep): void {
    if (step.kind === 'node') this.#addNode(step.child);
    if (step.kind !== 'listed') return;
    this.#counts['size-directories'] += step.sizeBytes;
    this.#raise('largest-directory', step.sizeBytes);
    this.#raise('largest-directory-children', step.childCount);
  }

  /** What was counted so far. */
  stats(): DeepStats {
    const histogram = [...this.#histogram.values()].sort(([a], [b]) => a - b);
    return { 'api-version': 1, ...this.#counts, 'size-files-histogram': histogram };
  }

  #addNode(child: Child): void {
    const counts = this.#counts;
    switch (child.kind) {
      case 'unknown':
        counts['count-unknown']++;
        return;
      case 'directory':
        counts['count-directories']++;
        return;
      case 'lit':
        counts['count-literal-files']++;
        counts['size-literal-files'] += child.data.length;
        this.#addSize(child.data.length);
        break;
      case 'chk':
      case 'chk-verify':
        counts['count-immutable-files']++;
        counts['size-immutable-files'] += child.size;
        this.#raise('largest-immutable-file', child.size);
        this.#addSize(child.size);
        break;
      case 'ssk':
      case 'ssk-ro':
      case 'ssk-verify':
        counts['count-mutable-files']++;
    }
    counts['count-files']++;
  }

  #addSize(size: number): void {
    const [min, max] = bucketOf(size);
    const [, , count = 0] = this.#histogram.get(min) ?? [];
    this.#histogram.set(min, [min, max, count + 1]);
  }

  #raise(key: keyof Counts, value: number): void {
    this.#counts[key] = Math.max(this.#counts[key], value);
  }
}

/** What `tahoe` calls the size of a tree: files and directories, each once, mutable files left out. In bytes. */
export function deepSizeOf(stats: DeepStats): number {
  return stats['size-immutable-files'] + stats['size-directories'];
}

/** The bounds around a size. The reference multiplies on and on, so that rounding shows in large ones. */
export function bucketOf(size: number): readonly [min: number, max: number] {
  for (const bucket of FIRST_BUCKETS) if (size <= bucket[1]) return bucket;
  let [min, max] = [0, 3];
  while (size > max) {
    min = max + 1;
    let power = 1;
    while (power < min) power *= BUCKET_RATIO;
    max = Math.trunc(power);
  }
  return [min, max];
}
