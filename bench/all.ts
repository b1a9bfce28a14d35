/**
 * Runs every benchmark, one after another, and writes docs/performance.md and its charts from what they print.
 *
 *     npm run bench [-- --only PROGRAM]…
 *
 * With `--only` the rest of the page stays as it is. Needs the reference in .venv, which `npm run test:interop` installs. Takes about forty minutes and 8 GB of room in
 * the temporary directory, and for the siege a limit of 20,000 open files. Anything else that runs meanwhile disturbs it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ratioChart, ratiosOf } from './chart.js';
import type { Result } from './chart.js';

interface Benchmark {
  readonly title: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly explanation: string;
}

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
const root = fileURLToPath(new URL('../../', import.meta.url));
const page = join(root, 'docs/performance.md');
const benchmarks: readonly Benchmark[] = [
  {
    title: 'Erasure coding',
    program: 'erasure',
    args: [],
    explanation:
      '3-of-10 in segments of 1 MiB, in MB of plaintext a second on one core, beside zfec in turns; the blocks are ' +
      'compared. "spare" hands the blocks of an earlier segment back to be filled again, as uploads do.',
  },
  {
    title: 'Crypto providers',
    program: 'crypto',
    args: [],
    explanation:
      'What OpenSSL (native) and the WebAssembly of this program with libsodium (portable) do in a second on one thread, in ' +
      'turns, medians; the results are compared. MB are 10^6 bytes. New keys are made by chance, and their times vary.',
  },
  {
    title: 'Put and get',
    program: 'transfer',
    args: ['--size', '64', '--rounds', '7'],
    explanation:
      'One file of 64 MiB of random bytes, 3-of-10 on ten storage nodes, all processes on this machine, over HTTPS; the ' +
      'programs in turns, medians. Ours has every share synced to the disk before it answers; the reference syncs nothing. ' +
      'Each round begins with a synced disk.',
  },
  {
    title: 'Put and get without redundancy',
    program: 'transfer',
    args: ['--size', '64', '--rounds', '7', '--encoding', '1-of-1'],
    explanation: 'The same with all of a file as one share on one of the ten nodes.',
  },
  {
    title: 'Small files',
    program: 'small-files',
    args: ['--rounds', '5'],
    explanation:
      'Files of 2 kB, one after another and 8 at a time, 3-of-10 on ten storage nodes, through the gateways of both programs in ' +
      'turns, medians of a file in each round. Ours has every share synced to the disk before it answers; the reference syncs ' +
      'nothing. `test/system/counts.test.ts` holds what each file takes of requests, round trips and syncs.',
  },
  {
    title: 'Ranges',
    program: 'ranges',
    args: ['--size', '1024', '--rounds', '7'],
    explanation:
      'Until the first byte of 64 KiB at some place in a file of 1 GiB is there, 3-of-10 on ten storage nodes: with a gateway that ' +
      'was just started (cold), and at other places of the same file after that (warm); the programs in turns, medians.',
  },
  {
    title: 'Distance',
    program: 'distance',
    args: ['--size', '64', '--rounds', '3'],
    explanation:
      'The way between a gateway and its ten storage nodes made longer by a process that passes everything on after half a round ' +
      'trip, at any bandwidth; `percentOfLoopback` is the throughput in percent of that through the same process without ' +
      'delay. With 1 % of loss a connection may be cut at each MiB that it carries, with that chance.',
  },
  {
    title: 'Checks',
    program: 'verification',
    args: ['--size', '16'],
    explanation:
      'A check of a file of 16 MiB that verifies every byte of its ten shares, 3-of-10 on ten storage nodes, through the gateways of ' +
      'both programs in turns, medians.',
  },
  {
    title: 'Mutable files and directories',
    program: 'mutable',
    args: ['--rounds', '9'],
    explanation:
      'SDMF files of 1 kB, MDMF files of 8 MiB with 100 bytes changed in the middle, and a directory of 1,000 entries, ' +
      '3-of-10 on ten storage nodes, through the gateways of both programs in turns, medians. Making a file includes its ' +
      'RSA key. Ours has every share synced to the disk before it answers; the reference syncs nothing.',
  },
  {
    title: 'Memory',
    program: 'memory',
    args: [],
    explanation:
      '2 GiB go up and down through one gateway, 3-of-10 on ten storage nodes: the most that each process held.',
  },
  {
    title: 'Slow reader',
    program: 'slow-reader',
    args: [],
    explanation:
      'What a gateway holds while 1 GiB streams to a reader that takes 512 kB a second, sampled ten times a second: the median ' +
      'and the most; and before that, some seconds after its start, what it held and the most that it had held.',
  },
  {
    title: 'One storage node',
    program: 'storage-node',
    args: [],
    explanation:
      'What one storage node does in a second for 1, 4 or 16 clients, by requests of the protocol over HTTPS, both programs ' +
      'in turns, medians; and the processor time that it took for each request. Ours has every upload and every write ' +
      'synced to the disk before it answers; the reference syncs nothing. The bare server reads the same bytes of a file and ' +
      'does nothing else, the disk is given files of the same size that are written, synced, renamed, and their directory synced; ' +
      'both take turns with the programs and are the limits.',
  },
  {
    title: 'Index of the shares',
    program: 'share-index',
    args: [],
    explanation:
      '100,000 small shares on one disk: how fast the index is made from nothing, compared with the disk at a start, and read; ' +
      'how near its sums are to `du`; and how long after `kill -9` a node serves and has its index, with and without the old one.',
  },
  {
    title: 'Under siege',
    program: 'load',
    args: [],
    explanation:
      'How long an honest client of one storage node waits while 10,000 connections are idle and 5,000 more send a byte of a ' +
      'head now and then, are cut, and come again; and what the node takes of memory. Three processes beside it on the same cores.',
  },
  {
    title: 'Commands',
    program: 'commands',
    args: ['--rounds', '7'],
    explanation:
      'Whole processes with 50 new files of 2 kB, 3-of-10 on one storage node, each program with a grid of its own, in ' +
      'turns, medians. Ours has every share synced to the disk before it answers; the reference syncs nothing.',
  },
  {
    title: 'Introducer',
    program: 'introducer',
    args: [],
    explanation:
      '1,000 announcements to 50 subscribers, each of which verifies every signature, and how long until 50 servers are connected ' +
      'again when their introducer was started anew. One process, over TLS; most of the time is spent on Ed25519.',
  },
  {
    title: 'Start of the command',
    program: 'startup',
    args: [],
    explanation: '`tallac --version` as a whole process.',
  },
];

function run({ program, args }: Benchmark): Result[] {
  const { stdout, status } = spawnSync(process.execPath, [join(root, 'dist/bench', `${program}.js`), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`bench/${program}.ts ended with ${String(status)}`);
  process.stdout.write(stdout);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Result);
}

function cell(value: unknown): string {
  return value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function table(results: readonly Result[]): string {
  const columns = [...new Set(results.flatMap(Object.keys))];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(columns),
    row(columns.map(() => '---')),
    ...results.map((result) => row(columns.map((name) => cell(result[name])))),
  ].join('\n');
}

/** Draws the ratios of a benchmark beside the page. @returns what the page says of it: nothing where there are none. */
function draw(title: string, results: readonly Result[]): string {
  const bars = ratiosOf(results);
  if (bars.length === 0) return '';
  const file = `performance/${title.toLowerCase().replaceAll(' ', '-')}.svg`;
  mkdirSync(join(root, 'docs/performance'), { recursive: true });
  writeFileSync(join(root, 'docs', file), ratioChart(`${title}: times as fast as the reference`, bars));
  return `![${title}: times as fast as the reference](${file})\n\n`;
}

