/**
 * SOCKS 5 over a socket that is connected to the proxy. Names go to the proxy as they are: nothing is looked up here.
 * @see RFC 1928; https://spec.torproject.org/socks-extensions.html
 */
import type { Socket } from 'node:net';
import type { Destination } from '#client/dialler.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** The longest name that a request holds, in bytes. */
const HOST_LENGTH_MAX = 255;
/** The caller's signal ends it sooner; this is beyond what any caller waits, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 300_000;

const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/HostUnreachable/, 'it does not get to the host'],
  [/NetworkUnreachable/, 'it does not get to the network'],
  [/ConnectionRefused/, 'nothing listens at the address behind it'],
  [/TTLExpired/, 'the way there took too long'],
  [/NotAllowed/, 'it does not allow the connection'],
  [/AddressNotSupported|CommandNotSupported/, 'it does not know that kind of address'],
  [/Failure/, 'it failed'],
  [/closed/i, 'it closed the connection'],
  [/greeting|handshake|version|auth/i, 'it does not speak SOCKS 5'],
];

/**
 * Has the proxy connect `socket` to the destination. On failure the socket is destroyed.
 * @param proxy - what errors call it.
 * @throws ERR_PROXY; ERR_CANCELLED when `signal` ends it.
 */
export async function passThroughSocks(
  socket: Socket,
  { host, port }: Destination,
  proxy: string,
  signal: AbortSignal,
): Promise<Socket> {
  const cancel = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    if (signal.aborted) throw new Error('it is over');
    if (host === '' || Buffer.byteLength(host) > HOST_LENGTH_MAX) throw new Error('the name is too long');
    // Loaded only where there is a proxy.
    const { SocksClient } = await import('socks');
    await SocksClient.createConnection({
      command: 'connect',
      proxy: { host: '127.0.0.1', port: 1, type: 5 },
      destination: { host, port },
      existing_socket: socket,
      timeout: HANDSHAKE_TIMEOUT_MS,
    });
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'a connection' }, { cause: signal.reason });
    throw new TahoeError('ERR_PROXY', { proxy, reason: plainReason(reasonOf(error)) }, { cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function plainReason(said: string): string {
  return reasons.find(([pattern]) => pattern.test(said))?.[1] ?? said;
}
