/**
 * A magic wormhole: two programs that share a short code exchange sealed messages through a mailbox server that they
 * need not trust.
 *
 *   bind → allocate or take the nameplate of the code → claim → open → pake ⇄ pake → version ⇄ version → 0, 1, 2 …
 *
 * A connection that breaks is made again, and what was said is said again: the server keeps the mailbox. A message that
 * does not open means that somebody else used the code, or mistyped it: that is the end of it.
 * @see magic-wormhole docs/api.md, docs/client-protocol.md
 */
import { fromHex, fromUtf8, toHex, utf8 } from '#core/bytes.js';
import type { Clock, Random } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { makeWormholeCode } from '#wire/wormhole/code.js';
import type { WormholeCode } from '#wire/wormhole/code.js';
import { formatMailboxRequest, parseMailboxReply } from '#wire/wormhole/mailbox-messages.js';
import type { MailboxReply, MailboxRequest } from '#wire/wormhole/mailbox-messages.js';
import { createPhaseBox } from '#wire/wormhole/phase-box.js';
import type { PhaseBox } from '#wire/wormhole/phase-box.js';
import { startSpake2 } from '#wire/wormhole/spake2.js';
import type { Spake2 } from '#wire/wormhole/spake2.js';
import { version } from '../version.js';
import type { RelayLink, RelayListener } from './relay-link.js';

const SIDE_SIZE = 5;
/** Messages of the other side that are kept. */
const MESSAGES_MAX = 64;
/** How often in a row a connection is made again, and how long before each, in milliseconds. */
const RETRY_DELAYS_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
/** How long the server may take to confirm the end. */
const CLOSE_TIMEOUT_MS = 5_000;

/** How the wormhole ended: the server counts such things. */
export type Mood = 'happy' | 'scary' | 'errory' | 'lonely';

/** What a wormhole is made of. */
export interface WormholeOptions {
  readonly relay: string;
  readonly appId: string;
  /** Without it the server gives a nameplate, and words are chosen. */
  readonly code?: WormholeCode | undefined;
  readonly random: Random;
  readonly clock: Clock;
  readonly connect: (listener: RelayListener) => Promise<RelayLink>;
  readonly signal: AbortSignal;
}

/** One side of a wormhole. It must be closed. */
export class Wormhole {
  readonly #options: WormholeOptions;
  readonly #side: string;
  readonly #said = new Map<string, string>();
  /** Phases that the server has given back to us: it has them. */
  readonly #kept = new Set<string>();
  readonly #heard = new Map<string, Uint8Array>();
  readonly #opened = new Map<string, Uint8Array>();
  #theirSide = '';
  #link: RelayLink | undefined;
  #code: WormholeCode | undefined;
  #mailbox: string | undefined;
  #spake2: Spake2 | undefined;
  #box: PhaseBox | undefined;
  #isWelcome = false;
  #isReleased = false;
  #isClosed = false;
  #isConfirmed = false;
  #failure: Error | undefined;
  #failedCount = 0;
  #sentCount = 0;
  #readCount = 0;
  #handling: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;

  private constructor(options: WormholeOptions) {
    this.#options = options;
    this.#code = options.code;
    this.#side = toHex(options.random.bytes(SIDE_SIZE));
    options.signal.addEventListener('abort', this.#abort);
  }

  /** Connects and waits for the server's welcome. @throws ERR_RELAY, ERR_CANCELLED. */
  static async open(options: WormholeOptions): Promise<Wormhole> {
    const wormhole = new Wormhole(options);
    try {
      if (options.signal.aborted) wormhole.#abort();
      await wormhole.#until(() => true);
      await wormhole.#connect();
      await wormhole.#until(() => wormhole.#isWelcome);
      return wormhole;
    } catch (error) {
      await wormhole.close('errory');
      throw error;
    }
  }

  /** The code, once there is one. @throws ERR_RELAY, ERR_CANCELLED. */
  async code(): Promise<string> {
    await this.#until(() => this.#mailbox !== undefined);
    return this.#code?.text ?? '';
  }

  /** Sends when the other side is there, and waits until the server has it. @throws as `receive`. */
  async send(message: string): Promise<void> {
    await this.#until(() => this.#box !== undefined);
    const phase = String(this.#sentCount);
    this.#sentCount += 1;
    this.#say(phase, this.#seal(phase, utf8(message)));
    await this.#until(() => this.#kept.has(phase));
  }

  /** The next message of the other side. @throws ERR_WRONG_CODE, ERR_RELAY, ERR_CANCELLED. */
  async receive(): Promise<string> {
    const phase = String(this.#readCount);
    await this.#until(() => this.#opened.has(phase));
    this.#readCount += 1;
    return fromUtf8(this.#opened.get(phase) ?? new Uint8Array(0));
  }

  /** Ends it on the server too, if that answers soon. Never throws. */
  async close(mood: Mood): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRetry();
    this.#options.signal.removeEventListener('abort', this.#abort);
    const link = this.#link;
    if (link !== undefined && this.#mailbox !== undefined) {
      const actual = isTahoeError(this.#failure, 'ERR_WRONG_CODE') ? 'scary' : mood;
      this.#tell({ type: 'close', mailbox: this.#mailbox, mood: actual });
      await this.#confirmation();
    }
    link?.close();
    this.#link = undefined;
  }

  /** Waits for the server's last word, but not for long. */
  async #confirmation(): Promise<void> {
    let isOver = false as boolean;
    const cancel = this.#options.clock.schedule(CLOSE_TIMEOUT_MS, () => {
      isOver = true;
      this.#wake();
    });
    while (!isOver && !this.#isConfirmed && this.#link !== undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    cancel();
  }

  readonly #abort = (): void => {
    const { reason } = this.#options.signal as { reason: unknown };
    this.#fail(reason instanceof TahoeError ? reason : new TahoeError('ERR_CANCELLED', { what: 'the invitation' }));
  };

  async #connect(): Promise<void> {
    let admit = (): void => undefined;
    const admitted = new Promise<void>((resolve) => {
      admit = resolve;
    });
    const link = await this.#options.connect({
      text: (text) => {
        this.#handling = this.#handling.then(() => admitted).then(() => this.#handle(text));
      },
      closed: (reason) => {
        this.#link = undefined;
        if (this.#isClosed) this.#wake();
        else this.#reconnect(reason);
      },
    });
    if (this.#isClosed) link.close();
    else this.#link = link;
    admit();
  }

