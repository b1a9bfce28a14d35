/**
 * The grid of a node: the servers of all who tell of them, put together and polled.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { destinationOfNurl } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import { Grid } from '#client/grid.js';
import { KnownServers } from '#client/known-servers.js';
import { openStorageServer } from '#client/server-opening.js';
import type { FoolscapOpening, OpeningOptions } from '#client/server-opening.js';
import { UploadPermission } from '#client/upload-permission.js';
import type { IntroducerLink } from '#client/introducer-link.js';
import type { ServerListFollower } from '#client/server-list-follower.js';
import { parseServersYaml } from '#wire/announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import type { Closers } from './closers.js';
import type { Foolscap } from './foolscap/foolscap.js';
import type { KnownIntroducer } from './introducers-file.js';
import { startIntroductions } from './introductions.js';
import { MetServersFile } from './met-servers-file.js';
import type { NodeDirectory } from './node-directory.js';
import { followServerLists } from './server-lists.js';
import type { NodeSettings } from './settings.js';

/** What a grid is joined with. */
export interface JoinOptions {
  readonly directory: NodeDirectory;
  readonly settings: NodeSettings;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  readonly closers: Closers;
  readonly dialler: Dialler;
  /** Undefined where it is turned off. */
  readonly foolscap?: Foolscap | undefined;
  readonly introducers: readonly KnownIntroducer[];
  /** What this node announces to them; undefined for nothing. */
  readonly announcement: SignedAnnouncement | undefined;
}

/** A grid, and what it lets upload. */
export interface JoinedGrid {
  readonly grid: Grid;
  readonly permission: UploadPermission;
  readonly lists: readonly ServerListFollower[];
  readonly introducers: readonly IntroducerLink[];
}

/** Joins the grid. What it opens is added to `closers`. */
export async function joinGrid(options: JoinOptions): Promise<JoinedGrid> {
  const { settings, crypto, clock, random, log, closers, dialler } = options;
  const permission = new UploadPermission(settings.gridManagers, crypto, clock);
  let sources: readonly { readonly isTold: boolean }[] = [];
  const isTold = (): boolean => sources.every((source) => source.isTold);
  const met = await MetServersFile.open({ directory: options.directory, clock, log });
  closers.add('the servers that were met', () => met.close());
  const grid = new Grid({ servers: [], crypto, clock, random, log, permission, met, isTold });
  closers.add('the grid', () => grid.close());
  const known = new KnownServers({
    open: (announcement) => openStorageServer(announcement, { clock, dialler, ...foolscapOf(options) }),
    leadsTo: (nurl) => dialler.leadsTo(destinationOfNurl(nurl)),
    permission,
    forcesFoolscap: options.foolscap !== undefined && settings.foolscap.clientForced,
    changed: (servers) => {
      grid.replace(servers);
    },
  });
  if (!settings.mayConnect) return { grid, permission, lists: [], introducers: [] };
  await tellServersFile(options, known);
  const lists = await followServerLists({ ...options, places: settings.serverLists, known });
  const introducers = await startIntroductions({ ...options, nickname: settings.nickname, known });
  sources = [...lists, ...introducers];
  return { grid, permission, lists, introducers };
}

function foolscapOf({ foolscap, settings }: JoinOptions): Pick<OpeningOptions, 'foolscap'> {
  if (foolscap === undefined) return {};
  const forced = settings.foolscap.clientForced;
  const open: FoolscapOpening['open'] = (announcement) => foolscap.openServer(announcement, !forced);
  return { foolscap: { open, forced } };
}

async function tellServersFile({ directory, crypto, log }: JoinOptions, known: KnownServers): Promise<void> {
  const text = (await directory.read('private/servers.yaml')) ?? '';
  const { servers, skipped } = parseServersYaml(text, directory.privateFile('servers.yaml'), crypto);
  for (const { where, reason } of skipped) log.warn('server entry skipped', { where, reason });
  known.tell(
    { name: 'servers.yaml', rank: 0 },
    servers.map((announcement) => ({ announcement })),
  );
}
