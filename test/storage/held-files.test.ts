/** Files that stay open for a while after they were placed. */
import t from 'tap';
import { HELD_FILE_COUNT_MAX, HeldFiles } from '#storage/held-files.js';
import type { ShareFile } from '#storage/share-files.js';

/** A file that tells when it is closed. */
function fileThat(close: (isKept?: boolean) => Promise<void>): ShareFile {
  const refuse = (): Promise<never> => Promise.reject(new Error('it is only closed'));
  return { size: 0, read: refuse, write: refuse, sync: refuse, close };
}

t.test(
  'a file is closed once: when another takes its place, when it is let go, and when there are too many',
  async (t) => {
    const closed: string[] = [];
    const file = (name: string): ShareFile =>
      fileThat((isKept = false) => {
        closed.push(isKept ? `${name} at once` : name);
        return Promise.resolve();
      });
    const held = new HeldFiles();
    held.hold('a', file('first'), 5);
    t.equal(held.modifiedMs('a'), 5);
    held.hold('a', file('second'), 6);
    t.same(closed, ['first']);
    held.letGo('a');
    held.letGo('a');
    t.equal(held.modifiedMs('a'), undefined);
    t.same(closed, ['first', 'second at once'], 'that is not replaced');
    for (let i = 0; i <= HELD_FILE_COUNT_MAX; i++) held.hold(`many ${String(i)}`, file(String(i)), i);
    t.same(closed.slice(2), ['0 at once'], 'the longest held');
    await held.close();
    t.equal(closed.length, HELD_FILE_COUNT_MAX + 3);
  },
);

t.test('who closes waits until all are closed, also those that fail', async (t) => {
  const held = new HeldFiles();
  let end: () => void = () => undefined;
  const closing = new Promise<void>((resolve) => {
    end = resolve;
  });
  held.hold(
    'fails',
    fileThat(() => Promise.reject(new Error('EIO'))),
    1,
  );
  held.hold(
    'takes long',
    fileThat(() => closing),
    2,
  );
  held.letGo('takes long');
  let isClosed = false;
  const done = held.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(isClosed, false);
  end();
  await done;
});
