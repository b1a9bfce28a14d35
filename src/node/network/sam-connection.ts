/** Connections to the SAM port of an I2P router: one keeps a session, each other becomes a stream of it. */
import type { Socket } from 'node:net';
import { withDeadline } from '#client/deadline.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { parseSamReply, SAM_LINE_LENGTH_MAX, samRequest } from '#wire/sam.js';
import type { SamReply } from '#wire/sam.js';
import { formatPlace } from '../config/proxy-place.js';
import type { ProxyPlace } from '../config/proxy-place.js';
import { connectTo } from './direct-dialler.js';
import { LineSocket } from './line-socket.js';

/** For one request; a session waits for tunnels to be built, in milliseconds. */
const REQUEST_TIMEOUT_MS = 120_000;

/** Where the router is. */
export interface SamOptions {
  readonly place: ProxyPlace;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One connection. Whoever opened it closes it. */
export class SamConnection {
  readonly #lines: LineSocket;
  readonly #name: string;
  readonly #clock: Clock;

  private constructor(lines: LineSocket, name: string, clock: Clock) {
    this.#lines = lines;
    this.#name = name;
    this.#clock = clock;
  }

  /** @throws ERR_PROXY when nobody listens, or it is no router; ERR_TIMEOUT, ERR_CANCELLED. */
  static async open({ clock, place, signal }: SamOptions): Promise<SamConnection> {
    const name = `the I2P router at ${formatPlace(place)}`;
    const socket = await connectTo(place, signal).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw new TahoeError('ERR_PROXY', { proxy: name, reason: reasonOf(error) }, { cause: error });
    });
    const connection = new SamConnection(new LineSocket(socket, name, SAM_LINE_LENGTH_MAX), name, clock);
    try {
      await connection.ask(samRequest.hello, 'HELLO REPLY', signal);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Says a line and hears its answer. @throws ERR_PROXY when the answer is none, or a refusal; ERR_TIMEOUT, ERR_CANCELLED. */
  async ask(line: string, topic: string, signal: AbortSignal): Promise<SamReply> {
    const limit = { clock: this.#clock, timeoutMs: REQUEST_TIMEOUT_MS, what: `${topic} of ${this.#name}`, signal };
    return withDeadline(limit, async (ended) => {
      const end = (): void => {
        this.close();
      };
      ended.addEventListener('abort', end, { once: true });
      try {
        this.#lines.send(line, '\n');
        return this.#judge(await this.#lines.line(), topic);
      } finally {
        ended.removeEventListener('abort', end);
      }
    });
  }

  /** The stream that begins behind the last answer. */
  release(): Socket {
    return this.#lines.release();
  }

  /** Resolves when the router has ended it. */
  closed(): Promise<void> {
    return this.#lines.closed();
  }

  close(): void {
    this.#lines.destroy();
  }

  #judge(line: string, topic: string): SamReply {
    let reply: SamReply;
    try {
      reply = parseSamReply(line);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_MESSAGE')) throw error;
      throw this.#failed('it does not speak SAM');
    }
    if (reply.topic !== topic) throw this.#failed(`it says ${reply.topic} where ${topic} is expected`);
    const result = reply.options.get('RESULT') ?? (topic === 'DEST REPLY' ? 'OK' : 'nothing');
    if (result === 'OK') return reply;
    const message = reply.options.get('MESSAGE')?.slice(0, 200) ?? '';
    throw this.#failed(`${topic} is ${result}${message === '' ? '' : `: ${message}`}`);
  }

  #failed(reason: string): TahoeError {
    return new TahoeError('ERR_PROXY', { proxy: this.#name, reason });
  }
}
