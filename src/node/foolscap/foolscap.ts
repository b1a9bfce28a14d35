/**
 * Foolscap in a node: its Tub, what is served on it, and the servers that are used over it. The rest of the node knows this file and
 * nothing behind it; where Foolscap is turned off it is not loaded.
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { destinationOf } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import { FoolscapIntroducer } from '#client/foolscap/introducer-session.js';
import type { FoolscapIntroducerOptions } from '#client/foolscap/introducer-session.js';
import { FoolscapStorageServer } from '#client/foolscap/foolscap-storage-server.js';
import type { IntroducerSession } from '#client/introducer-link.js';
import { UpgradingServer } from '#client/foolscap/upgrading-server.js';
import { HttpsStorageServer } from '#client/https-storage-server.js';
import type { StorageServer } from '#client/storage-server.js';
import type { Clock } from '#core/environment.js';
import { IntroducerObject } from '#introducer/foolscap/introducer-object.js';
import type { IntroducerObjectOptions } from '#introducer/foolscap/introducer-object.js';
import type { ConnectionTable } from '#storage/connection-table.js';
import { StorageObject } from '#storage/foolscap/storage-object.js';
import type { StorageObjectOptions } from '#storage/foolscap/storage-object.js';
import type { ConnectionSorter } from '#storage/secure-server.js';
import type { StorageAnnouncement } from '#wire/announcement.js';
import type { AcceptedEvents, Tub } from '#wire/foolscap/tub.js';
import type { Endpoint } from '../config/endpoint-text.js';
import { listen } from '../endpoint.js';
import type { HttpListener } from '../http-listener.js';
import type { StorageAddress } from '../node-secrets.js';
import { searchNurl } from './https-search.js';
import { switchProtocol } from './protocol-switch.js';
import { SocketTub } from './socket-tub.js';
import type { TubOptions } from './socket-tub.js';

/** One node's. */
export class Foolscap {
  /** For other services of the node. */
  readonly tub: Tub<Socket>;
  readonly #clock: Clock;
  readonly #dialler: Dialler;

  constructor(options: TubOptions) {
    this.tub = new SocketTub(options);
    this.#clock = options.clock;
    this.#dialler = options.dialler;
  }

  /** Offers a share store under the swissnum that its NURL has too. */
  serveStorage(options: StorageObjectOptions, { furl, swissnum }: StorageAddress): void {
    this.tub.register(swissnum, new StorageObject(options), furl);
  }

  /** Takes from a port that speaks TLS the connections that begin as Foolscap does. */
  sorterFor(connections: ConnectionTable): ConnectionSorter {
    return (socket, proceed) => {
      switchProtocol(
        socket,
        this.#clock,
        (firstBytes) => {
          this.tub.accept(socket, firstBytes, countedBy(connections));
        },
        proceed,
      );
    };
  }

  /** Listens for Foolscap alone. @throws as `listen`. */
  async listen(
    endpoint: Endpoint,
    options: { readonly option: string },
    connections: ConnectionTable,
  ): Promise<HttpListener> {
    const server = createServer((socket) => {
      socket.once('close', connections.opened(socket));
      this.tub.accept(socket, new Uint8Array(0), countedBy(connections));
    });
    const listening = await listen(server, endpoint, options);
    return { ...listening, close: () => this.#stop(server) };
  }

  /** Offers an introducer under the swissnum that its NURL has too. */
  serveIntroducer(options: IntroducerObjectOptions, { furl, swissnum }: StorageAddress): void {
    this.tub.register(swissnum, new IntroducerObject(options), furl);
  }

  /** An introducer at its furl. */
  openIntroducer(options: Omit<FoolscapIntroducerOptions, 'tub'>): IntroducerSession {
    return new FoolscapIntroducer({ ...options, tub: this.tub });
  }

  /**
   * A server at its furl.
   * @param mayUpgrade - whether it is used over HTTPS as soon as it is found to speak that too.
   */
  openServer(announcement: StorageAnnouncement, mayUpgrade: boolean): StorageServer | undefined {
    const { furl } = announcement;
    const [clock, dialler] = [this.#clock, this.#dialler];
    const isReached = furl?.hints.some(({ host, network, port }) =>
      dialler.leadsTo(destinationOf(host, port, network)),
    );
    if (furl === undefined || isReached !== true) return undefined;
    const [identity, tub] = [announcement, this.tub];
    const foolscap = new FoolscapStorageServer({ identity, furl, tub, clock });
    if (!mayUpgrade) return foolscap;
    const search = async (): Promise<StorageServer | undefined> => {
      const nurl = await searchNurl(furl, clock, dialler);
      return nurl && new HttpsStorageServer({ identity, nurl, clock, dialler });
    };
    return new UpgradingServer({ identity, foolscap, search, clock });
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.tub.close();
  }

  /** A port that closes waits for its connections, and those of Foolscap do not end by themselves. */
  async #stop(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await this.tub.close();
    await closed;
  }
}

function countedBy(connections: ConnectionTable): AcceptedEvents<Socket> {
  return {
    secured: (socket) => {
      connections.secured(socket);
    },
    admitted: (socket) => {
      connections.admitted(socket);
    },
  };
}
