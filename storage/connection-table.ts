/**
 * Every connection of a port, and which of them goes when there are too many: always one that has not shown the
 * swissnum yet, the oldest first. So whoever fills the port with silence makes room for others by coming again.
 *
 * Three limits: connections in all, connections of one address that have not shown the swissnum, and TLS handshakes
 * under way. A connection that has shown it is never closed here; when there are only such, a new one is.
 */

/** The most that a port holds of each kind of connection. */
export interface ConnectionLimits {
  readonly connections: number;
  /** Of those without the swissnum, from one address. */
  readonly strangersPerAddress: number;
  readonly handshakes: number;
}

/** What a port holds unless told otherwise. */
export const connectionLimits: ConnectionLimits = {
  connections: 10_000,
  strangersPerAddress: 5_000,
  handshakes: 1_000,
};

/** A socket, as far as this table cares: the two ends of a TLS connection have the same address and port. */
export interface Peer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
}

/** How many connections there are, now and so far. */
export interface ConnectionCounts {
  readonly open: number;
  readonly strangers: number;
  readonly handshakes: number;
  /** Closed for want of room, since the start. */
  readonly evicted: number;
}

interface Entry {
  readonly key: string;
  readonly address: string;
  peer: Peer;
}

/** The table of one port. A `Set` keeps the order of arrival: its first member is the oldest. */
export class ConnectionTable {
  readonly limits: ConnectionLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #strangers = new Set<Entry>();
  readonly #strangersOf = new Map<string, Set<Entry>>();
  readonly #handshakes = new Set<Entry>();
  /** Spares most requests the search for their connection. */
  readonly #known = new WeakSet<Peer>();
  #evicted = 0;

  constructor(limits: Partial<ConnectionLimits> = {}) {
    this.limits = { ...connectionLimits, ...limits };
  }

  get counts(): ConnectionCounts {
    return {
      open: this.#entries.size,
      strangers: this.#strangers.size,
      handshakes: this.#handshakes.size,
      evicted: this.#evicted,
    };
  }

  /**
   * Counts a new connection in, and closes another one if that is one too many.
   * @returns what counts it out, to be called when it has closed.
   */
  opened(peer: Peer): () => void {
    const key = keyOf(peer);
    const entry: Entry = { key, address: peer.remoteAddress ?? '', peer };
    const ofAddress = this.#strangersOf.get(entry.address) ?? new Set<Entry>();
    this.#strangersOf.set(entry.address, ofAddress.add(entry));
    this.#entries.set(key, entry);
    this.#strangers.add(entry);
    this.#handshakes.add(entry);
    if (this.#handshakes.size > this.limits.handshakes) this.#evictFirst(this.#handshakes);
    if (ofAddress.size > this.limits.strangersPerAddress) this.#evictFirst(ofAddress);
    // The newcomer is among the strangers: where all others are known it goes itself.
    if (this.#entries.size > this.limits.connections) this.#evictFirst(this.#strangers);
    return () => {
      this.#remove(entry);
    };
  }

  /** The handshake of a connection is done. @param peer - from now on closed in place of the one it was opened with. */
  secured(peer: Peer): void {
    const entry = this.#entries.get(keyOf(peer));
    if (entry === undefined) return;
    entry.peer = peer;
    this.#handshakes.delete(entry);
  }

  /** A request on the connection has shown the swissnum. */
  admitted(peer: Peer): void {
    if (this.#known.has(peer)) return;
    this.#known.add(peer);
    const entry = this.#entries.get(keyOf(peer));
    if (entry !== undefined) this.#removeStranger(entry);
  }

  #evictFirst(entries: ReadonlySet<Entry>): void {
    for (const entry of entries) {
      this.#evicted += 1;
      this.#remove(entry);
      entry.peer.destroy();
      return;
    }
  }

  #remove(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    this.#handshakes.delete(entry);
    this.#removeStranger(entry);
  }

  #removeStranger(entry: Entry): void {
    this.#strangers.delete(entry);
    const ofAddress = this.#strangersOf.get(entry.address);
    if (ofAddress?.delete(entry) === true && ofAddress.size === 0) this.#strangersOf.delete(entry.address);
  }
}

function keyOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress ?? ''} ${String(remotePort ?? 0)}`;
}
