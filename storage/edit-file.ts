/** Carries edits out on a file, or on bytes in memory. */
import { forEachPiece } from './content.js';
import type { Edit } from './mutable-plan.js';
import type { ShareFile } from './share-files.js';

/** Zeros are written so many at a time, in bytes. */
const ZEROS = new Uint8Array(64 * 1024);

/** Does one edit on a file. @throws ERR_DISK, ERR_NO_SPACE. */
export async function editFile(file: ShareFile, edit: Edit): Promise<void> {
  if ('content' in edit) {
    await forEachPiece(edit.content, (piece, position) => file.write([piece], edit.offset + position));
    return;
  }
  for (let done = 0; done < edit.zeroCount; done += ZEROS.length) {
    await file.write([ZEROS.subarray(0, edit.zeroCount - done)], edit.offset + done);
  }
}

/** Does one edit on the bytes of a whole file. */
export async function editBytes(bytes: Uint8Array, edit: Edit): Promise<void> {
  if ('content' in edit) {
    await forEachPiece(edit.content, (piece, position) => {
      bytes.set(piece, edit.offset + position);
      return Promise.resolve();
    });
    return;
  }
  bytes.fill(0, edit.offset, edit.offset + edit.zeroCount);
}
