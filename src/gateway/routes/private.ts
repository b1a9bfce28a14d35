/**
 * `/private`: what takes the node's own token, `Authorization: tahoe-lafs TOKEN`. `/private/logs/v1` is a WebSocket that
 * gets each line of the log as one text frame of JSON; some programs ask for `//private/logs/v1`.
 * @see Tahoe-LAFS docs/frontends/webapi.rst; docs/logging.rst
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { TahoeError } from '#core/errors.js';
import type { Guard } from '../guard.js';
import { sendLine } from '../reply.js';
import type { Gateway } from '../services.js';

/** How many may read the log at a time. */
const READERS_MAX = 16;
/** How much may wait for a slow reader, in bytes; lines beyond are left out. */
const WAITING_SIZE_MAX = 1 << 20;
/** What a reader sends is of no meaning; it may not be long either. */
const MESSAGE_SIZE_MAX = 1024;
const LOGS = /^\/+private\/logs\/v1\/?$/;

/** Registers the routes of this resource. */
export function privateRoutes(app: FastifyInstance, services: Gateway, guard: Guard): void {
  const refuse = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (!guard.hasToken(request.headers.authorization)) {
      const challenge = 'tahoe-lafs realm="tahoe-lafs"';
      return sendLine(reply.header('www-authenticate', challenge), 401, 'Unauthorized');
    }
    if (LOGS.test(pathOf(request.raw))) return sendLine(reply.header('upgrade', 'websocket'), 426, 'Upgrade Required');
    throw new TahoeError('ERR_NOT_FOUND', { reason: 'No such resource' });
  };
  for (const url of ['/private', '/private/*', '//private/*']) app.all(url, refuse);
  const sockets = new WebSocketServer({ noServer: true, clientTracking: true, maxPayload: MESSAGE_SIZE_MAX });
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    const status = refusalOf(request, guard, sockets.clients.size);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (reader) => {
      follow(services, reader);
    });
  });
  app.addHook('preClose', (done) => {
    for (const reader of sockets.clients) reader.terminate();
    sockets.close();
    done();
  });
}

function refusalOf(request: IncomingMessage, guard: Guard, readers: number): string | undefined {
  if (guard.objection(request) !== undefined) return '403 Forbidden';
  if (!LOGS.test(pathOf(request))) return '404 Not Found';
  if (!guard.hasToken(request.headers.authorization)) return '401 Unauthorized';
  return readers >= READERS_MAX ? '503 Service Unavailable' : undefined;
}

function follow(services: Gateway, reader: WebSocket): void {
  const stop = services.followLog((line) => {
    if (reader.bufferedAmount < WAITING_SIZE_MAX) reader.send(line);
  });
  reader.on('error', () => undefined);
  reader.once('close', stop);
}

function pathOf({ url = '/' }: Pick<IncomingMessage, 'url'>): string {
  return url.split('?', 1).join('');
}
