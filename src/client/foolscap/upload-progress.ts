/** What has been written of a share, for a protocol that has to be told when it is complete. */
import type { ByteRange } from '#wire/storage.js';

/** One share being written. */
export class UploadProgress {
  readonly #size: number;
  /** In order, apart from each other. */
  #ranges: readonly ByteRange[] = [];

  constructor(sizeBytes: number) {
    this.#size = sizeBytes;
  }

  /** Whether every byte has been written. */
  get isComplete(): boolean {
    const [first] = this.#ranges;
    return this.#size === 0 || (first !== undefined && first.begin === 0 && first.end === this.#size);
  }

  /** These bytes have been written, perhaps not for the first time. */
  add(range: ByteRange): void {
    const apart = this.#ranges.filter(({ begin, end }) => end < range.begin || begin > range.end);
    const touched = [range, ...this.#ranges.filter((one) => !apart.includes(one))];
    const joined = {
      begin: Math.min(...touched.map(({ begin }) => begin)),
      end: Math.max(...touched.map(({ end }) => end)),
    };
    this.#ranges = [...apart, joined].sort((one, other) => one.begin - other.begin);
  }
}
