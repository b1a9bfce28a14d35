/**
 * Servers of happiness: over how many servers a file's shares are truly spread, and where to put new ones.
 *
 * Happiness is the size of a maximum matching between servers and shares: how many servers could each be given
 * a different share of those they hold. A file with happiness h survives the loss of any h−k servers.
 * Servers and shares are taken in the order given, so that equal input gives equal placement.
 * @see Tahoe-LAFS docs/specifications/servers-of-happiness.rst
 */

/** Which shares each server holds, by server id. */
export type ShareHoldings = ReadonlyMap<string, ReadonlySet<number>>;

/** The size of a maximum matching between servers and the shares they hold. */
export function serversOfHappiness(holdings: ShareHoldings): number {
  return maximumMatching(holdings).size;
}

/**
 * For each share number below `total` a server: where it lies already or where it should go.
 *
 * First as many read-only servers as possible are credited with a share that they hold, then the writable ones
 * with shares not yet credited, then every writable server without a share gets a new one. What is left stays
 * where a writable server has it, or goes to the one with the fewest.
 * @param servers - writable ones in order of preference, and read-only ones; disjoint.
 * @param spoiled - which shares each server cannot take, for it has them already and they are no good.
 * @returns share number → server id. A share is missing where it is held nowhere and no writable server can take it.
 */
export function placeShares(
  total: number,
  servers: PlacementServers,
  holdings: ShareHoldings,
  spoiled: ShareHoldings = new Map(),
): Map<number, string> {
  const placement = new Map<number, string>();
  const mayTake = (server: string, share: number): boolean => spoiled.get(server)?.has(share) !== true;
  credit(placement, servers.readOnly, holdings);
  credit(placement, servers.writable, holdings);
  spread(placement, total, servers.writable, mayTake);
  if (spoiled.size > 0) rearrange(placement, total, servers, holdings, mayTake);
  fillUp(placement, total, servers, holdings, mayTake);
  return placement;
}

/** Servers by their ids, in order of preference. */
interface PlacementServers {
  readonly writable: readonly string[];
  readonly readOnly: readonly string[];
}

type MayTake = (server: string, share: number) => boolean;

/** Matches `servers` with shares that they hold and that have no place yet. */
function credit(placement: Map<number, string>, servers: readonly string[], holdings: ShareHoldings): void {
  const free = new Map(
    servers.map((server) => [
      server,
      new Set([...(holdings.get(server) ?? [])].filter((share) => !placement.has(share))),
    ]),
  );
  for (const [share, server] of maximumMatching(free)) placement.set(share, server);
}

/** Gives each writable server that has no share yet one that has no place yet. */
function spread(placement: Map<number, string>, total: number, writable: readonly string[], mayTake: MayTake): void {
  const idle = idleOf(placement, writable);
  for (let share = 0; share < total && idle.length > 0; share++) {
    if (placement.has(share)) continue;
    const server = idle.find((candidate) => mayTake(candidate, share));
    if (server === undefined) continue;
    placement.set(share, server);
    idle.splice(idle.indexOf(server), 1);
  }
}

/** Gives servers that are still without a share one of another's, where the other can take one that has no place yet. */
function rearrange(
  placement: Map<number, string>,
  total: number,
  { writable, readOnly }: PlacementServers,
  holdings: ShareHoldings,
  mayTake: MayTake,
): void {
  const all = Array.from({ length: total }, (_, share) => share);
  // Those without a place first: the fewer shares are moved, the fewer are copied.
  const shares = [...all.filter((share) => !placement.has(share)), ...placement.keys()];
  const possible = new Map<string, ReadonlySet<number>>([
    ...readOnly.map((server) => [server, holdings.get(server) ?? new Set<number>()] as const),
    ...writable.map((server) => [server, new Set(shares.filter((share) => mayTake(server, share)))] as const),
  ]);
  for (const server of idleOf(placement, writable)) augment(server, possible, placement, new Set());
}

function idleOf(placement: ReadonlyMap<number, string>, servers: readonly string[]): string[] {
  const used = new Set(placement.values());
  return servers.filter((server) => !used.has(server));
}

/** Places what is left: where it lies, else where the fewest are. */
function fillUp(
  placement: Map<number, string>,
  total: number,
  servers: PlacementServers,
  holdings: ShareHoldings,
  mayTake: MayTake,
): void {
  const load = new Map(servers.writable.map((server) => [server, 0]));
  for (const server of placement.values()) load.set(server, (load.get(server) ?? 0) + 1);
  const holds = (server: string, share: number): boolean => holdings.get(server)?.has(share) === true;
  for (let share = 0; share < total; share++) {
    if (placement.has(share)) continue;
    const server =
      servers.writable.find((candidate) => holds(candidate, share)) ??
      servers.readOnly.find((candidate) => holds(candidate, share)) ??
      leastLoaded(
        servers.writable.filter((candidate) => mayTake(candidate, share)),
        load,
      );
    if (server === undefined) continue;
    placement.set(share, server);
    load.set(server, (load.get(server) ?? 0) + 1);
  }
}

function leastLoaded(servers: readonly string[], load: ReadonlyMap<string, number>): string | undefined {
  const loadOf = (server: string): number => load.get(server) ?? 0;
  return servers.reduce<string | undefined>(
    (best, server) => (best === undefined || loadOf(server) < loadOf(best) ? server : best),
    undefined,
  );
}

/**
 * A maximum matching, by augmenting paths: each server gets a share of its own if that can be done, moving
 * earlier servers to other shares they hold where needed.
 * @returns share number → server.
 */
function maximumMatching(holdings: ShareHoldings): Map<number, string> {
  const matched = new Map<number, string>();
  for (const server of holdings.keys()) augment(server, holdings, matched, new Set());
  return matched;
}

/** Depth is bounded by the number of servers, which the uploader bounds by twice the number of shares. */
function augment(server: string, holdings: ShareHoldings, matched: Map<number, string>, seen: Set<number>): boolean {
  for (const share of holdings.get(server) ?? []) {
    if (seen.has(share)) continue;
    seen.add(share);
    const rival = matched.get(share);
    if (rival === undefined || augment(rival, holdings, matched, seen)) {
      matched.set(share, server);
      return true;
    }
  }
  return false;
}
