/**
 * `/operations/HANDLE`: how far an operation is, and what it found.
 *
 *   GET  output=      JSON, text or HTML              retain-for=   seconds that it is kept from now on
 *        release-after-complete=true                  forgets it if it has ended
 *   GET  t=events     its progress, as it goes (SSE)
 *   POST t=cancel     stops and forgets it
 *   GET  /operations/HANDLE/STORAGEINDEX              what a deep check found of one object
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Slow Operations, Progress, and Cancelling"
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { readForm } from '../form.js';
import { sendEvents } from '../events.js';
import { sendPage } from '../html.js';
import { operationJson, operationText } from '../operation-json.js';
import { operationPage } from '../operation-page.js';
import type { Operation } from '../operations.js';
import { progressEvents } from '../progress-events.js';
import { sendPlain } from '../reply.js';
import type { Gateway } from '../services.js';
import { namesOf } from '../target.js';
import type { WalkWork } from '../walk-works.js';
import { sendOutcome } from './check.js';

/** Registers the routes of this resource. */
export function operationRoutes(app: FastifyInstance, services: Gateway): void {
  app.get('/operations/*', (request, reply) => getOperation(services, request, reply));
  app.post('/operations/*', async (request, reply) => {
    const form = await readForm(services, request);
    await form.close();
    const [handle = ''] = namesOf(request);
    const operation = services.operations.get(handle);
    if (form.args.operation !== 'cancel') return show(services, request, reply, form.args);
    services.operations.cancel(handle);
    return answer(request, reply, form.args, operation);
  });
}

/** How long an operation is to be kept; undefined where that is not said. @throws ERR_USAGE */
export function retainMsOf(args: Arguments): number | undefined {
  const value = args.get('retain-for');
  if (value === undefined) return undefined;
  if (!/^ *[0-9]{1,15} *$/.test(value)) throw new TahoeError('ERR_USAGE', { reason: 'retain-for= takes seconds' });
  return Number(value) * 1000;
}

async function getOperation(services: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const args = queryArguments(request);
  if (args.operation !== 'events') return show(services, request, reply, args);
  const [handle = ''] = namesOf(request);
  const operation = services.operations.get(handle);
  const signal = clientGone(reply);
  return sendEvents(services.clock, reply, progressEvents(services.clock, operation, signal), signal);
}

function show(services: Gateway, request: FastifyRequest, reply: FastifyReply, args: Arguments): FastifyReply {
  const [handle = '', storageIndex = ''] = namesOf(request);
  const { operations } = services;
  const operation = operations.get(handle);
  const retainMs = retainMsOf(args);
  const mayRelease = args.flag('release-after-complete', false);
  if (retainMs !== undefined) operations.retain(handle, retainMs);
  else if (operation.finished) operations.collected(handle);
  if (operation.finished && mayRelease) operations.cancel(handle);
  if (operation.error !== undefined) throw operation.error as Error;
  return storageIndex === ''
    ? answer(request, reply, args, operation)
    : sendDetail(reply, args, operation, storageIndex);
}

function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  args: Arguments,
  operation: Operation<WalkWork>,
): FastifyReply {
  const output = args.get('output')?.toLowerCase() ?? 'html';
  if (operation.work.kind === 'stats' || output === 'json') return sendPlain(reply, operationJson(operation));
  const text = operationText(operation);
  if (output === 'text' && text !== undefined) return sendPlain(reply, text);
  if (output !== 'html')
    throw new TahoeError('ERR_USAGE', { reason: 'output= takes JSON, HTML, and where there is one text' });
  return sendPage(reply, operationPage(operation, `/operations/${encodeURIComponent(namesOf(request)[0] ?? '')}`));
}

function sendDetail(
  reply: FastifyReply,
  args: Arguments,
  { work }: Operation<WalkWork>,
  storageIndex: string,
): FastifyReply {
  const result = work.kind === 'check' ? work.results.get(storageIndex) : undefined;
  if (result === undefined) {
    throw new TahoeError('ERR_NOT_FOUND', { reason: `No detailed results for SI ${storageIndex.slice(0, 100)}` });
  }
  return sendOutcome(reply, args, result.report);
}
