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
import type { CheckableCapability, GatewayServices } from '../services.js';

/** Answers it. @throws ERR_CAPABILITY, ERR_USAGE, and what check and repair throw. */
export async function checkChild(
  services: GatewayServices,
  args: Arguments,
  reply: FastifyReply,
  child: Child,
): Promise<FastifyReply> {
  const capability = checkable(child);
  const isJson = outputOf(args) === 'JSON';
  const options = {
    verify: args.flag('verify', false),
    addLease: args.flag('add-lease', false),
    signal: clientGone(reply),
  };
  if (args.flag('repair', false)) {
    const outcome = await services.repair(capability, options);
    return isJson ? sendJson(reply, repairJson(outcome)) : sendPage(reply, repairPage(outcome));
  }
  const outcome = await services.check(capability, options);
  return isJson ? sendJson(reply, checkJson(outcome)) : sendPage(reply, checkPage(outcome));
}

function checkable(capability: Child): CheckableCapability {
  switch (capability.kind) {
    case 'lit':
    case 'chk':
    case 'chk-verify':
      return capability;
    case 'directory':
      return checkable(capability.file);
    case 'unknown':
      throw new TahoeError('ERR_CAPABILITY', { reason: 'what it names is not known here' });
    case 'ssk':
    case 'ssk-ro':
    case 'ssk-verify':
      throw new TahoeError('ERR_CAPABILITY', { reason: 'this version checks immutable files only' });
  }
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
