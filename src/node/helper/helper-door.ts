/**
 * The helper over HTTPS: its routes, beside storage on the same port or on a port of its own. They stand from the start of the node;
 * who asks before the helper itself runs waits for it.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { formatBase32 } from '#core/base32.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { fileOf } from '#client/helper/helper-job.js';
import { PushedCiphertext } from '#client/helper/pushed-ciphertext.js';
import type { UploadHelper } from '#client/helper/upload-helper.js';
import { announcedSize } from '#storage/authorization.js';
import type { ConnectionTable } from '#storage/connection-table.js';
import { indexTarget, noTarget } from '#storage/endpoint.js';
import type { Exchange, PathParameters } from '#storage/endpoint.js';
import type { DefineEndpoint } from '#storage/immutable-endpoints.js';
import { readBody, readMessage } from '#storage/request-body.js';
import { serviceRoutes } from '#storage/routes.js';
import type { ServiceRoutesOptions } from '#storage/routes.js';
import { EVENT_STREAM_MEDIA_TYPE } from '#wire/event-stream.js';
import { parseContentRange } from '#wire/storage.js';
import {
  decodeOfferedFile,
  formatHelperEvent,
  formatHelperFailure,
  HELPER_PATH,
  HELPER_REQUEST_SIZE_MAX,
  isUploadId,
} from '#wire/upload-helper.js';
import type { OfferedFile } from '#wire/upload-helper.js';
import { HelperStream } from './helper-stream.js';

const UPLOAD_ID_SIZE = 16;

/** What it stands on. */
export interface HelperDoorOptions extends Omit<ServiceRoutesOptions, 'connections'> {
  readonly random: Random;
}

interface UploadTarget {
  readonly storageIndex: Uint8Array;
  readonly uploadId: string;
}

/** Of one helper, for any number of ports. */
export class HelperDoor {
  readonly #options: HelperDoorOptions;
  readonly #helper: Promise<Pick<UploadHelper, 'ask'>>;
  #open: (helper: Pick<UploadHelper, 'ask'>) => void = () => undefined;
  readonly #streams = new Set<HelperStream>();
  readonly #sources = new Map<string, PushedCiphertext>();

  constructor(options: HelperDoorOptions) {
    this.#options = options;
    this.#helper = new Promise((resolve) => (this.#open = resolve));
  }

  /** Whom it leads to. */
  open(helper: Pick<UploadHelper, 'ask'>): void {
    this.#open(helper);
  }

  /** Adds the routes to one port. */
  readonly addRoutes = (app: FastifyInstance, connections: ConnectionTable): Promise<void> => {
    const end = (): void => {
      for (const stream of this.#streams) stream.finish();
    };
    return serviceRoutes(app, { ...this.#options, connections }, HELPER_PATH, (define) => this.#define(define), end);
  };

  #define(define: DefineEndpoint): void {
    define({
      method: 'GET',
      path: '',
      rules: { secrets: [] },
      toTarget: noTarget,
      handle: ({ reply }) => this.#presence(reply),
    });
    define({
      method: 'POST',
      path: '/:storageIndex',
      rules: { secrets: [], messageSizeMax: HELPER_REQUEST_SIZE_MAX },
      toTarget: indexTarget,
      handle: async ({ body, reply, target }) => {
        const file = decodeOfferedFile(await readMessage(body, HELPER_REQUEST_SIZE_MAX));
        fileOf(file);
        return this.#upload(target.storageIndex, file, reply);
      },
    });
    define({
      method: 'PUT',
      path: '/:storageIndex/:uploadId',
      rules: { secrets: [] },
      toTarget: uploadTarget,
      handle: (exchange) => this.#take(exchange),
    });
  }

  async #presence(reply: FastifyReply): Promise<FastifyReply> {
    const stream = this.#stream(() => undefined);
    void this.#helper.then(() => {
      stream.tell(formatHelperEvent({ kind: 'ready' }));
    });
    return sendStream(reply, stream);
  }

  async #upload(storageIndex: Uint8Array, file: OfferedFile, reply: FastifyReply): Promise<FastifyReply> {
    const { clock, random } = this.#options;
    const uploadId = formatBase32(random.bytes(UPLOAD_ID_SIZE));
    const source = new PushedCiphertext({
      file,
      clock,
      wanted: (offset) => {
        stream.tell(formatHelperEvent({ kind: 'wanted', offset, uploadId }));
      },
    });
    this.#sources.set(nameOf({ storageIndex, uploadId }), source);
    const stream = this.#stream(() => {
      this.#sources.delete(nameOf({ storageIndex, uploadId }));
      source.release();
    });
    void this.#serve(storageIndex, source, stream);
    return sendStream(reply, stream);
  }

  async #serve(storageIndex: Uint8Array, source: PushedCiphertext, stream: HelperStream): Promise<void> {
    try {
      const helper = await this.#helper;
      const answer = await helper.ask(storageIndex);
      const results = 'upload' in answer ? (await answer.upload(source)).results : answer;
      stream.tell(formatHelperEvent({ kind: 'results', results }));
    } catch (error) {
      stream.tell(formatHelperFailure(error));
    } finally {
      stream.finish();
    }
  }

  /** The ciphertext itself. */
  async #take({ body, reply, request, target }: Exchange<never, UploadTarget>): Promise<FastifyReply> {
    const range = parseContentRange(request.headers['content-range'] ?? '');
    if (range === undefined) throw new TahoeError('ERR_CONTENT_RANGE', { reason: 'it names no bytes' });
    const expected = range.end - range.begin;
    const received = announcedSize(request.raw) ?? expected;
    if (received !== expected) throw new TahoeError('ERR_BODY_LENGTH', { expected, received });
    const source = this.#sources.get(nameOf(target));
    if (source === undefined) throw new TahoeError('ERR_NO_SUCH_UPLOAD', {});
    await source.push(range, readBody(body));
    return reply.code(204).send();
  }

  #stream(closed: () => void): HelperStream {
    const stream = new HelperStream(this.#options.clock, () => {
      this.#streams.delete(stream);
      closed();
    });
    this.#streams.add(stream);
    return stream;
  }
}

function sendStream(reply: FastifyReply, stream: HelperStream): FastifyReply {
  return reply.header('cache-control', 'no-store').type(EVENT_STREAM_MEDIA_TYPE).send(stream);
}

function uploadTarget({ uploadId = '', ...parameters }: PathParameters): UploadTarget | undefined {
  const target = indexTarget(parameters);
  return target === undefined || !isUploadId(uploadId) ? undefined : { ...target, uploadId };
}

function nameOf({ storageIndex, uploadId }: UploadTarget): string {
  return `${formatBase32(storageIndex)}/${uploadId}`;
}