  #reconnect(reason: string): void {
    const delayMs = RETRY_DELAYS_MS[this.#failedCount];
    this.#failedCount += 1;
    if (delayMs === undefined) {
      this.#fail(this.#relayError(reason));
      return;
    }
    this.#cancelRetry = this.#options.clock.schedule(delayMs, () => {
      this.#connect().catch((error: unknown) => {
        if (!this.#isClosed) this.#reconnect(reasonOf(error));
      });
    });
  }

  async #handle(text: string): Promise<void> {
    try {
      const reply = parseMailboxReply(text);
      if (reply !== undefined) await this.#obey(reply);
    } catch (error) {
      this.#fail(isTahoeError(error, 'ERR_MESSAGE') ? this.#relayError(error.message) : error);
    }
    this.#wake();
  }

  async #obey(reply: MailboxReply): Promise<void> {
    switch (reply.type) {
      case 'welcome':
        if (reply.refusal !== undefined) throw this.#relayError(reply.refusal);
        this.#isWelcome = true;
        this.#begin();
        return;
      case 'allocated':
        this.#code ??= makeWormholeCode(reply.nameplate, this.#options.random);
        this.#claim();
        return;
      case 'claimed':
        this.#mailbox = reply.mailbox;
        this.#enter();
        return;
      case 'message':
        this.#failedCount = 0;
        if (reply.side === this.#side) this.#kept.add(reply.phase);
        else await this.#hear(reply.side, reply.phase, reply.body);
        return;
      case 'error':
        throw this.#relayError(reply.reason);
      case 'closed':
        this.#isConfirmed = true;
    }
  }

  #begin(): void {
    const { appId } = this.#options;
    this.#tell({ type: 'bind', appid: appId, side: this.#side, client_version: ['tallac', version] });
    if (this.#code === undefined) this.#tell({ type: 'allocate' });
    else if (this.#isReleased) this.#enter();
    else this.#claim();
  }

  #claim(): void {
    if (this.#code !== undefined) this.#tell({ type: 'claim', nameplate: this.#code.nameplate });
  }

  #enter(): void {
    if (this.#mailbox === undefined || this.#code === undefined) return;
    this.#tell({ type: 'open', mailbox: this.#mailbox });
    for (const [phase, body] of this.#said) this.#tell({ type: 'add', phase, body });
    if (this.#spake2 !== undefined) return;
    this.#spake2 = startSpake2(utf8(this.#code.text), utf8(this.#options.appId), this.#options.random);
    this.#say('pake', utf8(JSON.stringify({ pake_v1: toHex(this.#spake2.message) })));
  }

  async #hear(side: string, phase: string, body: Uint8Array): Promise<void> {
    if (this.#theirSide === '') this.#theirSide = side;
    if (side !== this.#theirSide || this.#heard.has(phase) || this.#heard.size >= MESSAGES_MAX) return;
    this.#heard.set(phase, body);
    if (phase === 'pake') await this.#agree(body);
    if (this.#box === undefined) return;
    for (const [name, sealed] of this.#heard) if (name !== 'pake') this.#openMessage(name, sealed);
  }

  async #agree(body: Uint8Array): Promise<void> {
    const key = this.#spake2?.finish(pakeOf(body));
    if (key === undefined || this.#code === undefined) return;
    this.#box = await createPhaseBox(key, this.#options.random);
    this.#isReleased = true;
    this.#tell({ type: 'release', nameplate: this.#code.nameplate });
    this.#say('version', this.#seal('version', utf8('{}')));
  }

  #openMessage(phase: string, sealed: Uint8Array): void {
    if (this.#opened.has(phase)) return;
    const plaintext = this.#box?.open(this.#theirSide, phase, sealed);
    if (plaintext === undefined) throw new TahoeError('ERR_WRONG_CODE', { relay: this.#options.relay });
    this.#opened.set(phase, plaintext);
  }

  #seal(phase: string, plaintext: Uint8Array): Uint8Array {
    return this.#box?.seal(this.#side, phase, plaintext) ?? new Uint8Array(0);
  }

  #say(phase: string, body: Uint8Array): void {
    const text = toHex(body);
    this.#said.set(phase, text);
    this.#tell({ type: 'add', phase, body: text });
  }

  /** What is lost with the connection is said again on the next one. */
  #tell(request: MailboxRequest): void {
    this.#link?.send(formatMailboxRequest(request));
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(reasonOf(error));
    this.#wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.#failure === undefined && !condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #relayError(reason: string): TahoeError {
    return new TahoeError('ERR_RELAY', { relay: this.#options.relay, reason });
  }
}

function pakeOf(body: Uint8Array): Uint8Array {
  const fail = (): TahoeError => new TahoeError('ERR_MESSAGE', { what: 'first message', reason: 'it is no pake_v1' });
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(body));
  } catch {
    throw fail();
  }
  const hex = typeof value === 'object' && value !== null && 'pake_v1' in value ? value.pake_v1 : undefined;
  const message = typeof hex === 'string' ? fromHex(hex) : undefined;
  if (message === undefined) throw fail();
  return message;
}
