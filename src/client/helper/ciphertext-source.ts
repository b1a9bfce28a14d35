/**
 * One client's ciphertext, as a helper's job fetches it: over Foolscap it asks for each part (remote-ciphertext.ts), over HTTPS it
 * asks once and takes what is sent (pushed-ciphertext.ts).
 */
import type { OfferedFile } from '#wire/upload-helper.js';

/** How long an answer is waited for. */
export interface AskOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Of one file and one client. */
export interface CiphertextSource {
  /** What the client says of its file. @throws when it says nothing that makes sense, or is gone. */
  describe(options: AskOptions): Promise<OfferedFile>;
  /**
   * Some bytes from `offset`: at least 1, at most `size`. Each read begins where the one before ended.
   * @throws when the client is gone, too slow, or answers nonsense.
   */
  read(offset: number, size: number, options: AskOptions): Promise<Uint8Array>;
  /** The client has failed: nothing more is asked of it. */
  release(): void;
  /** The same, and tells it that nothing more is wanted. Waits for nobody. */
  close(): void;
}
