/** One WebSocket to a mailbox server: frames of text in and out. Pings tell when it is gone. */
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import WebSocket from 'ws';
import { destinationOf } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { FRAME_LENGTH_MAX } from '#wire/wormhole/mailbox-messages.js';
import { applicationVersion } from '../version.js';

const HANDSHAKE_TIMEOUT_MS = 30_000;
/** A server that leaves a ping unanswered until the next one is gone. */
const PING_INTERVAL_MS = 30_000;

/** An open connection. */
export interface RelayLink {
  send(text: string): void;
  /** Ends it; `closed` is not called any more. */
  close(): void;
}

/** Who listens. */
export interface RelayListener {
  readonly text: (text: string) => void;
  /** The connection is gone by itself. Called once. */
  readonly closed: (reason: string) => void;
}

/** @throws ERR_RELAY when nobody answers there, or no mailbox server; ERR_PRIVACY when there is no way there. */
export async function openRelayLink(
  url: string,
  listener: RelayListener,
  { clock, dialler }: { readonly clock: Clock; readonly dialler: Dialler },
): Promise<RelayLink> {
  const connection = await dial(url, clock, dialler);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: FRAME_LENGTH_MAX,
      perMessageDeflate: false,
      createConnection: () => connection,
      headers: { 'User-Agent': applicationVersion },
    });
    let reason = 'the connection was closed';
    let isOpen = false;
    let stopPings = (): void => undefined;
    const close = (): void => {
      stopPings();
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.terminate();
    };
    socket.on('error', (error) => {
      reason = reasonOf(error);
    });
    socket.on('close', () => {
      close();
      if (isOpen) listener.closed(reason);
      else reject(new TahoeError('ERR_RELAY', { relay: url, reason }));
    });
    socket.on('message', (data, isBinary) => {
      if (!isBinary) listener.text((data as Buffer).toString());
    });
    socket.on('open', () => {
      isOpen = true;
      stopPings = keepAlive(socket, clock);
      resolve({ send: (text) => socket.send(text), close });
    });
  });
}

/** What WebSocket is spoken over: with TLS where the address says so. */
async function dial(url: string, clock: Clock, dialler: Dialler): Promise<Socket> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  const isSecure = protocol === 'wss:';
  const destination = destinationOf(host, port === '' ? (isSecure ? 443 : 80) : Number(port));
  const late = new AbortController();
  const cancelTimer = clock.schedule(HANDSHAKE_TIMEOUT_MS + dialler.patienceMs(destination), () => {
    late.abort();
  });
  try {
    const socket = await dialler.dial(destination, late.signal);
    return isSecure ? connectTls({ socket, ...(isIP(host) === 0 ? { servername: host } : {}), host }) : socket;
  } catch (error) {
    if (isTahoeError(error, 'ERR_PRIVACY')) throw error;
    const reason = late.signal.aborted ? 'it does not answer' : reasonOf(error);
    throw new TahoeError('ERR_RELAY', { relay: url, reason }, { cause: error });
  } finally {
    cancelTimer();
  }
}

function keepAlive(socket: WebSocket, clock: Clock): () => void {
  let isAnswered = true;
  let cancel = (): void => undefined;
  socket.on('pong', () => {
    isAnswered = true;
  });
  const next = (): void => {
    cancel = clock.schedule(PING_INTERVAL_MS, () => {
      if (!isAnswered) {
        socket.terminate();
        return;
      }
      isAnswered = false;
      socket.ping();
      next();
    });
  };
  next();
  return () => {
    cancel();
  };
}
