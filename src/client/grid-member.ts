/**
 * One known server of the grid and whether it can be used now.
 *
 * Its version is asked for every few seconds; the last answer decides. A server that fails is asked again after a
 * delay that doubles, with jitter so that a grid's clients do not all come back at once, and when it is its turn
 * among all that do not answer (dial-turns.ts). A new announcement of it has it asked as if it were new. Every call that others make
 * to it is watched: an answer proves it alive, a failed connection proves the contrary, a timeout has it asked now.
 */
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import type { DialEnded, DialLane, DialTurns } from './dial-turns.js';
import { StorageServerDecorator } from './storage-server-decorator.js';
import type { Call, OperationName } from './storage-server-decorator.js';
import type { CallOptions, ServerVersion, StorageServer } from './storage-server.js';

/** How often a server is asked for its version, in milliseconds. */
export interface PollLimits {
  /** Between polls of a server that answers. */
  readonly intervalMs: number;
  /** The longest time an answer may take. */
  readonly timeoutMs: number;
  /** The first delay after a failure; each further failure doubles it. */
  readonly backOffFirstMs: number;
  readonly backOffMaxMs: number;
  /** The longest delay while it has never answered. */
  readonly backOffUnmetMaxMs: number;
  /** The shortest time between the beginnings of two polls, whatever happens in between. */
  readonly spacingMs: number;
}

/** How often servers are asked unless told otherwise. */
export const defaultPollLimits: PollLimits = {
  intervalMs: 5000,
  timeoutMs: 5000,
  backOffFirstMs: 1000,
  backOffMaxMs: 60_000,
  backOffUnmetMaxMs: 300_000,
  spacingMs: 1000,
};

/** Which servers have answered at some time, be it before a restart. */
export interface MetServers {
  has(serverId: string): boolean;
  add(serverId: string): void;
}

/** What a member needs of the world, and whom it tells that its state has changed. */
export interface MemberEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: PollLimits;
  readonly turns: DialTurns;
  readonly met?: MetServers | undefined;
  readonly changed: () => void;
}

/** When a server is asked for the first time, and how many places are dialled to reach it. */
export interface FirstAttempt {
  readonly delayMs: number;
  readonly dialCount: number;
}

/** A server that is polled from its construction until `close`. */
export class GridMember {
  /** The server, each of whose calls tells this member how it went. */
  readonly server: StorageServer;
  readonly #inner: StorageServer;
  readonly #environment: MemberEnvironment;
  readonly #closing = new AbortController();
  readonly #dialCount: number;
  #connected = false;
  #hasAnswered: boolean;
  #attemptCount = 0;
  #connectionStatus = 'connecting';
  #version: ServerVersion | undefined;
  #lastReceivedDataMs: number | undefined;
  #latencyMs: number | undefined;
  #clockOffsetMs: number | undefined;
  #lastReplyMs = -Infinity;
  #failureCount = 0;
  #pollStartMs = -Infinity;
  #pollDueMs = Infinity;
  #cancelTimer: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #isWaiting = false;
  #leaveTurns: () => void = () => undefined;

  /** Takes over `server`: closing the member closes it. */
  constructor(server: StorageServer, environment: MemberEnvironment, { delayMs, dialCount }: FirstAttempt) {
    this.#inner = server;
    this.#environment = environment;
    this.#dialCount = dialCount;
    this.#hasAnswered = environment.met?.has(server.serverId) ?? false;
    this.server = new WatchedServer(server, this);
    this.#schedule(delayMs);
  }

  /** Whether the last poll was answered, and no connection has failed since. */
  get connected(): boolean {
    return this.#connected;
  }

  /** How many polls have ended. */
  get attemptCount(): number {
    return this.#attemptCount;
  }

  /** When the last poll began, by the monotonic clock; -Infinity before the first. */
  get attemptStartMs(): number {
    return this.#pollStartMs;
  }

  /** `connected`, `connecting`, or why it is not. */
  get connectionStatus(): string {
    return this.#connectionStatus;
  }

  /** Its last answer; undefined before the first. */
  get version(): ServerVersion | undefined {
    return this.#version;
  }

  /** When anything was last received from it, Unix milliseconds. */
  get lastReceivedDataMs(): number | undefined {
    return this.#lastReceivedDataMs;
  }

  /** How long the last answer to a poll took, in milliseconds. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /** By how much its clock was ahead of ours at the last poll, in milliseconds, to the second; undefined where it does not say. */
  get clockOffsetMs(): number | undefined {
    return this.#clockOffsetMs;
  }

