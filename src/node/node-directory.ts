/**
 * A node directory: which kind of node lives there, and how its files are read and written.
 *
 *     tahoe.cfg  tallac.cfg     options, never written by a running node
 *     tahoe-client.tac          only its name counts: it says which kind of node this is
 *     my_nodeid  node.pubkey  node.url  permutation-seed  client.port      written by the node, for everybody
 *     private/                  0700; its files 0600: keys and secrets, each created once
 *
 * What the values in the files are is node-secrets.ts, certificate.ts and furl.ts.
 * @see Tahoe-LAFS docs/configuration.rst, "Other Files"
 */
import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import type { NodeType } from './config/schema.js';
import { createFileOnce, fileError, removeUnfinished, replaceFile, systemCode } from './durable-file.js';

/** Permissions of files that anybody may read. */
export const PUBLIC_MODE = 0o644;
/** Permissions of files that hold secrets. */
export const PRIVATE_MODE = 0o600;
const PRIVATE_DIRECTORY_MODE = 0o700;

const PRIVATE_README = `
Everything in this directory is secret: keys, capabilities and what gives access to this node.
Whoever can read these files can act as this node and read what its owner has stored. Keep the directory
readable by its owner alone, and back it up: several of these files cannot be made again.
`;

/** One node directory. Paths are absolute when `path` is. */
export class NodeDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The path of a file in the directory. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** The path of a file in private/. */
  privateFile(name: string): string {
    return join(this.path, 'private', name);
  }

  /**
   * Makes private/ (0700, with a README) when it is missing.
   * @throws ERR_FILE or ERR_NO_SPACE when it cannot be made.
   */
  async ensurePrivate(): Promise<void> {
    try {
      await mkdir(this.privateFile(''), { mode: PRIVATE_DIRECTORY_MODE });
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return;
      throw fileError(this.privateFile(''), error);
    }
    await createFileOnce(this.privateFile('README'), PRIVATE_README, PUBLIC_MODE);
  }

  /**
   * Removes what a crash has left of half-written files. Only for the node that holds the pid file.
   * @throws ERR_FILE when that fails.
   */
  async removeUnfinished(): Promise<void> {
    await removeUnfinished(this.path);
    await removeUnfinished(this.privateFile(''));
  }

  /**
   * The text of a file without the white space around it; undefined when the file is not there.
   * @param name - relative to the directory, for instance `private/secret`.
   * @throws ERR_FILE when it is there and cannot be read.
   */
  async read(name: string): Promise<string | undefined> {
    const path = this.file(name);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw fileError(path, error);
    }
  }

  /**
   * The text of a file in private/ without white space around it, after writing `make()` into it when it is not there.
   * An existing file is never changed.
   * @throws ERR_FILE when the file is empty (a secret made up in its place would hide the loss), or cannot be read or
   *   written; ERR_NO_SPACE.
   */
  async readOrCreatePrivate(name: string, make: () => string | Promise<string>): Promise<string> {
    const relative = join('private', name);
    const existing = await this.read(relative);
    if (existing === undefined) await createFileOnce(this.privateFile(name), await make(), PRIVATE_MODE);
    const text = existing ?? (await this.read(relative)) ?? '';
    if (text !== '') return text;
    const reason = 'it is empty; put its content back, or remove it to have a new one made';
    throw new TahoeError('ERR_FILE', { file: this.privateFile(name), reason });
  }

  /**
   * Writes a file of the directory for everybody, when its content is not that already.
   * @throws ERR_FILE, ERR_NO_SPACE.
   */
  async write(name: string, text: string): Promise<void> {
    const isSame = (await this.read(name)) === text.trim();
    if (!isSame) await replaceFile(this.file(name), text, PUBLIC_MODE);
  }

  /**
   * Writes a file of private/, readable by its owner alone.
   * @throws ERR_FILE, ERR_NO_SPACE.
   */
  async writePrivate(name: string, text: string): Promise<void> {
    await replaceFile(this.privateFile(name), text, PRIVATE_MODE);
  }
}

/** The marker file of a kind of node. */
export function markerName(nodeType: NodeType): string {
  return `tahoe-${nodeType}.tac`;
}

/**
 * Which kind of node lives in a directory: the first file (by name) that ends in `.tac` says it by its name.
 * @throws ERR_NOT_A_NODE when `path` is no directory or no such file is in it.
 * @throws ERR_FILE when the directory cannot be read.
 */
export async function identifyNodeType(path: string): Promise<NodeType> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) throw notANode(path, 'it does not look like a directory at all');
  const marker = (await listDirectory(path)).sort().find((name) => name.endsWith('.tac')) ?? '';
  if (marker.includes('client')) return 'client';
  if (marker.includes('introducer')) return 'introducer';
  throw notANode(path, `it is not a recognizable node directory, for it holds no ${markerName('client')}`);
}

/** The names in a directory. @throws ERR_FILE when it cannot be read. */
export async function listDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

function notANode(directory: string, reason: string): TahoeError {
  return new TahoeError('ERR_NOT_A_NODE', { directory, reason });
}
