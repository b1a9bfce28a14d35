/** `backup` at our own gateway: where its directories cannot be made, and how many looks a tree takes at a time. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lookAt, lookAtLink } from '#cli/local-looks.js';
import { GatewayUser } from './fixtures/gateway-user.js';
import { temporaryDirectory } from './fixtures/program.js';

t.test('where the archives cannot be made, the backup is given up and says why', async (t) => {
  const count = 200;
  const large = (i: number): string => `file ${String(i)} `.repeat(5000);
  const files = Object.fromEntries(Array.from({ length: count }, (_, i) => [`tree/${String(i)}`, large(i)]));
  const user = await GatewayUser.make(t, files);
  const readOnly =
    (await user.expect('list-aliases', '--readonly-uri')).split(/\s+/).find((word) => word.startsWith('URI:')) ?? '';
  await user.expect('add-alias', 'only', readOnly);
  const { status, stderr, stdout } = await user.run(['backup', 'tree', 'only:']);
  t.equal(status, 1);
  t.match(stderr, /^tallac: the gateway answered 4\d\d: .+\n$/);
  t.notMatch(stdout, 'files uploaded');
  t.equal(await user.expect('ls', 'A:'), '', 'nothing was entered');
  const stored = user.requests.filter((request) => request.startsWith('PUT /uri')).length;
  t.ok(stored < count, `${String(stored)} files were begun`);
});

t.test('looks give others their turn', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'file');
  await writeFile(path, 'x');
  for (let i = 0; i < 200; i++) t.equal((await (i % 2 === 0 ? lookAt(path) : lookAtLink(path))).size, 1n);
  const immediate = new Promise<boolean>((resolve) => setImmediate(() => resolve(true)));
  for (let i = 0; i < 64; i++) await lookAt(path);
  t.ok(await Promise.race([immediate, Promise.resolve(false)]), 'what waited for the event loop was done meanwhile');
  await t.rejects(lookAt(join(directory, 'nothing')), { code: 'ENOENT' });
  await t.rejects(lookAtLink(join(directory, 'nothing')), { code: 'ENOENT' });
});
