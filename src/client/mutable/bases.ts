/**
 * What a change was built upon, kept for the case that nothing else is left of the file.
 *
 * Writers who all write everywhere at once, as the reference does, may leave too few shares of every version. Whoever
 * still has the contents that they all began with can make the file again, if those are the last that anybody was told
 * are there. They are, when nothing can be recovered and no share has a number above the one that follows theirs: a
 * version that was acknowledged had k shares, and where it has fewer now, somebody wrote over them with a higher number.
 * That takes an answer of every server and a share of every number, all of them good; one that was not heard might show
 * the higher number.
 */
import type { MutableVersion } from '#core/mutable/version.js';
import type { Servermap } from './servermap.js';

/** What is changed; without a version where none is left on the servers. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly map: Servermap;
  readonly version: MutableVersion | undefined;
}

/** Contents, and the highest sequence number that may be there without anybody having been told of newer ones. */
interface Base {
  readonly contents: Uint8Array;
  readonly numberMax: number;
}

/** What one change was built upon last. */
export class Bases {
  #last: Base | undefined;

  /** @param known - a version that this node has read or written before. */
  constructor(known: { readonly sequenceNumber: number; readonly contents: Uint8Array } | undefined) {
    this.#last = known && { contents: known.contents, numberMax: known.sequenceNumber + 1 };
  }

  /** A version was read, and a change of it is written now. */
  found({ sequenceNumber }: MutableVersion, contents: Uint8Array): void {
    this.#last = { contents, numberMax: sequenceNumber + 1 };
  }

  /** The contents that were acknowledged last, where `map`, of a look that heard all servers, says that they are. */
  lastAcknowledged(map: Servermap): Uint8Array | undefined {
    const last = this.#last;
    if (last === undefined || !isAllHeard(map) || map.best() !== undefined) return undefined;
    const highest = map.highestSequenceNumber;
    if (highest > last.numberMax) return undefined;
    this.#last = { ...last, numberMax: highest + 1 };
    return last.contents;
  }
}

function isAllHeard({ badShares, failures, shares }: Servermap): boolean {
  const numbers = new Set(shares.map(({ shareNumber }) => shareNumber));
  const isWhole = shares.length > 0 && shares.every(({ header }) => numbers.size >= header.total);
  return isWhole && badShares.length === 0 && failures.size === 0;
}
