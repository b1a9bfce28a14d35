/** Which announcement takes the place of which; what is full; and replays, also after a restart. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { Chance } from '#test/fixtures/chance.js';
import { AnnouncementMemory } from '#wire/announcement-memory.js';
import type { AnnouncementRecord } from '#wire/announcement-memory.js';
import { AnnouncementTable } from '#wire/announcement-table.js';
import type { TableLimits } from '#wire/announcement-table.js';
import { dangerouslyFormatCacheEntry } from '#wire/introducer-cache.js';
import { verifyAnnouncement } from '#wire/signed-announcement.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from '#wire/signed-announcement.js';
import { announce } from '#test/fixtures/announcements.js';
import { crypto } from '#test/fixtures/crypto.js';

const verify = (signed: SignedAnnouncement): VerifiedAnnouncement => verifyAnnouncement(signed, crypto);

/** What is kept is durable at once, or with `crashes` only sometimes. */
class MemoryRecord implements AnnouncementRecord {
  readonly kept: SignedAnnouncement[] = [];
  fails: () => boolean = () => false;

  async keep(announcement: SignedAnnouncement): Promise<void> {
    await Promise.resolve();
    if (this.fails()) throw new Error('the disk is full');
    this.kept.push(announcement);
  }
}

function createMemory(record: AnnouncementRecord, limits?: Partial<TableLimits>): AnnouncementMemory {
  return new AnnouncementMemory({ crypto, table: new AnnouncementTable(limits), record });
}

t.test('only a higher number takes the place of what is known', async (t) => {
  const table = new AnnouncementTable();
  t.equal(table.offer(verify(announce(1, 5))), 'new');
  t.equal(table.offer(verify(announce(1, 5))), 'duplicate');
  t.equal(table.offer(verify(announce(1, 5, { nickname: 'else' }))), 'stale', 'as old as what is known');
  t.equal(table.offer(verify(announce(1, 4))), 'stale');
  t.equal(table.offer(verify(announce(1, 9, { seqnum: undefined }))), 'stale', 'without a number');
  t.equal(table.offer(verify(announce(1, 6))), 'updated');
  t.equal(table.offer(verify(announce(2, 1))), 'new', 'another key');
  t.equal(table.offer(verify(announce(1, 1, { 'service-name': 'else' }))), 'new', 'another service');
  t.equal(table.offer(verify(announce(3, 1, { seqnum: undefined }))), 'new', 'the first needs none');
  t.equal(table.offer(verify(announce(3, -5))), 'updated', 'any number goes before none');
  t.same(
    table.entries().map(({ nickname, sequenceNumber }) => [nickname, sequenceNumber]),
    [
      ['server 1', 6],
      ['server 2', 1],
      ['server 1', 1],
      ['server 3', -5],
    ],
  );
});

t.test('a full table takes news of those it knows, and nobody new', async (t) => {
  const table = new AnnouncementTable({ count: 2 });
  table.offer(verify(announce(1, 1)));
  table.offer(verify(announce(2, 1)));
  t.equal(table.offer(verify(announce(3, 1))), 'full');
  t.equal(table.offer(verify(announce(2, 2))), 'updated');
  const bytes = announce(1, 1).message.length;
  const small = new AnnouncementTable({ bytes: 2 * bytes });
  t.equal(small.offer(verify(announce(1, 1))), 'new');
  t.equal(small.offer(verify(announce(2, 1))), 'new');
  t.equal(small.offer(verify(announce(3, 1))), 'full');
  t.equal(small.offer(verify(announce(2, 2, { nickname: 'x'.repeat(100) }))), 'full', 'it would grow beyond the limit');
  t.equal(small.offer(verify(announce(2, 2))), 'updated');
});

