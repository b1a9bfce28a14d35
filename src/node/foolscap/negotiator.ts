/**
 * Negotiates one socket in either role, from plain text to the point where Banana begins. The words are in
 * wire/foolscap/negotiation.ts; what is decided about a second connection to a peer is the Tub's.
 */
import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import { isTahoeError, TahoeError } from '#core/errors.js';
import {
  acceptance,
  checkAcceptance,
  formatDecision,
  formatError,
  formatHello,
  formatRefusal,
  formatRequest,
  parseDecision,
  parseHello,
  parseRequest,
} from '#wire/foolscap/negotiation.js';
import type { ConnectionMark, Greeting, Hello } from '#wire/foolscap/negotiation.js';
import { readBlock, startTls } from './block-socket.js';

/** A socket on which Banana begins. */
export interface Negotiated {
  readonly socket: TLSSocket;
  readonly peer: Hello;
  /** The master's name for the connection. */
  readonly mark: ConnectionMark | undefined;
  readonly isMaster: boolean;
  readonly vocabularyTable: number;
  /** Banana that came with the last block. */
  readonly rest: Uint8Array;
}

/** The Tub that a socket is negotiated for. */
export interface NegotiatingTub {
  readonly tubId: string;
  readonly incarnation: string;
  readonly secureContext: SecureContext;
  /** The last connection that a peer, as master, told of. */
  lastMark(tubId: string): ConnectionMark | undefined;
  /** The name of a new connection, where this side decides. @throws ERR_NEGOTIATION when the one there is stays. */
  decide(peer: Hello): ConnectionMark;
}

/**
 * The client's side, on a socket that is connected. The socket stays the caller's to destroy when this fails.
 * @throws ERR_NEGOTIATION; ERR_PIN when another tub than `tubId` answers.
 */
export async function negotiateClient(
  tub: NegotiatingTub,
  socket: Socket,
  target: { readonly tubId: string; readonly host: string },
  establish: (negotiated: Negotiated) => void,
): Promise<void> {
  socket.write(formatRequest(target.tubId, target.host));
  const { block, rest } = await readBlock(socket);
  checkAcceptance(block);
  if (rest.length > 0) throw new TahoeError('ERR_NEGOTIATION', { reason: 'it spoke before TLS' });
  const { certified, secure } = await startTls(socket, tub.secureContext, false);
  if (certified !== target.tubId) throw new TahoeError('ERR_PIN', { server: target.tubId.slice(0, 8) });
  const greeting = { ...identityOf(tub), lastConnection: tub.lastMark(certified), isClient: true };
  await greet(tub, secure, certified, greeting, establish);
}

/**
 * The server's side. A peer that does nothing right is told why, in its phase's way.
 * @param firstBytes - what has been read of the socket already.
 * @param secured - told when TLS is established.
 * @throws ERR_NEGOTIATION.
 */
export async function negotiateServer(
  tub: NegotiatingTub,
  socket: Socket,
  firstBytes: Uint8Array,
  secured: (socket: TLSSocket) => void,
  establish: (negotiated: Negotiated) => void,
): Promise<void> {
  const { block, rest } = await readBlock(socket, firstBytes);
  try {
    const asked = parseRequest(block);
    if (asked !== tub.tubId) throw new TahoeError('ERR_NEGOTIATION', { reason: 'unknown TubID' });
  } catch (error) {
    if (isTahoeError(error, 'ERR_NEGOTIATION')) socket.end(formatRefusal(error.facts.reason));
    throw error;
  }
  if (rest.length > 0) socket.unshift(rest);
  socket.write(acceptance);
  const { certified, secure } = await startTls(socket, tub.secureContext, true);
  secured(secure);
  await greet(tub, secure, certified ?? '', { ...identityOf(tub), isClient: false }, establish);
}

/** Both sides' hello, and the decision of one of them. */
async function greet(
  tub: NegotiatingTub,
  socket: TLSSocket,
  certified: string,
  greeting: Greeting,
  establish: (negotiated: Negotiated) => void,
): Promise<void> {
  try {
    socket.write(formatHello(greeting));
    const hello = await readBlock(socket);
    const peer = parseHello(hello.block, certified);
    if (tub.tubId > peer.tubId) {
      const mark = tub.decide(peer);
      const { vocabularyTable } = peer;
      socket.write(formatDecision(mark, vocabularyTable));
      establish({ socket, peer, mark, isMaster: true, vocabularyTable, rest: hello.rest });
    } else {
      const { block, rest } = await readBlock(socket, hello.rest);
      establish({ socket, peer, ...parseDecision(block), isMaster: false, rest });
    }
  } catch (error) {
    if (isTahoeError(error, 'ERR_NEGOTIATION')) socket.end(formatError(error.facts.reason));
    throw error;
  }
}

function identityOf({ incarnation, tubId }: NegotiatingTub): Pick<Greeting, 'tubId' | 'incarnation'> {
  return { tubId, incarnation };
}
