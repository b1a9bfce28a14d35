/**
 * The seam between Foolscap and whoever uses it: what a Tub offers, what an object that peers call must do, and
 * what is held of an object of theirs. Types only; node/foolscap/socket-tub.ts is the Tub over sockets.
 *
 * A Tub is one identity (a key and its certificate) with the connections that were made with it. There is at most one
 * connection to a peer, whoever made it, and calls go both ways over it. References live as long as their connection.
 * @see https://foolscap.readthedocs.io, "Using Foolscap"
 */
import type { Value } from './values.js';

/** One peer and the connection to it, as a called object sees it. Good for as long as the connection is. */
export interface PeerConnection {
  /** 32 characters of base32, proven by the peer's certificate. */
  readonly tubId: string;
  /** The address it comes from, where it is known. */
  readonly remoteAddress: string | undefined;
  /** Calls `told` once when the connection has ended, at once if it has already. @returns what takes that back. */
  notifyOnDisconnect(told: () => void): () => void;
  /** Resolves when what was sent before has mostly left, or the connection has ended: wait for it before a large answer. */
  room(): Promise<void>;
}

/** The arguments of a call. Python's callers may give any of them by position or by name. */
export interface CallArguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** An object of ours that peers may call: registered under a name, or sent as an argument or a result. */
export interface RemoteObject {
  /** The name of its remote interface on the wire, which Python's callers check; '' for none. */
  readonly interfaceName: string;
  /**
   * Answers a call. Calls of one connection begin in the order in which they were made; they may end in any.
   * What it throws becomes a failure at the caller: see `failureOf` in failures.ts for what of it is told.
   */
  call(method: string, given: CallArguments, peer: PeerConnection): Promise<Value>;
  /** The peer has let go of its last reference, or the connection has ended. Not called for what is registered. */
  released?(peer: PeerConnection): void;
}

/** What bounds a call. */
export interface RemoteCallOptions {
  /** Ends the wait. The call itself cannot be taken back. */
  readonly signal?: AbortSignal;
  /** Milliseconds; without it the Tub's `callTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** An object of a peer's. */
export interface RemoteReference {
  /** As the peer called it when it first sent the reference; '' for none. */
  readonly interfaceName: string;
  readonly peer: PeerConnection;
  readonly connected: boolean;
  /**
   * @param named - arguments by name, behind the positional ones.
   * @throws ERR_REMOTE when the peer answers with a failure, ERR_CONNECTION_CLOSED when the connection ends before the
   *   answer, ERR_TIMEOUT, ERR_CANCELLED, ERR_TOO_MANY for calls in progress.
   */
  call(
    method: string,
    positional: readonly Value[],
    named?: ReadonlyMap<string, Value>,
    options?: RemoteCallOptions,
  ): Promise<Value>;
  /** Calls `told` once when the connection has ended, at once if it has already. @returns what takes that back. */
  notifyOnDisconnect(told: () => void): () => void;
  /** Tells the peer that it is no longer needed here. Idempotent; nothing else lets the peer forget its object. */
  release(): void;
}

/** A socket of net or tls, as far as whoever hands one over cares. */
export interface SocketLike {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
}

/** What the one who accepted a connection is told of it. */
export interface AcceptedEvents<Socket extends SocketLike> {
  /** TLS is established, on `socket`. */
  secured?(socket: Socket): void;
  /** The peer has named something that is registered: it is no stranger. */
  admitted?(socket: Socket): void;
}

/** An identity and its connections. `Socket` is what it can accept. */
export interface Tub<Socket extends SocketLike = SocketLike> {
  /** 32 characters of base32. */
  readonly tubId: string;
  /** Connections that have been negotiated, made by either side. */
  readonly connectionCount: number;
  /**
   * Makes `object` known under `name` (a swissnum: whoever knows it may call) to all peers, now and later.
   * @param furl - told to peers with the reference; the reference to it, if they are to pass it on.
   * @returns what takes it back.
   */
  register(name: string, object: RemoteObject, furl?: string): () => void;
  /**
   * The object that a furl names, over the connection that there is or a new one to any of its hints.
   * @throws ERR_FURL, ERR_CONNECT, ERR_PIN when no hint leads to the tub the furl names, ERR_TIMEOUT, ERR_CANCELLED,
   *   ERR_REMOTE when the peer knows nothing of that name.
   */
  connect(furl: string, options?: RemoteCallOptions): Promise<RemoteReference>;
  /**
   * Takes over a socket whose first bytes, already read, begin with `GET /id/`.
   * It is closed when negotiation fails or takes longer than the Tub's `negotiationTimeoutMs`.
   */
  accept(socket: Socket, firstBytes: Uint8Array, events?: AcceptedEvents<Socket>): void;
  /** Ends every connection; calls in progress fail. */
  close(): Promise<void>;
}

/** Whether a value is an object of a peer's. */
export function isRemoteReference(value: Value): value is RemoteReference {
  return typeof value === 'object' && value !== null && 'notifyOnDisconnect' in value;
}

/** Whether a value is an object of ours; one that was sent out and comes back is the same object. */
export function isRemoteObject(value: Value): value is RemoteObject {
  return typeof value === 'object' && value !== null && 'interfaceName' in value && !isRemoteReference(value);
}
