/**
 * Files and directories of this machine, to be copied. Links are followed; what is neither file nor directory is
 * left out, as the reference does.
 */
import type { BigIntStats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isUtf8 } from 'node:buffer';
import { TahoeError } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import { quotePath } from '#node/quoted-path.js';
import { localFileError, openLocalFile } from '../local-file.js';
import { lookAt } from '../local-looks.js';
import type { Source, SourceDirectory, SourceFile } from './source.js';

/**
 * @param path - absolute.
 * @param word - as it was typed.
 * @throws ERR_USAGE when there is nothing, or what is neither a file nor a directory; ERR_FILE.
 */
export async function localSource(path: string, word: string): Promise<Source> {
  const found = await statIfThere(path);
  if (found === undefined) throw usage(`No such file or directory ${quotePath(word)}`);
  if (found.isDirectory()) return localDirectory(path, basename(path), [identityOf(found)]);
  if (word.endsWith('/')) throw usage(`source ${quotePath(word)} is not a directory, but ends with a slash`);
  if (!found.isFile()) throw usage(`source ${quotePath(path)} is neither a file nor a directory, I can't handle it`);
  return localFile(path, basename(path), found);
}

/** Of the file or directory, or what a link leads to; undefined when there is nothing. @throws ERR_FILE. */
export async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lookAt(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw localFileError(path, error);
  }
}

/** @param above - the directories that it lies in, itself included: a link back to one of them has no end. */
function localDirectory(path: string, name: string, above: readonly string[]): SourceDirectory {
  return { kind: 'directory', name, children: () => childrenOf(path, above) };
}

function localFile(path: string, name: string, { size }: BigIntStats): SourceFile {
  return { kind: 'file', name, linkable: undefined, sizeBytes: Number(size), open: () => openLocalFile(path) };
}

async function childrenOf(path: string, above: readonly string[]): Promise<Source[]> {
  const names = await readdir(path, { encoding: 'buffer' }).catch((error: unknown) => {
    throw localFileError(path, error);
  });
  const children: Source[] = [];
  for (const bytes of names.sort((a, b) => a.compare(b))) {
    const name = bytes.toString();
    const child = join(path, name);
    if (!isUtf8(bytes)) throw new TahoeError('ERR_FILE', { file: child, reason: 'its name is not UTF-8; rename it' });
    const found = await statIfThere(child);
    if (found?.isFile() === true) children.push(localFile(child, name, found));
    if (found?.isDirectory() !== true) continue;
    const identity = identityOf(found);
    if (above.includes(identity)) {
      throw new TahoeError('ERR_FILE', { file: child, reason: 'it leads back to a directory that it lies in' });
    }
    children.push(localDirectory(child, name, [...above, identity]));
  }
  return children;
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${String(dev)}:${String(ino)}`;
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
