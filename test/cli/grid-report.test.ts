/** `grid servers` and `doctor`: what they print of a node that runs, and of directories that do not. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { compareClocks } from '#node/clock-comparison.js';
import { examineNode } from '#node/doctor.js';
import type { GridReport } from '#node/grid-report.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { formatCertificate } from '#wire/grid-certificate.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { certify } from '#test/fixtures/grid-managers.js';
import { reply, startGateway } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const server = {
  serverId: serverIdOf(1),
  nickname: 'Alice\u001b[2J',
  origin: 'introducer default',
  dialect: 'https',
  upgraded: false,
  connected: true,
  connectionStatus: 'connected',
  version: 'tallac/1',
  latencyMs: 12.5,
  availableSpace: 5_000_000_000,
  clockOffsetMs: 0,
  plugins: [],
  certificate: 'valid',
  certificateExpiryMs: 1_700_000_000_000,
} as const;
const old = {
  ...server,
  dialect: 'foolscap',
  connected: false,
  connectionStatus: 'gone',
  version: null,
  certificate: 'not-needed',
  latencyMs: null,
  availableSpace: null,
  clockOffsetMs: null,
  certificateExpiryMs: null,
} as const;
const upgraded = { ...server, nickname: 'Bob', upgraded: true };
const link = {
  name: 'default',
  dialect: 'foolscap',
  connected: false,
  connectionStatus: 'nothing listens',
  sinceMs: 0,
  announcementCount: 2,
} as const;
const list = { name: 'pub-v0-abcdefgh', number: 7, expiresMs: 5, isExpired: true, problem: undefined };
const report: GridReport = { servers: [server, old, upgraded], introducers: [link], lists: [list] };

t.test('grid servers: a line for each, and JSON', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = JSON.stringify(report);
  const { address, seen } = await startGateway(t, reply(200, text));
  const plain = await runInPlace(['grid', 'servers', '-u', address], directory);
  t.same(plain.stdout.split('\n'), [
    `${serverIdOf(1).slice(3, 11)}  Alice?[2J  https  connected  12.5 ms  5.0 GB free  tallac/1  certificate: valid  from introducer default`,
    `${serverIdOf(1).slice(3, 11)}  Alice?[2J  foolscap  gone  from introducer default`,
    `${serverIdOf(1).slice(3, 11)}  Bob  https (announced by a furl alone)  connected  12.5 ms  5.0 GB free  tallac/1  certificate: valid  from introducer default`,
    'introducer default (foolscap): nothing listens; 2 announcements',
    'list pub-v0-abcdefgh: number 7; it has expired',
    '',
  ]);
  t.match(seen, [{ method: 'POST', url: '/tallac/v1/grid' }], 'those that do not answer are to be tried again');
  const json = await runInPlace(['grid', 'servers', '--json', '-u', address], directory);
  t.same(JSON.parse(json.stdout), JSON.parse(text));
  let asked = 0;
  const older = await startGateway(t, (...parts) => reply(asked++ === 0 ? 404 : 200, text)(...parts));
  t.match(await runInPlace(['grid', 'servers', '-u', older.address], directory), { stdout: /Bob/ }, 'of an older node');
  t.match(older.seen, [{ method: 'POST' }, { method: 'GET', url: '/tallac/v1/grid' }]);
  const none = await startGateway(t, reply(200, '{"servers":[],"introducers":[],"lists":[]}'));
  t.match(await runInPlace(['grid', 'servers', '-u', none.address], directory), { stdout: 'no server is known\n' });
  const other = await startGateway(t, reply(200, '{}'));
  t.match(await runInPlace(['grid', 'servers', '-u', other.address], directory), {
    status: 1,
    stderr: /no report of a grid/,
  });
});

t.test('doctor: of a directory that is well, and of one that is not', async (t) => {
  const directory = await temporaryDirectory(t);
  const node = join(directory, 'node');
  t.match(await runInPlace(['doctor', 'node'], directory), { status: 1, stderr: /is not a node directory/ });
  t.match(await runInPlace(['create-client', '-p', 'none', 'node'], directory), { status: 0 });
  const alone = await runInPlace(['doctor', 'node'], directory);
  t.equal(alone.status, 1);
  t.match(alone.stdout, /^ok {6}the clock: it says 20/m);
  t.match(alone.stdout, /^note {4}the certificate: there is none yet/m);
  t.match(alone.stdout, /^ok {6}the configuration: it can be read/m);
  t.match(alone.stdout, /^PROBLEM the grid: it is told of no server: name an introducer, a server list/m);
  t.match(alone.stderr, /the node tells nothing of its grid/);
  await writeFile(join(node, 'private/servers.yaml'), 'storage: {}\n');
  t.match(await runInPlace(['doctor', 'node'], directory), { status: 0 });
  const json = await runInPlace(['doctor', '--json', 'node'], directory);
  t.match(JSON.parse(json.stdout), { findings: [{ level: 'ok', what: 'the clock' }] });
  await writeFile(join(node, 'private/node.pem'), 'nonsense');
  await writeFile(join(node, 'tallac.cfg'), '[nonsense]\n');
  const broken = await runInPlace(['doctor', 'node'], directory);
  t.match(broken.stdout, /^PROBLEM the certificate: .*it holds no usable certificate/m);
  t.match(broken.stdout, /^PROBLEM the configuration: .*contains unknown section \[nonsense\]/m);
});

const sentencesOf = (servers: GridReport['servers']): string[] =>
  compareClocks(servers).map(({ level, sentence, what }) => `${level} ${what}: ${sentence}`);

t.test('doctor: clocks, certificates, and peers by dialect and version', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-node', '--listen=tcp', '--hostname=127.0.0.1', '-p', 'none', 'node'], directory);
  const path = join(directory, 'node');
  const clock = new ManualClock();
  const nowMs = Date.now();
  clock.nowMs = () => nowMs;
  const day = 86_400_000;
  for (const [name, expiresMs] of [
    ['gone', nowMs - day],
    ['soon', nowMs + day],
    ['good', nowMs + 100 * day],
  ] as const) {
    const file = join(directory, `${name}.json`);
    await writeFile(file, formatCertificate(certify('m', serverIdOf(1), expiresMs)));
    t.match(await runInPlace(['-d', path, 'admin', 'add-grid-manager-cert', '-f', file, '-n', name], directory), {
      status: 0,
    });
  }
  await mkdir(join(path, 'storage'));
  const findings = await examineNode({ directory: path, environment: {}, clock, report });
  const said = findings.map(({ level, sentence, what }) => `${level} ${what}: ${sentence}`).join('\n');
  t.match(
    said,
    /^problem the grid manager's certificate '.*gone\.cert': it ended .*; have the grid manager sign a new one$/m,
  );
  t.match(said, /^note the grid manager's certificate '.*soon\.cert': it ends/m);
  t.match(said, /^ok the grid manager's certificate '.*good\.cert'/m);
  t.match(said, /^note port [0-9]+: nothing listens there/m);
  t.match(said, /^ok the store: it is in/m);
  t.match(said, /^problem introducer default: nothing listens \(foolscap\)$/m);
  t.match(said, /^problem server list pub-v0-abcdefgh: it has expired/m);
  t.match(said, /^note storage servers: 2 of 3 are connected$/m);
  t.match(said, /^problem the encoding: no upload can spread over 7 servers \(shares\.happy\): for 3 servers .* fit;/m);
  t.match(said, /^ok peers: 1 × foolscap, version unknown; 2 × https, tallac\/1; 2 still need Foolscap$/m);
  t.match(said, /^ok the servers' clocks: 2 of 2 agree with this machine's$/m);
  t.same(compareClocks([old]), [], 'nobody tells');
  const far = { ...server, clockOffsetMs: 3 * 3_600_000 };
  t.same(sentencesOf([server, far]), [
    "ok the servers' clocks: 1 of 2 agree with this machine's",
    `note server ${serverIdOf(1).slice(0, 11)}: its clock is 3 h ahead; tell who runs it, or look at this machine's`,
  ]);
  t.same(sentencesOf([server, far, { ...far, clockOffsetMs: 90_000 }]), [
    "problem the servers' clocks: most of 3 servers say that this machine's clock is 90 s behind; set it, or certificates and lists look wrong",
  ]);
  clock.nowMs = () => Date.UTC(2001, 0, 1);
  const early = await examineNode({ directory: path, environment: {}, clock, report: undefined });
  t.match(early[0], { level: 'problem', what: 'the clock', sentence: /which is too early; set it/ });
});
