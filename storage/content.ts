/** Bytes that are read a part at a time, from memory or from a file: what a write vector carries. */

/** Bytes of a known size. */
export interface Content {
  readonly size: number;
  /** @returns `size` bytes at `position`, all inside the content. @throws ERR_DISK where they come from a file. */
  read(position: number, size: number): Promise<Uint8Array>;
}

/** As much of a content is in memory at a time, in bytes. */
export const CONTENT_PIECE_SIZE = 256 * 1024;

/** Bytes that are in memory. */
export function contentOf(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    read: (position, size) => Promise.resolve(bytes.subarray(position, position + size)),
  };
}

/** Calls `visit` with the content piece by piece, one after the other. */
export async function forEachPiece(
  content: Content,
  visit: (piece: Uint8Array, position: number) => Promise<void>,
): Promise<void> {
  for (let position = 0; position < content.size; position += CONTENT_PIECE_SIZE) {
    const piece = await content.read(position, Math.min(CONTENT_PIECE_SIZE, content.size - position));
    await visit(piece, position);
  }
}
