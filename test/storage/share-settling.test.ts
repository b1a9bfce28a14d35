/** Shares that are made durable some time after they were placed, while others change or remove them. */
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import type { NoShareFile, ShareFile } from '#storage/share-files.js';
import { settleShares } from '#storage/share-settling.js';

type Place = 'file' | NoShareFile;

/** Places that tell what is done with them. @param entries - what each sync of their entries does. */
function places(found: Readonly<Record<number, Place>>, entries: readonly (() => Promise<void>)[] = []) {
  const done: string[] = [];
  const there = new Map<number, Place>(
    Object.entries(found).map(([shareNumber, place]) => [Number(shareNumber), place]),
  );
  let turn = 0;
  const fileOf = (shareNumber: number): ShareFile => {
    const note = (what: string): Promise<void> => {
      done.push(`${what} ${String(shareNumber)}`);
      return Promise.resolve();
    };
    const refuse = (): Promise<never> => Promise.reject(new Error('it is only synced'));
    const close = (isKept = false): Promise<void> => note(isKept ? 'close at once' : 'close');
    return { size: 0, read: refuse, write: refuse, sync: () => note('sync'), close };
  };
  const options = {
    open: (shareNumber: number): Promise<ShareFile | NoShareFile> => {
      const place = there.get(shareNumber) ?? 'absent';
      return Promise.resolve(place === 'file' ? fileOf(shareNumber) : place);
    },
    settleEntries: (): Promise<void> => {
      done.push('entries');
      return entries[turn++]?.() ?? Promise.resolve();
    },
    isThere: (shareNumber: number) => Promise.resolve(there.has(shareNumber)),
  };
  return { done, options, there };
}

const gone = (): Promise<never> => {
  const cause = Object.assign(new Error('gone'), { code: 'ENOENT' });
  return Promise.reject(new TahoeError('ERR_DISK', { what: 'syncing', reason: 'ENOENT' }, { cause }));
};

t.test('each file is synced, and their entries once for all, after the last of them', async (t) => {
  const { done, options } = places({ 0: 'file', 2: 'file', 7: 'unusable' });
  await settleShares([0, 1, 2, 7], options);
  t.strictSame(done, ['sync 0', 'close at once 0', 'sync 2', 'close at once 2', 'entries']);
});

t.test('what is not there is nothing to be done', async (t) => {
  const { done, options } = places({ 1: 'absent' });
  await settleShares([0, 1], options);
  t.strictSame(done, []);
});

t.test('where the directory has gone meanwhile, only what is there again is settled', async (t) => {
  const { done, options, there } = places({ 0: 'file', 1: 'file' }, [
    () => {
      there.delete(0);
      return gone();
    },
  ]);
  await settleShares([0, 1], options);
  t.strictSame(done.slice(-4), ['entries', 'sync 1', 'close at once 1', 'entries']);
  const emptied = places({ 0: 'file' }, [
    () => {
      emptied.there.clear();
      return gone();
    },
  ]);
  await settleShares([0], emptied.options);
  t.strictSame(emptied.done.slice(-1), ['entries']);
});

t.test('a sync that fails is told, and the file is closed', async (t) => {
  const { done, options } = places({ 0: 'file', 1: 'file' });
  const open = async (shareNumber: number): Promise<ShareFile | NoShareFile> => {
    const file = await options.open(shareNumber);
    return typeof file === 'string' ? file : { ...file, sync: () => Promise.reject(new Error('EIO')) };
  };
  await t.rejects(settleShares([0, 1], { ...options, open }), /EIO/);
  t.strictSame(done, ['close at once 0']);
});
