/** The way through Tor: its SOCKS proxy, wherever that is. */
import type { Socket } from 'node:net';
import type { Destination } from '#client/dialler.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { formatPlace } from '../config/proxy-place.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import { connectTo } from './direct-dialler.js';
import type { Way } from './node-dialler.js';
import { passThroughSocks } from './socks-connection.js';

/** Where a proxy may be; the first that takes a connection is used. @throws ERR_PROXY, ERR_CANCELLED. */
export type FindProxy = (signal: AbortSignal) => Promise<readonly ProxyPlace[]>;

/** @see Way */
export class TorWay implements Way {
  readonly #find: FindProxy;

  constructor(find: FindProxy) {
    this.#find = find;
  }

  async dial(destination: Destination, signal: AbortSignal): Promise<Socket> {
    const places = await this.#find(signal);
    const failures: string[] = [];
    for (const place of places) {
      const proxy = `Tor's SOCKS proxy at ${formatPlace(place)}`;
      let socket: Socket;
      try {
        socket = await connectTo(place, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(`${formatPlace(place)}: ${reasonOf(error)}`);
        continue;
      }
      return passThroughSocks(socket, destination, proxy, signal);
    }
    const reason = `it is not running, or [tor]socks.port is wrong (${failures.join('; ')})`;
    throw new TahoeError('ERR_PROXY', { proxy: 'Tor', reason });
  }
}
