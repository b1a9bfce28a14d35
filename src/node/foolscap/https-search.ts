/**
 * Whether HTTPS is spoken where a furl leads: a TLS connection to each of its hints, over which nothing is sent. The certificate must be
 * the one that the furl's tub id names; the hash of its key and the furl's swissnum then make the NURL that is used from then on.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import { destinationOf } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import { spkiHashOf } from '#client/pinned-connector.js';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import type { Furl, Hint } from '#wire/foolscap/furl.js';
import { Nurl } from '#wire/nurl.js';

/** How long a port may take for its handshake, in milliseconds. One that speaks Foolscap alone never answers. */
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** The NURL of the first hint that has one. @returns undefined when none has. */
export async function searchNurl(furl: Furl, clock: Clock, dialler: Dialler): Promise<Nurl | undefined> {
  const swissnum = furl.dangerousName();
  for (const { host, network, port } of furl.hints) {
    // NURLs have no word for I2P.
    if (network === 'i2p') continue;
    const spkiHash = await spkiHashAt({ host, network, port }, furl.tubId, clock, dialler);
    if (spkiHash !== undefined) return new Nurl({ tor: network === 'tor', spkiHash, host, port, swissnum });
  }
  return undefined;
}

async function spkiHashAt(hint: Hint, tubId: string, clock: Clock, dialler: Dialler): Promise<string | undefined> {
  const destination = destinationOf(hint.host, hint.port, hint.network);
  const ended = new AbortController();
  const timeoutMs = HANDSHAKE_TIMEOUT_MS + dialler.patienceMs(destination);
  const cancelTimer = clock.schedule(timeoutMs, () => {
    ended.abort();
  });
  let tcp: Socket | undefined;
  try {
    tcp = await dialler.dial(destination, ended.signal);
    const socket = connect({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    ended.signal.addEventListener('abort', () => socket.destroy());
    return await new Promise((resolve) => {
      socket.once('secureConnect', () => {
        const certificate = socket.getPeerX509Certificate();
        const isRight =
          certificate !== undefined && formatBase32(createHash('sha1').update(certificate.raw).digest()) === tubId;
        resolve(isRight ? spkiHashOf(certificate) : undefined);
      });
      socket.on('error', () => {
        resolve(undefined);
      });
      socket.once('close', () => {
        resolve(undefined);
      });
    });
  } catch {
    return undefined;
  } finally {
    cancelTimer();
    tcp?.destroy();
  }
}
