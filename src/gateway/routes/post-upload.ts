/**
 * `POST …?t=upload`: stores the file of a form. In a directory it gets `name=`, else the name it had on the disk it was
 * chosen from; in place of a file, a mutable one is written over and an immutable one replaced.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Uploading a File"
 */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { KnownCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import { typeOfChild } from '#core/directory/child.js';
import { TahoeError } from '#core/errors.js';
import type { FormFile } from '../form.js';
import { readContents, storeFile } from '../making.js';
import type { Found, Place } from '../target.js';
import type { Posting } from './post.js';

/** Answers it. @returns the file's capability. */
export async function uploadAt(posting: Posting, { child, place }: Found): Promise<string> {
  const file = fileOf(posting.file);
  const { args, services, signal } = posting;
  if (child.kind !== 'directory') return dangerouslyFormatCapability(await store(posting, file, child, place));
  const name = nameOf(args.get('name') ?? '', file);
  const parent = await services.openDirectory(child, signal);
  const existing = (await parent.entry(name, { signal }))?.child;
  return dangerouslyFormatCapability(await store(posting, file, existing, { parent, name }));
}

/** The file of a form. @throws ERR_USAGE when it has none. */
export function fileOf(file: FormFile | undefined): FormFile {
  if (file === undefined) throw refused('t=upload takes a form (multipart/form-data) with a field named file');
  return file;
}

async function store(
  { services, args, signal }: Posting,
  file: FormFile,
  existing: Child | undefined,
  place: Place | undefined,
): Promise<KnownCapability> {
  if (existing?.kind === 'ssk') {
    const contents = await readContents({ bytes: file.bytes() });
    await (await services.openMutable(existing, signal)).overwrite(contents, { signal });
    return existing;
  }
  if (place === undefined) throw refused('t=upload takes a path, a directory, or a mutable file that may be written');
  const { overwrite } = args;
  if (existing?.kind === 'directory' || (existing !== undefined && overwrite === 'nothing')) {
    throw new TahoeError('ERR_CHILD_EXISTS', { name: place.name, existing: typeOfChild(existing) });
  }
  const stored = await storeFile(services, { bytes: file.bytes() }, args, signal);
  await place.parent.link([{ name: place.name, child: stored }], overwrite, { signal });
  return stored;
}

function nameOf(given: string, file: FormFile): string {
  const name = (given === '' ? (file.name ?? '') : given).trim();
  if (name === '') throw refused('upload requires a name');
  if (name.includes('/')) throw refused('name= may not contain a slash');
  return name;
}

function refused(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
