/**
 * Publishes contents as a new version of a mutable file, on all of its shares.
 *
 * The version's number is one more than the highest that any server showed or that this node remembers. Shares go where
 * shares of the file lie, and those without a place to the servers with the fewest; what a failing server leaves is
 * placed anew. When a server holds what was not seen before, the write has met another one and fails, whatever else was
 * written: who comes next sees both and makes one of them. Only a new file is written everywhere at once; a change goes
 * to one server first, the same for all writers, and further only where that one took it.
 *
 * How many servers must have the new version is a rule of our own, for the reference has none but that k shares are
 * written. A new file must be spread over `happy` servers, as an immutable one: nobody knows it yet, so nothing is lost
 * when it is refused. A change must reach min(k, happy) different servers, and is not begun when fewer have answered.
 * It may not ask for more: once shares are written there is no way back, and to refuse then what was done would leave
 * the reader of the message with a file that has changed all the same. A change that reaches fewer than `happy` servers
 * is logged, and its result says how many it has reached.
 * @see Tahoe-LAFS docs/specifications/mutable.rst; src/allmydata/mutable/publish.py (the reference's rule)
 */
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import type { Encoding } from '#core/immutable/parameters.js';
import { encodeVersionSteps, saltsFrom } from '#core/mutable/encoder.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { MUTABLE_HEADER_SIZE_MAX } from '#core/mutable/layout.js';
import { encodeCheckstring, nameVersion } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { MutableFormat } from '#core/capability/types.js';
import type { StorageServer } from '../storage-server.js';
import { requireTakers, takersOf } from '../upload-permission.js';
import { placeHomeless, placeWidely } from './goal.js';
import type { Placement } from './goal.js';
import type { MutableContext } from './mutable-context.js';
import { remember } from './seen-versions.js';
import { happinessOf } from './servermap.js';
import type { Servermap } from './servermap.js';
import { SharePush } from './share-push.js';
import { takeSteps } from './take-steps.js';
import { checkContentsSize } from './version-reader.js';
import { writtenMap } from './written-map.js';

/** How many servers' reasons a failure names. */
const REASONS_MAX = 5;
/** How many servers are tried one after the other for one that decides, and how long each has to answer. */
const [FIRSTS_MAX, FIRST_ANSWER_TIMEOUT_MS] = [2, 5_000];

/** What is published. */
export interface PublishRequest {
  readonly context: MutableContext;
  readonly keys: MutableKeys;
  readonly format: MutableFormat;
  readonly encoding: Encoding;
  readonly contents: Uint8Array;
  /** What the servers hold; empty for a new file. */
  readonly map: Servermap;
  readonly isNew: boolean;
  /** For a repair: copies of shares go to servers without any, so that the file stands on as many as possible. */
  readonly isSpread?: boolean;
  /** Gets the name of the version before it is written. */
  readonly attempted?: Set<string>;
  readonly signal: AbortSignal;
}

/** What became of it. */
export interface PublishResult {
  readonly version: MutableVersion;
  /** Over how many servers its shares are spread. */
  readonly happiness: number;
}

/**
 * Publishes.
 * @throws ERR_UNCOORDINATED_WRITE, ERR_UNHAPPY, ERR_NO_SERVERS, ERR_NOT_CERTIFIED, ERR_TOO_LARGE, ERR_ENCODING,
 *   ERR_CANCELLED.
 */
export async function publish(request: PublishRequest): Promise<PublishResult> {
  const { context, contents, encoding, format, keys, map, signal } = request;
  checkContentsSize(contents.length);
  const servers = candidates(request);
  // What is written where it lies needs no certificate.
  const reachable = request.isNew ? servers.length : context.serversFor(keys.storageIndex).length;
  checkSpread(request, Math.min(reachable, encoding.total), 'servers that answer');
  const sequenceNumber = await nextSequenceNumber(context, keys.storageIndex, map);
  const made = { format, sequenceNumber, encoding, contents, segmentSizeMax: context.mdmfSegmentSize };
  const steps = encodeVersionSteps(context.crypto, keys, made, saltsFrom(context.random));
  const { recordHashes, shares, version } = await takeSteps(context.clock, steps);
  const writesOf = ({ shareNumber }: Placement) => {
    const share = shares[shareNumber] ?? new Uint8Array(0);
    return { writes: [{ offset: 0, data: share }], newLength: share.length };
  };
  const push = new SharePush({ context, keys, version, map, writesOf, spread: spreadOf(request), signal });
  request.attempted?.add(nameVersion(version));
  await pushEverywhere(push, request, servers);
  const result = await concludePublish(request, push, version);
  const header = (shares[0] ?? new Uint8Array(0)).slice(0, MUTABLE_HEADER_SIZE_MAX);
  context.known?.keep(keys.storageIndex, version, {
    contents,
    recordHashes: format === 'mdmf' ? recordHashes : undefined,
    written: writtenMap(context, keys.storageIndex, version, header, push),
  });
  return result;
}

/** The number after every one that was seen. */
export async function nextSequenceNumber(
  { seen }: Pick<MutableContext, 'seen'>,
  storageIndex: Uint8Array,
  map: Servermap,
): Promise<number> {
  const remembered = await seen.highest(storageIndex);
  return Math.max(map.highestSequenceNumber, remembered?.sequenceNumber ?? 0) + 1;
}

