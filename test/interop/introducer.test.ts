/**
 * Introducers of both programs, and storage nodes and clients of both that know nothing but the introducer: over Foolscap
 * where either end speaks nothing else, over HTTPS where both are ours. And clients that know nothing but a list.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import type { GridReport } from '#node/grid-report.js';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { commandOf, GridNode, hasReference } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { connected, startIntroducer, startNode, temporaryGrid } from './introduced-nodes.js';

const encoding = { needed: 1, happy: 1, total: 2 };
const programs: readonly Program[] = ['ours', 'reference'];

function start(
  t: Test,
  program: Program,
  kind: 'storage' | 'gateway',
  directory: string,
  address: string,
): Promise<GridNode> {
  return startNode(t, { program, kind, directory, address, encoding });
}

async function upload(gateway: GridNode, contents: string): Promise<string> {
  const reply = await fetch(`${await gateway.url()}uri`, {
    method: 'PUT',
    body: contents,
    signal: AbortSignal.timeout(60_000),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${gateway.name}: ${text}`);
  return text;
}

async function download(gateway: GridNode, capability: string): Promise<string> {
  const url = `${await gateway.url()}uri/${encodeURIComponent(capability)}`;
  return (await fetch(url, { signal: AbortSignal.timeout(60_000) })).text();
}

for (const program of programs) {
  t.test(
    `nodes of both programs meet at an introducer of ${program}`,
    { skip: !hasReference && 'no reference' },
    async (t) => {
      const root = await temporaryGrid(t);
      const introducer = await startIntroducer(t, program, join(root, 'introducer'));
      const furl = (await introducer.read('private/introducer.furl')).trim();
      const ofOurs = program === 'ours' ? (await introducer.read('private/introducer.nurl')).trim() : furl;
      const addressFor = (node: Program): string => (node === 'ours' ? ofOurs : furl);
      for (const node of programs) await start(t, node, 'storage', join(root, `storage-${node}`), addressFor(node));
      const gateways: GridNode[] = [];
      for (const node of programs)
        gateways.push(await start(t, node, 'gateway', join(root, `gateway-${node}`), addressFor(node)));
      for (const gateway of gateways) await connected(gateway, 2);
      for (const writer of gateways) {
        const contents = `written by the ${writer.name}, `.repeat(100);
        const capability = await upload(writer, contents);
        for (const reader of gateways)
          t.equal(await download(reader, capability), contents, `${writer.name} to ${reader.name}`);
      }
      const [ours] = gateways;
      if (program === 'ours' && ours !== undefined) {
        const cache = await readFile(join(ours.directory, 'private/introducer_default_announcements'), 'utf8');
        t.equal(cache.trim().split('\n').length, 2, 'with their signatures');
        // The same directory under the other program, which believes our file while the introducer is gone.
        await ours.stop();
        const yaml = await readFile(join(ours.directory, 'private/introducer_default_cache.yaml'), 'utf8');
        t.equal(yaml.trim().split('\n').length, 2);
        await introducer.stop();
        await writeFile(
          join(ours.directory, 'private/introducers.yaml'),
          `introducers:\n  default:\n    furl: ${furl}\n`,
        );
        await ours.start('reference');
        await connected(ours, 2);
      }
    },
  );
}

t.test('ours knows an introducer of ours by its furl, too, over Foolscap', async (t) => {
  const root = await temporaryGrid(t);
  const introducer = await startIntroducer(t, 'ours', join(root, 'introducer'));
  const furl = (await introducer.read('private/introducer.furl')).trim();
  await start(t, 'ours', 'storage', join(root, 'storage'), furl);
  const gateway = await start(t, 'ours', 'gateway', join(root, 'gateway'), furl);
  await connected(gateway, 1);
  t.match(introducer.output, /introducer running/);
});

/** What a gateway knows of its grid, once it has its list with this number and this is so of its place. */
async function reportOf(
  gateway: GridNode,
  number: number,
  isHeard: (problem?: string) => boolean,
): Promise<GridReport> {
  for (;;) {
    const reply = await fetch(`${await gateway.url()}tallac/v1/grid`, { signal: AbortSignal.timeout(10_000) });
    const report = (await reply.json()) as GridReport;
    const [list] = report.lists;
    if (list?.number === number && isHeard(list.problem)) return report;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

t.test('two clients of one list reach the same servers with no introducer, and when the list is gone', async (t) => {
  const root = await temporaryGrid(t);
  const introducer = await startIntroducer(t, 'ours', join(root, 'introducer'));
  const nurl = (await introducer.read('private/introducer.nurl')).trim();
  const names = ['one', 'two'];
  for (const name of names) await start(t, 'ours', 'storage', join(root, name), nurl);
  const gateway = await start(t, 'ours', 'gateway', join(root, 'gateway'), nurl);
  await connected(gateway, 2);
  const capability = await upload(gateway, 'through an introducer, '.repeat(100));

  // Published, and handed out by any web server; then nobody needs the introducer.
  const manage = async (...words: string[]): Promise<string> => {
    const [file] = commandOf('ours', []);
    const program = join(commandOf('ours', [])[1][0] ?? '', '../grid-manager.js');
    return (await promisify(execFile)(file, [program, '-c', join(root, 'manager'), ...words])).stdout;
  };
  await manage('create');
  for (const name of names) {
    await manage('add', name, (await readFile(join(root, name, 'node.pubkey'), 'utf8')).trim());
    await manage('sign', name, '30');
  }
  const publish = (...published: string[]): Promise<string> =>
    manage('publish', ...published.map((name) => join(root, name, 'private/announcement.yaml')));
  let list = await publish(...names);
  const host = createServer((_request, response) => response.writeHead(200).end(list));
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    host.closeAllConnections();
    host.close();
  });
  const key = (await manage('public-identity')).trim();
  await introducer.stop();
  const place = `http://127.0.0.1:${String((host.address() as AddressInfo).port)}/servers.json ${key}`;
  const startClient = async (name: string): Promise<GridNode> => {
    const node = new GridNode('ours', name, join(root, name), await allocatePorts('gateway'));
    await mkdir(node.directory);
    await writeNodeDirectory(node, encoding);
    await writeFile(join(node.directory, 'tallac.cfg'), `[client]\nserver_lists = ${place}\n`);
    await writeFile(
      join(node.directory, 'tahoe.cfg'),
      `${await node.read('tahoe.cfg')}\n[grid_managers]\nm = ${key}\n`,
    );
    await node.start();
    t.teardown(() => node.stop('SIGKILL'));
    await connected(node, 2);
    return node;
  };
  const [first, second] = [await startClient('first'), await startClient('second')];
  t.equal(await download(first, capability), 'through an introducer, '.repeat(100));
  t.equal(await download(second, await upload(first, 'by a list, '.repeat(200))), 'by a list, '.repeat(200));

  const restart = async (isHeard: (problem?: string) => boolean): Promise<GridReport> => {
    await second.stop();
    await second.start();
    return reportOf(second, 2, isHeard);
  };
  const older = list;
  list = await publish('one');
  t.equal(
    (await restart((problem) => problem === undefined)).servers.length,
    1,
    'who is not in the next list is given up',
  );
  list = older;
  const { lists, servers } = await restart((problem) => problem !== undefined);
  t.equal(servers.length, 1, 'a host that hands out the list of before is not believed');
  t.match(lists[0]?.problem, /number 2 has been seen/);

  host.closeAllConnections();
  host.close();
  t.equal((await restart((problem) => problem !== undefined)).servers.length, 1);
  await connected(second, 1);
  t.equal(await download(second, capability), 'through an introducer, '.repeat(100), 'the host of the list is gone');
});
