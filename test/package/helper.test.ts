/** What the page on helpers says is done: a helper, clients that are given its furl or its NURL, and files that go through it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { blocksOf, shellLines } from './fixtures/pages.js';
import { Reader } from './fixtures/reader.js';

const PAGE = 'docs/helper.md';
const INTRODUCER = 'docs/introducer.md';
const SIZE = 1_200;

t.test('a helper and a client of it', { timeout: 120_000 }, async (t) => {
  const [introducerPort, helperWeb] = [String(await allocatePort()), String(await allocatePort())];
  const reader = await Reader.arrive(t, () => [
    ['intro.example.org', '127.0.0.1'],
    ['helper.example.org', '127.0.0.1'],
    ['3458', introducerPort],
  ]);
  const here = (webPort: string) => ({
    TAHOE_NODE_WEB_PORT: `tcp:${webPort}:interface=127.0.0.1`,
    TAHOE_CLIENT_SHARES_NEEDED: '1',
    TAHOE_CLIENT_SHARES_HAPPY: '1',
    TAHOE_CLIENT_SHARES_TOTAL: '1',
  });
  const [createIntroducer = '', runIntroducer = '', showIntroducer = ''] = await shellLines(INTRODUCER);
  await reader.do(createIntroducer);
  await reader.start(runIntroducer);
  const [, furl = ''] = (await reader.do(showIntroducer)).trim().split('\n');

  const [create = '', run = '', show = '', showNurl = '', ...more] = await shellLines(PAGE);
  t.same(more, []);
  t.match(await reader.do(create.replace('pb://…', `'${furl}'`)), /^Node created in /);
  await reader.start(run, here(helperWeb));
  const helperFurl = (await reader.do(show)).trim();
  t.match(helperFurl, /^pb:\/\//);

  await reader.do(`tallac create-client --introducer='${furl}' client`);
  const settings = (await blocksOf(PAGE)).filter(({ language }) => language === 'ini');
  const [line = ''] = settings.flatMap(({ text }) => text.split('\n')).filter((one) => one.includes('helper.furl'));
  await reader.edit('client/tahoe.cfg', [/^helper\.furl =.*$/m, line.replace('pb://…', helperFurl)]);
  await reader.start('tallac run client', here('0'));
  await writeFile(join(reader.home, 'file'), 'x'.repeat(SIZE));
  const capability = (await reader.do('tallac -d client put file')).trim();
  t.match(capability, /^URI:CHK:/);
  t.equal(await reader.do(`tallac -d client get ${capability}`), 'x'.repeat(SIZE));
  const figures = async () => (await fetch(`http://127.0.0.1:${helperWeb}/helper_status?t=json`)).json();
  t.match(await figures(), { 'chk_upload_helper.fetched_bytes': SIZE, 'chk_upload_helper.encoding_count': 0 });

  const nurl = (await reader.do(showNurl)).trim();
  t.match(nurl, /^pb:\/\/[^@]{43}@127\.0\.0\.1:[0-9]+\/[a-z2-7]{32}#v=1$/);
  await reader.do(`tallac create-client --introducer='${furl}' secure`);
  const [own = ''] = settings.map(({ text }) => text).filter((one) => one.includes('helper_nurl'));
  await writeFile(join(reader.home, 'secure/tallac.cfg'), own.replace('pb://…#v=1', nurl));
  await reader.start('tallac run secure', here('0'));
  await writeFile(join(reader.home, 'other'), 'y'.repeat(SIZE));
  const other = (await reader.do('tallac -d secure put other')).trim();
  t.equal(await reader.do(`tallac -d client get ${other}`), 'y'.repeat(SIZE));
  t.match(await figures(), { 'chk_upload_helper.fetched_bytes': 2 * SIZE, 'chk_upload_helper.encoding_count': 0 });
});
