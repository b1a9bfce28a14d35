/** What a node's main thread and its encoding thread tell each other. Buffers are handed over, not copied. */
import type { FileParameters } from '#core/immutable/parameters.js';

/** To the encoding thread. `id` names one file. */
export type EncodingRequest =
  | { readonly id: number; readonly kind: 'open'; readonly file: FileParameters; readonly readKey: Uint8Array }
  /** `room`: a buffer of an earlier segment, to be filled again. */
  | { readonly id: number; readonly kind: 'segment'; readonly plaintext: Uint8Array; readonly room?: ArrayBuffer }
  | { readonly id: number; readonly kind: 'finish' }
  | { readonly id: number; readonly kind: 'close' };

/** From the encoding thread: one for each `segment` and `finish`, in their order. */
export type EncodingReply =
  /** The blocks, one after the other by share number. */
  | { readonly id: number; readonly kind: 'segment'; readonly blocks: ArrayBuffer; readonly blockSize: number }
  | {
      readonly id: number;
      readonly kind: 'finished';
      readonly trailers: readonly Uint8Array[];
      readonly uebHash: Uint8Array;
    }
  | { readonly id: number; readonly kind: 'failed'; readonly reason: string };
