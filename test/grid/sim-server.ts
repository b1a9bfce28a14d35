/**
 * A storage server behind a network: every call takes virtual time both ways, ends within its deadline as a real
 * transport's does, and meets the fault that the server has at that moment. Behind it is a server in memory.
 */
import { TahoeError } from '#core/errors.js';
import { StorageServerDecorator } from '#client/storage-server-decorator.js';
import type { Call, OperationName } from '#client/storage-server-decorator.js';
import type { CallOptions } from '#client/storage-server.js';
import type { Chance } from '../fixtures/chance.js';
import type { ManualClock } from '../fixtures/clock.js';
import type { MemoryServer } from '../fixtures/memory-server.js';
import { lieAbout, withWrongVersion } from './lies.js';

/** What a call may take that names no deadline. */
const TRANSPORT_TIMEOUT_MS = 60_000;
const LATENCY_MAX_MS = 40;
const SLOWNESS_MAX_MS = 3_000;
/** A reason that costs nothing to make. */
const over = 'the call is over';

/** What can be wrong with a server. */
export type FaultKind =
  | 'hang' // no answer, ever
  | 'drop' // the connection closes
  | 'refuse' // an error for an answer
  | 'slow'
  | 'lie'
  | 'wrong version' // its shares are of a version that nobody knows
  | 'full';

/** A fault, and what it befalls. */
export interface Fault {
  readonly kind: FaultKind;
  /** Whether the server does what it was asked before the fault shows. */
  readonly phase: 'before' | 'after';
  /** All operations, where it is left out. */
  readonly operations?: readonly OperationName[];
}

/** What a server was told of one of its shares. */
export interface Accusation {
  readonly server: SimServer;
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** @see StorageServer */
export class SimServer extends StorageServerDecorator {
  readonly inner: MemoryServer;
  /** Every report of damage that was sent to it. */
  readonly accusations: Accusation[] = [];
  readonly #clock: ManualClock;
  readonly #chance: Chance;
  #fault: Fault | undefined;
  #isDead = false;
  #changedMs = -Infinity;
  #liedMs = -Infinity;
  readonly #inFlight = new Set<(error: Error) => void>();

  constructor(inner: MemoryServer, clock: ManualClock, chance: Chance) {
    super(inner);
    this.inner = inner;
    this.#clock = clock;
    this.#chance = chance;
  }

  get fault(): Fault | undefined {
    return this.#fault;
  }

  set fault(fault: Fault | undefined) {
    this.#changedMs = this.#clock.monotonicMs();
    if (this.#isLying) this.#liedMs = this.#changedMs;
    this.#fault = fault;
    this.inner.space = fault?.kind === 'full' ? 0 : Infinity;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether it is well, and has been since `ms` on the clock. */
  wellSince(ms: number): boolean {
    return this.#fault === undefined && !this.#isDead && this.#changedMs <= ms;
  }

  /** Whether it has said nothing since `ms` on the clock that is not so. */
  honestSince(ms: number): boolean {
    return !this.#isLying && this.#liedMs <= ms;
  }

  get #isLying(): boolean {
    return this.#fault?.kind === 'lie' || this.#fault?.kind === 'wrong version';
  }

  /** Ends the process: what is under way fails, and uploads that are not complete are lost. */
  kill(): void {
    this.#changedMs = this.#clock.monotonicMs();
    this.#isDead = true;
    this.inner.uploads.clear();
    for (const fail of [...this.#inFlight]) fail(this.#closed('a call', false));
  }

  revive(): void {
    this.#changedMs = this.#clock.monotonicMs();
    this.#isDead = false;
  }

  override reportCorrupt(
    storageIndex: Uint8Array,
    shareNumber: number,
    reason: string,
    options?: CallOptions,
  ): Promise<void> {
    this.accusations.push({ server: this, storageIndex, shareNumber });
    return super.reportCorrupt(storageIndex, shareNumber, reason, options);
  }

  close(): Promise<void> {
    for (const fail of [...this.#inFlight]) fail(new TahoeError('ERR_CANCELLED', { what: 'the call' }));
    return Promise.resolve();
  }

  protected around<Reply>(operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    const { timeoutMs = TRANSPORT_TIMEOUT_MS, signal } = options;
    const ended = new AbortController();
    return new Promise<Reply>((resolve, reject) => {
      const settle = (action: () => void): void => {
        cancelTimer();
        signal?.removeEventListener('abort', cancel);
        this.#inFlight.delete(fail);
        ended.abort(over);
        action();
      };
      const fail = (error: Error): void => {
        settle(() => {
          reject(error);
        });
      };
      const cancel = (): void => {
        fail(new TahoeError('ERR_CANCELLED', { what: operation }));
      };
      const cancelTimer = this.#clock.schedule(timeoutMs, () => {
        fail(new TahoeError('ERR_TIMEOUT', { what: `${operation} on ${this.shortName}`, timeoutMs }));
      });
      this.#inFlight.add(fail);
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted === true) {
        cancel();
        return;
      }
      this.#serve(operation, call, ended.signal).then((reply) => {
        settle(() => {
          resolve(reply);
        });
      }, fail);
    });
  }

  async #serve<Reply>(operation: OperationName, call: Call<Reply>, ended: AbortSignal): Promise<Reply> {
    const fault = this.#faultOf(operation);
    const isSlow = fault?.kind === 'slow';
    await this.#delay(isSlow, ended);
    if (this.#isDead) throw new TahoeError('ERR_CONNECT', { server: this.shortName, reason: 'nothing listens there' });
    if (fault?.phase === 'before') await this.#strike(fault, operation, ended);
    const reply = await call(this.inner, { signal: ended });
    await this.#delay(isSlow, ended);
    if (fault?.phase === 'after') await this.#strike(fault, operation, ended);
    if (fault?.kind === 'lie') return lieAbout(operation, reply, this.#chance);
    return fault?.kind === 'wrong version' ? withWrongVersion(operation, reply) : reply;
  }

  #faultOf(operation: OperationName): Fault | undefined {
    const fault = this.#fault;
    return fault?.operations === undefined || fault.operations.includes(operation) ? fault : undefined;
  }

  async #strike(fault: Fault, operation: OperationName, ended: AbortSignal): Promise<void> {
    if (fault.kind === 'hang') await this.#waitFor(undefined, ended);
    if (fault.kind === 'drop') throw this.#closed(operation, fault.phase === 'after');
    if (fault.kind === 'refuse') throw this.inner.refusal(operation);
  }

  #delay(isSlow: boolean, ended: AbortSignal): Promise<void> {
    return this.#waitFor(1 + this.#chance.below(isSlow ? SLOWNESS_MAX_MS : LATENCY_MAX_MS), ended);
  }

  /** Without a time: until the call is given up. */
  #waitFor(ms: number | undefined, ended: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancelTimer = ms === undefined ? undefined : this.#clock.schedule(ms, resolve);
      ended.addEventListener('abort', () => cancelTimer?.(), { once: true });
    });
  }

  #closed(what: string, replyBegun: boolean): TahoeError {
    return new TahoeError('ERR_CONNECTION_CLOSED', { server: this.shortName, what, keptAlive: true, replyBegun });
  }
}
