/**
 * A grid manager's certificate that ends while everything runs: its server gets nothing more from that moment on, what
 * lies on it can still be read, and where no other server is certified an upload is refused with a sentence.
 */
import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { GridReport } from '#node/grid-report.js';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import { certify, managerIdentity } from '#test/fixtures/grid-managers.js';
import { readAnnouncement } from '#test/fixtures/grid-node-directory.js';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';

/** How long the certificate lasts: the first of these within which a gateway starts and stores a file. */
const VALIDITIES_MS = [8_000, 30_000, 120_000];
const LONG_MS = 3_600_000;

async function ask(gateway: GridNode, path: string, body?: string): Promise<{ status: number; text: string }> {
  const signal = AbortSignal.timeout(60_000);
  const reply = await fetch(
    `${await gateway.url()}${path}`,
    body === undefined ? { signal } : { method: 'PUT', body, signal },
  );
  return { status: reply.status, text: await reply.text() };
}

/** What the gateway says of the certificate of a server. */
async function stateOf(gateway: GridNode, { serverId }: { serverId: string }): Promise<string | undefined> {
  const { servers } = JSON.parse((await ask(gateway, 'tallac/v1/grid')).text) as GridReport;
  return servers.find((server) => server.serverId === serverId)?.certificate;
}

/** How many share files lie on a storage node. */
async function shareCount({ directory }: GridNode): Promise<number> {
  const entries = await readdir(join(directory, 'storage/shares'), { recursive: true });
  return entries.filter((entry) => /\/[0-9]+$/.test(entry) && !entry.startsWith('incoming')).length;
}

t.test('a certificate ends in the middle of a run', { timeout: 200_000 }, async (t) => {
  const encoding = { needed: 1, happy: 1, total: 2 };
  const grid = await ProcessGrid.start({ storage: ['ours', 'ours'], gateways: ['ours'], encoding });
  t.teardown(() => grid.stop());
  const gateway = grid.gateway('ours');
  const [staying, ending] = await Promise.all(grid.storage.map(readAnnouncement));
  const [stays, ends] = grid.storage;
  if (!staying || !ending || !stays || !ends) throw new Error('two servers');
  await appendFile(join(gateway.directory, 'tahoe.cfg'), `\n[grid_managers]\nmanager = ${managerIdentity('m')}\n`);

  let before = '';
  for (const validityMs of VALIDITIES_MS) {
    await gateway.stop();
    const servers = [
      { ...staying, certificates: [certify('m', staying.serverId, Date.now() + LONG_MS)] },
      { ...ending, certificates: [certify('m', ending.serverId, Date.now() + validityMs)] },
    ];
    await writeFile(join(gateway.directory, 'private/servers.yaml'), dangerouslyFormatServersYaml(servers));
    await gateway.start();
    await grid.connected(gateway);
    const counts = await Promise.all(grid.storage.map(shareCount));
    before = (await ask(gateway, 'uri', `within ${String(validityMs)} ms, `.repeat(100))).text;
    if ((await stateOf(gateway, ending)) !== 'valid') continue;
    t.same(
      await Promise.all(grid.storage.map(shareCount)),
      counts.map((count) => count + 1),
      'both have a share each',
    );
    break;
  }

  while ((await stateOf(gateway, ending)) === 'valid') await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(await stateOf(gateway, ending), 'expired');
  t.equal(await stateOf(gateway, staying), 'valid');
  const count = await shareCount(ends);
  const stored = await ask(gateway, 'uri', 'after its end, '.repeat(100));
  t.equal(Math.floor(stored.status / 100), 2, 'the other is enough');
  t.equal(await shareCount(ends), count, 'nothing more for it');

  await stays.stop();
  await grid.connected(gateway, 1);
  t.match(
    (await ask(gateway, `uri/${encodeURIComponent(before)}`)).text,
    /^within [0-9]+ ms, within/,
    'what it has can be read',
  );
  const refused = await ask(gateway, 'uri', 'for nobody, '.repeat(100));
  t.equal(refused.status, 503);
  t.match(refused.text, /valid certificate; ask the grid manager/);
  t.equal(await shareCount(ends), count);
});
