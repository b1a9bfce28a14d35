/** The token of a private gateway: shown to the gateway of the node directory, and to nobody else. */
import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { createGateway } from '#gateway/gateway.js';
import { gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { reply, startGateway } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const TOKEN = 'test-token';
const DIRECTORY = `URI:DIR2:${'a'.repeat(26)}:${'a'.repeat(52)}`;
const REPORT = '{"servers":[],"introducers":[],"lists":[]}';

/** A node directory whose gateway is at `address`. */
async function nodeOf(test: Test, address: string, token = TOKEN): Promise<string> {
  const directory = await temporaryDirectory(test);
  await mkdir(join(directory, 'node/private'), { recursive: true });
  await writeFile(join(directory, 'node/node.url'), `${address}\n`);
  await writeFile(join(directory, 'node/private/api_auth_token'), `${token}\n`);
  return directory;
}

t.test('commands work with a private gateway of their node directory', async (t) => {
  const grid = new MemoryGrid(3, { needed: 2, happy: 2, total: 3 });
  const services = gatewayServices(grid);
  const app = createGateway({ ...services, guard: { ...services.guard, token: TOKEN, isPrivate: true } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const address = `http://127.0.0.1:${String((app.server.address() as AddressInfo).port)}/`;
  const directory = await nodeOf(t, address);
  await writeFile(join(directory, 'letter'), 'a letter');
  const run = (...words: string[]) => runInPlace(['-d', 'node', ...words], directory);
  t.match(await run('create-alias', 'home'), { status: 0 });
  t.match(await run('put', 'letter', 'home:letter'), { status: 0 });
  t.match(await run('ls', 'home:'), { status: 0, stdout: 'letter\n' });
  t.match(await run('get', 'home:letter'), { status: 0, stdout: 'a letter' });
  t.match(await run('stats', 'home:'), { status: 0 });
  t.match(await run('deep-check', 'home:'), { status: 0 });
  t.match(await run('status'), { status: 0 });
  const refused = await run('ls', '-u', address, 'home:');
  t.match(refused, { status: 401 % 256, stderr: /answered 401/ }, 'an address from elsewhere gets no token');
  t.notMatch(refused.stderr, TOKEN);
});

t.test('it goes to no other gateway, and over no redirect', async (t) => {
  const { address, seen } = await startGateway(t, reply(200, REPORT));
  const directory = await nodeOf(t, address);
  const tokenOf = async (...words: string[]): Promise<string | undefined> => {
    await runInPlace(['-d', 'node', ...words], directory);
    return seen.pop()?.headers.authorization;
  };
  t.equal(await tokenOf('grid', 'servers'), `tahoe-lafs ${TOKEN}`);
  t.equal(await tokenOf('health'), `tahoe-lafs ${TOKEN}`);
  t.equal(await tokenOf('ls', DIRECTORY), `tahoe-lafs ${TOKEN}`);
  for (const words of [['grid', 'servers'], ['health'], ['ls', DIRECTORY]]) {
    t.equal(await tokenOf(...words, '-u', address), undefined, `${String(words[0])} with an address from elsewhere`);
  }
  const leading = await startGateway(t, reply(302, '', { location: address }));
  const led = await nodeOf(t, leading.address);
  t.match(await runInPlace(['-d', 'node', 'ls', DIRECTORY], led), { stderr: /a redirect, which is not followed/ });
  t.equal(leading.seen.length, 1);
  t.equal(seen.length, 0, 'nobody was asked behind the redirect');
});

t.test('a file that holds no token is as good as none', async (t) => {
  const { address, seen } = await startGateway(t, reply(200, REPORT));
  for (const token of ['', 'two words', 'line\r\nset-cookie: a', 'x'.repeat(5000)]) {
    const directory = await nodeOf(t, address, token);
    t.match(await runInPlace(['-d', 'node', 'grid', 'servers'], directory), { status: 0 });
    t.equal(seen.pop()?.headers.authorization, undefined);
  }
});
