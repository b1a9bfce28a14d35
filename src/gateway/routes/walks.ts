/**
 * `POST /uri/DIRCAP?t=stream-…` sends what a walk finds while it goes; `t=start-…` begins an operation with a handle and
 * leads to it.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Slow Operations, Progress, and Cancelling"
 */
import type { FastifyReply } from 'fastify';
import type { DirectoryCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { sendBytes } from '../body.js';
import { commonHeaders } from '../reply.js';
import { deepCheckLines, manifestLines } from '../streams.js';
import { surveyOptions } from '../survey.js';
import { DeepCheckWork, ManifestWork, StatsWork } from '../walk-works.js';
import type { WalkWork } from '../walk-works.js';
import { redirect } from '../when-done.js';
import { retainMsOf } from './operations.js';
import type { Posting } from './post.js';

/** Answers it. @throws ERR_USAGE, ERR_TOO_MANY */
export async function walkBelow(posting: Posting, root: DirectoryCapability): Promise<FastifyReply> {
  const { services, reply, args, signal, whenDone } = posting;
  if (args.operation === 'stream-manifest') return sendLines(posting, manifestLines(services, root, signal));
  if (args.operation === 'stream-deep-check') {
    return sendLines(posting, deepCheckLines(services, root, surveyOptions(args), signal));
  }
  const handle = args.get('ophandle') ?? '';
  if (handle === '') throw new TahoeError('ERR_USAGE', { reason: 'slow operation requires ophandle=' });
  services.operations.start(handle, workOf(posting, root), retainMsOf(args));
  const output = args.get('output') ?? '';
  const address = `/operations/${encodeURIComponent(handle)}`;
  return redirect(reply, whenDone ?? (output === '' ? address : `${address}?output=${encodeURIComponent(output)}`));
}

function workOf({ services, args }: Posting, root: DirectoryCapability): WalkWork {
  switch (args.operation) {
    case 'start-manifest':
      return new ManifestWork(services, root);
    case 'start-deep-size':
      return new StatsWork('size', services, root);
    case 'start-deep-stats':
      return new StatsWork('stats', services, root);
    default:
      return new DeepCheckWork(services, root, surveyOptions(args));
  }
}

async function sendLines({ reply, signal }: Posting, lines: AsyncIterator<Uint8Array>): Promise<FastifyReply> {
  const headers = { ...commonHeaders, 'content-type': 'text/plain' };
  await sendBytes(reply, { status: 200, headers }, lines, signal);
  return reply;
}
