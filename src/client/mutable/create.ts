/**
 * Makes new mutable files.
 */
import type { MutableFormat } from '#core/capability/types.js';
import { mutableKeysOf, writeCapabilityOf } from '#core/mutable/keys.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { MutableFile } from './mutable-file.js';
import type { OperationOptions } from './mutable-file.js';
import { endless } from './mutable-context.js';
import type { MutableContext } from './mutable-context.js';
import { publish } from './publish.js';
import { Servermap } from './servermap.js';

/** What a file is to be. */
export interface CreateOptions extends OperationOptions {
  readonly format: MutableFormat;
  /** PKCS#8 DER of an RSA key with 2048 bits; a new one if left out. The capability follows from it. */
  readonly privateKey?: Uint8Array;
}

/** What is in it; a function is told the file's keys, which a directory encrypts its entries with. */
export type InitialContents = Uint8Array | ((keys: Pick<MutableKeys, 'writeKey' | 'readKey'>) => Uint8Array);

/**
 * Makes a file and stores it on at least `happy` servers.
 * @throws ERR_RSA_KEY; ERR_UNCOORDINATED_WRITE when a file of this key is there already; ERR_UNHAPPY, ERR_NO_SERVERS,
 *   ERR_TOO_LARGE, ERR_CANCELLED, and what `contents` throws.
 */
export async function createMutableFile(
  context: MutableContext,
  contents: InitialContents,
  { format, privateKey, signal = endless() }: CreateOptions,
): Promise<MutableFile> {
  const { crypto, encoding } = context;
  const keys = mutableKeysOf(crypto, privateKey ?? (await newKey(context, signal)));
  await context.writers.run(keys.storageIndex, signal, () =>
    publish({
      ...{ context, keys, format, encoding, signal },
      contents: typeof contents === 'function' ? contents(keys) : contents,
      map: new Servermap(),
      isNew: true,
    }),
  );
  return new MutableFile(context, writeCapabilityOf(format, keys), keys);
}

function newKey({ crypto, takeKey }: MutableContext, signal: AbortSignal): Promise<Uint8Array> {
  return takeKey?.(signal) ?? crypto.generateRsaKey();
}
