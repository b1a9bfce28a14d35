/**
 * Which share goes to which server when a mutable file is written. Pure: names and numbers in, places out.
 *
 * Every share that lies somewhere is written where it lies, in all its places, good or bad. A number that lies nowhere
 * goes to the server that has the fewest, in permuted order among equals.
 * @see Tahoe-LAFS src/allmydata/mutable/publish.py (the rule)
 */
import { placeShares } from '#core/happiness.js';
import type { StorageServer } from '../storage-server.js';

/** A share to be written, and what its server must still hold for that. */
export interface Placement {
  readonly server: StorageServer;
  readonly shareNumber: number;
  /** The first bytes of the share that is to be replaced; none where there must be no share. */
  readonly checkstring: Uint8Array;
}

/**
 * Places for those shares below `total` that have none.
 * @param taken - the places that are settled.
 * @param servers - that may take shares, in order of preference.
 */
export function placeHomeless(
  total: number,
  taken: readonly Placement[],
  servers: readonly StorageServer[],
): Placement[] {
  const placed = new Set(taken.map(({ shareNumber }) => shareNumber));
  const loads = new Map(servers.map((server) => [server, 0]));
  for (const { server } of taken) if (loads.has(server)) loads.set(server, (loads.get(server) ?? 0) + 1);
  const placements: Placement[] = [];
  for (let shareNumber = 0; shareNumber < total; shareNumber++) {
    if (placed.has(shareNumber)) continue;
    const server = leastLoaded(loads);
    if (server === undefined) break;
    loads.set(server, (loads.get(server) ?? 0) + 1);
    placements.push({ server, shareNumber, checkstring: new Uint8Array(0) });
  }
  return placements;
}

/** As `placeHomeless`; besides, copies of shares go where they spread the file over more servers. */
export function placeWidely(
  total: number,
  taken: readonly Placement[],
  servers: readonly StorageServer[],
): Placement[] {
  const byId = new Map(servers.map((server) => [server.serverId, server]));
  const holdings = new Map([...byId.keys()].map((serverId) => [serverId, new Set<number>()]));
  for (const { server, shareNumber } of taken) holdings.get(server.serverId)?.add(shareNumber);
  const placed = placeShares(total, { writable: [...byId.keys()], readOnly: [] }, holdings);
  return [...placed].flatMap(([shareNumber, serverId]) => {
    const server = byId.get(serverId);
    if (server === undefined || holdings.get(serverId)?.has(shareNumber) === true) return [];
    return [{ server, shareNumber, checkstring: new Uint8Array(0) }];
  });
}

function leastLoaded(loads: ReadonlyMap<StorageServer, number>): StorageServer | undefined {
  let best: StorageServer | undefined;
  for (const [server, load] of loads) if (best === undefined || load < (loads.get(best) ?? 0)) best = server;
  return best;
}
