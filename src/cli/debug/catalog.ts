/** One share in one line, as `debug catalog-shares` lists it. */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { quotePath } from '#node/quoted-path.js';
import type { ImmutableContainer, MutableContainer, StoredLease } from './container.js';
import { readableUeb } from './dump-immutable.js';
import type { LocalShare } from './local-share.js';
import { readContainer, readImmutable, readImmutableLeases, readMutableHeader, readSlot } from './share-contents.js';

/**
 * Describes a share.
 * @param storageIndex - the name of its directory, whatever it is.
 * @param nowMs - Unix milliseconds.
 * @throws ERR_FILE, ERR_CONTAINER, ERR_SHARE_LAYOUT, ERR_UEB when it cannot be made sense of.
 */
export async function describeShare(
  crypto: CryptoProvider,
  share: LocalShare,
  storageIndex: string,
  nowMs: number,
): Promise<string> {
  const container = await readContainer(share);
  const path = quotePath(share.path);
  if (container === undefined) return `UNKNOWN really-unknown ${path}`;
  const described =
    container.kind === 'immutable'
      ? await describeImmutable(crypto, share, container, storageIndex, nowMs)
      : await describeMutable(share, container, storageIndex, nowMs);
  return `${described} ${path}`;
}

async function describeImmutable(
  crypto: CryptoProvider,
  share: LocalShare,
  container: ImmutableContainer,
  storageIndex: string,
  nowMs: number,
): Promise<string> {
  const expiry = remainingSeconds(await readImmutableLeases(share, container), nowMs);
  const fields = readableUeb(crypto, (await readImmutable(share, container)).ueb);
  const [needed, total, size, hash] = ['needed_shares', 'total_shares', 'size', 'UEB_hash'].map((key) => {
    const value = fields.get(key);
    if (value === undefined) throw new TahoeError('ERR_UEB', { reason: `it has no ${key}` });
    return value;
  });
  return `CHK ${storageIndex} ${String(needed)}/${String(total)} ${String(size)} ${String(hash)} ${expiry}`;
}

async function describeMutable(
  share: LocalShare,
  container: MutableContainer,
  storageIndex: string,
  nowMs: number,
): Promise<string> {
  const { leases, shareType } = await readSlot(share, container);
  const expiry = remainingSeconds(leases, nowMs);
  if (shareType === 'unknown') return 'UNKNOWN mutable';
  const { needed, total, dataSize, sequenceNumber, rootHash } = await readMutableHeader(share, container);
  const version = `#${String(sequenceNumber)}:${formatBase32(rootHash)}`;
  return `${shareType} ${storageIndex} ${String(needed)}/${String(total)} ${String(dataSize)} ${version} ${expiry}`;
}

/** Whole seconds until the first lease ends. @throws ERR_CONTAINER when there is none. */
function remainingSeconds(leases: readonly StoredLease[], nowMs: number): string {
  if (leases.length === 0) throw new TahoeError('ERR_CONTAINER', { reason: 'it has no lease' });
  const first = leases.reduce((least, { expirySeconds }) => Math.min(least, expirySeconds), Infinity);
  return String(Math.floor(Math.max(0, first - nowMs / 1000)));
}
