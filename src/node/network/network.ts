/** The ways of one node to others, and of others to it, made from its settings. */
import { mkdir } from 'node:fs/promises';
import type { Dialler } from '#client/dialler.js';
import type { Clock, Log, Random } from '#core/environment.js';
import type { Closers } from '../closers.js';
import type { NodeDirectory } from '../node-directory.js';
import { resolvePath } from '../settings.js';
import type { NetworkSettings } from './network-settings.js';
import { NodeDialler } from './node-dialler.js';
import { OnionService, readOnionKey } from './onion-service.js';
import { TorAccess } from './tor-access.js';
import { TorProcess } from './tor-process.js';
import { TorWay } from './tor-way.js';

/** Where the Tor that a node starts keeps its state. */
const TOR_STATE_DIRECTORY = 'tor-statedir';

/** What they are made with. */
export interface NetworkOptions {
  readonly settings: NetworkSettings;
  readonly directory: NodeDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
}

/** A node's networks. */
export interface Network {
  readonly dialler: Dialler;
  /** Lets others in by its onion service, where it is one. Called when its ports are open. @throws ERR_FILE. */
  publish(): Promise<void>;
}

/** Opens them. What must be closed is added to `closers`. */
export function openNetwork(options: NetworkOptions): Network {
  const { clock, closers, directory, log, random, settings } = options;
  const { tor } = settings;
  if (tor === undefined) return { dialler: dialler(settings, undefined), publish: () => Promise.resolve() };
  const access = new TorAccess({
    settings: tor,
    clock,
    random,
    launch: async (signal) => {
      const state = directory.privateFile(TOR_STATE_DIRECTORY);
      await mkdir(state, { recursive: true, mode: 0o700 });
      return TorProcess.start({ executable: tor.executable, directory: state, clock, log }, signal);
    },
  });
  closers.add('Tor', () => access.close());
  const publish = async (): Promise<void> => {
    if (tor.onion === undefined) return;
    const dangerousKey = await readOnionKey(resolvePath(directory.path, tor.onion.keyFile));
    const openControl = (signal: AbortSignal) => access.openControl(signal);
    const service = new OnionService({ settings: tor.onion, dangerousKey, openControl, clock, log });
    closers.add('the onion service', () => service.close());
    service.start();
  };
  return { dialler: dialler(settings, access), publish };
}

/** The dialler of a command beside a node: it starts nothing, and holds nothing that must be closed. */
export function makeDialler(
  settings: NetworkSettings,
  environment: { readonly clock: Clock; readonly random: Random },
): Dialler {
  const access = settings.tor && new TorAccess({ settings: settings.tor, ...environment });
  return dialler(settings, access);
}

/** The dialler of whoever is to be hidden and has no node directory yet: all goes through the Tor of this machine. */
export function hidingDialler(environment: { readonly clock: Clock; readonly random: Random }): Dialler {
  const tor = { socks: undefined, control: undefined, launch: false, executable: undefined, onion: undefined };
  return makeDialler({ tcp: 'tor', hidesAddress: true, tor, i2p: undefined }, environment);
}

function dialler(settings: NetworkSettings, access: TorAccess | undefined): Dialler {
  const tor = access && new TorWay((signal) => access.socksPlaces(signal));
  return new NodeDialler(settings, { tor, i2p: undefined });
}
