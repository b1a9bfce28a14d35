/** The scrub finds all rot and nothing else, at its pace, from where it was. */
import { createHash } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { OwnFiles } from '#storage/index/own-files.js';
import { paceOf, pause } from '#storage/index/pace.js';
import { PASS_INTERVAL_MS, Scrub, SCRUB_STATE_FILE } from '#storage/index/scrub.js';
import type { ScrubOptions } from '#storage/index/scrub.js';
import { parseScrubState } from '#storage/index/scrub-state.js';
import { walkShares } from '#storage/index/usage-walk.js';
import type { SharePlace } from '#storage/store-events.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { indexedShares, makeIndexSubject } from '#test/fixtures/index-subject.js';
import type { IndexSubject } from '#test/fixtures/index-subject.js';
import { immutableFile, mutableFile, placeFile, placeOf } from '#test/fixtures/share-files.js';

const SHARE_COUNT = 1200;
const DAMAGED_COUNT = 12;
const never = new AbortController().signal;

function nameOf({ storageIndex, shareNumber }: SharePlace): string {
  return `${Buffer.from(storageIndex).toString('hex')}/${shareNumber}`;
}

/** A scrub as fast as it goes, and what it reports. */
function scrubOf(subject: IndexSubject, index: ScrubOptions['index'], changes: Partial<ScrubOptions> = {}) {
  const reports = new Map<string, string>();
  const { inventory, clock, directory } = subject;
  const onDamage = async (place: SharePlace, reason: string): Promise<void> => {
    t.notOk(reports.has(nameOf(place)), 'told of once');
    reports.set(nameOf(place), reason);
  };
  const files = new OwnFiles(directory);
  const options = { index, inventory, files, crypto, clock, log: silentLog, bytesPerSecond: Infinity, onDamage };
  return { scrub: new Scrub({ ...options, ...changes }), reports, files };
}

/** Changes a share's file as rot does: its time of modification stays. */
async function rot(subject: IndexSubject, number: number, change: (file: Uint8Array) => Uint8Array): Promise<void> {
  const place = placeOf(number);
  const path = subject.layout.share(place.storageIndex, place.shareNumber);
  const { mtime } = await stat(path);
  await writeFile(path, change(Uint8Array.from(await readFile(path))));
  await utimes(path, mtime, mtime);
}

/** A hash over all share files. */
async function treeHash(subject: IndexSubject): Promise<string> {
  const hash = createHash('sha256');
  for await (const { shares } of walkShares(subject.inventory)) {
    for (const { place } of shares) {
      hash.update(await readFile(subject.layout.share(place.storageIndex, place.shareNumber)));
    }
  }
  return hash.digest('hex');
}

async function fill(subject: IndexSubject, count: number, size = 60): Promise<void> {
  for (let i = 0; i < count; i++) {
    const data = seededBytes(`share ${i}`, size + (i % 50));
    await placeFile(subject.layout, placeOf(i), (i % 3 === 0 ? mutableFile : immutableFile)(data, [2_000_000_000]));
  }
}

/** Twelve kinds of damage to a share of at least 60 bytes of data. */
function damage(kind: number, isMutable: boolean, random: Uint8Array): (file: Uint8Array) => Uint8Array {
  const dataOffset = isMutable ? 468 : 12;
  const at = dataOffset + ((random[0] ?? 0) % 60);
  const flip = (file: Uint8Array, offset: number): Uint8Array =>
    file.map((byte, i) => (i === offset ? byte ^ (1 << ((random[1] ?? 0) & 7)) : byte));
  switch (kind % 4) {
    case 0:
      return (file) => file.subarray(0, at);
    case 1:
      return (file) => file.map((byte, i) => (i >= dataOffset && i < dataOffset + 32 ? 0 : byte));
    default:
      return (file) => flip(file, at);
  }
}

