/**
 * One negotiated connection: bytes in, bytes out, calls in both directions. Knows no socket; whoever owns one feeds `receive`,
 * sends what `send` is given, and calls `end` when it is over.
 *
 * Object number 0 is the broker itself: getReferenceByName(name) leads to what is registered, decref(clid, count) lets go of
 * objects. A peer is a stranger, and may send next to nothing, until it has named something that is registered here or we have
 * called it.
 */
import { utf8 } from '#core/bytes.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { Exports } from './exports.js';
import { failureOf, remoteError, RemoteFailure } from './failures.js';
import { IMPORT_COUNT_MAX, knownLimits, strangerLimits } from './limits.js';
import { Imported } from './imported.js';
import type { ImportingConnection } from './imported.js';
import { MessageReader } from './message-reader.js';
import type { CallMessage, MessageSink } from './message-reader.js';
import { Requests } from './requests.js';
import { bytesOf, integerOf, takeArguments } from './shapes.js';
import { TokenReader } from './token-reader.js';
import { TokenWriter } from './token-writer.js';
import type { RemoteCallOptions, RemoteObject, RemoteReference } from './tub.js';
import type { ReferenceTable } from './value-builders.js';
import { sequence, writeValue } from './value-writer.js';
import type { ReferenceNames } from './value-writer.js';
import type { Value } from './values.js';
import { outgoingVocabulary, textOf } from './vocabulary.js';

/** Something that peers may ask for by name. */
export interface Registered {
  readonly object: RemoteObject;
  readonly furl: string;
}

/** What a broker needs of its surroundings. */
export interface BrokerOptions {
  /** Proven by the peer's certificate. */
  readonly tubId: string;
  readonly remoteAddress: string | undefined;
  readonly vocabularyTable: number;
  readonly callTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** What of ours peers may ask for. */
  readonly find: (name: string) => Registered | undefined;
  /** The furl of an object that is registered. */
  readonly furlOf: (object: RemoteObject) => string | undefined;
  /** Sends bytes, which must not be changed until they are gone. */
  readonly send: (parts: readonly Uint8Array[]) => void;
  /** Whether a PING is to be answered now: one who does not read what it is sent gets no more of it. */
  readonly mayPong: () => boolean;
  /** Resolves when most of what was sent has left. */
  readonly room: () => Promise<void>;
  /** Asks for memory, in bytes, and gives it back. Throws where there is none. */
  readonly takeMemory: (sizeBytes: number) => void;
  readonly giveMemory: (sizeBytes: number) => void;
  /** The peer is no stranger any more. */
  readonly admitted: () => void;
  /** The number of calls being answered has changed. */
  readonly activeChanged: (count: number) => void;
}

/** @see PeerConnection for what it is to called objects. */
export class Broker implements ImportingConnection, MessageSink, ReferenceTable, ReferenceNames {
  readonly tubId: string;
  readonly remoteAddress: string | undefined;
  readonly #options: BrokerOptions;
  readonly #reader: MessageReader;
  readonly #tokens: TokenReader;
  readonly #writer: TokenWriter;
  readonly #exports = new Exports();
  readonly #imports = new Map<number, Imported>();
  readonly #requests: Requests;
  readonly #watchers = new Set<() => void>();
  readonly #active = new Set<number>();
  #activeCount = 0;
  /** Bytes of the message that is being read, and of everything that is held. */
  #messageBytes = 0;
  #heldBytes = 0;
  #end: TahoeError | undefined;

