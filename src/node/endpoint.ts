/**
 * Listening: a server on an endpoint of tahoe.cfg, with errors that name the option to change.
 */
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TahoeError, reasonOf } from '#core/errors.js';
import type { Endpoint } from './config/endpoint-text.js';
import { systemCode } from './durable-file.js';

/** How many ports are tried before giving up. */
const ALLOCATION_ATTEMPTS_MAX = 100;
/** Where free ports are looked for: 32768 is where Linux begins with those of outgoing connections, others later. */
const ALLOCATION_BEGIN = 10_000;
const ALLOCATION_COUNT = 32_768 - ALLOCATION_BEGIN;
/** How far apart processes begin that are started one after the other, so that they do not find the same port free. */
const ALLOCATION_SPACING = 97;

let nextAllocation = (process.pid * ALLOCATION_SPACING) % ALLOCATION_COUNT;

/** How to listen. */
export interface ListenOptions {
  /** The option the endpoint comes from, for messages: `[node]web.port`. */
  readonly option: string;
  /** How many connections the port holds at a time; one more is closed at once. */
  readonly connectionsMax?: number;
}

/** Where a server listens now. */
export interface Listening {
  readonly host: string;
  /** The real port, also where the endpoint said 0. */
  readonly port: number;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not open that port (those below 1024 are for root)',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no address goes by that name',
};

/**
 * Starts a server, such as one of node:net, node:http or node:tls. The caller closes it.
 * @throws ERR_PORT_IN_USE when another program has the port.
 * @throws ERR_LISTEN when the port may not be opened or the address is not one of this machine's.
 */
export async function listen(
  server: Server,
  endpoint: Endpoint,
  { option, connectionsMax }: ListenOptions,
): Promise<Listening> {
  if (connectionsMax !== undefined) server.maxConnections = connectionsMax;
  const { host, port, backlog } = endpoint;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(listenError(error, endpoint, option));
    };
    server.once('error', fail);
    server.listen({ host, port, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.off('error', fail);
      resolve();
    });
  });
  return addressOf(server);
}

function listenError(error: Error, { text }: Endpoint, option: string): TahoeError {
  const code = systemCode(error) ?? '';
  if (code === 'EADDRINUSE') return new TahoeError('ERR_PORT_IN_USE', { endpoint: text, option }, { cause: error });
  const reason = REASONS[code] ?? reasonOf(error);
  return new TahoeError('ERR_LISTEN', { endpoint: text, option, reason }, { cause: error });
}

function addressOf(server: Server): Listening {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server does not listen on TCP');
  return { host: address.address, port: address.port };
}

/**
 * A TCP port that nothing uses, neither on all addresses nor on 127.0.0.1, and that was not given before in this process. It is
 * below those that systems give to outgoing connections, for it should be free whenever a node starts. Another program may
 * still take it first.
 * @throws ERR_LISTEN when none is found.
 */
export async function allocatePort(): Promise<number> {
  for (let attempt = 0; attempt < ALLOCATION_ATTEMPTS_MAX; attempt++) {
    const port = ALLOCATION_BEGIN + nextAllocation;
    nextAllocation = (nextAllocation + 1) % ALLOCATION_COUNT;
    const anywhere: Endpoint = { host: '0.0.0.0', port, backlog: undefined, text: `tcp:${String(port)}` };
    // Some systems give a port that another program has bound on 127.0.0.1 alone.
    if ((await isFree(anywhere)) && (await isFree({ ...anywhere, host: '127.0.0.1' }))) return port;
  }
  throw new TahoeError('ERR_LISTEN', { endpoint: 'tcp:0', option: '--port', reason: 'no free port was found' });
}

async function isFree(endpoint: Endpoint): Promise<boolean> {
  const server = createServer();
  try {
    await listen(server, endpoint, { option: '--port' });
    await new Promise((resolve) => server.close(resolve));
    return true;
  } catch {
    return false;
  }
}

/** The IPv4 addresses of this machine's interfaces, 127.0.0.1 included. */
export function localAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  );
}