t.test('what cannot be kept is not told and not accepted', async (t) => {
  const record = new MemoryRecord();
  const memory = createMemory(record);
  const told: string[] = [];
  memory.listen(({ nickname }) => told.push(nickname));
  record.fails = () => true;
  await t.rejects(memory.offer(announce(1, 1)), /disk is full/);
  t.same([told, memory.entries()], [[], []]);
  record.fails = () => false;
  t.equal(await memory.offer(announce(1, 1)), 'new', 'its publisher may come again');
  t.same(told, ['server 1']);
});

t.test('one bad of a hundred keeps nobody else out', async (t) => {
  const memory = createMemory(new MemoryRecord());
  const [first, ...others] = Array.from({ length: 99 }, (_, i) => announce(i, 1));
  const forged = { ...announce(99, 1), signature: first?.signature ?? '' };
  const hundred = [first, ...others.slice(0, 49), forged, ...others.slice(49)].filter((signed) => signed !== undefined);
  const outcomes = await Promise.allSettled(hundred.map((signed) => memory.offer(signed)));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 99);
  t.equal(memory.entries().length, 99);
});

t.test('what was kept is verified again, and what is wrong is left out', async (t) => {
  const record = new MemoryRecord();
  record.kept.push(announce(1, 2), { ...announce(2, 2), message: announce(2, 3).message }, announce(3, 2));
  const memory = createMemory(record);
  t.same(
    memory.entries().map(({ nickname }) => nickname),
    ['server 1', 'server 3'],
  );
  t.equal(memory.damagedCount, 1);
});

t.test('no replay is accepted in 10 000 lives with crashes and restarts', async (t) => {
  const chance = new Chance(6);
  const pool = [0, 1].flatMap((server) =>
    Array.from({ length: 6 }, (_, number) => ({ server, number, signed: announce(server, number) })),
  );
  // The trials are about order: signatures have tests of their own.
  const trusting = { ed25519Verify: () => true };
  let replays = 0;
  for (let trial = 0; trial < 10_000; trial++) {
    const record = new MemoryRecord();
    record.fails = () => chance.oneIn(8);
    const highest = new Map<number, number>();
    const start = (): AnnouncementMemory =>
      new AnnouncementMemory({
        crypto: trusting,
        table: new AnnouncementTable(),
        record: { kept: [...record.kept], keep: (signed) => record.keep(signed) },
      });
    let memory = start();
    for (let step = 0; step < 8; step++) {
      if (chance.oneIn(4)) memory = start();
      const { server, number, signed } = chance.pick(pool);
      const outcome = await memory.offer(signed).catch(() => 'refused' as const);
      const accepted = outcome === 'new' || outcome === 'updated';
      const isReplay = number <= (highest.get(server) ?? -1);
      if (isReplay) replays += 1;
      if (accepted && isReplay) t.fail(`trial ${String(trial)}: ${String(number)} was replayed`);
      if (accepted) highest.set(server, number);
    }
  }
  t.ok(replays > 10_000, `${String(replays)} replays were tried`);
});

t.test('of 100 000 announcements as many are kept as the table holds', async (t) => {
  const record = new MemoryRecord();
  const memory = new AnnouncementMemory({
    crypto: { ed25519Verify: () => true },
    table: new AnnouncementTable(),
    record,
  });
  const { message, signature } = announce(1, 1);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 100_000; i++) {
    const key = `v0-${formatBase32(new Uint8Array(new Uint32Array([i, 0, 0, 0, 0, 0, 0, 0]).buffer))}`;
    const outcome = await memory.offer({ message, signature, key });
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  t.same([outcomes.get('new'), outcomes.get('full')], [4096, 95_904]);
  t.equal(record.kept.length, 4096, 'and no more reach the disk');
});

t.test("the reference's cache is YAML without a character that needs more than ASCII", async (t) => {
  const entry = dangerouslyFormatCacheEntry(verify(announce(1, 1, { nickname: 'Zoë\u{1f600}\u0085\u007f' })));
  t.match(entry, /^- \{"ann": ?\{/);
  t.match(entry, /Zo\\u00eb\\U0001f600\\u0085\\u007f/);
  t.notMatch(entry.trimEnd(), /[^\x20-\x7e]/);
});
