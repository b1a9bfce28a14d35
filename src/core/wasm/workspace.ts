/** Where bytes lie that pass through the bulk core: filled and emptied by its caller. */

/** 64 KiB of data, and room for a last AES batch that begins inside a block. */
export const data: usize = memory.data(65536 + 64, 16);