t.test(
  `all of ${String(DAMAGED_COUNT)} damaged shares in ${String(SHARE_COUNT)} are found, and no other`,
  async (t) => {
    const subject = await makeIndexSubject(t);
    await fill(subject, SHARE_COUNT);
    let { index, close } = await subject.open();
    await index.compared();
    const first = scrubOf(subject, index);
    t.ok(await first.scrub.pass(never));
    t.match(first.scrub.figures, { shareCount: SHARE_COUNT, newCount: SHARE_COUNT, damagedCount: 0, unreadCount: 0 });
    t.ok((await indexedShares(index)).every(({ record }) => record.checksum !== undefined));
    await close();

    const seed = 'rot 1';
    const random = seededRandom(seed);
    const damaged = new Set<number>();
    while (damaged.size < DAMAGED_COUNT) damaged.add((random.bytes(2)[0] ?? 0) * 4 + ((random.bytes(1)[0] ?? 0) % 4));
    for (const [kind, number] of [...damaged].entries()) {
      await rot(subject, number, damage(kind, number % 3 === 0, random.bytes(2)));
    }
    const before = await treeHash(subject);
    ({ index, close } = await subject.open());
    await index.compared();
    const second = scrubOf(subject, index);
    t.ok(await second.scrub.pass(never));
    t.same([...second.reports.keys()].sort(), [...damaged].map(placeOf).map(nameOf).sort(), seed);
    t.match(second.scrub.figures, { shareCount: SHARE_COUNT, damagedCount: DAMAGED_COUNT });
    t.match([...new Set(second.reports.values())].sort(), [/^it/, /^its data are cut/, /checksum/].slice(-2));
    t.ok(await second.scrub.pass(never));
    t.equal(second.scrub.figures.damagedCount, DAMAGED_COUNT, 'and again, without another word');
    t.equal(await treeHash(subject), before, 'nothing was touched');
    await close();
  },
);

t.test('what is written while it is read is no damage', async (t) => {
  const subject = await makeIndexSubject(t);
  await fill(subject, 9);
  const { index, close } = await subject.open();
  await index.compared();
  const { scrub, reports } = scrubOf(subject, index);
  await scrub.pass(never);
  // A write that the index has not looked at yet, one that nobody told of, one that went, one in the middle of a read.
  await placeFile(subject.layout, placeOf(0), mutableFile(seededBytes('new', 60), [5]));
  subject.events.tell({ ...placeOf(0), kind: 'written' });
  await placeFile(subject.layout, placeOf(3), mutableFile(seededBytes('newer', 63), [5]));
  await rm(subject.layout.share(placeOf(1).storageIndex, placeOf(1).shareNumber));
  const [slow] = [placeOf(6)];
  const digest = subject.inventory.digest.bind(subject.inventory);
  const inventory = Object.create(subject.inventory, {
    digest: {
      value: async (place: SharePlace) => {
        if (nameOf(place) !== nameOf(slow)) return digest(place, crypto);
        return digest(place, crypto, async () => {
          await placeFile(subject.layout, slow, mutableFile(seededBytes('newest', 66), [5]));
        });
      },
    },
  }) as ScrubOptions['inventory'];
  const next = scrubOf(subject, index, { inventory });
  t.ok(await next.scrub.pass(never));
  t.same([...reports, ...next.reports], []);
  t.ok(await scrub.pass(never));
  t.match(scrub.figures, { shareCount: 8, damagedCount: 0, unreadCount: 0 });
  t.same([...reports], []);
  await close();
});

t.test('it keeps to its pace, and goes on where it was', async (t) => {
  const subject = await makeIndexSubject(t);
  const size = 100_000;
  await fill(subject, 20, size);
  let { index, close } = await subject.open();
  await index.compared();
  const bytesPerSecond = 1_000_000;
  const controller = new AbortController();
  const slow = scrubOf(subject, index, { bytesPerSecond });
  const running = slow.scrub.pass(controller.signal);
  let seconds = 0;
  for (; slow.scrub.figures.shareCount < 8; seconds += 0.05) {
    subject.clock.advance(50);
    await settle();
    const { bytes } = slow.scrub.figures;
    if (bytes > seconds * bytesPerSecond + 2 * size) t.fail(`${bytes} bytes in ${seconds} s`);
  }
  controller.abort();
  t.notOk(await running);
  t.equal(subject.clock.pending, 0);
  const { shareCount } = slow.scrub.figures;
  t.ok(shareCount >= 8 && shareCount < 20, `${shareCount} shares in ${seconds} s`);
  await close();
  ({ index, close } = await subject.open());
  await index.compared();
  const rest = scrubOf(subject, index);
  t.ok(await rest.scrub.passWhenDue(never));
  t.match(rest.scrub.figures, { shareCount: 20, newCount: 20 });
  t.equal((await indexedShares(index)).filter(({ record }) => record.checksum === undefined).length, 0);
  t.notOk(await rest.scrub.passWhenDue(never), 'the next one is not due');
  subject.clock.advance(PASS_INTERVAL_MS);
  t.ok(await rest.scrub.passWhenDue(never));
  t.match(rest.scrub.figures, { shareCount: 20, newCount: 0 });
  t.notOk(await rest.scrub.pass(AbortSignal.abort()));
  await close();
});

