/**
 * undici's connector over the dialler, for servers that the certificate authorities of the system vouch for, and for
 * plain HTTP.
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { destinationOf } from './dialler.js';
import type { Dialler } from './dialler.js';
import { buildConnector, withPlainParser } from './undici.js';

/** For the connection below TLS, and for the handshake, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 30_000;

/** The connector. Its errors are those of the dialler, ERR_TIMEOUT, and those of TLS. */
export function dialledConnector(dialler: Dialler, clock: Clock): buildConnector.connector {
  const secure = buildConnector({ allowH2: false, timeout: HANDSHAKE_TIMEOUT_MS });
  return (target, given) => {
    const callback = withPlainParser(given);
    const { hostname, port, protocol } = target;
    const isSecure = protocol === 'https:';
    const portNumber = port === '' ? (isSecure ? 443 : 80) : Number(port);
    const destination = destinationOf(hostname.replaceAll(/^\[|\]$/g, ''), portNumber);
    const timeoutMs = CONNECT_TIMEOUT_MS + dialler.patienceMs(destination);
    const ended = new AbortController();
    const cancelDeadline = clock.schedule(timeoutMs, () => {
      ended.abort();
    });
    dialler
      .dial(destination, ended.signal)
      .finally(cancelDeadline)
      .then(
        (httpSocket) => {
          if (isSecure) secure({ ...target, httpSocket }, callback);
          else callback(null, httpSocket);
        },
        (error: unknown) => {
          const late = new TahoeError('ERR_TIMEOUT', { what: `connecting to ${hostname}`, timeoutMs });
          callback(ended.signal.aborted || !(error instanceof Error) ? late : error, null);
        },
      );
  };
}
