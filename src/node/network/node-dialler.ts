/**
 * The dialler of a node: its configuration decides which way leads where. What may show the address of this machine to
 * anybody, a connection or a name that is looked up, is refused here and nowhere else, whoever asks for it.
 */
import type { Socket } from 'node:net';
import type { Destination, Dialler, Network } from '#client/dialler.js';
import { TahoeError } from '#core/errors.js';
import { connectTo } from './direct-dialler.js';
import type { NetworkSettings } from './network-settings.js';

/** What building a circuit or a tunnel may take beyond a plain connection, in milliseconds. */
const PATIENCE_MS = 60_000;

/** A network behind a proxy. */
export interface Way {
  /** @throws ERR_PROXY, ERR_CANCELLED. */
  dial(destination: Destination, signal: AbortSignal): Promise<Socket>;
}

/** The ways that there are. */
export interface Ways {
  readonly tor: Way | undefined;
  readonly i2p: Way | undefined;
}

/** @see Dialler */
export class NodeDialler implements Dialler {
  readonly #settings: NetworkSettings;
  readonly #ways: Ways;

  constructor(settings: NetworkSettings, ways: Ways) {
    this.#settings = settings;
    this.#ways = ways;
  }

  leadsTo(destination: Destination): boolean {
    return 'network' in chooseWay(this.#settings, destination);
  }

  patienceMs(destination: Destination): number {
    const choice = chooseWay(this.#settings, destination);
    return 'network' in choice && choice.network !== 'tcp' ? PATIENCE_MS : 0;
  }

  async dial(destination: Destination, signal: AbortSignal): Promise<Socket> {
    const choice = chooseWay(this.#settings, destination);
    if ('reason' in choice)
      throw new TahoeError('ERR_PRIVACY', { network: destination.network, reason: choice.reason });
    if (choice.network === 'tcp') return connectTo({ host: destination.host, port: destination.port }, signal);
    const way = this.#ways[choice.network];
    if (way !== undefined) return way.dial(destination, signal);
    throw new TahoeError('ERR_PRIVACY', { network: choice.network, reason: 'the way there is not open' });
  }
}

/** The network that leads to a destination, or why none does. */
export type Choice = { readonly network: Network } | { readonly reason: string };

/** The decision, of the settings alone. A name of Tor or I2P never goes another way. */
export function chooseWay(settings: NetworkSettings, { host, network }: Destination): Choice {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (network === 'i2p' || name.endsWith('.i2p')) {
    return settings.i2p === undefined ? { reason: '[i2p]enabled = false turns I2P off' } : { network: 'i2p' };
  }
  if (network === 'tor' || name.endsWith('.onion') || settings.tcp === 'tor') {
    return settings.tor === undefined ? { reason: '[tor]enabled = false turns Tor off' } : { network: 'tor' };
  }
  if (settings.tcp === 'disabled') return { reason: '[connections]tcp = disabled forbids it' };
  if (settings.hidesAddress) return { reason: 'reveal-IP-address = false forbids it' };
  return { network: 'tcp' };
}
