/**
 * Serves a session on a channel of bytes: packets in, answers out. Reading stops while much is unanswered, or while the
 * client takes no answers, so that neither side can fill the other's memory.
 */
import type { Duplex } from 'node:stream';
import type { Log } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { PacketSplitter } from './packet-splitter.js';
import { encodeReply, encodeVersion } from './replies.js';
import type { Reply } from './replies.js';
import { decodePacket } from './requests.js';
import type { Request } from './requests.js';
import type { SftpSession } from './session.js';
import { replyOf } from './status.js';

/** How many requests of a session may be unanswered before no more are read. */
export const UNANSWERED_MAX = 64;
/** How many bytes they may hold. */
const UNANSWERED_SIZE_MAX = 4_194_304;

/**
 * Serves until the channel ends. The session is ended with it.
 * @returns when nothing of it is left.
 */
export async function serveChannel(channel: Duplex, session: SftpSession, log: Log): Promise<void> {
  await new ChannelLoop(channel, session, log).run();
  await session.end();
}

class ChannelLoop {
  readonly #channel: Duplex;
  readonly #session: SftpSession;
  readonly #log: Log;
  readonly #splitter = new PacketSplitter();
  readonly #unanswered = new Set<Promise<void>>();
  #unansweredSize = 0;
  #isGreeted = false;

  constructor(channel: Duplex, session: SftpSession, log: Log) {
    this.#channel = channel;
    this.#session = session;
    this.#log = log;
  }

  /** Until the client says that it is done, or is gone. */
  async run(): Promise<void> {
    const channel = this.#channel;
    let stop: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      stop = resolve;
    });
    channel.on('data', (piece: Uint8Array) => {
      if (!this.#take(piece)) stop();
    });
    channel.once('error', stop);
    channel.once('close', stop);
    const ended = new Promise<void>((resolve) => channel.once('end', resolve));
    await Promise.race([gone, ended.then(() => Promise.all(this.#unanswered))]);
    channel.removeAllListeners('data');
  }

  /** @returns false when the client does not speak SFTP. */
  #take(piece: Uint8Array): boolean {
    try {
      for (const packet of this.#splitter.push(piece)) this.#handle(packet);
      this.#throttle();
      return true;
    } catch (error) {
      this.#log.info('SFTP session ended for what the client sent', { reason: reasonOf(error) });
      if (isTahoeError(error)) return false;
      throw error;
    }
  }

  #handle(bytes: Uint8Array): void {
    const packet = decodePacket(bytes);
    switch (packet.kind) {
      case 'init':
        this.#isGreeted = true;
        this.#channel.write(encodeVersion());
        return;
      case 'malformed':
        void this.#send(packet.id, {
          kind: 'status',
          reply: { status: 'badMessage', sentence: 'the request is cut short' },
        });
        return;
      case 'request':
        this.#serve(packet.id, this.#isGreeted ? packet.request : NOT_GREETED, bytes.length);
    }
  }

  #serve(id: number, request: Request, size: number): void {
    const work = this.#answer(id, request);
    this.#unanswered.add(work);
    this.#unansweredSize += size;
    void work.then(() => {
      this.#unanswered.delete(work);
      this.#unansweredSize -= size;
      this.#throttle();
    });
  }

  async #answer(id: number, request: Request): Promise<void> {
    let reply: Reply;
    try {
      reply = await this.#session.answer(request);
    } catch (error) {
      reply = this.#replyOfError(request, error);
    }
    await this.#send(id, reply);
  }

  #replyOfError({ kind }: Request, error: unknown): Reply {
    const reply = replyOf(error);
    // Neither path nor message: they may name capabilities.
    if (reply === undefined)
      this.#log.error('SFTP request failed', { kind, fault: error instanceof Error ? error.name : '' });
    else if (reply.status === 'failure') this.#log.info('SFTP request failed', { kind, code: codeOf(error) });
    return {
      kind: 'status',
      reply: reply ?? { status: 'failure', sentence: 'a fault of the server; its log has more' },
    };
  }

  /** @returns when the client has room for more. */
  #send(id: number, reply: Reply): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#channel.writable) resolve();
      else this.#channel.write(encodeReply(id, reply), () => resolve());
    });
  }

  #throttle(): void {
    const isFull = this.#unanswered.size >= UNANSWERED_MAX || this.#unansweredSize >= UNANSWERED_SIZE_MAX;
    if (isFull) this.#channel.pause();
    else if (this.#channel.isPaused()) this.#channel.resume();
  }
}

const NOT_GREETED: Request = { kind: 'unknown', what: 'requests before the greeting' };

function codeOf(error: unknown): string {
  return isTahoeError(error) ? error.code : '';
}
