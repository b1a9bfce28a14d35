/**
 * private/announcement.yaml: what a storage node would announce of itself, written so that it is a client's
 * private/servers.yaml as it stands. The reference writes no such file, and looks at none.
 */
import { parseBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import type { LocationHint } from './config/endpoint-text.js';
import { listNurls } from './furl.js';
import type { NodeDirectory } from './node-directory.js';
import type { StorageAddress } from './node-secrets.js';

const ANNOUNCEMENT_FILE = 'announcement.yaml';

/** What is announced. */
export interface Announced {
  readonly serverId: string;
  readonly nickname: string;
  readonly address: StorageAddress;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, base64url, 43 characters. */
  readonly spkiHash: string;
  readonly hints: readonly LocationHint[];
  /** In base32. */
  readonly permutationSeed: string;
  readonly certificates?: readonly GridCertificate[];
}

/**
 * Writes the file anew where it says something else. It holds the swissnum.
 * @throws ERR_FILE when the seed is not base32, or the file cannot be written; ERR_NO_SPACE.
 */
export async function writeAnnouncement(directory: NodeDirectory, announced: Announced): Promise<void> {
  const { serverId, nickname, address, spkiHash, hints, permutationSeed, certificates = [] } = announced;
  const nurls = listNurls(spkiHash, hints, address.swissnum);
  const seed = seedOf(directory, permutationSeed);
  const server = { serverId, nickname, furl: address.furl, nurls, permutationSeed: seed, certificates };
  const text = dangerouslyFormatServersYaml([server]);
  const old = await directory.read(`private/${ANNOUNCEMENT_FILE}`);
  if (old?.trim() !== text.trim()) await directory.writePrivate(ANNOUNCEMENT_FILE, text);
}

function seedOf(directory: NodeDirectory, text: string): Uint8Array {
  try {
    return parseBase32(text);
  } catch (cause) {
    const reason = 'it is not base32; put its content back';
    throw new TahoeError('ERR_FILE', { file: directory.file('permutation-seed'), reason }, { cause });
  }
}
