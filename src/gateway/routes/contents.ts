/** The bytes of a file, whole or a range of them, as fast as the client takes them. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FileCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import { sendBytes } from '../body.js';
import { contentTypeHeaders } from '../content-type.js';
import { requestedRange } from '../range.js';
import type { RangeRequest } from '../range.js';
import { commonHeaders, sendText } from '../reply.js';
import type { GatewayServices } from '../services.js';

/** Content of the grid is anybody's: a browser shows it without letting it act as the gateway's page. */
const CONTENT_SECURITY_POLICY = 'sandbox';

/** What is sent. */
interface Contents {
  readonly sizeBytes: number;
  /** Called once. What it gives closes what it opened. */
  readonly read: (range: ByteRange) => AsyncIterator<Uint8Array> | Uint8Array;
}

/** Answers with the file's contents. @param what - the file, its name, and whether a browser saves it under that. */
export async function sendContents(
  services: GatewayServices,
  request: FastifyRequest,
  reply: FastifyReply,
  what: {
    readonly file: FileCapability;
    readonly name: string | undefined;
    readonly isSaved: boolean;
    readonly signal: AbortSignal;
  },
): Promise<FastifyReply> {
  const { name, isSaved, signal } = what;
  const { sizeBytes, read } = await contentsOf(services, what.file, signal);
  const range = requestedRange(request.headers.range, sizeBytes);
  if (range === 'unsatisfiable') {
    return sendText(reply.header('content-range', `bytes */${String(sizeBytes)}`), 416, 'First beyond end of file');
  }
  const head = headOf(range, sizeBytes, {
    ...contentTypeHeaders(name),
    ...(isSaved ? { 'content-disposition': attachment(name) } : {}),
    ...tagOf(reply),
  });
  if (request.method === 'HEAD') return reply.code(head.status).headers(head.headers).send();
  const bytes = read(range ?? { begin: 0, end: sizeBytes });
  if (bytes instanceof Uint8Array) return reply.code(head.status).headers(head.headers).send(bytes);
  await sendBytes(reply, head, bytes, signal);
  return reply;
}

async function contentsOf(services: GatewayServices, file: FileCapability, signal: AbortSignal): Promise<Contents> {
  switch (file.kind) {
    case 'lit':
      return { sizeBytes: file.data.length, read: ({ begin, end }) => file.data.subarray(begin, end) };
    case 'chk':
      return {
        sizeBytes: file.size,
        async *read(range) {
          const reader = await services.openFile(file, signal);
          try {
            yield* reader.read(range, signal);
          } finally {
            reader.close();
          }
        },
      };
    case 'ssk':
    case 'ssk-ro': {
      const version = await (await services.openMutable(file, signal)).openVersion({ signal });
      return { sizeBytes: version.size, read: (range) => version.read(range, signal) };
    }
    case 'chk-verify':
      throw onlyVerifies('it only verifies; reading takes the read capability (URI:CHK:)');
    case 'ssk-verify':
      throw onlyVerifies('it only verifies; reading takes the read capability (URI:SSK-RO:, URI:MDMF-RO:)');
  }
}

function headOf(
  range: Exclude<RangeRequest, 'unsatisfiable'>,
  size: number,
  more: Record<string, string>,
): { status: number; headers: Record<string, string> } {
  const length = range === undefined ? size : range.end - range.begin;
  const headers = {
    ...commonHeaders,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    // What is stored may be a page with its pictures; sandboxed, it is no longer of the gateway's origin.
    'cross-origin-resource-policy': 'cross-origin',
    'accept-ranges': 'bytes',
    'content-length': String(length),
    ...more,
  };
  if (range === undefined) return { status: 200, headers };
  const contentRange = `bytes ${String(range.begin)}-${String(range.end - 1)}/${String(size)}`;
  return { status: 206, headers: { ...headers, 'content-range': contentRange } };
}

/** What has a browser save a file: its name as it is, and for what no header may hold also in the newer form. */
function attachment(name = 'unknown'): string {
  const plain = name.replaceAll(/[^ !#-~]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"${plain === name ? '' : `; filename*=UTF-8''${encoded}`}`;
}

/** The entity tag that was set; what is sent around fastify must name it again. */
function tagOf(reply: FastifyReply): Record<string, string> {
  const tag = reply.getHeader('etag');
  return typeof tag === 'string' ? { etag: tag } : {};
}

function onlyVerifies(reason: string): TahoeError {
  return new TahoeError('ERR_CAPABILITY', { reason });
}
