/**
 * Makes what no directory names yet: `PUT /uri` a file, `POST /uri?t=upload` the file of a form, `POST /uri?t=mkdir` a
 * directory. The answer is the capability.
 *
 *   format=       CHK, SDMF or MDMF           private-key=   the RSA key of a mutable file or directory
 *   mutable=true  the same as format=SDMF     redirect_to_result=true   leads to the new directory
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Writing/Uploading a File", "Creating a New Directory"
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';
import { queryArguments } from '../arguments.js';
import type { Arguments } from '../arguments.js';
import { clientGone } from '../body.js';
import { CHILDREN_SIZE_MAX, parseChildren } from '../children-json.js';
import { isForm, readForm } from '../form.js';
import type { FormFile } from '../form.js';
import { sendPage } from '../html.js';
import { uploadedPage } from '../info-page.js';
import { directoryFormat, makeDirectory, newEntries, storeFile } from '../making.js';
import { sendCapability } from '../reply.js';
import { bodyOf, readBody } from '../request-body.js';
import type { Gateway } from '../services.js';
import { redirect, whenDoneOf } from '../when-done.js';
import { fileOf } from './post-upload.js';
import type { Posting } from './post.js';

/** `PUT /uri` */
export async function putUnlinked(
  services: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const args = queryArguments(request);
  const signal = clientGone(reply);
  switch (args.operation) {
    case '':
      return sendCapability(reply, 200, await storeFile(services, bodyOf(request), args, signal));
    case 'mkdir':
      return sendCapability(reply, 200, await makeDirectory(services, [], { args, signal, where: 'PUT /uri' }));
    default:
      throw unknownOperation();
  }
}

/** `POST /uri` */
export async function postUnlinked(
  services: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const signal = clientGone(reply);
  const query = queryArguments(request);
  switch (query.operation) {
    case 'mkdir-with-children': {
      const children = parseChildren(await readBody(request, 'list of children', CHILDREN_SIZE_MAX));
      const { privateKey } = query;
      const options = { format: directoryFormat(services), signal, ...(privateKey && { privateKey }) };
      return sendMade(reply, query, await services.createDirectory(newEntries(children), options));
    }
    case 'mkdir-immutable': {
      const children = parseChildren(await readBody(request, 'list of children', CHILDREN_SIZE_MAX));
      return sendMade(reply, query, await services.createImmutableDirectory(newEntries(children), signal));
    }
  }
  const form = await readForm(services, request);
  try {
    return await postForm({ services, request, reply, signal, ...form });
  } finally {
    await form.close();
  }
}

async function postForm(posting: Omit<Posting, 'whenDone'>): Promise<FastifyReply> {
  const { services, request, reply, args, file, signal } = posting;
  if (args.operation === '' || args.operation === 'upload') return upload(posting, fileOf(file));
  if (args.operation !== 'mkdir') throw unknownOperation();
  await refuseBody(request);
  return sendMade(reply, args, await makeDirectory(services, [], { args, signal, where: 'POST /uri' }));
}

async function upload(
  { services, request, reply, args, signal }: Omit<Posting, 'file' | 'whenDone'>,
  file: FormFile,
): Promise<FastifyReply> {
  const whenDone = whenDoneOf(request, args);
  const capability = await storeFile(services, { bytes: file.bytes() }, args, signal);
  const text = encodeURIComponent(dangerouslyFormatCapability(capability));
  if (whenDone !== undefined) return redirect(reply, whenDone.replaceAll('%(uri)s', text));
  const isMutable = (args.format ?? 'chk') !== 'chk';
  return isMutable ? sendCapability(reply, 200, capability) : sendPage(reply, uploadedPage(capability, file.sizeBytes));
}

/** Who sends children along with t=mkdir means something else. */
async function refuseBody(request: FastifyRequest): Promise<void> {
  if (isForm(request) || (await readBody(request, 'body', 1 << 20)).length === 0) return;
  const reason = 't=mkdir does not accept children=, try t=mkdir-with-children instead';
  throw new TahoeError('ERR_USAGE', { reason });
}

function sendMade(reply: FastifyReply, args: Arguments, directory: DirectoryCapability): FastifyReply {
  if (!args.flag('redirect_to_result', false)) return sendCapability(reply, 200, directory);
  const address = `uri/${encodeURIComponent(dangerouslyFormatCapability(directory))}`;
  return reply.code(303).header('location', address).send();
}

function unknownOperation(): TahoeError {
  const reason =
    '/uri accepts only PUT, PUT?t=mkdir, POST?t=upload, POST?t=mkdir, POST?t=mkdir-with-children, and POST?t=mkdir-immutable';
  return new TahoeError('ERR_USAGE', { reason });
}
