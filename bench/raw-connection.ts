/**
 * One kept-alive TLS connection that sends requests as they are given and reads replies with the least possible
 * effort, so that a benchmark measures the server and not its own client. It believes everything; only for benchmarks.
 */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';

const HEAD_END = Buffer.from('\r\n\r\n');

/** A reply: its status, and how many bytes its body had. */
export interface RawReply {
  readonly status: number;
  readonly size: number;
}

export class RawConnection {
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #chunked = false;
  #status = 0;
  #size = 0;
  #missing = -1;
  #resolve: (reply: RawReply) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    socket.on('error', (error: Error) => {
      this.#reject(error);
    });
    socket.on('close', () => {
      this.#reject(new Error('the server closed the connection'));
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return new RawConnection(socket);
  }

  /** Sends one request, all its parts, and waits for its reply. One at a time. */
  request(...parts: readonly (string | Uint8Array)[]): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    if (this.#missing < 0) this.#takeHead(bytes);
    else if (this.#chunked) this.#takeChunks(bytes);
    else this.#takeBody(bytes.length);
  }

  #takeHead(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#rest.toString('latin1', 0, end);
    const body = this.#rest.subarray(end + HEAD_END.length);
    this.#rest = Buffer.alloc(0);
    this.#status = Number(head.slice(9, 12));
    this.#chunked = /transfer-encoding: *chunked/i.test(head);
    this.#size = Number(/content-length: *([0-9]+)/i.exec(head)?.[1] ?? 0);
    this.#missing = this.#size;
    if (this.#chunked) this.#takeChunks(body);
    else this.#takeBody(body.length);
  }

  #takeBody(size: number): void {
    this.#missing -= size;
    if (this.#missing <= 0) this.#end();
  }

  /** `missing` is what is left of a chunk with its line end; 0 between chunks. */
  #takeChunks(bytes: Buffer): void {
    let left: Buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const skipped = Math.min(this.#missing, left.length);
      this.#missing -= skipped;
      left = left.subarray(skipped);
      const lineEnd = this.#missing > 0 ? -1 : left.indexOf('\r\n');
      this.#rest = left;
      if (lineEnd < 0) return;
      const size = Number.parseInt(left.toString('latin1', 0, lineEnd), 16);
      if (size === 0 && left.length < lineEnd + 4) return;
      left = left.subarray(lineEnd + 2);
      this.#size += size;
      this.#missing = size + 2;
      if (size > 0) continue;
      this.#rest = Buffer.alloc(0);
      this.#end();
      return;
    }
  }

  #end(): void {
    this.#missing = -1;
    this.#resolve({ status: this.#status, size: this.#size });
  }
}
