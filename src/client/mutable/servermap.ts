/**
 * Where the shares of one mutable file are, and of which versions: what a look at the servers found.
 *
 * Only shares are in it whose signature was verified. Versions are ordered by sequence number, then by root hash; one
 * can be recovered when shares of as many different numbers as it needs are known.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, "Servermap"
 */
import type { MutableHeader } from '#core/mutable/layout.js';
import { compareVersions, nameVersion } from '#core/mutable/version.js';
import { serversOfHappiness } from '#core/happiness.js';
import type { StorageServer } from '../storage-server.js';
import type { MutableShareReader } from './share-reader.js';

/** A share that cannot be used, with its first bytes, so that a writer may replace it. */
export interface BadShare {
  readonly server: StorageServer;
  readonly shareNumber: number;
  /** As many of the first bytes as a checkstring has; fewer where the share is shorter. */
  readonly checkstring: Uint8Array;
  readonly reason: string;
}

/** A version and who holds it. */
export interface FoundVersion {
  readonly version: MutableHeader;
  readonly shares: readonly MutableShareReader[];
  /** How many different share numbers are known. */
  readonly distinct: number;
  readonly recoverable: boolean;
}

/** The state of one file on the servers that were asked. */
export class Servermap {
  readonly #shares = new Map<string, MutableShareReader>();
  readonly #bad = new Map<string, BadShare>();
  /** The servers that said what they hold. */
  readonly answered = new Set<StorageServer>();
  /** The servers that did not, by server, with why. */
  readonly failures = new Map<StorageServer, string>();

  /** All good shares. */
  get shares(): readonly MutableShareReader[] {
    return [...this.#shares.values()];
  }

  get badShares(): readonly BadShare[] {
    return [...this.#bad.values()];
  }

  add(share: MutableShareReader): void {
    const key = keyOf(share);
    this.#bad.delete(key);
    this.#shares.set(key, share);
  }

  addBad(bad: BadShare): void {
    const key = keyOf(bad);
    this.#shares.delete(key);
    this.#bad.set(key, bad);
  }

  /** The highest sequence number that any share has; 0 when there is no share. */
  get highestSequenceNumber(): number {
    return this.shares.reduce((highest, { header }) => Math.max(highest, header.sequenceNumber), 0);
  }

  /** All versions, the newest first. */
  versions(): FoundVersion[] {
    const found = new Map<string, MutableShareReader[]>();
    for (const share of this.#shares.values()) {
      const name = nameVersion(share.header);
      found.set(name, [...(found.get(name) ?? []), share]);
    }
    return [...found.values()].map(foundVersion).sort((a, b) => compareVersions(b.version, a.version));
  }

  /**
   * The newest version that can be recovered.
   * @param unwanted - names of versions that give way to any other of the same number.
   */
  best(unwanted: ReadonlySet<string> = new Set()): FoundVersion | undefined {
    const [newest, ...others] = this.versions().filter(({ recoverable }) => recoverable);
    if (newest === undefined || !unwanted.has(nameVersion(newest.version))) return newest;
    const { sequenceNumber } = newest.version;
    const isWanted = ({ version }: FoundVersion): boolean =>
      version.sequenceNumber === sequenceNumber && !unwanted.has(nameVersion(version));
    return others.find(isWanted) ?? newest;
  }

  /** Versions above the best that cannot be recovered: a write is under way, broke off, or its shares are not seen. */
  newerUnrecoverable(): FoundVersion[] {
    const sequenceNumber = this.best()?.version.sequenceNumber ?? 0;
    return this.versions().filter(
      ({ recoverable, version }) => !recoverable && version.sequenceNumber > sequenceNumber,
    );
  }

  /** Whether several versions of one sequence number can be recovered: one hides what was written into the other. */
  get needsMerge(): boolean {
    const numbers = this.versions()
      .filter(({ recoverable }) => recoverable)
      .map(({ version }) => version.sequenceNumber);
    return new Set(numbers).size < numbers.length;
  }
}

/** How many shares below `total` lie somewhere, good or bad, on servers that answer. */
export function placedCount({ badShares, failures, shares }: Servermap, total: number): number {
  const placed = [...shares, ...badShares].filter(
    ({ server, shareNumber }) => shareNumber < total && !failures.has(server),
  );
  return new Set(placed.map(({ shareNumber }) => shareNumber)).size;
}

/** Over how many servers the shares are spread, by server id. */
export function happinessOf(
  shares: Iterable<{ readonly server: StorageServer; readonly shareNumber: number }>,
): number {
  const holdings = new Map<string, Set<number>>();
  for (const { server, shareNumber } of shares) {
    const held = holdings.get(server.serverId) ?? new Set<number>();
    holdings.set(server.serverId, held.add(shareNumber));
  }
  return serversOfHappiness(holdings);
}

function foundVersion(shares: MutableShareReader[]): FoundVersion {
  const [first] = shares;
  if (first === undefined) throw new RangeError('a version was found on a share');
  const distinct = new Set(shares.map(({ shareNumber }) => shareNumber)).size;
  return { version: first.header, shares, distinct, recoverable: distinct >= first.header.needed };
}

function keyOf({ server, shareNumber }: { readonly server: StorageServer; readonly shareNumber: number }): string {
  return `${server.serverId}/${String(shareNumber)}`;
}
