/** The ways of one node to others, and of others to it, made from its settings. */
import { mkdir } from 'node:fs/promises';
import type { Dialler } from '#client/dialler.js';
import type { Clock, Log, Random } from '#core/environment.js';
import type { Closers } from '../closers.js';
import type { NodeDirectory } from '../node-directory.js';
import { resolvePath } from '../settings.js';
import { LISTEN_I2P } from '../tub-location.js';
import type { TubLocation } from '../tub-location.js';
import { I2pWay, readI2pKey } from './i2p-way.js';
import type { KeptUp } from './kept-up.js';
import type { NetworkSettings, TorSettings } from './network-settings.js';
import { NodeDialler } from './node-dialler.js';
import { onionService, readOnionKey } from './onion-service.js';
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
  /** Lets others in by Tor and I2P, where they are to come that way. Called when the ports are open. @throws ERR_FILE. */
  publish(location: TubLocation): Promise<void>;
}

/** Opens them. What must be closed is added to `closers`. */
export function openNetwork(options: NetworkOptions): Network {
  const { clock, closers, directory, log, random, settings } = options;
  const access = settings.tor && torAccess(options, settings.tor);
  const i2p = settings.i2p && i2pWay(settings.i2p, { clock, random }, directory);
  if (i2p !== undefined) closers.add('I2P', () => i2p.close());
  const keep = (name: string, service: KeptUp): void => {
    closers.add(name, () => service.close());
    service.start();
  };
  const publish = async ({ endpoints }: TubLocation): Promise<void> => {
    const onion = settings.tor?.onion;
    if (onion !== undefined && access !== undefined) {
      const dangerousKey = await readOnionKey(resolvePath(directory.path, onion.keyFile));
      const openControl = (signal: AbortSignal) => access.openControl(signal);
      keep('the onion service', onionService({ settings: onion, dangerousKey, openControl, clock, log }));
    }
    const forwarded = endpoints.find(({ text }) => text === LISTEN_I2P);
    if (forwarded === undefined || i2p === undefined || settings.i2p?.destination === undefined) return;
    await readI2pKey(resolvePath(directory.path, settings.i2p.destination.keyFile));
    keep('the I2P destination', i2p.forwarding(forwarded.port, log));
  };
  return { dialler: dialler(settings, access, i2p), publish };
}

/** The dialler of a command beside a node: it starts nothing, and ends with the command. */
export function makeDialler(
  settings: NetworkSettings,
  environment: { readonly clock: Clock; readonly random: Random },
): Dialler {
  const access = settings.tor && new TorAccess({ settings: settings.tor, ...environment });
  // The destination is the node's: a command beside it has one of its own.
  const i2p = settings.i2p && i2pWay({ ...settings.i2p, destination: undefined }, environment);
  return dialler(settings, access, i2p);
}

/** The dialler of whoever is to be hidden and has no node directory yet: all goes through the Tor of this machine. */
export function hidingDialler(environment: { readonly clock: Clock; readonly random: Random }): Dialler {
  const tor = { socks: undefined, control: undefined, launch: false, executable: undefined, onion: undefined };
  return makeDialler({ tcp: 'tor', hidesAddress: true, tor, i2p: undefined }, environment);
}

function torAccess({ clock, closers, directory, log, random }: NetworkOptions, settings: TorSettings): TorAccess {
  const access = new TorAccess({
    settings,
    clock,
    random,
    launch: async (signal) => {
      const state = directory.privateFile(TOR_STATE_DIRECTORY);
      await mkdir(state, { recursive: true, mode: 0o700 });
      return TorProcess.start({ executable: settings.executable, directory: state, clock, log }, signal);
    },
  });
  closers.add('Tor', () => access.close());
  return access;
}

function i2pWay(
  settings: NonNullable<NetworkSettings['i2p']>,
  environment: { readonly clock: Clock; readonly random: Random },
  directory?: NodeDirectory,
): I2pWay {
  const { destination } = settings;
  const path = destination && directory && resolvePath(directory.path, destination.keyFile);
  const dangerousKey = () => (path === undefined ? Promise.resolve(undefined) : readI2pKey(path));
  return new I2pWay({ settings, dangerousKey, ...environment });
}

function dialler(settings: NetworkSettings, access: TorAccess | undefined, i2p: I2pWay | undefined): Dialler {
  const tor = access && new TorWay((signal) => access.socksPlaces(signal));
  return new NodeDialler(settings, { tor, i2p });
}
