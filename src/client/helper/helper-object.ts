/**
 * RIHelper: the helper as an object that Foolscap peers call.
 * @see Tahoe-LAFS src/allmydata/immutable/offloaded.py, Helper
 */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { referenceTo, takeArguments } from '#wire/foolscap/shapes.js';
import { storageIndexShape } from '#wire/foolscap/storage.js';
import type { CallArguments, RemoteObject } from '#wire/foolscap/tub.js';
import {
  CHK_UPLOAD_PROTOCOL,
  formatHelperResults,
  formatHelperVersion,
  HELPER_PROTOCOL,
  helperInterfaces,
} from '#wire/foolscap/upload-helper.js';
import { violation } from '#wire/foolscap/value-builders.js';
import { Tuple } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { RemoteCiphertext } from './remote-ciphertext.js';
import type { UploadHelper, WantedFile } from './upload-helper.js';

/** For any number of clients. */
export class HelperObject implements RemoteObject {
  readonly interfaceName = helperInterfaces.helper;
  readonly #helper: Pick<UploadHelper, 'ask'>;
  readonly #applicationVersion: string;

  constructor(helper: Pick<UploadHelper, 'ask'>, applicationVersion: string) {
    this.#helper = helper;
    this.#applicationVersion = applicationVersion;
  }

  async call(method: string, given: CallArguments): Promise<Value> {
    if (method === 'get_version') return formatHelperVersion(HELPER_PROTOCOL, this.#applicationVersion);
    if (method !== 'upload_chk') throw violation(`there is no method ${method.slice(0, 64)}`);
    const [index = null] = takeArguments(given, 'si');
    const answer = await this.#helper.ask(storageIndexShape(index, 'si'));
    return 'upload' in answer
      ? new Tuple(null, this.#uploadObject(answer))
      : new Tuple(formatHelperResults(answer), null);
  }

  /** RICHKUploadHelper. */
  #uploadObject(wanted: WantedFile): RemoteObject {
    return {
      interfaceName: helperInterfaces.upload,
      call: async (method, given) => {
        if (method === 'get_version') return formatHelperVersion(CHK_UPLOAD_PROTOCOL, this.#applicationVersion);
        if (method !== 'upload') throw violation(`there is no method ${method.slice(0, 64)}`);
        const [reader = null] = takeArguments(given, 'reader');
        const reference = referenceTo(helperInterfaces.reader)(reader, 'the reader');
        const { capability, results } = await wanted.upload(new RemoteCiphertext(reference));
        return formatHelperResults(results, dangerouslyFormatCapability(capability));
      },
    };
  }
}
