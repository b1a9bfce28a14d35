/**
 * The signed server lists that a node follows: one for each grid manager of [client]server_lists, kept between runs in
 * private/server_list_<first 8 characters of the key>.json.
 */
import { readFile } from 'node:fs/promises';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import type { Dialler } from '#client/dialler.js';
import type { KnownServers } from '#client/known-servers.js';
import { HttpListFetcher } from '#client/list-fetching.js';
import { ServerListFollower } from '#client/server-list-follower.js';
import type { ListCache } from '#client/server-list-follower.js';
import type { Closers } from './closers.js';
import type { ListPlace } from './config/list-place.js';
import { fileError, replaceFile, systemCode } from './durable-file.js';
import { PRIVATE_MODE } from './node-directory.js';
import type { NodeDirectory } from './node-directory.js';

/** Lists come behind the node's own servers.yaml. */
const LIST_RANK = 1;

/** What lists are followed with. */
export interface ServerListsOptions {
  readonly directory: NodeDirectory;
  readonly places: readonly ListPlace[];
  readonly known: KnownServers;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
}

/** Begins to follow them. What it opens is added to `closers`. @throws ERR_FILE when what was kept cannot be read. */
export async function followServerLists(options: ServerListsOptions): Promise<readonly ServerListFollower[]> {
  const { closers, clock, dialler, known, places } = options;
  if (places.length === 0) return [];
  const fetcher = new HttpListFetcher(clock, dialler);
  const followers = await Promise.all(
    [...new Set(places.map(({ identity }) => identity))].map(async (identity) => {
      const copies = places.filter((place) => place.identity === identity);
      const name = identity.slice(0, 15);
      return new ServerListFollower({
        ...options,
        name,
        manager: copies[0]?.manager ?? new Uint8Array(0),
        urls: copies.map(({ url }) => url),
        fetcher,
        cache: await openCache(options.directory.privateFile(`server_list_${identity.slice(7, 15)}.json`)),
        told: (servers) => {
          known.tell({ name: `list ${name}`, rank: LIST_RANK }, servers);
        },
      });
    }),
  );
  closers.add('the server lists', async () => {
    await Promise.all(followers.map((follower) => follower.close()));
    await fetcher.close();
  });
  for (const follower of followers) follower.start();
  return followers;
}

async function openCache(path: string): Promise<ListCache> {
  const kept = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(path, error);
  });
  return {
    kept: kept === undefined ? undefined : new Uint8Array(kept),
    keep: (document) => replaceFile(path, document, PRIVATE_MODE),
  };
}
