/**
 * What the commands of `grid-manager` do. Where the configuration comes from standard input, what would be written to
 * files is printed instead.
 */
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { createCrypto } from '#node/crypto-choice.js';
import {
  GridManagerDirectory,
  newGridManager,
  publicIdentity,
  requireServer,
  withoutServer,
  withServer,
} from '#node/grid-manager.js';
import { nodeRandom } from '#node/keypair.js';
import { formatCertificate, formatExpiry, readCertificate, signCertificate } from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import { dangerouslyFormatGridManagerConfig, parseGridManagerConfig } from '#wire/grid-manager-config.js';
import type { GridManagerConfig } from '#wire/grid-manager-config.js';
import { resolveLocal } from '../directory-choice.js';
import type { Surroundings } from '../context.js';
import { write, writeLine } from '../output.js';

const DAY_MS = 86_400_000;
/** The longest configuration that is read from standard input, in bytes. */
const INPUT_SIZE_MAX = 64 << 20;

/** The surroundings and the value of --config. */
export interface ManagerContext extends Surroundings {
  readonly config: string;
}

/** The manager of a command line, and its directory where it has one. */
export interface OpenedManager {
  readonly manager: GridManagerConfig;
  readonly directory: GridManagerDirectory | undefined;
  readonly crypto: CryptoProvider;
}

/** Opens it. @throws ERR_FILE when there is none. */
export async function openManager(context: ManagerContext): Promise<OpenedManager> {
  const crypto = await createCrypto('native');
  const directory = directoryOf(context);
  if (directory !== undefined) return { crypto, directory, manager: await directory.load() };
  return { crypto, directory, manager: parseGridManagerConfig(await readInput(context), 'standard input') };
}

/** `create`. */
export async function createManager(context: ManagerContext): Promise<void> {
  const manager = newGridManager(nodeRandom);
  const directory = directoryOf(context);
  if (directory === undefined) await write(context.stdout, dangerouslyFormatGridManagerConfig(manager));
  else await directory.create(manager);
}

/** `public-identity`. */
export async function printIdentity(context: ManagerContext): Promise<void> {
  const { crypto, manager } = await openManager(context);
  await writeLine(context.stdout, publicIdentity(manager, crypto));
}

/** `add`. */
export async function addServer(context: ManagerContext, name: string, publicKey: string): Promise<void> {
  const { directory, manager } = await openManager(context);
  await save(context, directory, withServer(manager, name, publicKey.trim()));
}

/** `remove`. */
export async function removeServer(context: ManagerContext, name: string): Promise<void> {
  const { directory, manager } = await openManager(context);
  const rest = withoutServer(manager, name);
  await directory?.removeCertificates(name);
  await save(context, directory, rest);
}

/** `list`. */
export async function listServers(context: ManagerContext): Promise<void> {
  const { directory, manager } = await openManager(context);
  for (const [name, publicKey] of [...manager.servers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await writeLine(context.stdout, `${name}: ${publicKey}`);
    const certificates = (await directory?.certificates(name)) ?? [];
    for (const [number, certificate] of certificates.entries()) {
      const blank = ' '.repeat(name.length);
      await writeLine(context.stdout, `${blank}  cert ${String(number)}: ${validityOf(certificate, context)}`);
    }
  }
}

/** `sign`. */
export async function signServer(context: ManagerContext, name: string, days: number): Promise<void> {
  const { crypto, directory, manager } = await openManager(context);
  const publicKey = requireServer(manager, name);
  const expiresMs = context.clock.nowMs() + days * DAY_MS;
  const text = formatCertificate(signCertificate({ publicKey, expiresMs }, manager.seed, crypto));
  await directory?.addCertificate(name, text);
  await writeLine(context.stdout, text);
}

async function save(
  context: ManagerContext,
  directory: GridManagerDirectory | undefined,
  manager: GridManagerConfig,
): Promise<void> {
  if (directory === undefined) await write(context.stdout, dangerouslyFormatGridManagerConfig(manager));
  else await directory.save(manager);
}

function directoryOf(context: ManagerContext): GridManagerDirectory | undefined {
  return context.config === '-' ? undefined : new GridManagerDirectory(resolveLocal(context.config, context));
}

function validityOf({ certificate }: GridCertificate, { clock }: ManagerContext): string {
  const expiresMs = readCertificate(certificate)?.expiresMs;
  if (expiresMs === undefined) return 'it says nothing that is known here';
  const time = formatExpiry(expiresMs).replace('T', ' ');
  const days = Math.floor(Math.abs(expiresMs - clock.nowMs()) / DAY_MS);
  const span = days === 1 ? '1 day' : `${String(days)} days`;
  return expiresMs > clock.nowMs() ? `valid until ${time} (${span} in the future)` : `expired ${time} (${span} ago)`;
}

async function readInput({ stdin }: ManagerContext): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stdin as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > INPUT_SIZE_MAX) {
      throw new TahoeError('ERR_TOO_LARGE', { what: 'configuration on standard input', limitBytes: INPUT_SIZE_MAX });
    }
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces).toString('utf8');
}
