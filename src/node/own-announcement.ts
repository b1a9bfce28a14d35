/**
 * What a storage node announces of itself to introducers: signed with its key, under a number that grows with each
 * start, kept in announcement-seqnum.
 * @see Tahoe-LAFS src/allmydata/client.py, `init_storage`
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { signAnnouncement, STORAGE_SERVICE } from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import type { Announced } from './announcement-file.js';
import { replaceFile } from './durable-file.js';
import { listNurls } from './furl.js';
import { PUBLIC_MODE } from './node-directory.js';
import type { NodeDirectory } from './node-directory.js';

const NUMBER_FILE = 'announcement-seqnum';
const NONCE_BYTES = 16;

/** What an announcement is made with. */
export interface AnnouncementSigner {
  readonly directory: NodeDirectory;
  /** The Ed25519 seed of the node. */
  readonly privateKey: Uint8Array;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly applicationVersion: string;
}

/** Signs it under the next number, which is durable before anybody sees it. @throws ERR_FILE, ERR_NO_SPACE. */
export async function signOwnAnnouncement(
  announced: Announced,
  signer: AnnouncementSigner,
): Promise<SignedAnnouncement> {
  const { address, certificates = [], hints, nickname, permutationSeed, spkiHash } = announced;
  const nurls = listNurls(spkiHash, hints, address.swissnum).map((nurl) => nurl.dangerouslyFormat());
  const fields = {
    version: 0,
    nickname,
    'app-versions': [],
    'my-version': signer.applicationVersion,
    'oldest-supported': '1.0.0',
    'service-name': STORAGE_SERVICE,
    'permutation-seed-base32': permutationSeed,
    'anonymous-storage-FURL': address.furl,
    'anonymous-storage-NURLs': nurls,
    ...(certificates.length === 0 ? {} : { 'grid-manager-certificates': certificates }),
    seqnum: await nextNumber(signer.directory),
    nonce: formatBase32(signer.random.bytes(NONCE_BYTES)),
  };
  return signAnnouncement(fields, signer.privateKey, signer.crypto);
}

async function nextNumber(directory: NodeDirectory): Promise<number> {
  const text = (await directory.read(NUMBER_FILE)) ?? '0';
  if (!/^[0-9]{1,15}$/.test(text)) {
    const reason = 'it is no number; write one into it that is higher than any this node has announced';
    throw new TahoeError('ERR_FILE', { file: directory.file(NUMBER_FILE), reason });
  }
  const number = Number(text) + 1;
  await replaceFile(directory.file(NUMBER_FILE), `${String(number)}\n`, PUBLIC_MODE);
  return number;
}
