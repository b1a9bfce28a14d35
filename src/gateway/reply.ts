/**
 * How failures become answers of the web API: one table from error codes to statuses, one plain sentence as body.
 * @see Tahoe-LAFS docs/frontends/webapi.rst; its statuses are kept where its clients depend on them
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { KnownCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { dangerouslyFormatChild } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import type { ErrorCode, ErrorFamily } from '#core/errors.js';
import { isTahoeError } from '#core/errors.js';
import { markup, page, sendPage } from './html.js';

/** A capability anywhere in a sentence: its kind stays. */
const CAPABILITY = /(URI(?::|%3A)[A-Z0-9-]+(?::|%3A))[^\s'"]+/gi;
/** How a private gateway asks for its token: programs send it as it is, browsers as a password. */
const CHALLENGE = 'Basic realm="tallac", charset="UTF-8", tahoe-lafs realm="tahoe-lafs"';

const statusByFamily: Readonly<Record<ErrorFamily, number>> = {
  malformed: 400,
  integrity: 410,
  authority: 403,
  missing: 410,
  conflict: 409,
  limit: 413,
  unavailable: 503,
  usage: 400,
};

/**
 * Codes whose status is not their family's. An upload that finds too few servers is a 500, as clients expect, and so is
 * a write that met another: to them 409 is a name that is taken.
 */
const statusByCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  ERR_UNHAPPY: 500,
  ERR_NO_SERVERS: 500,
  ERR_NO_SPACE: 507,
  ERR_NO_SUCH_CHILD: 404,
  ERR_NOT_FOUND: 404,
  ERR_HOST: 421,
  ERR_TOKEN: 401,
  ERR_UNCOORDINATED_WRITE: 500,
  ERR_NOT_SUPPORTED: 501,
};

/** Sentences that clients know by heart. */
const sentenceByCode: Partial<Readonly<Record<ErrorCode, string>>> = {
  ERR_CHILD_EXISTS: 'There was already a child by that name, and you asked me to not replace it.',
};

/** The status that tells a client of this failure; 500 for what is no TahoeError. */
export function statusOf(error: unknown): number {
  return isTahoeError(error) ? (statusByCode[error.code] ?? statusByFamily[error.family]) : 500;
}

/** The sentence that tells a person. What is no TahoeError is a fault of ours, and its details stay in the log. */
export function sentenceOf(error: unknown): string {
  return isTahoeError(error)
    ? (sentenceByCode[error.code] ?? error.message)
    : 'the gateway made a mistake; its log says more';
}

/** Headers that every answer carries. */
export const commonHeaders: Readonly<Record<string, string>> = {
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
};

/** Answers with what went wrong: to browsers as a page, to all others as a line. */
export function sendFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  sentence: string,
): FastifyReply {
  // Whoever asked for something odd gets it back, but for what opens a file.
  const text = sentence.replaceAll(CAPABILITY, '$1[hidden]');
  if (status === 401) reply.header('www-authenticate', CHALLENGE);
  reply.code(status);
  const isBrowser = (request.headers.accept ?? '').includes('text/html');
  return isBrowser
    ? sendPage(reply, page(`Error ${String(status)}`, markup`<p>${text}</p>\n`))
    : sendText(reply, status, text);
}

/** Answers with a line of plain text. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain;charset=utf-8').send(`${text}\n`);
}

/** Answers with text that ends as it ends. */
export function sendPlain(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', 'text/plain').send(Buffer.from(text));
}

/** Answers with a status and a text that is all there is to say. */
export function sendLine(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain;charset=utf-8').send(text);
}

/** Answers with a capability and nothing else. */
export function sendCapability(reply: FastifyReply, status: number, capability: KnownCapability): FastifyReply {
  return sendLine(reply, status, dangerouslyFormatCapability(capability));
}

/** The strongest capability of a child, as text. */
export function textOfChild(crypto: CryptoProvider, child: Child): string {
  if (child.kind !== 'unknown') return dangerouslyFormatCapability(child);
  const { write, read } = dangerouslyFormatChild(crypto, child);
  return write ?? read ?? '';
}
