/**
 * `/uri/CAP?t=check`: how a file is, and with `repair=true` its repair. The capability to verify is enough for both.
 *
 *   verify=true     reads every share whole           add-lease=true   renews our lease on every share
 *   output=JSON     the reference's JSON; without it a page
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import type { FastifyReply } from 'fastify';
import type { Child } from '#core/directory/child.js';
import { TahoeError } from '#core/errors.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { checkJson, repairJson } from '../check-json.js';
import { checkPage, repairPage } from '../check-page.js';
import { PAGE_POLICY } from '../html.js';
import type { GatewayServices } from '../services.js';

/** Answers it. @param mayChange - whether it may repair and renew leases. @throws ERR_CAPABILITY, ERR_USAGE, and what check and repair throw. */
export async function checkChild(
  services: GatewayServices,
  args: Arguments,
  reply: FastifyReply,
  child: Child,
  mayChange: boolean,
): Promise<FastifyReply> {
  if (child.kind === 'unknown') throw new TahoeError('ERR_CAPABILITY', { reason: 'what it names is not known here' });
  // Only a request that may change something does.
  if (!mayChange && (args.flag('repair', false) || args.flag('add-lease', false))) {
    throw new TahoeError('ERR_USAGE', { reason: 'repair= and add-lease= take a POST' });
  }
  const isJson = outputOf(args) === 'JSON';
  const options = {
    verify: args.flag('verify', false),
    addLease: args.flag('add-lease', false),
    signal: clientGone(reply),
  };
  if (args.flag('repair', false)) {
    const outcome = await services.repair(child, options);
    return isJson ? sendJson(reply, repairJson(outcome)) : sendPage(reply, repairPage(outcome));
  }
  const outcome = await services.check(child, options);
  return isJson ? sendJson(reply, checkJson(outcome)) : sendPage(reply, checkPage(outcome));
}

function outputOf(args: Arguments): 'JSON' | 'HTML' {
  const output = args.get('output')?.toUpperCase() ?? 'HTML';
  if (output === 'JSON' || output === 'HTML') return output;
  throw new TahoeError('ERR_USAGE', { reason: 'output= takes JSON or HTML' });
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
