/** A helper over Foolscap, of either program: it asks for each part of the ciphertext. */
import { TahoeError } from '#core/errors.js';
import type { RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { HELPER_PROTOCOL, helperResultsShape, uploadChkReplyShape } from '#wire/foolscap/upload-helper.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { Dict } from '#wire/foolscap/values.js';
import { TIMER_MS_MAX } from '../deadline.js';
import { connectionEnd } from '../foolscap/connection-end.js';
import { CiphertextReader } from './ciphertext-reader.js';
import type { HelperConnection } from './helper-connection.js';
import type { OfferedCiphertext } from './offered-ciphertext.js';

/** How long a connection and its first answer may take. */
const CONNECT_TIMEOUT_MS = 30_000;
/** How long a helper may take to look for the file in the grid. */
const LOOK_TIMEOUT_MS = 120_000;

/** Where a helper is. */
export interface FoolscapHelperPlace {
  readonly name: string;
  /** Secret. */
  readonly furl: string;
  readonly tub: Pick<Tub, 'connect'>;
}

/** @see HelperConnection */
export class FoolscapHelper implements HelperConnection {
  readonly name: string;
  readonly #helper: RemoteReference;

  constructor(name: string, helper: RemoteReference) {
    this.name = name;
    this.#helper = helper;
  }

  /** @throws ERR_HELPER when it speaks another version; as `Tub.connect`. */
  static async connect({ furl, name, tub }: FoolscapHelperPlace, signal: AbortSignal): Promise<FoolscapHelper> {
    const options = { signal, timeoutMs: CONNECT_TIMEOUT_MS };
    const helper = await tub.connect(furl, options);
    const version = await helper.call('get_version', [], undefined, options);
    if (version instanceof Dict && version.get(HELPER_PROTOCOL) !== undefined) return new FoolscapHelper(name, helper);
    const reason = 'it does not speak version 1 of the helper protocol; its operator can put a newer one in its place';
    throw new TahoeError('ERR_HELPER', { helper: name, reason });
  }

  async upload(offered: OfferedCiphertext, signal: AbortSignal): Promise<HelperResults> {
    const looking = { signal, timeoutMs: LOOK_TIMEOUT_MS };
    const asked = await this.#helper.call('upload_chk', [offered.storageIndex], undefined, looking);
    const { results, upload } = uploadChkReplyShape(asked, 'the answer to upload_chk');
    if (results !== undefined) return results;
    if (upload === undefined) {
      throw new TahoeError('ERR_VIOLATION', { reason: 'the answer to upload_chk says nothing' });
    }
    try {
      const sending = { signal, timeoutMs: TIMER_MS_MAX };
      const value = await upload.call('upload', [new CiphertextReader(offered)], undefined, sending);
      return helperResultsShape(value, 'the answer to upload');
    } finally {
      upload.release();
    }
  }

  ended(signal: AbortSignal): Promise<void> {
    return connectionEnd(this.#helper, signal);
  }
}