  /** It was announced anew: where it does not answer, its delays begin from the first. */
  announcedAnew(): void {
    if (this.#connected) return;
    this.#failureCount = 0;
    if (!this.#isWaiting) this.tryAgain();
    else {
      this.#leaveTurns();
      this.#waitForTurn();
    }
  }

  /** Has it asked at its next turn, whatever its delay, where it does not answer. */
  tryAgain(): void {
    if (!this.#connected) this.#schedule(0);
  }

  /** Some call was answered. */
  noteAnswer(): void {
    const { clock, limits } = this.#environment;
    this.#lastReceivedDataMs = clock.nowMs();
    this.#lastReplyMs = clock.monotonicMs();
    if (!this.#connected) this.#schedule(limits.spacingMs);
  }

  /** Some call failed. */
  noteFailure(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    if (isTahoeError(error, 'ERR_CONNECT', 'ERR_PIN')) {
      if (this.#connected) this.#disconnect(error);
    } else if (isTahoeError(error, 'ERR_TIMEOUT', 'ERR_CONNECTION_CLOSED')) {
      this.#schedule(0);
    }
  }

  /** Stops polling and closes the server. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelTimer();
    this.#leaveTurns();
    await this.#running;
    await this.#inner.close();
  }

  async #poll(): Promise<void> {
    const { clock, limits, log } = this.#environment;
    this.#pollStartMs = clock.monotonicMs();
    try {
      this.#version = await this.#inner.version({ timeoutMs: limits.timeoutMs, signal: this.#closing.signal });
      this.#latencyMs = clock.monotonicMs() - this.#pollStartMs;
      const { serverTimeMs } = this.#version;
      this.#clockOffsetMs = serverTimeMs === undefined ? undefined : serverTimeMs - clock.nowMs();
      if (!this.#connected) log.info('server-connected', { server: this.#inner.shortName });
      this.#connect();
      this.noteAnswer();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // Busy with other calls, which it answers: slow, not gone.
      if (isTahoeError(error, 'ERR_TIMEOUT') && this.#connected && this.#lastReplyMs >= this.#pollStartMs) {
        this.#schedule(limits.intervalMs);
      } else {
        this.#disconnect(error);
      }
    } finally {
      this.#attemptCount += 1;
      this.#environment.changed();
    }
  }

  #connect(): void {
    this.#connected = true;
    this.#hasAnswered = true;
    this.#environment.met?.add(this.#inner.serverId);
    this.#connectionStatus = 'connected';
    this.#failureCount = 0;
    this.#schedule(this.#environment.limits.intervalMs);
  }

  #disconnect(error: unknown): void {
    const { limits, log } = this.#environment;
    const reason = isTahoeError(error, 'ERR_CONNECT') ? error.facts.reason : reasonOf(error);
    if (this.#connected || this.#connectionStatus !== reason) {
      log.warn('server-disconnected', { server: this.#inner.shortName, reason });
    }
    this.#connected = false;
    this.#connectionStatus = reason;
    const longestMs = this.#hasAnswered ? limits.backOffMaxMs : limits.backOffUnmetMaxMs;
    const delayMs = Math.min(longestMs, limits.backOffFirstMs * 2 ** this.#failureCount);
    this.#failureCount += 1;
    this.#cancelTimer();
    this.#pollDueMs = Infinity;
    this.#schedule(delayMs * (0.5 + 0.5 * this.#fraction()));
    this.#environment.changed();
  }

  /** Has the next poll after `delayMs` at the latest, but never sooner than the spacing allows. */
  #schedule(delayMs: number): void {
    const { clock, limits } = this.#environment;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.max(nowMs + delayMs, this.#pollStartMs + limits.spacingMs);
    if (this.#closing.signal.aborted || dueMs >= this.#pollDueMs) return;
    this.#cancelTimer();
    this.#pollDueMs = dueMs;
    this.#cancelTimer = clock.schedule(Math.max(0, dueMs - nowMs), () => {
      this.#pollUnlessRunning();
    });
  }

  /** A poll that is due while one is running or waiting is that one: its end sets the next. */
  #pollUnlessRunning(): void {
    this.#pollDueMs = Infinity;
    if (this.#running !== undefined || this.#isWaiting) return;
    if (this.#connected) this.#begin(() => undefined);
    else this.#waitForTurn();
  }

  #waitForTurn(): void {
    this.#isWaiting = true;
    this.#leaveTurns = this.#environment.turns.ask(this.#lane(), this.#dialCount, (ended) => {
      this.#isWaiting = false;
      this.#begin(ended);
    });
  }

  #lane(): DialLane {
    if (this.#hasAnswered) return 'met';
    return this.#failureCount === 0 ? 'new' : 'silent';
  }

  #begin(ended: DialEnded): void {
    this.#running = this.#poll().finally(() => {
      this.#running = undefined;
      ended(this.#connected);
    });
  }

  /** From 0 to just below 1. */
  #fraction(): number {
    const [high = 0, low = 0] = this.#environment.random.bytes(2);
    return (high * 256 + low) / 65_536;
  }
}

/** Tells a member how calls to its server went. */
class WatchedServer extends StorageServerDecorator {
  readonly #inner: StorageServer;
  readonly #member: GridMember;

  constructor(inner: StorageServer, member: GridMember) {
    super(inner);
    this.#inner = inner;
    this.#member = member;
  }

  /** Closes the member with its server. */
  async close(): Promise<void> {
    await this.#member.close();
  }

  protected async around<Reply>(_operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    try {
      const reply = await call(this.#inner, options);
      this.#member.noteAnswer();
      return reply;
    } catch (error) {
      this.#member.noteFailure(error);
      throw error;
    }
  }
}
