/**
 * Room that was asked for and hardly written to: who may have how much of it. Pure.
 *
 * An upload takes its room from the moment that it is allocated. Whoever allocates and does not write could so take all
 * of the disk, or all uploads that there may be, from everybody else. While little is reserved anybody may have what he
 * asks for. Once it is more than half, a client that holds more than a tenth gets nothing more; and the last tenth is
 * for those who hold little. Clients are told apart by their address.
 */

/** An upload is a mere reservation as long as less than this was written, or less than a sixteenth of it, in bytes. */
const HARDLY_WRITTEN = 1 << 20;
const HARDLY_WRITTEN_PART = 16;

/** What somebody holds. */
export interface Reserved {
  /** Bytes that are still to come. */
  readonly size: number;
  readonly count: number;
}

/** What there is, and who holds how much of it in mere reservations. */
export interface ReservationState {
  /** Bytes that nobody holds who writes, and uploads that there may be beside those. */
  readonly free: Reserved;
  readonly everybody: Reserved;
  readonly client: Reserved;
}

/** Whether so little was written of an upload that it may be meant to take room away. */
export function isMereReservation(writtenSize: number, allocatedSize: number): boolean {
  return writtenSize < Math.min(HARDLY_WRITTEN, allocatedSize / HARDLY_WRITTEN_PART);
}

/** Whether a client may reserve `size` bytes more, for one more upload, as far as others are concerned. */
export function mayReserve(size: number, { client, everybody, free }: ReservationState): boolean {
  const more = { size, count: 1 };
  if (isWithin(sum(everybody, more), free, 1 / 2)) return true;
  if (isWithin(sum(client, more), free, 1 / 10)) return true;
  return client.count === 0 && isWithin(sum(everybody, more), free, 9 / 10);
}

function isWithin(held: Reserved, free: Reserved, part: number): boolean {
  return held.size <= free.size * part && held.count <= free.count * part;
}

function sum(one: Reserved, other: Reserved): Reserved {
  return { size: one.size + other.size, count: one.count + other.count };
}
