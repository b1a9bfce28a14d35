/**
 * Makes directories that never change: their entries packed and stored like a file, in the capability itself where they
 * fit into 55 bytes, else as an immutable file. Its key is convergent, so equal directories get equal capabilities.
 * Everything below one must be immutable too.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { inOnePiece } from '#core/bytes.js';
import { concealed } from '#core/capability/types.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import { packDirectory } from '#core/directory/entries.js';
import type { NewEntry } from '#core/directory/entries.js';
import { uploadFile } from '../upload/upload.js';
import type { UploadContext } from '../upload/upload.js';
import type { DirectoryCallOptions } from './directory.js';

/**
 * Stores a directory of these entries, whose metadata are taken as they are.
 * @throws ERR_CHILD_CAPABILITY when a child can change or might, ERR_CHILD_NAME, ERR_JSON, ERR_TOO_LARGE, ERR_TOO_MANY,
 *   and what `uploadFile` throws.
 */
export async function makeImmutableDirectory(
  context: UploadContext,
  entries: Iterable<NewEntry>,
  { signal = new AbortController().signal }: DirectoryCallOptions = {},
): Promise<DirectoryCapability> {
  const contents = packDirectory(context.crypto, { kind: 'immutable' }, entries);
  const { capability } = await uploadFile(context, inOnePiece(contents), { signal });
  return concealed({ kind: 'directory', file: capability });
}
