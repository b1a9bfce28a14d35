/** A socket over which lines go to and fro, as those of Tor's control port and of SAM. What follows them can be taken over. */
import type { Socket } from 'node:net';
import { TahoeError } from '#core/errors.js';

const LINE_FEED = 0x0a;

/** Reads and writes lines. */
export class LineSocket {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #lengthMax: number;
  #buffer = Buffer.alloc(0);

  /** @param peer - what errors call it. @param lengthMax - the longest line, in bytes. */
  constructor(socket: Socket, peer: string, lengthMax: number) {
    this.#socket = socket;
    this.#peer = peer;
    this.#lengthMax = lengthMax;
    socket.on('error', () => undefined);
  }

  /** Sends a line. @param end - what stands behind it. */
  send(line: string, end: '\r\n' | '\n'): void {
    this.#socket.write(`${line}${end}`, 'latin1');
  }

  /** The next line, without its end. @throws ERR_PROXY when there is none any more, or it is too long. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(LINE_FEED);
      if ((end < 0 ? this.#buffer.length : end) > this.#lengthMax)
        throw this.#failed('it sends a line that is too long');
      if (end >= 0) {
        const line = this.#buffer.toString('latin1', 0, end).replace(/\r$/, '');
        this.#buffer = this.#buffer.subarray(end + 1);
        return line;
      }
      const piece = this.#socket.read() as Buffer | null;
      if (piece === null) await this.#readable();
      else this.#buffer = Buffer.concat([this.#buffer, piece]);
    }
  }

  /** Resolves when the connection has ended. What still comes is dropped. */
  async closed(): Promise<void> {
    this.#socket.resume();
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.once('close', resolve).once('end', resolve));
  }

  /** The socket, from what follows the last line that was read. */
  release(): Socket {
    if (this.#buffer.length > 0) this.#socket.unshift(this.#buffer);
    this.#buffer = Buffer.alloc(0);
    return this.#socket;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #readable(): Promise<void> {
    const closed = this.#failed('it closed the connection');
    if (this.#socket.destroyed || this.#socket.readableEnded) throw closed;
    let stop = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const end = (): void => {
          reject(closed);
        };
        this.#socket.once('readable', resolve).once('end', end).once('close', end);
        stop = () => {
          this.#socket.off('readable', resolve).off('end', end).off('close', end);
        };
      });
    } finally {
      stop();
    }
  }

  #failed(reason: string): TahoeError {
    return new TahoeError('ERR_PROXY', { proxy: this.#peer, reason });
  }
}
