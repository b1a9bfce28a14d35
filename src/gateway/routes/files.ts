/**
 * Many small files with one request, for commands that store trees.
 * @see src/wire/small-files.ts
 */
import type { FastifyInstance } from 'fastify';
import { inOnePiece } from '#core/bytes.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { reasonOf } from '#core/errors.js';
import { mapAtOnce } from '#client/check/at-once.js';
import { dangerouslyFormatSmallFilesAnswer, decodeSmallFiles } from '#wire/small-files.js';
import { SMALL_FILES_PATH, SMALL_FILES_REQUEST_SIZE_MAX } from '#wire/small-files.js';
import type { SmallFileAnswer } from '#wire/small-files.js';
import { clientGone } from '../body.js';
import { sentenceOf, statusOf } from '../reply.js';
import { readBody } from '../request-body.js';
import type { Gateway } from '../services.js';

/** How many of a request are stored at a time. */
const AT_ONCE = 16;

/** Registers the route of this resource. */
export function smallFilesRoute(app: FastifyInstance, services: Gateway): void {
  app.post(SMALL_FILES_PATH, async (request, reply) => {
    const signal = clientGone(reply);
    const files = decodeSmallFiles(await readBody(request, 'list of small files', SMALL_FILES_REQUEST_SIZE_MAX));
    const answers = await mapAtOnce(files, AT_ONCE, (bytes) => store(services, bytes, signal));
    return reply.header('content-type', 'application/json').send(dangerouslyFormatSmallFilesAnswer(answers));
  });
}

async function store(services: Gateway, bytes: Uint8Array, signal: AbortSignal): Promise<SmallFileAnswer> {
  try {
    const { capability } = await services.upload(inOnePiece(bytes), signal);
    return { capability: dangerouslyFormatCapability(capability) };
  } catch (error) {
    const status = statusOf(error);
    if (status === 500) services.log.error('request failed', { reason: reasonOf(error) });
    return { status, reason: sentenceOf(error) };
  }
}
