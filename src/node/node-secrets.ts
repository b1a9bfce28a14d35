/**
 * The values that make a node the one it is, each created once in its directory and read ever after.
 *
 *     private/secret, private/convergence   base32 of 32 random bytes: lease secret, convergence secret
 *     private/node.privkey                  priv-v0-<base32 of 32 bytes>: the Ed25519 seed; node.pubkey follows from it
 *     private/storage.furl                  the furl of the storage service; its swissnum stays, its hints are renewed
 *     private/api_auth_token                base64url of 32 random bytes, new at each start
 *     permutation-seed                      base32; where clients see this server among the others
 *
 * @see Tahoe-LAFS docs/configuration.rst, "Private Configuration"
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { formatTubId } from './certificate.js';
import { dangerouslyFormatFurl, parseFurl } from './furl.js';
import type { NodeDirectory } from './node-directory.js';

const SECRET_BYTES = 32;
const SWISSNUM_BYTES = 20;
const PRIVATE_KEY = /^priv-v0-([a-z2-7]{52})$/;

/** The two secrets of a client. */
export interface ClientSecrets {
  /** Master of all lease secrets. */
  readonly leaseSecret: Uint8Array;
  /** Goes into the key of each immutable file, so that nobody else can guess at what is stored. */
  readonly convergenceSecret: Uint8Array;
}

/** Who a node is to others. */
export interface NodeIdentity {
  /** The Ed25519 seed, 32 bytes. Secret. */
  readonly privateKey: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** `v0-` and the public key in base32: 55 characters. */
  readonly serverId: string;
}

/** How the storage service is opened. */
export interface StorageAddress {
  /** The furl with its secret. */
  readonly furl: string;
  /** The secret alone: 32 characters of base32 unless an operator chose another. */
  readonly swissnum: string;
}

/**
 * The lease secret and the convergence secret, 32 bytes each when they are made here.
 * @throws ERR_FILE when a file is empty, not base32, or cannot be read or written; ERR_NO_SPACE.
 */
export async function loadClientSecrets(directory: NodeDirectory, random: Random): Promise<ClientSecrets> {
  return {
    leaseSecret: await loadSecret(directory, 'secret', random),
    convergenceSecret: await loadSecret(directory, 'convergence', random),
  };
}

async function loadSecret(directory: NodeDirectory, name: string, random: Random): Promise<Uint8Array> {
  const text = await directory.readOrCreatePrivate(name, () => `${formatBase32(random.bytes(SECRET_BYTES))}\n`);
  try {
    return parseBase32(text);
  } catch (error) {
    // The cause says what is wrong; the text itself is secret.
    throw unusable(directory, name, 'it is not base32; put its content back', error);
  }
}

/**
 * The node's signing key; node.pubkey is written from it.
 * @throws ERR_FILE when private/node.privkey is no `priv-v0-` key, or a file cannot be read or written; ERR_NO_SPACE.
 */
export async function loadIdentity(
  directory: NodeDirectory,
  crypto: CryptoProvider,
  random: Random,
): Promise<NodeIdentity> {
  const name = 'node.privkey';
  const text = await directory.readOrCreatePrivate(name, () => `priv-v0-${formatBase32(random.bytes(SECRET_BYTES))}\n`);
  const [, encoded] = PRIVATE_KEY.exec(text) ?? [];
  if (encoded === undefined)
    throw unusable(directory, name, 'it is not priv-v0- and 52 characters; put its content back');
  const privateKey = parseKey(directory, name, encoded);
  const publicKey = crypto.ed25519PublicKey(privateKey);
  const serverId = `v0-${formatBase32(publicKey)}`;
  await directory.write('node.pubkey', `pub-${serverId}\n`);
  return { privateKey, publicKey, serverId };
}

function parseKey(directory: NodeDirectory, name: string, encoded: string): Uint8Array {
  try {
    return parseBase32(encoded);
  } catch (error) {
    throw unusable(directory, name, 'it is not base32; put its content back', error);
  }
}

/**
 * Makes the token that opens the gateway's private area, new at each start.
 * @returns 44 characters of base64url with padding.
 * @throws ERR_FILE, ERR_NO_SPACE when it cannot be written.
 */
export async function renewApiToken(directory: NodeDirectory, random: Random): Promise<string> {
  const token = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  await directory.writePrivate('api_auth_token', `${token}\n`);
  return token;
}

/**
 * The furl of the storage service. Its swissnum is made once; its hints are those of this start.
 * @param tubId - 20 bytes.
 * @throws ERR_FILE when private/storage.furl is no furl, or belongs to another certificate; ERR_NO_SPACE.
 */
export async function loadStorageAddress(
  directory: NodeDirectory,
  tubId: Uint8Array,
  hints: readonly string[],
  random: Random,
): Promise<StorageAddress> {
  return loadServiceAddress(directory, 'storage.furl', tubId, hints, random);
}

/** The same of any service, by the name of its file in private/. */
export async function loadServiceAddress(
  directory: NodeDirectory,
  name: string,
  tubId: Uint8Array,
  hints: readonly string[],
  random: Random,
): Promise<StorageAddress> {
  const furlOf = (swissnum: string) => dangerouslyFormatFurl({ tubId: formatTubId(tubId), hints, swissnum });
  const fresh = furlOf(formatBase32(random.bytes(SWISSNUM_BYTES)));
  const text = await directory.readOrCreatePrivate(name, () => `${fresh}\n`);
  const old = parseFurl(text);
  if (old === undefined) throw unusable(directory, name, 'it is not a furl; put its content back');
  if (old.tubId !== formatTubId(tubId)) {
    throw unusable(
      directory,
      name,
      'it belongs to another certificate than private/node.pem; put the two back together',
    );
  }
  const furl = furlOf(old.swissnum);
  if (furl !== text) await directory.writePrivate(name, `${furl}\n`);
  return { furl, swissnum: old.swissnum };
}

/**
 * The seed that clients sort this server by, created once in permutation-seed.
 * A server whose store holds shares from before seeds were written down keeps its tub id as seed. Any other takes
 * the reference's: base32 of the 52 characters of its public key, which makes it 84 characters long.
 * @param given - `tubId` 20 bytes, `publicKey` 32 bytes, whether the store holds shares.
 * @returns the seed in base32, as it is announced.
 * @throws ERR_FILE, ERR_NO_SPACE.
 */
export async function loadPermutationSeed(
  directory: NodeDirectory,
  given: { readonly hasShares: boolean; readonly tubId: Uint8Array; readonly publicKey: Uint8Array },
): Promise<string> {
  const name = 'permutation-seed';
  const existing = await directory.read(name);
  if (existing !== undefined && existing !== '') return existing;
  const seed = given.hasShares ? given.tubId : utf8(formatBase32(given.publicKey));
  const text = formatBase32(seed);
  await directory.write(name, `${text}\n`);
  return text;
}

function unusable(directory: NodeDirectory, name: string, reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_FILE', { file: directory.privateFile(name), reason }, { cause });
}
