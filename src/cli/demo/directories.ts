/**
 * The node directories of the demonstration: ten storage nodes, and one client whose private/servers.yaml lists
 * them. All keys are made here, a few at a time, so that the list can be written before any node runs.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import type { ServersYamlEntry } from '#wire/announcement.js';
import { loadCertificate } from '#node/certificate.js';
import { createClient, createNode } from '#node/create.js';
import { allocatePort } from '#node/endpoint.js';
import { listNurls } from '#node/furl.js';
import { NodeDirectory } from '#node/node-directory.js';
import { loadIdentity, loadPermutationSeed, loadStorageAddress } from '#node/node-secrets.js';

/** How files are encoded in the demonstration. */
export const ENCODING = { needed: 3, happy: 7, total: 10 } as const;
const HOST = '127.0.0.1';
const WEB_PORT = `tcp:0:interface=${HOST}`;

/** What making keys needs. */
export interface KeyMaking {
  readonly clock: Clock;
  readonly crypto: CryptoProvider;
  readonly random: Random;
}

/** Where the nodes live, as absolute paths. */
export interface DemoDirectories {
  /** node 1 to node 10, in this order. */
  readonly storage: readonly string[];
  readonly gateway: string;
}

/**
 * Makes all directories in `parent`.
 * @throws ERR_FILE, ERR_NO_SPACE, ERR_LISTEN.
 */
export async function makeDirectories(parent: string, making: KeyMaking): Promise<DemoDirectories> {
  const ports = await allocatePorts(ENCODING.total);
  const nodes = ports.map((port, index) => ({
    port,
    number: index + 1,
    path: join(parent, `node${String(index + 1)}`),
  }));
  const entries = await Promise.all(nodes.map((node) => makeStorageNode(node, making)));
  const gateway = join(parent, 'gateway');
  await makeGateway(gateway, entries, making);
  return { storage: nodes.map(({ path }) => path), gateway };
}

async function allocatePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count && attempt < 10 * count; attempt++) ports.add(await allocatePort());
  if (ports.size === count) return [...ports];
  throw new TahoeError('ERR_LISTEN', { endpoint: 'tcp:0', option: 'tub.port', reason: 'there are too few free ports' });
}

async function makeStorageNode(
  { port, number, path }: { readonly port: number; readonly number: number; readonly path: string },
  { clock, crypto, random }: KeyMaking,
): Promise<ServersYamlEntry> {
  const nickname = `node ${String(number)}`;
  const hint = `tcp:${HOST}:${String(port)}`;
  const options = { nickname, webport: 'none', port: `tcp:${String(port)}:interface=${HOST}`, location: hint };
  await createNode(path, options, allocatePort);
  const directory = new NodeDirectory(path);
  const { tubId, spkiHash } = await loadCertificate(directory, clock);
  const { serverId, publicKey } = await loadIdentity(directory, crypto, random);
  const { furl, swissnum } = await loadStorageAddress(directory, tubId, [hint], random);
  // A node that has an address and no store would miss the volume that it had.
  await mkdir(join(path, 'storage/shares'), { recursive: true, mode: 0o700 });
  const seed = await loadPermutationSeed(directory, { hasShares: false, tubId, publicKey });
  const nurls = listNurls(spkiHash, [{ type: 'tcp', host: HOST, port, text: hint }], swissnum);
  return { serverId, nickname, furl, nurls, permutationSeed: parseBase32(seed) };
}

async function makeGateway(path: string, servers: readonly ServersYamlEntry[], { clock }: KeyMaking): Promise<void> {
  const { needed, happy, total } = ENCODING;
  await createClient(path, {
    nickname: 'gateway',
    webport: WEB_PORT,
    sharesNeeded: String(needed),
    sharesHappy: String(happy),
    sharesTotal: String(total),
  });
  const directory = new NodeDirectory(path);
  await loadCertificate(directory, clock);
  await directory.writePrivate('servers.yaml', dangerouslyFormatServersYaml(servers));
}
