/**
 * The quick look whether a file is in the grid already: every connected server is asked which shares it holds, and some of the
 * shares for the URI extension block. Only where each share number is found, and the blocks agree, the file counts as there.
 * Shares are not read: servers are believed that they have them.
 * @see Tahoe-LAFS src/allmydata/immutable/offloaded.py, CHKCheckerAndUEBFetcher
 */
import { setMaxListeners } from 'node:events';
import { ByteReader, equalBytes } from '#core/bytes.js';
import { deriveUebHash } from '#core/derive.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { decodeShareHeader, SHARE_HEADER_SIZE_MAX } from '#core/immutable/layout.js';
import { TOTAL_MAX } from '#core/immutable/parameters.js';
import { decodeUeb, UEB_SIZE_MAX } from '#core/immutable/ueb.js';
import { uebFieldsOf } from '#wire/foolscap/upload-helper.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { mapAtOnce } from '../check/at-once.js';
import type { StorageServer } from '../storage-server.js';
import type { SendContext } from '../upload/send-file.js';

/** How many servers are asked at once, and how long one may take. */
const ASKED_AT_ONCE_MAX = 50;
const CALL_TIMEOUT_MS = 15_000;
/** The blocks of so many servers must agree, where there are so many: one that is damaged must not name the file. */
const UEB_COUNT = 3;

interface Holder {
  readonly server: StorageServer;
  readonly shareNumbers: readonly number[];
}

/**
 * @param storageIndex - 16 bytes.
 * @returns undefined where shares are missing, or what is there cannot be told.
 * @throws ERR_CANCELLED.
 */
export async function lookForFile(
  context: SendContext,
  storageIndex: Uint8Array,
  signal: AbortSignal,
): Promise<HelperResults | undefined> {
  const servers = context.serversFor(storageIndex);
  setMaxListeners(0, signal);
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
  const asked = await mapAtOnce(servers, ASKED_AT_ONCE_MAX, async (server): Promise<Holder> => {
    const shares = await server.listShares(storageIndex, options).catch(() => new Set<number>());
    return { server, shareNumbers: [...shares] };
  });
  if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the look into the grid' });
  const holders = asked.filter(({ shareNumbers }) => shareNumbers.length > 0);
  const ueb = await agreedUeb(context, holders, storageIndex, signal);
  return ueb === undefined ? undefined : resultsOf(context, holders, ueb);
}

async function agreedUeb(
  { log }: SendContext,
  holders: readonly Holder[],
  storageIndex: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const some = holders.slice(0, UEB_COUNT);
    const [first, ...others] = await Promise.all(some.map((holder) => fetchUeb(holder, storageIndex, signal)));
    return first !== undefined && others.every((other) => equalBytes(first, other)) ? first : undefined;
  } catch (error) {
    log.info('no URI extension block found', { reason: reasonOf(error) });
    return undefined;
  }
}

/** Of the first share of a server, proven by nothing. */
async function fetchUeb(
  { server, shareNumbers }: Holder,
  storageIndex: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const read = async (begin: number, end: number): Promise<Uint8Array> => {
    const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
    const bytes = await server.read(storageIndex, shareNumbers[0] ?? 0, { begin, end }, options);
    if (bytes === undefined) throw new TahoeError('ERR_NO_SUCH_SHARE', {});
    return bytes;
  };
  const { fieldSize, offsets } = decodeShareHeader(await read(0, SHARE_HEADER_SIZE_MAX));
  const begin = offsets.uriExtension + fieldSize;
  const length = new ByteReader(await read(offsets.uriExtension, begin));
  const size = fieldSize === 4 ? length.uint32() : length.uint64();
  if (size > UEB_SIZE_MAX) throw new TahoeError('ERR_SHARE_LAYOUT', { reason: 'its URI extension is too large' });
  const ueb = await read(begin, begin + size);
  decodeUeb(ueb);
  return ueb;
}

function resultsOf({ crypto }: SendContext, holders: readonly Holder[], bytes: Uint8Array): HelperResults | undefined {
  const ueb = uebFieldsOf(bytes);
  const total = ueb.get('total_shares');
  const sharemap = new Map<number, Set<string>>();
  for (const { server, shareNumbers } of holders)
    for (const share of shareNumbers) sharemap.set(share, (sharemap.get(share) ?? new Set()).add(server.serverId));
  if (typeof total !== 'number' || total < 1 || total > TOTAL_MAX) return undefined;
  for (let share = 0; share < total; share++) if (!sharemap.has(share)) return undefined;
  const uebHash = deriveUebHash(crypto, bytes);
  return { uebHash, ueb, sharemap, pushedShares: 0, preexistingShares: sharemap.size, ciphertextFetched: undefined };
}
