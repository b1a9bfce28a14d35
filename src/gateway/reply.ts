/**
 * How failures become answers of the web API: one table from error codes to statuses, one plain sentence as body.
 * @see Tahoe-LAFS docs/frontends/webapi.rst; its statuses are kept where its clients depend on them
 */
import type { FastifyReply } from 'fastify';
import type { ErrorCode, ErrorFamily } from '#core/errors.js';
import { isTahoeError, TahoeError } from '#core/errors.js';

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

/** Codes whose status is not their family's. An upload that finds too few servers is a 500, as clients expect. */
const statusByCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  ERR_UNHAPPY: 500,
  ERR_NO_SERVERS: 500,
  ERR_NO_SPACE: 507,
  ERR_NO_SUCH_CHILD: 404,
};

/** The status that tells a client of this failure; 500 for what is no TahoeError. */
export function statusOf(error: unknown): number {
  return isTahoeError(error) ? (statusByCode[error.code] ?? statusByFamily[error.family]) : 500;
}

/** The sentence that tells a person. What is no TahoeError is a fault of ours, and its details stay in the log. */
export function sentenceOf(error: unknown): string {
  return error instanceof TahoeError ? error.message : 'the gateway made a mistake; its log says more';
}

/** Headers that every answer carries. */
export const commonHeaders: Readonly<Record<string, string>> = {
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Answers with a line of plain text. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain;charset=utf-8').send(`${text}\n`);
}
