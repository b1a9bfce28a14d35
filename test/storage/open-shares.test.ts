/** Shares that stay open for the next reader. */
import t from 'tap';
import { KEPT_SHARE_AGE_MAX_MS, KEPT_SHARE_COUNT_MAX, OpenShares } from '#storage/open-shares.js';
import type { OpenShare } from '#storage/share-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';

const index = seededBytes('index', 16);

/** A disk that counts what is opened and closed. */
class CountingDisk {
  opened = 0;
  closed = 0;
  readonly open = (): Promise<OpenShare> => {
    this.opened += 1;
    const bytes = new Uint8Array([this.opened]);
    return Promise.resolve({
      size: 1,
      read: () => Promise.resolve(bytes),
      close: () => {
        this.closed += 1;
        return Promise.resolve();
      },
    });
  };
}

t.test('a share is opened once for many readers, and closed when it is old', async (t) => {
  const clock = new ManualClock();
  const disk = new CountingDisk();
  const shares = new OpenShares(clock);
  const [first, second] = [await shares.open(index, 1, disk.open), await shares.open(index, 1, disk.open)];
  await first?.close();
  await first?.close();
  const third = await shares.open(index, 1, disk.open);
  t.same([disk.opened, disk.closed], [1, 0]);
  await shares.open(index, 2, disk.open).then((other) => other?.close());
  t.equal(disk.opened, 2, 'another number is another share');
  clock.advance(KEPT_SHARE_AGE_MAX_MS);
  await settle();
  t.equal(disk.closed, 1, 'the one that nobody holds');
  t.same(await second?.read(0, 1), new Uint8Array([1]), 'the other can still be read');
  await second?.close();
  await third?.close();
  t.equal(disk.closed, 2);
  t.same(await (await shares.open(index, 1, disk.open))?.read(0, 1), new Uint8Array([3]), 'and is opened anew');
  shares.close();
});

t.test('a share that was changed is opened anew, even while it is being opened', async (t) => {
  const clock = new ManualClock();
  const disk = new CountingDisk();
  const shares = new OpenShares(clock);
  const old = await shares.open(index, 1, disk.open);
  shares.forget(index, 1);
  t.same(await (await shares.open(index, 1, disk.open))?.read(0, 1), new Uint8Array([2]));
  t.same(await old?.read(0, 1), new Uint8Array([1]));
  await old?.close();
  t.equal(disk.closed, 1);
  shares.forget(index, 1);
  let goOn: () => void = () => undefined;
  const slow = shares.open(index, 1, async () => {
    await new Promise<void>((resolve) => (goOn = resolve));
    return disk.open();
  });
  shares.forget(index, 1);
  goOn();
  await slow;
  await shares.open(index, 1, disk.open);
  t.equal(disk.opened, 4, 'what was opened before the change is not kept');
  shares.close();
});

t.test('few are kept, none after the end, and nothing of what is not there', async (t) => {
  const clock = new ManualClock();
  const disk = new CountingDisk();
  const shares = new OpenShares(clock);
  for (let i = 0; i < KEPT_SHARE_COUNT_MAX + 10; i++) {
    const share = await shares.open(seededBytes(`index ${String(i)}`, 16), 0, disk.open);
    await share?.close();
  }
  t.equal(disk.closed, 10);
  t.equal(await shares.open(index, 7, () => Promise.resolve(undefined)), undefined);
  await t.rejects(
    shares.open(index, 7, () => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  const held = await shares.open(index, 8, disk.open);
  shares.close();
  t.equal(disk.closed, disk.opened - 1);
  await held?.close();
  t.equal(disk.closed, disk.opened);
  t.equal(clock.pending, 0);
});
