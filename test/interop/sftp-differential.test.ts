/**
 * One script of SFTP requests to the servers of both programs on one grid: statuses, attributes and bytes are equal.
 * Where we answer otherwise on purpose, the case names the difference, which stands with its reason in
 * docs/differences.md; one that is no difference any more fails too.
 */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { enableSftp, SftpUser, userKeys } from '#test/fixtures/sftp-user.js';
import { sftpScript } from './sftp-script.js';
import type { ScriptSide } from './sftp-case.js';

const CASES_MIN = 80;
const CASE_TIMEOUT_MS = 15_000;

async function ask(node: GridNode, path: string, method: 'POST' | 'PUT', body = ''): Promise<string> {
  const reply = await fetch(`${await node.url()}${path}`, { method, body: body === '' ? null : body });
  if (!reply.ok) throw new Error(`${path}: ${String(reply.status)}`);
  return (await reply.text()).trim();
}

async function readOnly(node: GridNode, capability: string): Promise<string> {
  const reply = await fetch(`${await node.url()}uri/${encodeURIComponent(capability)}?t=json`);
  const [, { ro_uri }] = (await reply.json()) as [string, { ro_uri: string }];
  return ro_uri;
}

async function beginSide(grid: ProcessGrid, node: GridNode): Promise<ScriptSide> {
  const root = await ask(node, 'uri?t=mkdir', 'POST');
  const dir = await ask(node, 'uri?t=mkdir', 'POST');
  const sdmf = await ask(node, 'uri?format=SDMF', 'PUT', 'mutable contents');
  const inKids = await ask(node, 'uri?format=SDMF', 'PUT', 'more of them');
  const children = {
    unknown: ['unknown', { ro_uri: 'ro.URI:FUTURE:x' }],
    mutable: ['filenode', { rw_uri: inKids }],
    'mutable-ro': ['filenode', { ro_uri: await readOnly(node, inKids) }],
    kept: ['filenode', { ro_uri: 'URI:LIT:krugkidfnzsc4', metadata: { 'no-write': true } }],
  };
  const frozen = { one: ['filenode', { ro_uri: 'URI:LIT:krugkidfnzsc4' }] };
  const capabilities = {
    dir,
    'dir-ro': await readOnly(node, dir),
    chk: await ask(node, 'uri', 'PUT', 'x'.repeat(3000)),
    lit: 'URI:LIT:krugkidfnzsc4',
    sdmf,
    'sdmf-ro': await readOnly(node, sdmf),
    future: 'URI:FUTURE:x',
    frozen: await ask(node, 'uri?t=mkdir-immutable', 'POST', JSON.stringify(frozen)),
    kids: await ask(node, 'uri?t=mkdir-with-children', 'POST', JSON.stringify(children)),
  };
  const port = await enableSftp(node, [`alice ${userKeys.public} ${root}`]);
  await node.stop();
  await node.start();
  await grid.connected(node);
  return { user: await SftpUser.connect(port), capabilities };
}

/** The reference leaves some requests without an answer. */
async function inTime(work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CASE_TIMEOUT_MS, 'no answer');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

t.test('one script at two servers', { skip: hasReference ? false : 'no reference', timeout: 580_000 }, async (t) => {
  t.ok(sftpScript.length >= CASES_MIN, `${String(sftpScript.length)} cases`);
  const differences = await readFile(new URL('../../../docs/differences.md', import.meta.url), 'utf8');
  const grid = await ProcessGrid.start({
    storage: ['ours'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 1, total: 1 },
  });
  t.teardown(() => grid.stop());
  const ours = await beginSide(grid, grid.gateway('ours'));
  const reference = await beginSide(grid, grid.gateway('reference'));
  t.teardown(() => {
    ours.user.close();
    reference.user.close();
  });
  for (const [i, one] of sftpScript.entries()) {
    const [got, wanted] = await Promise.all([inTime(one.run(ours)), inTime(one.run(reference))]);
    const what = `${String(i)} ${one.name}`;
    if (one.differs === undefined) {
      t.same(got, wanted, what);
      continue;
    }
    t.ok(differences.includes(`| ${one.differs.number} |`), `${what}: ${one.differs.number} is written down`);
    t.same(got, one.differs.ours, `${what}: ours`);
    t.notSame(got, wanted, `${what}: differs still`);
  }
});
