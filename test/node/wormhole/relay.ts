/** A small mailbox server for tests, which also breaks connections, lies, and refuses when told to. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

type Fields = Readonly<Record<string, string>>;

/** What goes wrong with it. */
export interface RelayFaults {
  /** What the welcome holds. */
  readonly welcome?: object;
  /** Ends the connection after so many messages of its clients, once each. */
  readonly breaksAfter?: readonly number[];
  /** Sends this instead of a peer's message. */
  readonly change?: (fields: Fields) => object | string;
}

/** The server. It must be closed. */
export class Relay {
  readonly #server: WebSocketServer;
  readonly #faults: RelayFaults;
  readonly #messages: Fields[] = [];
  readonly #open = new Set<WebSocket>();
  readonly moods: string[] = [];
  #requestCount = 0;

  private constructor(server: WebSocketServer, faults: RelayFaults) {
    this.#server = server;
    this.#faults = faults;
    server.on('connection', (socket) => {
      this.#serve(socket);
    });
  }

  static async start(faults: RelayFaults = {}): Promise<Relay> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new Relay(server, faults);
  }

  get url(): string {
    return `ws://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/v1`;
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: WebSocket): void {
    let side = '';
    const say = (message: object): void => socket.send(JSON.stringify(message));
    say({ type: 'welcome', welcome: this.#faults.welcome ?? {} });
    socket.on('message', (data: Buffer) => {
      const request = JSON.parse(data.toString()) as Fields;
      this.#requestCount += 1;
      if (this.#faults.breaksAfter?.includes(this.#requestCount) === true) {
        socket.terminate();
        return;
      }
      if (request.type === 'bind') side = request.side ?? '';
      if (request.type === 'allocate') say({ type: 'allocated', nameplate: '4' });
      if (request.type === 'claim') say({ type: 'claimed', mailbox: 'box' });
      if (request.type === 'open') this.#enter(socket);
      if (request.type === 'add') this.#add({ ...request, side });
      if (request.type !== 'close') return;
      this.moods.push(request.mood ?? '');
      say({ type: 'closed' });
    });
    socket.on('close', () => this.#open.delete(socket));
  }

  #enter(socket: WebSocket): void {
    this.#open.add(socket);
    for (const message of this.#messages) this.#deliver(socket, message);
  }

  #add({ body = '', phase = '', side = '' }: Fields): void {
    const message = { type: 'message', side, phase, body };
    this.#messages.push(message);
    for (const socket of this.#open) this.#deliver(socket, message);
  }

  #deliver(socket: WebSocket, message: Fields): void {
    const changed = this.#faults.change?.(message) ?? message;
    socket.send(typeof changed === 'string' ? changed : JSON.stringify(changed));
  }
}
