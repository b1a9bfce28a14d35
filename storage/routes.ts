/**
 * The storage server as a fastify plugin: every endpoint under /storage/v1 and /tallac/v1, its admission, and its refusals.
 *
 * A request is routed, then admitted or refused on its head alone; only then is a byte of its body read. A path
 * that is not known answers 404 and a method that is not known 405, both without a secret. A refusal is one
 * sentence of plain text, to whoever takes text. Replies without a body have no content type.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import type { SecretKind } from '#wire/storage.js';
import { acceptsText, announcedSize, Gatekeeper } from './authorization.js';
import type { ConnectionTable } from './connection-table.js';
import { PathTable } from './endpoint.js';
import type { Endpoint, PathParameters } from './endpoint.js';
import { defineBeginningsEndpoint } from './beginnings-endpoint.js';
import { defineImmutableBeginningsEndpoint } from './immutable-beginnings-endpoint.js';
import { http2StreamOf } from './http2-request.js';
import type { ChangeFeed } from './feed/change-feed.js';
import { defineFeedEndpoint } from './feed/feed-endpoint.js';
import { defineImmutableEndpoints } from './immutable-endpoints.js';
import type { DefineEndpoint } from './immutable-endpoints.js';
import { defineMutableEndpoints } from './mutable-endpoints.js';
import { BODY_RATE_INTERVAL_MS } from './request-body.js';
import type { ShareStore } from './share-store.js';
import { tellRefusal } from './status.js';
import { defineWholeSharesEndpoints } from './whole-shares-endpoint.js';

const PREFIX = '/storage/v1';
/** Where what is ours alone lives. */
const OWN_PREFIX = '/tallac/v1';
const REFUSAL_TYPE = 'text/plain; charset=utf-8';
/** As much of a refused body is read and thrown away to keep the connection; with more to come it is closed. */
const DISCARD_SIZE_MAX = 64 * 1024;
/** The same for whoever showed the swissnum, so that a client in the middle of a share hears why. */
const ADMITTED_DISCARD_SIZE_MAX = 64 << 20;

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request to the storage server that was admitted: the media type of a refusal of it. */
    admittedRefusalType: string | undefined;
  }
}

/** What a service with a swissnum of its own stands on. */
export interface ServiceRoutesOptions {
  readonly crypto: CryptoProvider;
  /** The secret that opens the service, as its NURL carries it. */
  readonly swissnum: string;
  readonly clock: Clock;
  /** Is told of data that has passed and is garbage now, in bytes. */
  readonly discarded?: (sizeBytes: number) => void;
  readonly log: Log;
  /** Is told which connections have shown the swissnum. */
  readonly connections?: ConnectionTable;
}

/** What the storage server stands on. */
export interface StorageRoutesOptions extends ServiceRoutesOptions {
  readonly store: ShareStore;
  /** What the server says it is, for example `tallac/0.1.0`. */
  readonly applicationVersion: string;
  /** The changes of the store, where they are offered. */
  readonly feed?: ChangeFeed;
}

/** The plugin. It keeps its content-type parsers and handlers to itself. */
export async function storageRoutes(app: FastifyInstance, options: StorageRoutesOptions): Promise<void> {
  await serviceRoutes(app, options, PREFIX, (define) => {
    defineImmutableEndpoints(define, options);
    defineMutableEndpoints(define, options);
  });
  const { feed, store } = options;
  const own = (define: DefineEndpoint): void => {
    defineBeginningsEndpoint(define, store);
    defineImmutableBeginningsEndpoint(define, store);
    defineWholeSharesEndpoints(define, options);
    if (feed !== undefined) defineFeedEndpoint(define, feed);
  };
  await serviceRoutes(app, options, OWN_PREFIX, own, () => feed?.endAll());
}

/**
 * The routes of one service, all below `prefix`.
 * @param end - ends replies that have no end of their own, when the application closes.
 */
export async function serviceRoutes(
  app: FastifyInstance,
  options: ServiceRoutesOptions,
  prefix: string,
  defineEndpoints: (define: DefineEndpoint) => void,
  end: () => void = () => undefined,
): Promise<void> {
  await app.register(
    (scope, _, done) => {
      scope.addHook('preClose', (closed) => {
        end();
        closed();
      });
      new ServiceRoutes(scope, options, prefix).defineAll(defineEndpoints);
      done();
    },
    { prefix },
  );
}

class ServiceRoutes {
  readonly #app: FastifyInstance;
  readonly #options: ServiceRoutesOptions;
  readonly #prefix: string;
  readonly #gatekeeper: Gatekeeper;
  readonly #paths = new PathTable();

  constructor(app: FastifyInstance, options: ServiceRoutesOptions, prefix: string) {
    this.#app = app;
    this.#options = options;
    this.#prefix = prefix;
    this.#gatekeeper = new Gatekeeper(options.crypto, options.swissnum);
  }

  defineAll(defineEndpoints: (define: DefineEndpoint) => void): void {
    // Handlers read the raw request themselves, at their own pace.
    this.#app.decorateRequest('admittedRefusalType', undefined);
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser('*', (_request, _payload, done) => {
      done(null);
    });
    this.#app.setErrorHandler((error, request, reply) => this.#refuse(error, request, reply));
    this.#app.setNotFoundHandler((request, reply) => this.#refuse(this.#paths.refusal(request.url), request, reply));
    defineEndpoints((endpoint) => {
      this.#define(endpoint);
    });
  }

  #define<Kind extends SecretKind, Target>(endpoint: Endpoint<Kind, Target>): void {
    this.#paths.add(this.#prefix, endpoint);
    this.#app.route({
      method: endpoint.method,
      url: endpoint.path,
      exposeHeadRoute: false,
      // No byte of the body was read on the way to here.
      handler: (request, reply) => {
        const target = endpoint.toTarget(request.params as PathParameters);
        if (target === undefined) throw this.#paths.refusal(request.url);
        const secrets = this.#gatekeeper.admit(request.raw, endpoint.rules);
        this.#options.connections?.admitted(request.raw.socket);
        request.admittedRefusalType = endpoint.refusalType ?? REFUSAL_TYPE;
        const { clock, discarded } = this.#options;
        const body = { request: request.raw, response: reply.raw, clock, discarded };
        return endpoint.handle({ target, secrets, request, reply, body });
      },
    });
  }

  #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, text } = tellRefusal(error, request.method, this.#options.log);
    if (isTahoeError(error, 'ERR_METHOD')) reply.header('allow', error.facts.allowed);
    this.#settleBody(request, reply);
    return reply
      .code(status)
      .type(request.admittedRefusalType ?? REFUSAL_TYPE)
      .send(acceptsText(request.raw) ? text : '');
  }

  /** Decides what becomes of the rest of a body that nobody wants. */
  #settleBody(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = request;
    const stream = http2StreamOf(raw);
    if (stream !== undefined) {
      // The rest of the connection does not mind.
      if (!stream.readableEnded) stream.once('finish', () => stream.close());
      return;
    }
    const size = announcedSize(raw) ?? Infinity;
    // A request made up in this process has no socket to keep or to close.
    if (raw.complete || size === 0 || !(raw.socket instanceof Socket)) return;
    const sizeMax = request.admittedRefusalType !== undefined ? ADMITTED_DISCARD_SIZE_MAX : DISCARD_SIZE_MAX;
    if (size > sizeMax || raw.headers.expect !== undefined) reply.header('connection', 'close');
    else raw.setTimeout(BODY_RATE_INTERVAL_MS);
  }
}
