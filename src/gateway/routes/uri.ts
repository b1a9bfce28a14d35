/**
 * Files by capability: `PUT /uri` stores one, `GET` and `HEAD /uri/CAP` read one, `?t=check` checks one. `/cap` is another
 * name for `/uri`.
 * A capability in a path may be percent-encoded or plain; it never reaches a log or an error.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Reading a File", "Writing/Uploading a File"
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { requireCapability } from '#core/capability/parse.js';
import type { ChkReadCapability, KnownCapability, LiteralCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import { clientGone, sendBytes } from '../body.js';
import { requestedRange } from '../range.js';
import type { RangeRequest } from '../range.js';
import { commonHeaders, sendText } from '../reply.js';
import type { GatewayServices } from '../services.js';
import { checkFile, isCheck } from './check.js';

/** Content of the grid is anybody's: a browser shows it without letting it act as the gateway's page. */
const CONTENT_SECURITY_POLICY = 'sandbox';
const CONTENT_TYPE = 'text/plain';

type ReadableCapability = ChkReadCapability | LiteralCapability;

/** Registers the routes of this resource. */
export function uriRoutes(app: FastifyInstance, services: GatewayServices): void {
  for (const base of ['/uri', '/cap']) {
    app.put(base, (request, reply) => putFile(services, request, reply));
    app.get(base, (_request, reply) => sendText(reply, 400, `GET ${base} requires a capability: GET ${base}/CAP`));
    app.route({
      method: ['GET', 'HEAD'],
      url: `${base}/:capability`,
      handler: (request, reply) =>
        isCheck(request) ? checkFile(services, request, reply) : getFile(services, request, reply),
    });
    app.post(`${base}/:capability`, (request, reply) =>
      isCheck(request)
        ? checkFile(services, request, reply)
        : sendText(reply, 400, 'POST to file: only t=check is known'),
    );
  }
}

async function putFile(services: GatewayServices, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  refuseArguments(request);
  const { capability } = await services.upload(request.raw, clientGone(reply));
  return reply
    .code(200)
    .header('content-type', 'text/plain;charset=utf-8')
    .send(dangerouslyFormatCapability(capability));
}

async function getFile(services: GatewayServices, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  refuseArguments(request);
  const { capability: text = '' } = request.params as { capability?: string };
  const capability = readable(requireCapability(text));
  const size = capability.kind === 'lit' ? capability.data.length : capability.size;
  const tag = entityTag(services, capability);
  if (tag !== undefined && matches(request.headers['if-none-match'], tag))
    return reply.code(304).headers({ etag: tag }).send();
  const range = requestedRange(request.headers.range, size);
  if (range === 'unsatisfiable') {
    return sendText(reply.header('content-range', `bytes */${String(size)}`), 416, 'First beyond end of file');
  }
  const head = headOf(range, size, tag);
  if (request.method === 'HEAD') return reply.code(head.status).headers(head.headers).send();
  await sendFile(services, reply, capability, range ?? { begin: 0, end: size }, head);
  return reply;
}

async function sendFile(
  services: GatewayServices,
  reply: FastifyReply,
  capability: ReadableCapability,
  range: ByteRange,
  head: { status: number; headers: Record<string, string> },
): Promise<void> {
  if (capability.kind === 'lit') {
    await reply.code(head.status).headers(head.headers).send(capability.data.subarray(range.begin, range.end));
    return;
  }
  const signal = clientGone(reply);
  const reader = await services.openFile(capability, signal);
  try {
    await sendBytes(reply, head, reader.read(range, signal), signal);
  } finally {
    reader.close();
  }
}

function headOf(
  range: Exclude<RangeRequest, 'unsatisfiable'>,
  size: number,
  tag: string | undefined,
): { status: number; headers: Record<string, string> } {
  const length = range === undefined ? size : range.end - range.begin;
  const headers = {
    ...commonHeaders,
    'content-type': CONTENT_TYPE,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'accept-ranges': 'bytes',
    'content-length': String(length),
    ...(tag === undefined ? {} : { etag: tag }),
  };
  if (range === undefined) return { status: 200, headers };
  const contentRange = `bytes ${String(range.begin)}-${String(range.end - 1)}/${String(size)}`;
  return { status: 206, headers: { ...headers, 'content-range': contentRange } };
}

function readable(capability: KnownCapability): ReadableCapability {
  if (capability.kind === 'chk' || capability.kind === 'lit') return capability;
  const kinds: Record<Exclude<KnownCapability['kind'], 'chk' | 'lit'>, string> = {
    'chk-verify': 'it only verifies; reading takes the read capability (URI:CHK:)',
    'ssk-verify': 'it only verifies',
    ssk: 'this version reads immutable files only, and it names a mutable one',
    'ssk-ro': 'this version reads immutable files only, and it names a mutable one',
    directory: 'this version reads immutable files only, and it names a directory',
  };
  throw new TahoeError('ERR_CAPABILITY', { reason: kinds[capability.kind] });
}

/** An immutable file is the same for ever: its storage index is its version. */
function entityTag(services: GatewayServices, capability: ReadableCapability): string | undefined {
  const storageIndex = storageIndexOf(services.crypto, capability);
  return storageIndex === undefined ? undefined : `"${formatBase32(storageIndex)}-"`;
}

/**
 * Whether an If-None-Match header names the file: `*`, or a list with its tag. The reference sends its tags without
 * quotation marks, and what was cached from it is the same file.
 */
function matches(header: string | undefined, tag: string): boolean {
  const tags = (header ?? '').split(',').map((text) => text.trim().replace(/^W\//, ''));
  return tags.some((text) => text === '*' || text === tag || `"${text}"` === tag);
}

/** An argument changes what a request means, so one that this version does not know must not be ignored. */
function refuseArguments(request: FastifyRequest): void {
  const query = request.query as Record<string, unknown>;
  const argument = Object.keys(query).find((name) =>
    ['t', 'format', 'mutable', 'private-key', 'offset'].includes(name),
  );
  if (argument !== undefined) {
    throw new TahoeError('ERR_USAGE', { reason: `this version does not serve the argument ${argument}= here` });
  }
}
