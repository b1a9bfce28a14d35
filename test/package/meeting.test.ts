/**
 * What the pages on meeting a grid say is done: an introducer, a storage node from an empty volume and three values, a list
 * of servers, clients that know the one or the other, and the settings beside them. The Docker lines of the README are
 * run without Docker, by the image's entry point. A block of these pages that is not run says why above it.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { readSources, root } from '../house/sources.js';
import { blocksOf, shellLines } from './fixtures/pages.js';
import { Reader } from './fixtures/reader.js';

const INTRODUCER = 'docs/introducer.md';
const LISTS = 'docs/server-lists.md';
const TRANSITION = 'docs/transition.md';
const TESTING = 'docs/testing.md';
/** What this machine wants of each node: one server is enough, and the web port is any that is free. */
const ofThisMachine = {
  TAHOE_NODE_WEB_PORT: 'tcp:0:interface=127.0.0.1',
  TAHOE_CLIENT_SHARES_NEEDED: '1',
  TAHOE_CLIENT_SHARES_HAPPY: '1',
  TAHOE_CLIENT_SHARES_TOTAL: '1',
};
/** What the lines on lists print, by what is in them. */
const printed: readonly (readonly [string, RegExp])[] = [
  [' create', /^$/],
  [' add alice ', /^$/],
  [' sign alice ', /"signature"/],
  [' publish ', /^$/],
];

/** Any web server: hands out what lies in a file. @returns its address. */
async function startHost(t: Test, file: () => string): Promise<string> {
  const host = createServer((_request, response) => {
    readFile(file()).then(
      (text) => response.writeHead(200, { etag: '"1"' }).end(text),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    host.closeAllConnections();
    host.close();
  });
  return `http://127.0.0.1:${String((host.address() as AddressInfo).port)}`;
}

/** A `docker run` line without Docker: the entry point, the volume and the line's values, and nothing else. */
async function startContainer(t: Test, reader: Reader, volume: string, line: string): Promise<void> {
  t.match(line, ' -v /mnt/volume/node:/data ');
  const values = [...line.matchAll(/ -e (?:'([^']*)'|(\S+))/g)].map(([, quoted, plain = '']) => quoted ?? plain);
  t.equal(values.length, 3, 'three values');
  const given = Object.fromEntries(values.map((value) => value.split(/=(.*)/s, 2))) as Record<string, string>;
  t.equal(given['TALLAC_PORT'], '3457', 'the port that is published');
  const here = { TALLAC_DIRECTORY: join(reader.home, volume), TALLAC_PORT: String(await allocatePort()) };
  await reader.start(`sh '${join(root, 'deploy/entrypoint.sh')}' ${volume}`, { ...ofThisMachine, ...given, ...here });
}

t.test('an introducer, a list, and nodes that know them', { timeout: 120_000 }, async (t) => {
  let home = '';
  const host = await startHost(t, () => join(home, 'servers.json'));
  const introducerPort = String(await allocatePort());
  const reader = await Reader.arrive(t, () => [
    ['intro.example.org', '127.0.0.1'],
    ['storage.example.org', '127.0.0.1'],
    ['3458', introducerPort],
  ]);
  home = reader.home;
  const write = (name: string, text: string): Promise<void> => writeFile(join(home, name), text);
  const docker = (await shellLines('README.md')).filter((line) => line.startsWith('docker run') && line.includes('…'));
  const [byIntroducer = '', byList = ''] = docker.map((line) => reader.here(line));
  t.equal(docker.length, 2);
  await write('file', 'some words, '.repeat(100));

  const [create = '', run = '', show = '', ...more] = await shellLines(INTRODUCER);
  t.same(more, []);
  t.match(await reader.do(create), /^Introducer created in /);
  await reader.start(run);
  const [nurl = '', furl = ''] = (await reader.do(show)).trim().split('\n');
  await startContainer(t, reader, 'alice', byIntroducer.replace('pb://…', nurl));

  await reader.do('tallac create-client client');
  const [yaml] = (await blocksOf(INTRODUCER)).filter(({ language }) => language === 'yaml');
  await write(
    'client/private/introducers.yaml',
    (yaml?.text ?? '').replace('pb://…#v=1', nurl).replace('pb://…', furl),
  );
  await reader.start('tallac run client', ofThisMachine);
  const capability = (await reader.do('tallac -d client put file')).trim();
  t.match(capability, /^URI:CHK:/);
  t.match(await reader.do('tallac -d client grid servers'), /^\S+ .* https {2}connected .* from introducer home$/m);

  for (const line of await shellLines(LISTS)) {
    const expected = printed.find(([part]) => line.includes(part))?.[1];
    t.match(await reader.do(line), expected ?? /^nothing is known of this line$/, line);
  }
  const identity = (await reader.do('grid-manager --config gm public-identity')).trim();
  const listed = (text: string): string => text.replace('https://example.org', host).replace('pub-v0-…', identity);
  t.equal(await reader.stop(run), 0, 'the introducer is gone');
  await startContainer(t, reader, 'bob', listed(byList));
  t.match(await reader.do('tallac -d bob put file'), /^URI:CHK:/);
  t.match(await reader.do('tallac -d bob grid servers'), /^\S+ .* https {2}connected .* from list /m);

  t.equal(await reader.stop('tallac run client'), 0);
  await rm(join(home, 'client/private/introducers.yaml'));
  const settings = [...(await blocksOf(LISTS)), ...(await blocksOf(TRANSITION))].filter(
    ({ language }) => language === 'ini',
  );
  t.equal(settings.length, 2);
  await write('client/tallac.cfg', settings.map(({ text }) => listed(text)).join('\n'));
  await reader.start('tallac run client', ofThisMachine);
  t.equal(
    await reader.do(`tallac -d client get ${capability}`),
    'some words, '.repeat(100),
    'by the list, without Foolscap',
  );
  const values = Object.entries(ofThisMachine).map(([name, value]) => `${name}=${value}`);
  const findings = await reader.do(`${values.join(' ')} tallac doctor client`);
  t.match(findings, /^ok +the configuration: it can be read$/m);
  t.notMatch(findings, 'the encoding', 'it fits the grid');
  t.match(findings, /^ok +the servers' clocks: 1 of 1 agree with this machine's$/m);
});

t.test('every block of the pages is run, or says why not', async (t) => {
  for (const page of [INTRODUCER, LISTS, TRANSITION, TESTING]) {
    for (const { language, notRun, text } of await blocksOf(page)) {
      t.ok(['sh', 'yaml', 'ini'].includes(language), `${page}: ${text.slice(0, 40)}`);
      t.equal(notRun, page === TESTING ? 'it takes hours' : undefined, page);
      if (page === TESTING) namesWhatIsThere(t, text);
    }
  }
});

/** What takes too long to be run must at least be there: programs, tests and the counts that they read. */
function namesWhatIsThere(t: Test, text: string): void {
  for (const [path] of text.matchAll(/dist\/[a-z/-]+(\.test)?\.js/g)) t.ok(existsSync(join(root, path)), path);
  const sources = readSources('test')
    .map(({ text }) => text)
    .join('\n');
  for (const [name] of text.matchAll(/TALLAC_[A-Z_]+/g)) t.ok(sources.includes(name), name);
}
