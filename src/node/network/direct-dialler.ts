/**
 * Connections that the system makes: the only file of the product in which one begins. Proxies on this machine are
 * reached through it, too.
 */
import { connect, isIP } from 'node:net';
import type { NetConnectOpts, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Dialler } from '#client/dialler.js';
import { TahoeError } from '#core/errors.js';

/** A TCP address, or the path of a socket in the file system. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * A connected socket.
 * @throws ERR_CANCELLED when `signal` ends the wait; what the system says.
 */
export function connectTo(place: Place, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const cancelled = (): TahoeError =>
      new TahoeError('ERR_CANCELLED', { what: 'a connection' }, { cause: signal.reason });
    if (signal.aborted) {
      reject(cancelled());
      return;
    }
    const socket = connect(place as NetConnectOpts);
    const cancel = (): void => {
      socket.destroy();
      reject(cancelled());
    };
    signal.addEventListener('abort', cancel, { once: true });
    // It stays: what happens before the caller listens, too, is the caller's to find at its first read.
    socket.on('error', (error) => {
      signal.removeEventListener('abort', cancel);
      reject(error);
    });
    socket.once('connect', () => {
      signal.removeEventListener('abort', cancel);
      resolve(socket);
    });
  });
}

/** Connects to whatever is reached over TCP, and to nothing else: for nodes whose configuration says nothing else, and for tests. */
export const directDialler: Dialler = {
  leadsTo: ({ network }) => network === 'tcp',
  patienceMs: () => 0,
  dial: async ({ host, network, port }, signal) => {
    if (network === 'tcp') return connectTo({ host, port }, signal);
    throw new TahoeError('ERR_PRIVACY', { network, reason: 'nothing is set up that leads there' });
  },
};

/**
 * A connection to a port of this machine, whatever the configuration says of others.
 * @throws ERR_PRIVACY when the address is not one of this machine's; else as `connectTo`.
 */
export async function connectToOwn(place: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
  if (isOwnAddress(place.host)) return connectTo(place, signal);
  throw new TahoeError('ERR_PRIVACY', { network: 'tcp', reason: 'the address is not one of this machine' });
}

function isOwnAddress(host: string): boolean {
  if (isIP(host) === 0) return false;
  if (host === '::1' || host.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((addresses = []) => addresses.some(({ address }) => address === host));
}
