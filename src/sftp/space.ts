/**
 * How much room there is: what the connected servers say they have left, by what a file costs when it is spread over
 * them. How much is taken is not known to anybody, so that the grid looks as large as what is free. Where no server
 * says anything the figures are the reference's, which mean "plenty".
 */
import { ByteWriter } from '#core/bytes.js';

const BLOCK_SIZE = 1024;
const NO_SET_UID = 2;
const READ_ONLY = 1;
/** What the reference says, in blocks; nobody counts files. */
const PLENTY = { total: 628_318_530, free: 314_159_265 } as const;
const FILES = { total: 200_000_000, free: 100_000_000 } as const;
const FILE_SYSTEM_ID = 0x1af5;
const NAME_SIZE_MAX = 65_535;

/** Room, in blocks of 1024 bytes. */
export interface Space {
  readonly total: number;
  readonly free: number;
}

/** Room for files. @param freeBytes - undefined when it is not known. */
export function spaceOf(freeBytes: number | undefined): Space {
  if (freeBytes === undefined) return PLENTY;
  const free = Math.floor(freeBytes / BLOCK_SIZE);
  return { total: free, free };
}

/** What `statvfs` is answered. */
export function encodeSpace({ free, total }: Space, isReadOnly: boolean): Uint8Array {
  const writer = new ByteWriter();
  const fields = [BLOCK_SIZE, BLOCK_SIZE, total, free, free, FILES.total, FILES.free, FILES.free, FILE_SYSTEM_ID];
  for (const field of fields) writer.uint64(field);
  return writer
    .uint64(NO_SET_UID | (isReadOnly ? READ_ONLY : 0))
    .uint64(NAME_SIZE_MAX)
    .finish();
}

/** What `df -P -k /` prints; sshfs asks that of servers that do not know statvfs. */
export function spaceTable({ free, total }: Space): string {
  const used = total - free;
  const share = total === 0 ? 0 : Math.ceil((100 * used) / total);
  const line = `tahoe ${String(total).padStart(27)} ${String(used).padStart(9)} ${String(free).padStart(9)} ${String(share).padStart(7)}% /`;
  return `Filesystem         1024-blocks      Used Available Capacity Mounted on\r\n${line}\r\n`;
}
