/**
 * A grid manager's directory: config.json and NAME.cert.N, as the reference's `grid-manager` reads and writes them.
 *
 *     config.json   the key and the servers (grid-manager-config.ts)
 *     NAME.cert.0   the first certificate that was signed for the server of this name; .1 the second, and so on
 *
 * Instead of a directory there can be a text alone, which comes from standard input and goes to standard output.
 */
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CryptoProvider } from '#core/crypto.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { parseCertificate } from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import { dangerouslyFormatGridManagerConfig, parseGridManagerConfig } from '#wire/grid-manager-config.js';
import type { GridManagerConfig } from '#wire/grid-manager-config.js';
import { formatPublicKey, parsePublicKey } from '#wire/signing-key.js';
import { createFileOnce, fileError, replaceFile, systemCode } from './durable-file.js';
import { PRIVATE_MODE } from './node-directory.js';

const CONFIG_FILE = 'config.json';
const DIRECTORY_MODE = 0o700;
const CERTIFICATE_MODE = 0o644;

/** A new manager with a key of its own. */
export function newGridManager(random: Random): GridManagerConfig {
  return { seed: random.bytes(32), servers: new Map() };
}

/** `pub-v0-…`: what clients put into [grid_managers]. */
export function publicIdentity({ seed }: GridManagerConfig, crypto: Pick<CryptoProvider, 'ed25519PublicKey'>): string {
  return formatPublicKey(crypto.ed25519PublicKey(seed));
}

/** The manager that knows one more server. @throws ERR_USAGE when the name is taken or unfit, or the key is none. */
export function withServer(manager: GridManagerConfig, name: string, publicKey: string): GridManagerConfig {
  if (manager.servers.has(name)) throw usage(`A storage-server called '${name}' already exists`);
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw usage(`'${name}' cannot be the name of a file, and certificates are files; choose another name`);
  }
  if (parsePublicKey(publicKey) === undefined) {
    throw usage('the public key is not pub-v0- and 52 characters; it is in the file node.pubkey of the storage node');
  }
  return { ...manager, servers: new Map([...manager.servers, [name, publicKey]]) };
}

/** The manager that does not know it. @throws ERR_USAGE when it never did. */
export function withoutServer(manager: GridManagerConfig, name: string): GridManagerConfig {
  requireServer(manager, name);
  return { ...manager, servers: new Map([...manager.servers].filter(([known]) => known !== name)) };
}

/** The public key of a server. @throws ERR_USAGE when there is none of this name. */
export function requireServer({ servers }: GridManagerConfig, name: string): string {
  const publicKey = servers.get(name);
  if (publicKey === undefined) throw usage(`No storage-server called '${name}' exists`);
  return publicKey;
}

/** One directory. Its path is absolute. */
export class GridManagerDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes the directory for a new manager. @throws ERR_FILE when there is something of that name. */
  async create(manager: GridManagerConfig): Promise<void> {
    try {
      await mkdir(this.path, { mode: DIRECTORY_MODE });
      await chmod(this.path, DIRECTORY_MODE);
    } catch (error) {
      throw fileError(this.path, error);
    }
    await this.save(manager);
  }

  /** @throws ERR_FILE when the file is not there or not a manager's. */
  async load(): Promise<GridManagerConfig> {
    const path = join(this.path, CONFIG_FILE);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw fileError(path, error);
    });
    return parseGridManagerConfig(text, path);
  }

  /** @throws ERR_FILE, ERR_NO_SPACE. */
  async save(manager: GridManagerConfig): Promise<void> {
    await replaceFile(join(this.path, CONFIG_FILE), dangerouslyFormatGridManagerConfig(manager), PRIVATE_MODE);
  }

  /** The certificates of a server in the order in which they were signed. @throws ERR_FILE, ERR_CERTIFICATE. */
  async certificates(name: string): Promise<readonly GridCertificate[]> {
    const found: GridCertificate[] = [];
    for (;;) {
      const text = await this.#read(name, found.length);
      if (text === undefined) return found;
      found.push(parseCertificate(text));
    }
  }

  /** Keeps a certificate behind those that are there. @param text - of the file. @throws ERR_FILE, ERR_NO_SPACE. */
  async addCertificate(name: string, text: string): Promise<void> {
    for (let number = 0; ; number++) {
      if (await createFileOnce(this.#certificateFile(name, number), text, CERTIFICATE_MODE)) return;
    }
  }

  /** @throws ERR_FILE. */
  async removeCertificates(name: string): Promise<void> {
    for (let number = 0; ; number++) {
      const path = this.#certificateFile(name, number);
      try {
        await rm(path);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return;
        throw fileError(path, error);
      }
    }
  }

  async #read(name: string, number: number): Promise<string | undefined> {
    const path = this.#certificateFile(name, number);
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw fileError(path, error);
    }
  }

  #certificateFile(name: string, number: number): string {
    return join(this.path, `${name}.cert.${String(number)}`);
  }
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}