/** Judges what was reached, and remembers the version. @throws ERR_UNHAPPY. */
export async function concludePublish(
  request: Pick<PublishRequest, 'context' | 'encoding' | 'isNew'> & {
    readonly keys: Pick<MutableKeys, 'storageIndex'>;
  },
  push: SharePush,
  version: MutableVersion,
): Promise<PublishResult> {
  const { context, encoding, keys } = request;
  const distinct = new Set(push.placed.map(({ shareNumber }) => shareNumber)).size;
  const happiness = happinessOf(push.placed);
  const reasons = [...push.failures].slice(0, REASONS_MAX).map(([server, reason]) => `${server.shortName}: ${reason}`);
  checkSpread(request, distinct < encoding.needed ? 0 : happiness, reasons.join('; ') || 'no server failed');
  await (push.remembered ?? remember(context, keys.storageIndex, version));
  const storageIndex = formatBase32(keys.storageIndex);
  if (happiness < context.encoding.happy) {
    context.log.warn('mutable file on few servers', { storageIndex, happiness, happy: context.encoding.happy });
  }
  return { version, happiness };
}

/** @throws ERR_UNCOORDINATED_WRITE when a server held what was not expected. */
export function checkSurprises(push: SharePush, storageIndex: Uint8Array): void {
  if (push.surprises.length === 0) return;
  const detail = push.surprises.slice(0, REASONS_MAX).join('; ');
  throw new TahoeError('ERR_UNCOORDINATED_WRITE', { storageIndex: formatBase32(storageIndex), detail });
}

/** Writes all shares, and places anew what servers leave that fail, until no server is left to try. */
async function pushEverywhere(
  push: SharePush,
  { context, encoding, isNew, isSpread, keys, map }: PublishRequest,
  servers: readonly StorageServer[],
): Promise<void> {
  const existing = existingPlaces(map, encoding.total);
  const place = isSpread === true ? placeWidely : placeHomeless;
  let todo: readonly Placement[] = [...existing, ...place(encoding.total, existing, servers)];
  if (!isNew) todo = await pushToFirst(push, todo, context, keys.storageIndex);
  while (todo.length > 0) {
    await push.run(todo);
    checkSurprises(push, keys.storageIndex);
    const usable = servers.filter((server) => !push.failures.has(server));
    todo = place(encoding.total, push.placed, usable);
  }
}

/**
 * Lets the first server decide alone. All writers agree on which is the first, so whoever is refused there gives way
 * before it has spoilt anything for the others: were they to write everywhere at once, each might leave too few shares
 * of its own, and together they would leave none of what was there before.
 * @returns what is left to be written.
 * @throws ERR_UNCOORDINATED_WRITE, ERR_CANCELLED.
 */
export async function pushToFirst(
  push: SharePush,
  todo: readonly Placement[],
  { serversFor }: Pick<MutableContext, 'serversFor'>,
  storageIndex: Uint8Array,
): Promise<readonly Placement[]> {
  let left = todo;
  for (const first of placesInOrder(todo, serversFor(storageIndex)).slice(0, FIRSTS_MAX)) {
    await push.run(
      left.filter(({ server }) => server === first),
      FIRST_ANSWER_TIMEOUT_MS,
    );
    checkSurprises(push, storageIndex);
    left = left.filter(({ server }) => server !== first);
    if (!push.failures.has(first)) break;
  }
  return left;
}

/** The servers that are written to in permuted order, those that are known to hold shares before the others. */
function placesInOrder(todo: readonly Placement[], servers: readonly StorageServer[]): StorageServer[] {
  const used = new Set(todo.map(({ server }) => server));
  const holding = new Set(todo.filter(({ checkstring }) => checkstring.length > 0).map(({ server }) => server));
  return [
    ...servers.filter((server) => holding.has(server)),
    ...servers.filter((server) => used.has(server) && !holding.has(server)),
  ];
}

/** Where shares of the file lie, good or bad, on servers that answer. */
function existingPlaces(map: Servermap, total: number): Placement[] {
  const good = map.shares.map(({ header, server, shareNumber }) => {
    return { server, shareNumber, checkstring: encodeCheckstring(header) };
  });
  const bad = map.badShares.map(({ checkstring, server, shareNumber }) => ({ server, shareNumber, checkstring }));
  return [...good, ...bad].filter(({ server, shareNumber }) => shareNumber < total && !map.failures.has(server));
}

/** The servers that may take shares: for a change those that answered, then those that were not asked. */
function candidates({ context, isNew, keys, map }: PublishRequest): StorageServer[] {
  const connected = context.serversFor(keys.storageIndex);
  if (connected.length === 0) throw new TahoeError('ERR_NO_SERVERS', { reason: 'none is connected' });
  if (isNew) return [...requireTakers(context, connected)];
  const servers = takersOf(context, connected);
  const rest = servers.filter((server) => !map.answered.has(server) && !map.failures.has(server));
  return [...servers.filter((server) => map.answered.has(server)), ...rest];
}

/** On how many servers the version must be. */
export function spreadOf({ context, encoding, isNew }: Pick<PublishRequest, 'context' | 'encoding' | 'isNew'>): number {
  const { happy } = context.encoding;
  return isNew ? happy : Math.min(encoding.needed, happy);
}

/** @throws ERR_UNHAPPY when `reached` is less than what the rule asks for. */
function checkSpread(
  { context, encoding, isNew }: Pick<PublishRequest, 'context' | 'encoding' | 'isNew'>,
  reached: number,
  detail: string,
): void {
  const { happy } = context.encoding;
  const { needed, total } = encoding;
  if (reached >= spreadOf({ context, encoding, isNew })) return;
  throw new TahoeError('ERR_UNHAPPY', { happy, reached, needed, total, detail });
}
