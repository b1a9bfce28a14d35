/** Sockets before they carry Banana: reading one block at a time, and the change from plain text to TLS in the middle. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { formatBase32 } from '#core/base32.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { BlockReader } from '#wire/foolscap/negotiation.js';

/** One block and what came with it of what follows. */
export interface ReceivedBlock {
  readonly block: Uint8Array;
  readonly rest: Uint8Array;
}

/** A socket whose handshake is done. */
export interface SecureSocket {
  readonly secure: TLSSocket;
  readonly certified: string | undefined;
}

/**
 * What a Tub does TLS with, in both roles: its own certificate, and no authority. Certificates of peers are not judged
 * by dates or issuers, only by the tub id that they give.
 */
export function tubSecureContext(pem: string): SecureContext {
  return createSecureContext({ key: pem, cert: pem, ca: [], minVersion: 'TLSv1.2' });
}

/**
 * The next block. What follows it stays unread.
 * @param begun - bytes that have been read already.
 * @throws ERR_NEGOTIATION when it is too long, or the connection ends before it does.
 */
export async function readBlock(socket: Socket, begun: Uint8Array = new Uint8Array(0)): Promise<ReceivedBlock> {
  const reader = new BlockReader();
  const first = reader.feed(begun);
  if (first !== undefined) return first;
  let stop = (): void => undefined;
  try {
    return await new Promise<ReceivedBlock>((resolve, reject) => {
      const read = (): void => {
        try {
          for (let chunk = take(socket); chunk !== undefined; chunk = take(socket)) {
            const received = reader.feed(chunk);
            if (received === undefined) continue;
            resolve(received);
            return;
          }
        } catch (error) {
          reject(error instanceof Error ? error : new Error(reasonOf(error)));
        }
      };
      const closed = (): void => {
        reject(new TahoeError('ERR_NEGOTIATION', { reason: 'it closed the connection' }));
      };
      socket.on('readable', read);
      socket.once('end', closed);
      socket.once('close', closed);
      stop = () => {
        socket.off('readable', read);
        socket.off('end', closed);
        socket.off('close', closed);
      };
      if (socket.destroyed) closed();
      else read();
    });
  } finally {
    stop();
  }
}

function take(socket: Socket): Uint8Array | undefined {
  return (socket.read() as Buffer | null) ?? undefined;
}

/**
 * TLS over a socket that has carried plain text. Both sides show certificates.
 * @returns the socket, and the tub id that the peer's certificate gives, if it has shown one.
 * @throws ERR_NEGOTIATION when the handshake fails.
 */
export async function startTls(socket: Socket, secureContext: SecureContext, isServer: boolean): Promise<SecureSocket> {
  const common = { secureContext, rejectUnauthorized: false };
  const secure = isServer
    ? new TLSSocket(socket, { ...common, isServer, requestCert: true })
    : connectTls({ ...common, socket });
  secure.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    secure.once(isServer ? 'secure' : 'secureConnect', resolve);
    secure.once('close', () => {
      reject(new TahoeError('ERR_NEGOTIATION', { reason: 'there was no TLS handshake' }));
    });
  });
  const certificate = secure.getPeerX509Certificate();
  return { secure, certified: certificate && formatBase32(createHash('sha1').update(certificate.raw).digest()) };
}