const [cpu] = cpus();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
/** What the page says now, by title. */
function sectionsBefore(): ReadonlyMap<string, string> {
  const [, ...sections] = readFileSync(page, 'utf8').split(/^## /m);
  return new Map(sections.map((text) => [text.slice(0, text.indexOf('\n')), `## ${text.trimEnd()}\n`]));
}

const before = sectionsBefore();
const sections = benchmarks.flatMap((benchmark) => {
  const { args, explanation, program, title } = benchmark;
  if (values.only?.includes(program) === false) return before.get(title) ?? [];
  const command = ['node', `dist/bench/${program}.js`, ...args].join(' ');
  const results = run(benchmark);
  return `## ${title}\n\n\`${command}\`: ${explanation}\n\n${draw(title, results)}${table(results)}\n`;
});
writeFileSync(
  page,
  `# Performance

What \`npm run bench\` printed, beside tahoe-lafs 1.20.0. Only ratios taken in one run count: the machine is shared, and
single times vary by half. Medians, with the least and the most. In the charts a bar to the left is slower than the reference.

Tallac ${version}, Node ${process.version}, ${String(cpus().length)} cores of ${cpu?.model ?? 'an unknown processor'}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, ${new Date().toISOString().slice(0, 10)}.

${sections.join('\n')}`,
);
