/**
 * Connections that carry nothing until the peer has shown the right key.
 *
 * A NURL names a server's key by the SHA-256 of its SubjectPublicKeyInfo. No authority, host name or date has a say:
 * an expired certificate with the right key is right, a well-signed one with another key is wrong. The check
 * happens here, on `secureConnect`, before the socket reaches HTTP: Node's `checkServerIdentity` is never called for
 * a certificate that no authority signed, so a pin placed there is none. Sessions are not resumed, because a resumed
 * session shows no certificate, and renegotiation is off, because it could show another.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "NURLs"
 */
import { constants, createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import type { Clock } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { Nurl } from '#wire/nurl.js';
import { destinationOfNurl } from './dialler.js';
import type { Destination, Dialler } from './dialler.js';
import { withPlainParser } from './undici.js';
import type { buildConnector } from './undici.js';

const ALPN_PROTOCOL = 'http/1.1';

/** Where to connect, what to call it in errors, and how long TCP and TLS together may take. */
export interface PinnedConnectorOptions {
  readonly nurl: Nurl;
  readonly shortName: string;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly connectTimeoutMs: number;
}

/**
 * The same for all connections, for it holds nothing of any: no authority is trusted, and sessions are not kept. One for
 * each server would cost a millisecond and 50 KiB, and an introducer may tell of thousands.
 */
const pinnedContext = createSecureContext({
  ca: [],
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
});

/**
 * The hash by which a NURL names a key: SHA-256 of the DER SubjectPublicKeyInfo.
 * @returns base64url without padding, 43 characters.
 * @throws Error when OpenSSL cannot read the certificate's key.
 */
export function spkiHashOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64url');
}

/** Makes connections to one NURL's server, for an undici dispatcher's `connect`. `close` ends all of them. */
export class PinnedConnector {
  readonly #options: PinnedConnectorOptions;
  readonly #sockets = new Set<TLSSocket>();
  readonly #dials = new Set<AbortController>();
  readonly #errorsOfUsed = new WeakSet();
  #closed = false;

  constructor(options: PinnedConnectorOptions) {
    this.#options = options;
  }

  /**
   * undici's connector: gives a socket whose peer holds the key, or an error: ERR_PIN for another key or none,
   * ERR_CONNECT when there is no TLS peer or the deadline passes, ERR_PRIVACY when there is no way there.
   */
  readonly connect: buildConnector.connector = (_target, given) => {
    const callback = withPlainParser(given);
    this.#open().then(
      (socket) => {
        callback(null, socket);
      },
      (error: unknown) => {
        callback(isTahoeError(error) ? error : this.#connectError(plainReason(error), error), null);
      },
    );
  };

  /** Whether `error` ended a connection that had carried a reply before: one that was kept alive. */
  endedUsedConnection(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#errorsOfUsed.has(error);
  }

  /** Connections that are open or being made. */
  get connectionCount(): number {
    return this.#dials.size + [...this.#sockets].filter((socket) => !socket.destroyed).length;
  }

  /** Destroys every connection, also those in the middle of a handshake, and makes no more. */
  close(): void {
    this.#closed = true;
    for (const dial of this.#dials) dial.abort(this.#connectError('the client is closed'));
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open(): Promise<TLSSocket> {
    if (this.#closed) throw this.#connectError('the client is closed');
    const { clock, connectTimeoutMs, dialler, nurl } = this.#options;
    const destination = destinationOfNurl(nurl);
    const timeoutMs = connectTimeoutMs + dialler.patienceMs(destination);
    const ended = new AbortController();
    const cancelDeadline = clock.schedule(timeoutMs, () => {
      ended.abort(this.#connectError(`no TLS connection within ${String(timeoutMs / 1000)} s`));
    });
    try {
      return await this.#secure(await this.#dial(destination, ended), ended.signal);
    } catch (error) {
      if (ended.signal.aborted) throw ended.signal.reason;
      throw error;
    } finally {
      cancelDeadline();
    }
  }

  async #dial(destination: Destination, ended: AbortController): Promise<Socket> {
    this.#dials.add(ended);
    try {
      return await this.#options.dialler.dial(destination, ended.signal);
    } finally {
      this.#dials.delete(ended);
    }
  }

  async #secure(tcp: Socket, signal: AbortSignal): Promise<TLSSocket> {
    const { host } = this.#options.nurl;
    if (signal.aborted || this.#closed) {
      tcp.destroy();
      throw this.#connectError('the client is closed');
    }
    tcp.setNoDelay(true);
    tcp.setKeepAlive(true);
    const socket = connectTls({
      socket: tcp,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      secureContext: pinnedContext,
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_PROTOCOL],
    });
    this.#sockets.add(socket);
    const end = (): void => {
      socket.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.on('error', (error: Error) => {
          if (socket.bytesRead > 0) this.#errorsOfUsed.add(error);
          reject(error);
        });
        socket.once('close', () => {
          this.#sockets.delete(socket);
          reject(this.#connectError('the connection closed during the TLS handshake'));
        });
      });
      const failure = this.#checkPeer(socket);
      if (failure !== undefined) throw failure;
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** @returns why this peer must not be talked to, or undefined when it may. */
  #checkPeer(socket: TLSSocket): TahoeError | undefined {
    if (!this.#holdsKey(socket)) return new TahoeError('ERR_PIN', { server: this.#options.shortName });
    const protocol = socket.alpnProtocol ?? false;
    return protocol === false || protocol === ALPN_PROTOCOL
      ? undefined
      : this.#connectError('it chose a protocol that was not offered');
  }

  /** False too when there is no certificate or its key cannot be read. */
  #holdsKey(socket: TLSSocket): boolean {
    const certificate = socket.getPeerX509Certificate();
    try {
      return certificate !== undefined && spkiHashOf(certificate) === this.#options.nurl.spkiHash;
    } catch {
      return false;
    }
  }

  #connectError(reason: string, cause?: unknown): TahoeError {
    return new TahoeError('ERR_CONNECT', { server: this.#options.shortName, reason }, { cause });
  }
}

const plainReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at its address',
  ECONNRESET: 'it closed the connection',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name cannot be looked up now',
  ETIMEDOUT: 'its host does not answer',
  EPROTO: 'it does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
};

function plainReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return plainReasons[code] ?? reasonOf(error);
}