  constructor(options: BrokerOptions) {
    this.tubId = options.tubId;
    this.remoteAddress = options.remoteAddress;
    this.#options = options;
    const { vocabularyTable } = options;
    this.#reader = new MessageReader({ sink: this, table: this, limits: strangerLimits, vocabularyTable });
    this.#tokens = new TokenReader(this.#reader);
    this.#writer = new TokenWriter(outgoingVocabulary(vocabularyTable));
    this.#requests = new Requests(options.clock, options.callTimeoutMs);
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Objects of ours that the peer holds. */
  get exportCount(): number {
    return this.#exports.size;
  }

  /**
   * Bytes from the peer, as far as they are dealt with in one go.
   * @returns how many were taken; the rest is to come again in another turn.
   * @throws ERR_BANANA when the connection cannot go on; `errorToken` says so to the peer.
   */
  receive(chunk: Uint8Array): number {
    if (this.#end !== undefined) return chunk.length;
    this.#reader.beginStep();
    return this.#tokens.feed(chunk);
  }

  /** From now on it may send what its objects are asked for. */
  trust(): void {
    this.#reader.limits = knownLimits;
  }

  /** The last bytes of a connection: why it ends. */
  errorToken(reason: string): readonly Uint8Array[] {
    this.#writer.abandon();
    this.#writer.error(reason);
    return this.#writer.take();
  }

  /** Provokes a sign of life. */
  sendPing(): void {
    this.#writer.ping();
    this.#options.send(this.#writer.take());
  }

  /** The connection has ended: calls fail with `reason`, watchers are told, objects are let go of. */
  end(reason: TahoeError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#requests.end(reason);
    this.#exports.releaseAll(this);
    this.#imports.clear();
    this.#options.giveMemory(this.#heldBytes);
    this.#heldBytes = 0;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const told of watchers) told();
  }

  notifyOnDisconnect(told: () => void): () => void {
    if (this.#end !== undefined) {
      told();
      return () => undefined;
    }
    const watcher = (): void => {
      told();
    };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async room(): Promise<void> {
    if (this.#end === undefined) await this.#options.room();
  }

  /** What the peer has registered under `name`. @throws as RemoteReference.call; ERR_VIOLATION when it is no object. */
  async reference(name: string, options: RemoteCallOptions): Promise<RemoteReference> {
    const named = new Map([['name', utf8(name)]]);
    const value = await this.ask({ clid: 0, method: 'getReferenceByName', positional: [], named }, options);
    if (value instanceof Imported) return value;
    throw new TahoeError('ERR_VIOLATION', { reason: 'what has this name at the peer is no object of its' });
  }

  /** Calls an object of the peer's. */
  ask(message: Omit<CallMessage, 'requestNumber'>, options: RemoteCallOptions): Promise<Value> {
    this.trust();
    return this.#requests.ask(message.method, options, (requestNumber) => {
      this.#write('call', () => {
        this.#writeCall({ ...message, requestNumber });
      });
    });
  }

