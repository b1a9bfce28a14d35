/**
 * Asks one server what it holds of a mutable file: lists its shares, opens each (in one request where the server knows
 * of such a thing), and verifies keys and signature.
 *
 * A signature is verified once for all shares that carry the same one over the same version; a share that carries
 * another one has it verified anew, so that damage to one share's signature shows.
 */
import { equalBytes, toHex } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { deriveFingerprint } from '#core/derive.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { CHECKSTRING_SIZE } from '#core/mutable/layout.js';
import { encodeSignedPrefix } from '#core/mutable/version.js';
import type { StorageServer } from '../storage-server.js';
import type { BadShare } from './servermap.js';
import { MutableShareReader, OPEN_SIZE } from './share-reader.js';

/** How many shares of one server are opened at a time. */
const OPENING_MAX = 8;
/** After so long a server is not waited for any more. */
export const QUERY_TIMEOUT_MS = 20_000;

/** Which file. */
export interface QueriedFile {
  readonly crypto: CryptoProvider;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** 32 bytes. */
  readonly fingerprint: Uint8Array;
}

/** Hears of each share as soon as it was looked at. */
export interface QueryListener {
  readonly found: (share: MutableShareReader) => void;
  readonly bad: (share: BadShare) => void;
}

/** What was verified already, for all servers of one look. */
export class VerifiedSignatures {
  readonly #file: QueriedFile;
  readonly #signatures = new Set<string>();
  #publicKey: Uint8Array | undefined;

  constructor(file: QueriedFile) {
    this.#file = file;
  }

  /** @throws ERR_HASH when the public key is not the file's, ERR_SIGNATURE; what reading throws. */
  async verify(share: MutableShareReader, signal: AbortSignal): Promise<void> {
    const [publicKey, signature] = await Promise.all([share.publicKey(signal), share.signature(signal)]);
    this.#checkPublicKey(publicKey);
    const prefix = encodeSignedPrefix(share.header);
    const name = `${toHex(prefix)}/${toHex(signature)}`;
    if (this.#signatures.has(name)) return;
    if (!this.#isSignedBy(publicKey, prefix, signature)) throw new TahoeError('ERR_SIGNATURE', {});
    this.#signatures.add(name);
  }

  #checkPublicKey(publicKey: Uint8Array): void {
    if (this.#publicKey !== undefined && equalBytes(publicKey, this.#publicKey)) return;
    const { crypto, fingerprint } = this.#file;
    if (!equalBytes(deriveFingerprint(crypto, publicKey), fingerprint)) {
      throw new TahoeError('ERR_HASH', { what: 'the public key' });
    }
    this.#publicKey = publicKey.slice();
  }

  #isSignedBy(publicKey: Uint8Array, prefix: Uint8Array, signature: Uint8Array): boolean {
    return this.#file.crypto.rsaVerify(publicKey, prefix, signature);
  }
}

/**
 * Asks a server. What it holds is a small answer: the signal ends what would follow, and not the question itself, for that
 * would cost the connection.
 * @throws what the server throws; shares that were looked at before were told already.
 */
export async function queryServer(
  file: QueriedFile,
  server: StorageServer,
  verified: VerifiedSignatures,
  listener: QueryListener,
  signal: AbortSignal,
): Promise<void> {
  const limit = { timeoutMs: QUERY_TIMEOUT_MS };
  const beginnings = await server.readMutableBeginnings?.(file.storageIndex, OPEN_SIZE, limit);
  if (signal.aborted) return;
  if (beginnings !== undefined) {
    for (const [shareNumber, beginning] of beginnings) {
      await openShare(file, { server, shareNumber }, beginning, verified, listener, signal);
    }
    return;
  }
  const shareNumbers = [...(await server.listMutableShares(file.storageIndex, limit))];
  const open = async (): Promise<void> => {
    for (let next = shareNumbers.shift(); next !== undefined; next = shareNumbers.shift()) {
      const range = { begin: 0, end: OPEN_SIZE };
      const beginning = await server.readMutable(file.storageIndex, next, range, { signal });
      if (beginning === undefined) continue; // it went away after it was listed
      await openShare(file, { server, shareNumber: next }, beginning, verified, listener, signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(OPENING_MAX, shareNumbers.length) }, open));
}

async function openShare(
  file: QueriedFile,
  { server, shareNumber }: Pick<BadShare, 'server' | 'shareNumber'>,
  beginning: Uint8Array,
  verified: VerifiedSignatures,
  listener: QueryListener,
  signal: AbortSignal,
): Promise<void> {
  const { crypto, storageIndex } = file;
  try {
    const share = new MutableShareReader({ crypto, storageIndex, server, shareNumber }, beginning);
    await verified.verify(share, signal);
    listener.found(share);
  } catch (error) {
    if (!isShareError(error)) throw error;
    listener.bad({ server, shareNumber, checkstring: checkstringIn(beginning), reason: reasonOf(error) });
  }
}

/** Whether an error says that a share is bad, and not that its server cannot be reached. */
export function isShareError(error: unknown): boolean {
  return isTahoeError(error) && (error.family === 'integrity' || error.code === 'ERR_RSA_KEY');
}

/** What a writer must find there again to replace a bad share. */
function checkstringIn(beginning: Uint8Array): Uint8Array {
  return beginning.slice(0, beginning[0] === 1 ? CHECKSTRING_SIZE.mdmf : CHECKSTRING_SIZE.sdmf);
}
