/** Calls that are done once for all who ask meanwhile. */
import t from 'tap';
import { SharedCalls } from '#storage/shared-calls.js';

t.test('one call for all who ask while it runs, and another for who asks later', async (t) => {
  const calls = new SharedCalls();
  const begun: string[] = [];
  const call = (key: string) => async () => {
    begun.push(key);
    await Promise.resolve();
  };
  await Promise.all(['a', 'a', 'b', 'a'].map((key) => calls.run(key, call(key))));
  t.strictSame(begun, ['a', 'b']);
  await calls.run('a', call('a'));
  t.strictSame(begun, ['a', 'b', 'a']);
});

t.test('a failure is told to all, and is no answer for who asks later', async (t) => {
  const calls = new SharedCalls();
  const failing = (): Promise<void> => Promise.reject(new Error('full'));
  const both = await Promise.allSettled([calls.run('a', failing), calls.run('a', failing)]);
  t.strictSame(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await t.resolves(calls.run('a', () => Promise.resolve()));
});
