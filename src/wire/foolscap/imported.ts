/** References to objects of a peer's, each good for as long as its connection. */
import type { CallMessage } from './message-reader.js';
import type { PeerConnection, RemoteCallOptions, RemoteReference } from './tub.js';
import type { Value } from './values.js';

/** The connection, as a reference needs it. */
export interface ImportingConnection extends PeerConnection {
  readonly ended: boolean;
  /** Calls an object of the peer's. */
  ask(message: Omit<CallMessage, 'requestNumber'>, options: RemoteCallOptions): Promise<Value>;
  /** Tells the peer that an object of its is not needed any more. */
  letGo(reference: Imported): void;
}

/** An object of the peer's. */
export class Imported implements RemoteReference {
  readonly clid: number;
  readonly interfaceName: string;
  /** How often it was received and not yet let go of. */
  receivedCount = 0;
  readonly #connection: ImportingConnection;

  constructor(connection: ImportingConnection, clid: number, interfaceName: string) {
    this.#connection = connection;
    this.clid = clid;
    this.interfaceName = interfaceName;
  }

  get peer(): PeerConnection {
    return this.#connection;
  }

  get connected(): boolean {
    return !this.#connection.ended;
  }

  call(
    method: string,
    positional: readonly Value[],
    named: ReadonlyMap<string, Value> = new Map(),
    options: RemoteCallOptions = {},
  ): Promise<Value> {
    return this.#connection.ask({ clid: this.clid, method, positional, named }, options);
  }

  notifyOnDisconnect(told: () => void): () => void {
    return this.#connection.notifyOnDisconnect(told);
  }

  release(): void {
    this.#connection.letGo(this);
  }
}
