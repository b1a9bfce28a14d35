/** A node that is told of another configuration in the middle of an upload: the upload goes on. */
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { seededBytes } from '../fixtures/crypto.js';
import { ProcessGrid, runCommand } from '../fixtures/process-grid.js';

const SIZE = 10_000_000;
const HALF = SIZE / 2;

t.test('10 MB arrive while limits, the log and the encoding are changed', { timeout: 120_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'ours'],
    gateways: ['ours'],
    encoding: { needed: 1, happy: 2, total: 2 },
  });
  t.teardown(() => grid.stop());
  const gateway = grid.gateway('ours');
  const content = Buffer.from(seededBytes('upload', SIZE));
  const headers = { 'content-length': String(SIZE) };
  const upload = request(`${await gateway.url()}uri`, { method: 'PUT', headers });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  // Half of it is with the gateway, which waits for the rest, when the configuration changes.
  await new Promise<void>((resolve) => {
    upload.write(content.subarray(0, HALF), () => {
      resolve();
    });
  });
  const pid = gateway.pid;
  await writeFile(
    join(gateway.directory, 'tallac.cfg'),
    '[log]\nlevel = debug\n\n[limits]\nconnections = 50\nspool_size = 20MB\n',
  );
  const path = join(gateway.directory, 'tahoe.cfg');
  await writeFile(path, (await readFile(path, 'utf8')).replace('shares.happy = 2', 'shares.happy = 1'));
  const changes = await runCommand('ours', ['reload', gateway.directory]);
  for (const change of [
    /^\[log\]level: info \(default\) -> debug$/m,
    /^\[limits\]connections: /m,
    /^\[limits\]spool_size: /m,
    /^\[client\]shares.happy: 2 -> 1$/m,
  ]) {
    t.match(changes, change);
  }
  const report = await readFile(join(gateway.directory, 'logs/reload.json'), 'utf8');
  t.match(JSON.parse(report), { count: 1, pid });
  // A mistake changes nothing, and the upload goes on all the same.
  await appendFile(join(gateway.directory, 'tallac.cfg'), 'nonsense = 1\n');
  await t.rejects(runCommand('ours', ['reload', gateway.directory]), /nothing was changed/);
  upload.end(content.subarray(HALF));
  const [reply] = await answered;
  let capability = '';
  for await (const piece of reply) capability += String(piece);
  t.match(reply.statusCode, 200);
  t.match(capability, new RegExp(`^URI:CHK:.*:1:2:${String(SIZE)}$`));
  t.equal(gateway.pid, pid, 'the same process');
  t.equal(gateway.exitCode, null);
  const back = await fetch(`${await gateway.url()}uri/${capability}`);
  t.ok(Buffer.from(await back.arrayBuffer()).equals(content), 'the same bytes come back');
});
