/**
 * Whether HTTPS is spoken where a furl leads: a TLS connection to each of its hints, over which nothing is sent. The certificate must be
 * the one that the furl's tub id names; the hash of its key and the furl's swissnum then make the NURL that is used from then on.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:tls';
import { spkiHashOf } from '#client/pinned-connector.js';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import type { Furl, TcpHint } from '#wire/foolscap/furl.js';
import { Nurl } from '#wire/nurl.js';

/** How long a port may take for its handshake, in milliseconds. One that speaks Foolscap alone never answers. */
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** The NURL of the first hint that has one. @returns undefined when none has. */
export async function searchNurl(furl: Furl, clock: Clock): Promise<Nurl | undefined> {
  for (const hint of furl.hints) {
    const spkiHash = await spkiHashAt(hint, furl.tubId, clock);
    if (spkiHash !== undefined) return new Nurl({ tor: false, spkiHash, ...hint, swissnum: furl.dangerousName() });
  }
  return undefined;
}

async function spkiHashAt({ host, port }: TcpHint, tubId: string, clock: Clock): Promise<string | undefined> {
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  const cancelTimer = clock.schedule(HANDSHAKE_TIMEOUT_MS, () => socket.destroy());
  try {
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
  } finally {
    cancelTimer();
    socket.destroy();
  }
}
