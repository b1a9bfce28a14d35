/**
 * Every shell line of the README and CONTRIBUTING is run by a shell in an empty folder, with this machine's paths, names
 * and ports in place of the reader's. What .ci/run runs itself, or what needs Docker (rehearsed in rehearsal.test.ts
 * and the volume's tests), is listed by name: a new line that is in neither list fails.
 */
import t from 'tap';
import type { Test } from 'tap';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { allocatePort } from '#node/endpoint.js';
import { environmentName } from '#node/config/option.js';
import { allOptions } from '#node/config/schema.js';
import { root } from '../house/sources.js';
import { shellLines } from './fixtures/pages.js';
import { Reader } from './fixtures/reader.js';
import type { Places } from './fixtures/reader.js';

/** Run by meeting.test.ts, without Docker. */
const ofMeeting = (line: string): boolean => line.startsWith('docker run') && line.includes('…');
const runElsewhere = [
  'npm ci && npm run demo',
  'npm ci && npm test',
  'npm ci',
  'npm test',
  'docker build -t tallac .',
  'docker run -d --name storage -p 3457:3457 -v /mnt/volume/node:/data -e TALLAC_HOSTNAME=storage.example.org tallac',
  'docker run -d --name storage --read-only -p 3457:3457 -v node:/data -v /mnt/volume:/shares ' +
    '-e TALLAC_STORAGE=/shares -e TALLAC_NEW_NODE=refuse -e TALLAC_HOSTNAME=storage.example.org tallac',
];

/** What lines print, by what is in them; of two that fit the first counts. */
const printed: readonly (readonly [string, RegExp])[] = [
  ['health', /^the node is ready\n$/],
  ['usage', /^immutable: 0 shares, .*\n(.*\n)*room for: .* \(.* free, 1\.0 GB reserved, no max_space\)\n$/],
  ['expire --dry-run', /^0 shares, 0 bytes: leases whose own time is over; /],
  ['/metrics', /^tallac_store_readonly 0$/m],
  ['scrub', /^0 shares read, 0 bytes: 0 damaged /],
  [
    'adopt',
    /volume' belonged to this node and holds no shares\.\nIt is the store of node [a-z2-7]{32} from now on\.\n$/,
  ],
  [' cp -r ', /^Success: file.* copied\n$/],
  [' backup ', /^ 1 files uploaded \(0 reused\)/m],
  [' deep-check ', /^done: \d+ objects checked/m],
  ['create-alias', /^Alias 'home' created\n$/],
  ['--format=MDMF', /^URI:MDMF:.*\n$/],
  ['notes.txt', /^URI:MDMF:.*\n$/],
  [' mkdir ', /^URI:DIR2:.*\n$/],
  [' ls -F ', /^letters\/\nphotos\/\n$/],
  [' check ', /^Summary: Healthy/],
  [' unlink ', /^200 OK\n$/],
  ['create-', /^Node created in '/],
  [' put ', /^URI:CHK:.*\n$/],
  [' get ', /^/],
];

/** Where the README's things are on this machine. */
async function placesOf(): Promise<(folder: string) => Places> {
  const [storage, web] = [String(await allocatePort()), String(await allocatePort())];
  return (folder) => [
    ['/mnt/volume', join(folder, 'volume')],
    ['storage.example.org', '127.0.0.1'],
    ['3457', storage],
    ['3456', web],
  ];
}

t.test('the README, line by line', { timeout: 120_000 }, async (t) => {
  const reader = await Reader.arrive(t, await placesOf());
  const lines = (await shellLines('README.md')).filter((line) => !runElsewhere.includes(line) && !ofMeeting(line));
  const [node = '', client = ''] = lines.filter((line) => / run /.test(line));
  const plaintext = Buffer.alloc(5000, 'photo');
  const photo = join(reader.home, 'photo.jpg');
  await writeFile(photo, plaintext);
  await writeFile(join(reader.home, 'notes.txt'), 'notes');
  await mkdir(join(reader.home, 'letters'));
  await writeFile(join(reader.home, 'letters/first.txt'), 'Dear reader');
  let capability = '';

  for (const line of lines) {
    if (line === node || line === client) {
      await reader.start(line);
      t.pass(line);
      continue;
    }
    if (line.includes('storage scrub')) t.equal(await reader.stop(node), 0, 'the node stops in good order');
    if (line.includes('create-client')) await reader.start(node);
    const expected = printed.find(([part]) => line.includes(part))?.[1];
    if (expected === undefined) throw new Error(`nothing is known of '${line}'`);
    const output = await reader.do(line.replace('URI:CHK:…', capability));
    t.match(output, expected, line);
    // The gateway of the storage node listens where this machine has room.
    if (line.includes('create-node'))
      await reader.edit('shelf/tahoe.cfg', [/^(web.port = tcp):3456/m, reader.here('$1:3456')]);
    if (line.includes('create-client')) await joinGrid(reader, t);
    if (!line.endsWith(' put photo.jpg')) continue;
    capability = output.trim();
    await rm(photo);
    t.match(await reader.do('npx tallac storage usage ~/shelf'), /^immutable: 1 share, /, 'the volume has the share');
  }
  t.ok(plaintext.equals(await readFile(photo)), 'the file came back');
  for (const line of [client, node]) t.equal(await reader.stop(line), 0, `'${line}' stops in good order`);
});

/** What the reader is told to do by hand between the lines. */
async function joinGrid(reader: Reader, t: Test): Promise<void> {
  const announcement = join(reader.home, 'shelf/private/announcement.yaml');
  const example = /```yaml\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
  const written = parse(await readFile(announcement, 'utf8')) as unknown;
  t.match(keysOf(written), keysOf(parse(example)), 'the example in the README looks like what a node writes');
  await cp(announcement, join(reader.home, '.tahoe/private/servers.yaml'));
  await reader.edit(
    '.tahoe/tahoe.cfg',
    [/^shares.needed = .*$/m, 'shares.needed = 1'],
    [/^shares.happy = .*$/m, 'shares.happy = 1'],
    [/^shares.total = .*$/m, 'shares.total = 1'],
    [/^web.port = .*$/m, 'web.port = tcp:0:interface=127.0.0.1'],
  );
}

/** The names of a server's entry. */
function keysOf(document: unknown): unknown {
  const { storage } = document as { storage: Record<string, { ann: object }> };
  return Object.values(storage).map(({ ann }) => Object.fromEntries(Object.keys(ann).map((key) => [key, true])));
}

t.test('CONTRIBUTING names only commands that .ci/run runs', async (t) => {
  for (const line of await shellLines('CONTRIBUTING.md')) t.ok(runElsewhere.includes(line), line);
});

t.test('the Docker lines set only what the image knows', async (t) => {
  const entrypoint = await readFile(join(root, 'deploy/entrypoint.sh'), 'utf8');
  for (const line of (await shellLines('README.md')).filter((line) => line.startsWith('docker run'))) {
    for (const [, name = ''] of line.matchAll(/ -e '?([A-Z_]+)=/g)) {
      t.ok(entrypoint.includes(`\${${name}:-`) || allOptions.map(environmentName).includes(name), name);
    }
  }
});
