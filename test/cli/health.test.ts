/** `health`: what a container's health check is told. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deadAddress, reply, startGateway } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

t.test('a node that is ready', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, 'ok\n'));
  t.match(await runInPlace(['health', '-u', address], directory), {
    status: 0,
    stdout: 'the node is ready\n',
    stderr: '',
  });
  t.match(seen, [{ method: 'GET', url: '/readyz' }]);
  await mkdir(join(directory, 'node'));
  await writeFile(join(directory, 'node/node.url'), `${address}\n`);
  t.match(await runInPlace(['-q', '-d', 'node', 'health'], directory), { status: 0, stdout: '', stderr: '' });
});

t.test('a node that is not, says why; and one that does not answer at all', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(503, "the share store's disk: it gave no answer within 2 s\n"));
  const stderr = /answered 503: the share store's disk: it gave no answer within 2 s/;
  t.match(await runInPlace(['health', '-u', address], directory), { status: 1, stdout: '', stderr });
  const dead = await deadAddress();
  t.match(await runInPlace(['health', '-u', dead], directory), { status: 1, stderr: /nothing listens there/ });
});