  /** Tells the peer that an object of its is not needed any more. */
  letGo(reference: Imported): void {
    const count = reference.receivedCount;
    reference.receivedCount = 0;
    if (count === 0 || this.#end !== undefined) return;
    const named = new Map([
      ['clid', reference.clid],
      ['count', count],
    ]);
    // What it is called is forgotten only when the peer has forgotten that it told us.
    const forget = (): void => {
      if (reference.receivedCount === 0) this.#imports.delete(reference.clid);
    };
    this.ask({ clid: 0, method: 'decref', positional: [], named }, {}).then(forget, forget);
  }

  // ---- what the peer sends ---------------------------------------------------------------------------------

  /** A call of the peer's begins at once; its answer goes out when it ends. */
  call(message: CallMessage): void {
    const { requestNumber } = message;
    if (requestNumber !== 0 && this.#active.has(requestNumber)) {
      throw new TahoeError('ERR_BANANA', { reason: 'two calls have one number' });
    }
    this.#active.add(requestNumber);
    this.#activeCount += 1;
    this.#options.activeChanged(this.#activeCount);
    const bytes = this.#messageBytes;
    this.#messageBytes = 0;
    void this.#answer(message).finally(() => {
      this.#active.delete(requestNumber);
      this.#activeCount -= 1;
      this.#give(bytes);
      this.#options.activeChanged(this.#activeCount);
    });
  }

  answer(requestNumber: number, value: Value): void {
    this.#messageEnds();
    this.#requests.answer(requestNumber, value);
  }

  failure(requestNumber: number, failure: Value): void {
    this.#messageEnds();
    this.#requests.fail(requestNumber, (method) => remoteError(method, failure));
  }

  spoiled(
    type: string,
    requestNumber: number | undefined,
    reason: TahoeError<'ERR_VIOLATION'>,
    aborted: boolean,
  ): void {
    this.#messageEnds();
    if (requestNumber === undefined) return;
    if (type === 'answer' || type === 'error') this.#requests.fail(requestNumber, () => reason);
    else if (type === 'call' && !aborted && requestNumber !== 0) this.#fail(requestNumber, reason);
  }

  passed(): void {
    this.#messageEnds();
  }

  error(text: string): void {
    throw new TahoeError('ERR_BANANA', { reason: `it says ${JSON.stringify(text.slice(0, 200))}` });
  }

  ping(count: number | bigint): void {
    if (!this.#options.mayPong()) return;
    this.#writer.pong(count);
    this.#options.send(this.#writer.take());
  }

  admit(sizeBytes: number): void {
    this.#options.takeMemory(sizeBytes);
    this.#messageBytes += sizeBytes;
    this.#heldBytes += sizeBytes;
  }

  imported(clid: number, interfaceName: string, _furl: string): RemoteReference {
    const reference = this.#imports.get(clid) ?? new Imported(this, clid, interfaceName);
    this.#imports.set(clid, reference);
    if (this.#imports.size > IMPORT_COUNT_MAX)
      throw new TahoeError('ERR_BANANA', { reason: 'it has too many objects' });
    reference.receivedCount += 1;
    return reference;
  }

  exported(clid: number): RemoteObject {
    return clid === 0 ? this.#itself : this.#exports.object(clid);
  }

  // ---- what is sent to the peer ------------------------------------------------------------------------------

  exporting(object: RemoteObject): { clid: number; introduction: readonly string[] } {
    const named = this.#exports.send(object, this.#options.furlOf(object));
    this.#sending.push(named.clid);
    return named;
  }

  returning(reference: RemoteReference): number | undefined {
    return reference instanceof Imported && this.#imports.get(reference.clid) === reference
      ? reference.clid
      : undefined;
  }

  /** Numbers of objects that are in the message being written. */
  #sending: number[] = [];

  readonly #itself: RemoteObject = {
    interfaceName: 'RIBroker',
    call: (method, given) => Promise.resolve(this.#callItself(method, given)),
  };

  #callItself(method: string, given: Parameters<RemoteObject['call']>[1]): Value {
    if (method === 'getReferenceByName') {
      const [name = null] = takeArguments(given, 'name');
      const found = this.#options.find(textOf(bytesOf()(name, 'the name')));
      if (found === undefined) throw new RemoteFailure('builtins.KeyError', 'nothing is registered here by that name');
      this.trust();
      this.#options.admitted();
      return found.object;
    }
    if (method === 'decref') {
      const [clid = null, count = null] = takeArguments(given, 'clid', 'count');
      const integer = integerOf(1, 2 ** 31);
      this.#exports.release(integer(clid, 'clid'), integer(count, 'count'), this);
      return null;
    }
    throw new RemoteFailure('builtins.AttributeError', 'a broker has no such method');
  }

  async #answer({ clid, method, named, positional, requestNumber }: CallMessage): Promise<void> {
    try {
      const value = await this.exported(clid).call(method, { positional, named }, this);
      if (requestNumber === 0 || this.#end !== undefined) return;
      this.#write('answer', () => {
        this.#writer.integer(requestNumber);
        writeValue(this.#writer, value, this);
      });
    } catch (error) {
      if (!isTahoeError(error) && !(error instanceof RemoteFailure)) {
        this.#options.log.error('foolscap-call-failed', { method: method.slice(0, 60), reason: reasonOf(error) });
      }
      if (requestNumber !== 0) this.#fail(requestNumber, error);
    }
  }

  #fail(requestNumber: number, error: unknown): void {
    if (this.#end !== undefined) return;
    this.#write('error', () => {
      this.#writer.integer(requestNumber);
      writeValue(this.#writer, failureOf(error), this);
    });
  }

  #writeCall({ clid, method, named, positional, requestNumber }: CallMessage): void {
    this.#writer.integer(requestNumber);
    this.#writer.integer(clid);
    this.#writer.word(method);
    sequence(this.#writer, 'arguments', () => {
      this.#writer.integer(positional.length);
      for (const value of positional) writeValue(this.#writer, value, this);
      for (const [name, value] of [...named].sort(([a], [b]) => (a < b ? -1 : 1))) {
        this.#writer.word(name);
        writeValue(this.#writer, value, this);
      }
    });
  }

  /** One message as a whole, or, when it cannot be written, nothing of it. */
  #write(type: string, write: () => void): void {
    this.#sending = [];
    try {
      sequence(this.#writer, type, write);
    } catch (error) {
      this.#writer.abandon();
      for (const clid of this.#sending) this.#exports.release(clid, 1, this);
      throw error;
    }
    this.#options.send(this.#writer.take());
  }

  #messageEnds(): void {
    this.#give(this.#messageBytes);
    this.#messageBytes = 0;
  }

  #give(bytes: number): void {
    if (this.#end !== undefined) return;
    this.#heldBytes -= bytes;
    this.#options.giveMemory(bytes);
  }
}
