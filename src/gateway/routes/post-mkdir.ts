/**
 * `POST /uri/CAP/…?t=mkdir`, `mkdir-with-children` and `mkdir-immutable`: makes a directory at the path with all that
 * leads to it, or with `name=` one inside of it. A directory that is there already is left as it is.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Creating a New Directory"
 */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { DirectoryCapability, MutableFormat } from '#core/capability/types.js';
import type { Overwrite } from '#core/directory/changes.js';
import type { NewEntry } from '#core/directory/entries.js';
import { TahoeError } from '#core/errors.js';
import { CHILDREN_SIZE_MAX, parseChildren } from '../children-json.js';
import { directoryFormat, makeSubdirectory, newEntries } from '../making.js';
import { findOrMake } from '../path-making.js';
import { readBody } from '../request-body.js';
import { targetOf } from '../target.js';
import type { Place } from '../target.js';
import type { Posting } from './post.js';

/** Answers it. @returns the directory's capability. */
export async function makeAt(posting: Posting): Promise<string> {
  return dangerouslyFormatCapability(await madeAt(posting));
}

async function madeAt(posting: Posting): Promise<DirectoryCapability> {
  const { services, request, args, signal } = posting;
  const hasChildren = args.operation !== 'mkdir';
  const body = hasChildren ? await readBody(request, 'list of children', CHILDREN_SIZE_MAX) : new Uint8Array(0);
  const entries = newEntries(parseChildren(body));
  const { child, place } = await findOrMake(services, targetOf(request), signal);
  const name = args.get('name') ?? '';
  if (child !== undefined && child.kind !== 'directory') {
    throw new TahoeError('ERR_USAGE', { reason: `POST to file: bad t=${args.operation}` });
  }
  if (name === '') {
    return child ?? (await make(posting, placed(place), { entries, overwrite: 'nothing' }));
  }
  const { parent, name: last } = place ?? {};
  const outer =
    child ??
    (await makeSubdirectory(services, placed(parent), placed(last), { format: mutableFormat(posting), signal }));
  const overwrite = hasChildren ? 'nothing' : args.flag('replace', true) ? 'anything' : 'nothing';
  const inside = { parent: await services.openDirectory(outer, signal), name };
  return make(posting, inside, { entries, overwrite });
}

async function make(
  posting: Posting,
  { parent, name }: Place,
  { entries, overwrite }: { readonly entries: readonly NewEntry[]; readonly overwrite: Overwrite },
): Promise<DirectoryCapability> {
  const { services, args, signal } = posting;
  const child =
    args.operation === 'mkdir-immutable'
      ? await services.createImmutableDirectory(entries, signal)
      : await services.createDirectory(entries, { format: mutableFormat(posting), signal });
  await parent.link([{ name, child }], overwrite, { signal });
  return child;
}

function mutableFormat({ args, services }: Posting): MutableFormat {
  return directoryFormat(services, args.format);
}

/** What is not there has a place where it would be. */
function placed<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a path without a name is the root, which is there');
  return value;
}
