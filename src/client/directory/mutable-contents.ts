/**
 * What a directory needs of the mutable file that it is kept in: its contents, and to change them although others may
 * write at the same time. How that is done is the mutable file's business.
 */
import type { CallOptions } from '../storage-server.js';

/** A mutable file as a directory needs it. */
export interface MutableContents {
  /** The newest recoverable contents. */
  read(options?: CallOptions): Promise<Uint8Array>;
  /** What was read or written last in this process, where that is still known. Others may have changed it. */
  recall?(): Uint8Array | undefined;
  /**
   * Replaces the contents by what `change` makes of them (undefined: nothing to do); called again, with newer contents,
   * after an uncoordinated write.
   */
  modify(change: (old: Uint8Array, isFirst: boolean) => Uint8Array | undefined, options?: CallOptions): Promise<void>;
}
