/** The same tahoe.cfg for both programs: what the one refuses the other refuses, with status 1 and a reason. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { commandOf, hasReference } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { temporaryDirectory } from '../cli/fixtures/program.js';

interface Case {
  readonly name: string;
  readonly text: string | Buffer;
  readonly files?: Readonly<Record<string, string>>;
}

const head = '[node]\nweb.port =\ntub.port = disabled\ntub.location = disabled\n';
const off = '[storage]\nenabled = false\n';

const accepted: readonly Case[] = [
  {
    name: 'sections and options twice',
    text: `${head}nickname = a\n${off}[node]\nnickname = b\n[storage]\nenabled = no\n`,
  },
  { name: 'a reference to another option', text: `${head}nickname = %(tempdir)s and 50%%\ntempdir = spool\n${off}` },
  {
    name: 'a byte-order mark, colons, comments and lines that go on',
    text: `\ufeff# a\n; b\n${head}nickname: a\n   b\n${off}`,
  },
  { name: 'names in any case', text: `${head}REVEAL-ip-Address = TRUE\n${off}` },
  { name: 'an obsolete option', text: `${head}${off}[client]\nkey_generator.furl =\n` },
  { name: 'sections of the owner', text: `${head}${off}[storageclient.plugins.x]\nanything = 1\n` },
  {
    name: 'sizes and durations',
    text: `${head}${off}reserved_space = 10MiB\nexpire.override_lease_duration = 2 Months\n`,
  },
];

const refused: readonly Case[] = [
  { name: 'an unknown section', text: `${head}${off}[nodes]\n` },
  { name: 'an unknown option', text: `${head}nick = a\n${off}` },
  { name: 'a lone percent sign', text: `${head}nickname = 50% of me\n${off}` },
  { name: 'a furl with a comment', text: `${head}${off}[client]\nhelper.furl = pb://a@b:1/c # mine\n` },
  { name: 'port 0', text: `[node]\nweb.port =\ntub.port = 0\ntub.location = tcp:a:1\n` },
  { name: 'port tcp:0', text: `[node]\nweb.port =\ntub.port = tcp:0\ntub.location = tcp:a:1\n` },
  { name: 'an empty port', text: `[node]\nweb.port =\ntub.port =\ntub.location = tcp:a:1\n` },
  {
    name: 'a location without a port',
    text: `[node]\nweb.port =\ntub.port = disabled\ntub.location = tcp:a:1\n${off}`,
  },
  {
    name: 'a hidden address that would show',
    text: `[node]\nweb.port =\nreveal-IP-address = false\ntub.port = tcp:45678\ntub.location = AUTO\n`,
  },
  { name: 'a hidden address over tcp', text: `${head}reveal-IP-address = false\n${off}` },
  { name: 'an unknown handler', text: `${head}${off}[connections]\ntcp = carrier-pigeon\n` },
  { name: 'a boolean that is none', text: `${head}[storage]\nenabled = perhaps\n` },
  { name: 'storage that nobody can reach', text: `${head}[storage]\nenabled = true\n` },
  { name: 'text before the first section', text: `nickname = a\n${head}${off}` },
  { name: 'a line that is nothing', text: `${head}nonsense\n${off}` },
  { name: 'no UTF-8', text: Buffer.from(`${head}nickname = \xe9\n${off}`, 'latin1') },
  { name: 'a file of the old days', text: `${head}${off}`, files: { webport: '3456' } },
  { name: 'shares that are no number', text: `${head}${off}[client]\nshares.needed = many\n` },
];

/** Runs the node until it is up or has ended. @returns `up`, or the exit status, and what it said. */
async function start(program: Program, directory: string): Promise<{ outcome: string | number | null; said: string }> {
  const [file, args] = commandOf(program, ['run', directory]);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
  let said = '';
  let isUp = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      said += piece.toString();
      if (isUp || !said.includes('client running')) return;
      isUp = true;
      child.kill('SIGTERM');
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { outcome: isUp ? 'up' : status, said };
}

async function makeDirectory(path: string, { text, files = {} }: Case): Promise<string> {
  await rm(path, { recursive: true, force: true });
  await mkdir(join(path, 'private'), { recursive: true });
  await writeFile(join(path, 'tahoe-client.tac'), '');
  await writeFile(join(path, 'tahoe.cfg'), text);
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return path;
}

t.test('configurations', { skip: hasReference ? false : 'no reference', timeout: 500_000 }, async (t) => {
  const directory = await temporaryDirectory(t);
  for (const [cases, outcome] of [
    [accepted, 'up'],
    [refused, 1],
  ] as const) {
    for (const one of cases) {
      const [reference, ours] = await Promise.all([
        makeDirectory(join(directory, 'reference'), one).then((path) => start('reference', path)),
        makeDirectory(join(directory, 'ours'), one).then((path) => start('ours', path)),
      ]);
      t.equal(reference.outcome, outcome, `${one.name}: the reference`);
      t.equal(ours.outcome, outcome, `${one.name}: ours: ${ours.said}`);
      if (outcome === 1)
        t.match(ours.said, /^tallac: .*tahoe\.cfg|^tallac: .*webport/m, `${one.name}: ours says where`);
    }
  }
});