t.test('a read waits until those before it have had their time', async (t) => {
  const { clock } = await makeIndexSubject(t);
  const controller = new AbortController();
  const pace = paceOf(clock, 1_000_000, 'the test', controller.signal);
  let done = 0;
  const read = async (size: number): Promise<void> => {
    await pace(size);
    done += 1;
  };
  await read(500_000);
  const second = read(1_000_000);
  clock.advance(499);
  await settle();
  t.same([done, clock.pending], [1, 1]);
  clock.advance(1);
  await second;
  const third = read(0);
  clock.advance(999);
  await settle();
  t.equal(done, 2);
  clock.advance(1);
  await third;
  const last = read(1);
  controller.abort();
  await t.rejects(last, { code: 'ERR_CANCELLED' });
  t.equal(clock.pending, 0);
  const fast = paceOf(clock, Infinity, 'the test', never);
  for (let i = 0; i < 100; i++) await fast(1e9);
  t.equal(clock.pending, 0);
});

t.test('data that change while they are read have no checksum', async (t) => {
  const subject = await makeIndexSubject(t);
  const place = placeOf(0);
  await placeFile(subject.layout, place, immutableFile(new Uint8Array(100), [5]));
  const write = (): Promise<void> => placeFile(subject.layout, place, immutableFile(new Uint8Array(100).fill(1), [5]));
  t.match(await subject.inventory.digest(place, crypto, write), { share: { facts: {} }, checksum: undefined });
  t.match((await subject.inventory.digest(place, crypto))?.checksum, crypto.sha256(new Uint8Array(100).fill(1)));
});

t.test('where it was may make no sense', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.jsonValue(), (value) => parseScrubState(value) === undefined)));
  const state = {
    after: 'ab',
    startedMs: 1,
    figures: { shareCount: 1, bytes: 2, newCount: 3, damagedCount: 4, unreadCount: 5 },
  };
  t.strictSame(parseScrubState(JSON.parse(JSON.stringify(state))), state);
  for (const wrong of [{ after: 'x' }, { after: 1 }, { startedMs: -1 }, { figures: null }, { figures: {} }]) {
    t.equal(parseScrubState({ ...state, ...wrong }), undefined);
  }
  const subject = await makeIndexSubject(t);
  await fill(subject, 3);
  const { index, close } = await subject.open();
  await index.compared();
  const { scrub, files } = scrubOf(subject, index);
  await files.write(SCRUB_STATE_FILE, { after: 'nonsense' });
  t.ok(await scrub.pass(never));
  await writeFile(join(files.directory, SCRUB_STATE_FILE), 'nonsense');
  t.ok(await scrub.pass(never));
  t.match(scrub.figures, { shareCount: 3, newCount: 0 });
  await close();
  t.notOk(await scrub.pass(never), 'without an index nothing is read');
});

t.test('a pause ends with its time or its signal', async (t: Test) => {
  const subject = await makeIndexSubject(t);
  const controller = new AbortController();
  const ended = pause(subject.clock, 1000, controller.signal);
  controller.abort();
  await ended;
  t.equal(subject.clock.pending, 0);
  await pause(subject.clock, 1000, controller.signal);
  const passed = pause(subject.clock, 1000, never);
  subject.clock.advance(1000);
  await passed;
  t.notOk(isTahoeError(undefined, 'ERR_CANCELLED'));
});
