/**
 * One port, two protocols: the first bytes of a connection tell. `GET /id/` is Foolscap; anything else, from the first byte that
 * differs, is TLS. A connection that does not say within FIRST_BYTES_TIMEOUT_MS is closed.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "protocol switching"
 */
import type { Socket } from 'node:net';
import { concat, utf8 } from '#core/bytes.js';
import type { Clock } from '#core/environment.js';

/** How long a connection may take to say what it is, in milliseconds. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;
const FOOLSCAP_BEGINNING = utf8('GET /id/');

/**
 * @param foolscap - takes a connection over, with what has been read of it.
 * @param other - goes on with the connection; nothing has been taken from it.
 */
export function switchProtocol(
  socket: Socket,
  clock: Clock,
  foolscap: (firstBytes: Uint8Array) => void,
  other: () => void,
): void {
  let received = new Uint8Array(0);
  const cancelTimer = clock.schedule(FIRST_BYTES_TIMEOUT_MS, () => socket.destroy());
  const decide = (isFoolscap: boolean): void => {
    cancelTimer();
    socket.off('readable', look);
    if (isFoolscap) {
      foolscap(received);
    } else {
      socket.unshift(received);
      other();
    }
  };
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    received = concat(received, chunk) as Uint8Array<ArrayBuffer>;
    const compared = received.subarray(0, FOOLSCAP_BEGINNING.length);
    if (compared.some((byte, i) => byte !== FOOLSCAP_BEGINNING[i])) decide(false);
    else if (compared.length === FOOLSCAP_BEGINNING.length) decide(true);
  };
  socket.once('close', cancelTimer);
  socket.on('readable', look);
}
