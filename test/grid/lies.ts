/** What a server says that is not so, for each operation: a reply goes in, another of the same shape comes out. */
import type { OperationName } from '#client/storage-server-decorator.js';
import type { ShareEdges } from '#wire/immutable-beginnings.js';
import type { AllocateReply } from '#wire/storage.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import type { Chance } from '../fixtures/chance.js';

const SHARE_NUMBER_LIMIT = 16;
const UNKNOWN_VERSION = 7;

/** The reply, changed; now and then it is left as it is, for a liar who always lies is soon found out. */
export function lieAbout<Reply>(operation: OperationName, reply: Reply, chance: Chance): Reply {
  if (chance.oneIn(4)) return reply;
  return (lies[operation]?.(reply, chance) as Reply | undefined) ?? reply;
}

/** The reply of a server whose shares are of a version that nobody knows. */
export function withWrongVersion<Reply>(operation: OperationName, reply: Reply): Reply {
  if (operation === 'readMutableBeginnings' && reply instanceof Map) {
    for (const bytes of reply.values()) withWrongVersion('readMutable', bytes);
  }
  if (operation === 'readBeginnings' && reply instanceof Map) {
    for (const { beginning } of (reply as ReadonlyMap<number, ShareEdges>).values())
      withWrongVersion('read', beginning);
  }
  if (operation !== 'read' && operation !== 'readMutable') return reply;
  if (reply instanceof Uint8Array && reply.length >= 4) reply.set([0, 0, 0, UNKNOWN_VERSION]);
  return reply;
}

type Lie = (reply: unknown, chance: Chance) => unknown;

const lies: Partial<Readonly<Record<OperationName, Lie>>> = {
  read: lieAboutBytes,
  readMutable: lieAboutBytes,
  readMutableBeginnings: (reply, chance) => {
    const beginnings = reply as ReadonlyMap<number, Uint8Array> | undefined;
    return beginnings && new Map([...beginnings].map(([n, bytes]) => [n, lieAboutBytes(bytes, chance)]));
  },
  listShares: lieAboutShares,
  readBeginnings: (reply, chance) => {
    const shares = reply as ReadonlyMap<number, ShareEdges> | undefined;
    return shares && new Map([...shares].map(([n, edges]) => [n, lieAboutEdges(edges, chance)]));
  },
  listMutableShares: lieAboutShares,
  allocate: (reply, chance) => {
    const { alreadyHave, allocated } = reply as AllocateReply;
    const claimed = chance.below(SHARE_NUMBER_LIMIT);
    if (allocated.has(claimed)) return reply;
    return { alreadyHave: new Set([...alreadyHave, claimed]), allocated };
  },
  storeShares: (reply, chance) => {
    const { alreadyHave, stored } = (reply as WholeSharesReply | undefined) ?? { alreadyHave: [], stored: new Set() };
    const claimed = chance.below(SHARE_NUMBER_LIMIT);
    if (reply === undefined || stored.has(claimed)) return reply;
    return { alreadyHave: new Set([...alreadyHave, claimed]), stored };
  },
  write: (reply) => ({ complete: !(reply as { complete: boolean }).complete }),
  addLease: (reply) => reply !== true,
};

function lieAboutBytes(reply: unknown, chance: Chance): unknown {
  if (!(reply instanceof Uint8Array) || reply.length === 0) return reply;
  if (chance.oneIn(4)) return reply.subarray(0, chance.below(reply.length));
  const place = chance.below(reply.length);
  reply[place] = (reply[place] ?? 0) ^ (1 << chance.below(8));
  return reply;
}

function lieAboutEdges({ size, beginning, end }: ShareEdges, chance: Chance): ShareEdges {
  if (chance.oneIn(4)) return { size: chance.below(2 * size), beginning, end };
  const lieAboutPart = (part: Uint8Array): Uint8Array => lieAboutBytes(part, chance) as Uint8Array;
  return { size, beginning: lieAboutPart(beginning), end: lieAboutPart(end) };
}

function lieAboutShares(reply: unknown, chance: Chance): unknown {
  const shares = [...(reply as ReadonlySet<number>)];
  if (chance.oneIn(2)) return new Set(shares.slice(1));
  return new Set([...shares, chance.below(SHARE_NUMBER_LIMIT)]);
}
