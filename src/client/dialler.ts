/**
 * The one way to a socket. Whatever in a node connects to somebody else names a destination and is given a socket that
 * is connected; which way leads there, directly, through Tor or through I2P, and whether any does, is decided in one
 * place (node/network), by the configuration. Nobody else opens a connection or looks up a name.
 */
import type { Socket } from 'node:net';
import type { Nurl } from '#wire/nurl.js';

/** The networks that addresses belong to, by the words that hints have for them. */
export type Network = 'tcp' | 'tor' | 'i2p';

/** Where to. A name is not looked up before the way is known, and behind a proxy not at all. */
export interface Destination {
  readonly network: Network;
  /** A name, or an address without the brackets of IPv6. */
  readonly host: string;
  /** 1 to 65535; 0 for none, which only I2P has. */
  readonly port: number;
}

/** Opens connections. */
export interface Dialler {
  /** Whether there is a way at all; without one `dial` throws ERR_PRIVACY. */
  leadsTo(destination: Destination): boolean;
  /** What a connection may take longer than over the plain Internet, in milliseconds. */
  patienceMs(destination: Destination): number;
  /**
   * A connection of the caller's own. Nothing has been read of it, and nothing written.
   * @throws ERR_PRIVACY when the configuration has no way there, ERR_PROXY when the proxy on the way cannot be used or
   *   does not get there, ERR_CANCELLED when `signal` ends it, and what the system says where it connects directly.
   */
  dial(destination: Destination, signal: AbortSignal): Promise<Socket>;
}

/** What `host` names: names that end in .onion and .i2p are of those networks, however they came to be written. */
export function destinationOf(host: string, port: number, network: Network = 'tcp'): Destination {
  const name = host.toLowerCase();
  if (name.endsWith('.onion')) return { network: 'tor', host: name, port };
  if (name.endsWith('.i2p')) return { network: 'i2p', host: name, port };
  return { network, host, port };
}

/** Where a NURL leads. */
export function destinationOfNurl({ host, port, tor }: Nurl): Destination {
  return destinationOf(host, port, tor ? 'tor' : 'tcp');
}
