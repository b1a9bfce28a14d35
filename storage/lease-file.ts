/**
 * Keeps a lease in the container of a share of either type, durably and in place.
 *
 * A renewal overwrites the four bytes of the expiry; the slots in the header of a mutable share lie in one sector. A new lease is written behind the last one first and counted
 * afterwards, so that a crash in between costs at most the lease that was not acknowledged.
 */
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import {
  decodeLease,
  encodeExpiry,
  encodeLease,
  encodeLeaseCount,
  LEASE_COUNT_OFFSET,
  LEASE_EXPIRY_OFFSET,
  LEASE_RECORD_SIZE,
} from './container.js';
import type { ContainerShape, LeaseRecord } from './container.js';
import { editFile } from './edit-file.js';
import { changeForLease } from './leases.js';
import type { MutableLease } from './mutable-container.js';
import { MutablePlan } from './mutable-plan.js';
import type { Edit } from './mutable-plan.js';
import type { MutableShare } from './mutable-share.js';
import { NUMBER_SIZE, raiseNumber } from './raise-number.js';
import type { ShareFile } from './share-files.js';
import { LEASE_COUNT_MAX } from './share-store.js';

/** A lease, and the open container that is to have it. */
export interface LeaseKeeping {
  readonly crypto: CryptoProvider;
  readonly file: ShareFile;
  readonly shape: ContainerShape;
  readonly lease: LeaseRecord;
  /** Whether the file may grow by so many bytes. */
  readonly hasRoom: (size: number) => Promise<boolean>;
}

/**
 * Renews the lease of the same renew secret, or adds this one.
 * @throws ERR_NO_SPACE when there is no room for a new record, ERR_TOO_MANY when there are too many already,
 *   ERR_DISK, ERR_STORE_READONLY.
 * @returns whether anything changed.
 */
export async function keepLease(keeping: LeaseKeeping): Promise<boolean> {
  const { crypto, file, lease, shape } = keeping;
  const change = changeForLease(crypto, await readLeases(file, shape), lease);
  switch (change.kind) {
    case 'none':
      return false;
    case 'renew':
      await raiseNumber(
        file,
        recordOffset(shape, change.index) + LEASE_EXPIRY_OFFSET,
        encodeExpiry(change.expirySeconds),
      );
      return true;
    case 'append':
      await checkRoom(keeping);
      await file.write([encodeLease(change.lease)], recordOffset(shape, shape.leaseCount));
      await file.sync();
      await file.write([encodeLeaseCount(shape.leaseCount + 1)], LEASE_COUNT_OFFSET);
      await file.sync();
      return true;
  }
}

/** A lease, and the open mutable share that is to have it. */
export interface MutableLeaseKeeping extends Pick<LeaseKeeping, 'crypto' | 'hasRoom'> {
  readonly share: MutableShare;
  readonly lease: MutableLease;
}

/** The same for a mutable share. @throws as above. @returns whether anything changed. */
export async function keepMutableLease({ crypto, hasRoom, lease, share }: MutableLeaseKeeping): Promise<boolean> {
  const plan = new MutablePlan(await share.state());
  plan.keepLease(crypto, lease);
  const growth = plan.fileSize - share.file.size;
  if (growth > 0 && !(await hasRoom(growth))) throw new TahoeError('ERR_NO_SPACE', { where: 'a lease' });
  for (const edit of plan.edits) await keepEdit(share.file, edit);
  return plan.edits.length > 0;
}

/**
 * Four bytes are an expiry or the number of leases, which only grow; all else lies where nothing is yet. The time goes to
 * the disk too: the record of a later change tells by it whether somebody else was here, and had the clock been set back,
 * a power cut could give the file its old time again, which is a later one.
 */
async function keepEdit(file: ShareFile, edit: Edit): Promise<void> {
  if ('content' in edit && edit.content.size === NUMBER_SIZE) {
    return raiseNumber(file, edit.offset, await edit.content.read(0, NUMBER_SIZE), true);
  }
  await editFile(file, edit);
  await file.sync(true);
}

async function checkRoom({ hasRoom, shape }: LeaseKeeping): Promise<void> {
  if (shape.leaseCount >= LEASE_COUNT_MAX) {
    throw new TahoeError('ERR_TOO_MANY', { what: 'leases on a share', limit: LEASE_COUNT_MAX });
  }
  if (!(await hasRoom(LEASE_RECORD_SIZE))) throw new TahoeError('ERR_NO_SPACE', { where: 'a lease' });
}

/** The leases of a container, in order; no more than LEASE_COUNT_MAX. @throws ERR_DISK. */
export async function readLeases(file: ShareFile, shape: ContainerShape): Promise<LeaseRecord[]> {
  const count = Math.min(shape.leaseCount, LEASE_COUNT_MAX);
  const records = await file.read(shape.leaseOffset, count * LEASE_RECORD_SIZE);
  return Array.from({ length: Math.floor(records.length / LEASE_RECORD_SIZE) }, (_, index) =>
    decodeLease(records.subarray(index * LEASE_RECORD_SIZE, (index + 1) * LEASE_RECORD_SIZE)),
  );
}

function recordOffset(shape: ContainerShape, index: number): number {
  return shape.leaseOffset + index * LEASE_RECORD_SIZE;
}
