/** The ways of one node to others, made from its settings. */
import type { Dialler } from '#client/dialler.js';
import type { NetworkSettings, TorSettings } from './network-settings.js';
import { NodeDialler } from './node-dialler.js';
import { SOCKS_PLACES, TorWay } from './tor-way.js';
import type { FindProxy } from './tor-way.js';

/** The dialler of a node with these settings. It holds nothing that must be closed. */
export function makeDialler(settings: NetworkSettings): Dialler {
  const { tor } = settings;
  return new NodeDialler(settings, {
    tor: tor === undefined ? undefined : new TorWay(findProxyOf(tor)),
    i2p: undefined,
  });
}

/** The dialler of whoever is to be hidden and has no node directory yet: all goes through the Tor of this machine. */
export function hidingDialler(): Dialler {
  const tor = { socks: undefined, control: undefined, launch: false, executable: undefined, onion: undefined };
  return makeDialler({ tcp: 'tor', hidesAddress: true, tor, i2p: undefined });
}

function findProxyOf({ socks }: TorSettings): FindProxy {
  const places = socks === undefined ? SOCKS_PLACES : [socks];
  return () => Promise.resolve(places);
}
