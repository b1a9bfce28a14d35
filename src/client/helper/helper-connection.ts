/** A helper that is connected, whatever it is spoken to in: over HTTPS (https-helper.ts) or Foolscap (foolscap-helper.ts). */
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import type { OfferedCiphertext } from './offered-ciphertext.js';

/** One connection, from its beginning to its end. */
export interface HelperConnection {
  /** For people: the first digits of what its key is known by. */
  readonly name: string;
  /**
   * Has the helper upload a file, of which it asks for what it does not have yet.
   * @returns what it says of the file: proven by nothing.
   * @throws when the connection ends, when the helper fails or says nothing that makes sense; ERR_CANCELLED.
   */
  upload(offered: OfferedCiphertext, signal: AbortSignal): Promise<HelperResults>;
  /** Resolves when the connection is over, or nobody wants it any more. */
  ended(signal: AbortSignal): Promise<void>;
}
