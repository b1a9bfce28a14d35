/**
 * `/uri/CAP?t=check`: how a file is, and with `repair=true` its repair. The capability to verify is enough for both.
 *
 *   verify=true     reads every share whole           add-lease=true   renews our lease on every share
 *   output=JSON     the reference's JSON; without it a page
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requireCapability } from '#core/capability/parse.js';
import type { KnownCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { clientGone } from '../body.js';
import { checkJson, repairJson } from '../check-json.js';
import { checkPage, repairPage } from '../check-page.js';
import { PAGE_POLICY } from '../html.js';
import type { CheckableCapability, GatewayServices } from '../services.js';

const TRUE = ['true', 't', '1', 'on'];
const FALSE = ['false', 'f', '0', 'off'];

/** Whether the request is to check something. */
export function isCheck(request: FastifyRequest): boolean {
  return request.method !== 'HEAD' && (request.query as { t?: unknown }).t === 'check';
}

/** Answers it. @throws ERR_CAPABILITY, ERR_USAGE, and what check and repair throw. */
export async function checkFile(
  services: GatewayServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { capability: text = '' } = request.params as { capability?: string };
  const capability = checkable(requireCapability(text));
  const isJson = outputOf(request) === 'JSON';
  const options = {
    verify: flag(request, 'verify'),
    addLease: flag(request, 'add-lease'),
    signal: clientGone(reply),
  };
  if (flag(request, 'repair')) {
    const outcome = await services.repair(capability, options);
    return isJson ? sendJson(reply, repairJson(outcome)) : sendPage(reply, repairPage(outcome));
  }
  const outcome = await services.check(capability, options);
  return isJson ? sendJson(reply, checkJson(outcome)) : sendPage(reply, checkPage(outcome));
}

function checkable(capability: KnownCapability): CheckableCapability {
  switch (capability.kind) {
    case 'lit':
    case 'chk':
    case 'chk-verify':
      return capability;
    case 'ssk':
    case 'ssk-ro':
    case 'ssk-verify':
    case 'directory':
      throw new TahoeError('ERR_CAPABILITY', { reason: 'this version checks immutable files only' });
  }
}

/** A boolean argument, in the reference's words. */
function flag(request: FastifyRequest, name: string): boolean {
  const value = argument(request, name)?.toLowerCase() ?? 'false';
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw new TahoeError('ERR_USAGE', { reason: `invalid boolean argument: ${name}= takes true or false` });
}

function outputOf(request: FastifyRequest): 'JSON' | 'HTML' {
  const output = argument(request, 'output')?.toUpperCase() ?? 'HTML';
  if (output === 'JSON' || output === 'HTML') return output;
  throw new TahoeError('ERR_USAGE', { reason: 'output= takes JSON or HTML' });
}

/** The first where there are several. */
function argument(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  return Array.isArray(value) ? value[0] : value;
}

function sendJson(reply: FastifyReply, value: object): FastifyReply {
  return reply.header('content-type', 'text/plain').send(`${JSON.stringify(value, null, 1)}\n`);
}

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply
    .header('content-type', 'text/html;charset=utf-8')
    .header('content-security-policy', PAGE_POLICY)
    .send(html);
}
