/**
 * The arrays that replies of up to 1 MiB are read into as a whole: one read and one write cost half of what four of
 * each do, and memory that was used before costs less than new memory, which the system has to clear first.
 *
 * So many are lent at a time; who gets none sends piece by piece.
 */

/** The largest range of a share that is read as a whole, in bytes. */
export const WHOLE_READ_SIZE_MAX = 1 << 20;
/** Replies that may have such an array at a time. */
export const WHOLE_READ_COUNT_MAX = 16;
/**
 * Arrays that are kept while nobody has them: as many as one quick reader has under way. What is not kept lived long
 * enough to be collected late: with 4 of them a node grew by 40 MiB.
 */
const KEPT_COUNT_MAX = 8;

/** Lends arrays of WHOLE_READ_SIZE_MAX bytes. */
export class ReplyBuffers {
  readonly #free: Uint8Array[] = [];
  #lentCount = 0;

  /** An array of any content, or undefined while too many are lent. It must be given back. */
  take(): Uint8Array | undefined {
    if (this.#lentCount >= WHOLE_READ_COUNT_MAX) return undefined;
    this.#lentCount += 1;
    return this.#free.pop() ?? new Uint8Array(WHOLE_READ_SIZE_MAX);
  }

  /**
   * Takes back an array.
   * @param isSent - whether all of it has left: where a connection broke it is not used again.
   */
  giveBack(array: Uint8Array, isSent: boolean): void {
    this.#lentCount -= 1;
    if (isSent && this.#free.length < KEPT_COUNT_MAX) this.#free.push(array);
  }
}
