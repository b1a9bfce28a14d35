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
import type { CheckOutcome, RepairOutcome } from '#client/check/check-report.js';
import type { Arguments } from '../arguments.js';
import { checkJson, repairJson } from '../check-json.js';
import { checkPage, repairPage } from '../check-page.js';
import { sendPage } from '../html.js';
import { jsonPage } from '../python-json.js';
import type { GatewayServices } from '../services.js';
import { surveyOptions } from '../survey.js';
import { redirect } from '../when-done.js';

/** What a check takes. */
export interface Checking {
  readonly services: GatewayServices;
  readonly reply: FastifyReply;
  readonly args: Arguments;
  readonly signal: AbortSignal;
  readonly whenDone: string | undefined;
}

/** Answers it. @param mayChange - whether it may repair and renew leases. @throws ERR_CAPABILITY, ERR_USAGE, and what check and repair throw. */
export async function checkChild(
  { services, reply, args, signal, whenDone }: Checking,
  child: Child,
  mayChange: boolean,
): Promise<FastifyReply> {
  if (child.kind === 'unknown') throw new TahoeError('ERR_CAPABILITY', { reason: 'what it names is not known here' });
  const { repair, ...options } = surveyOptions(args);
  // Only a request that may change something does.
  if (!mayChange && (repair || options.addLease)) {
    throw new TahoeError('ERR_USAGE', { reason: 'repair= and add-lease= take a POST' });
  }
  outputOf(args);
  const how = { ...options, signal };
  const outcome = repair ? await services.repair(child, how) : await services.check(child, how);
  return whenDone === undefined ? sendOutcome(reply, args, outcome) : redirect(reply, whenDone);
}

/** Answers with what a check or a repair found. @throws ERR_USAGE */
export function sendOutcome(reply: FastifyReply, args: Arguments, outcome: CheckOutcome | RepairOutcome): FastifyReply {
  const isRepair = 'before' in outcome;
  if (outputOf(args) === 'JSON') return sendJson(reply, isRepair ? repairJson(outcome) : checkJson(outcome));
  return sendPage(reply, isRepair ? repairPage(outcome) : checkPage(outcome));
}

function outputOf(args: Arguments): 'JSON' | 'HTML' {
  const output = args.get('output')?.toUpperCase() ?? 'HTML';
  if (output === 'JSON' || output === 'HTML') return output;
  throw new TahoeError('ERR_USAGE', { reason: 'output= takes JSON or HTML' });
}

function sendJson(reply: FastifyReply, value: object): FastifyReply {
  return reply.header('content-type', 'text/plain').send(`${jsonPage(value)}\n`);
}
