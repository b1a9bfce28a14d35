/**
 * How long do small and partial writes take, and directories of a thousand entries, beside the reference?
 *
 *     node dist/bench/mutable.js [--rounds N] [--only ours|reference] [--objects N] [--check-rounds N]
 *
 * Two grids stand at once, one of each program: ten storage nodes and a gateway, 3-of-10, all as processes on this
 * machine, over HTTPS. The programs take turns, step by step; everything goes through the gateway's web API. Every read
 * is compared. Making a file includes getting its RSA key: both gateways are left alone for some seconds first, as they
 * are on most days, and ours makes keys then; `create-sdmf-1kB-burst` makes more files in a row than it keeps keys for.
 * The files of the deep check are uploaded to one grid and their shares copied to the other. Ours is checked
 * through the client library while the gateway has no deep checks. Prints one JSON line a result: milliseconds
 * (median, least, most) and ratios.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import {
  checkThroughGateway,
  checkThroughLibrary,
  copyShares,
  makeDirectoryOf,
  uploadFiles,
} from './checked-objects.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    only: { type: 'string' },
    objects: { type: 'string', default: '1000' },
    'check-rounds': { type: 'string', default: '3' },
  },
});
const programs = (['ours', 'reference'] as const).filter(
  (program) => values.only === undefined || values.only === program,
);
const SMALL = 1_000;
const LARGE = 8 << 20;
const CHANGE = 100;
const ENTRIES = 1_000;
/** So many files are made one after the other, which is more than there are keys ready. */
const BURST = 48;
/** Longer than it takes an idle gateway to make its keys. */
const QUIET_MS = 20_000;
const encoding = { needed: 3, happy: 7, total: 10 };

async function ask(method: 'GET' | 'PUT' | 'POST', url: string, body?: Buffer): Promise<Buffer> {
  const reply = await request(url, { method, body: body ?? null, headersTimeout: 600_000 });
  const bytes = Buffer.from(await reply.body.arrayBuffer());
  if (reply.statusCode < 300) return bytes;
  throw new Error(`${method} gave ${String(reply.statusCode)}: ${bytes.toString().slice(0, 300)}`);
}

/** One program's gateway with what was made there. */
class Subject {
  readonly #url: string;
  /** Milliseconds, by question. */
  readonly times = new Map<string, number[]>();
  #isCounted = false;
  readonly #grid: ProcessGrid;
  #directory = '';
  #objects = '';
  #entryCount = ENTRIES;

  constructor(url: string, grid: ProcessGrid) {
    this.#url = url;
    this.#grid = grid;
  }

  get grid(): ProcessGrid {
    return this.#grid;
  }

  upload(count: number): Promise<string[]> {
    return uploadFiles(this.#url, count);
  }

  async keepObjects(capabilities: readonly string[]): Promise<void> {
    this.#objects = await makeDirectoryOf(this.#url, capabilities);
  }

  /** Milliseconds a file. */
  async burst(): Promise<void> {
    const start = performance.now();
    for (let i = 0; i < BURST; i++) await ask('PUT', `${this.#url}uri?format=SDMF`, randomBytes(SMALL));
    this.times.set('create-sdmf-1kB-burst', [(performance.now() - start) / BURST]);
  }

  async checkObjects(count: number): Promise<void> {
    this.#isCounted = true;
    const checked = await this.#timed(
      `deep-check-${String(count)}`,
      async () =>
        (await checkThroughGateway(this.#url, this.#objects)) ?? (await checkThroughLibrary(this.#grid, this.#objects)),
    );
    if (checked !== count + 1) throw new Error(`${String(checked)} objects were checked`);
  }

  async prepare(): Promise<void> {
    const child = ['filenode', { ro_uri: 'URI:LIT:nbswy3dp' }];
    const children = Object.fromEntries(Array.from({ length: ENTRIES }, (_, i) => [`entry ${String(i)}`, child]));
    const made = await ask('POST', `${this.#url}uri?t=mkdir-with-children`, Buffer.from(JSON.stringify(children)));
    this.#directory = this.#pathOf(made);
  }

  /** The first round warms caches and just-in-time compilers up; it is not counted. */
  async round(number: number): Promise<void> {
    this.#isCounted = number > 0;
    await this.#small();
    await this.#large();
    await this.#entries();
  }

  async #small(): Promise<void> {
    const [first, second] = [randomBytes(SMALL), randomBytes(SMALL)];
    const made = await this.#timed('create-sdmf-1kB', () => ask('PUT', `${this.#url}uri?format=SDMF`, first));
    const path = this.#pathOf(made);
    await this.#timed('overwrite-sdmf-1kB', () => ask('PUT', path, second));
    check(await this.#timed('read-sdmf-1kB', () => ask('GET', path)), second);
  }

  async #large(): Promise<void> {
    const [bytes, change] = [randomBytes(LARGE), randomBytes(CHANGE)];
    const made = await this.#timed('create-mdmf-8MiB', () => ask('PUT', `${this.#url}uri?format=MDMF`, bytes));
    const path = this.#pathOf(made);
    const offset = LARGE / 2 - 50;
    await this.#timed('update-mdmf-100B', () => ask('PUT', `${path}?offset=${String(offset)}`, change));
    bytes.set(change, offset);
    check(await this.#timed('read-mdmf-8MiB', () => ask('GET', path)), bytes);
  }

  async #entries(): Promise<void> {
    const name = encodeURIComponent(`entry ${String(this.#entryCount++)}`);
    const entry = Buffer.from('URI:LIT:nbswy3dp');
    await this.#timed('add-to-1000-entries', () => ask('PUT', `${this.#directory}/${name}?t=uri`, entry));
    const listing = await this.#timed('list-1000-entries', () => ask('GET', `${this.#directory}?t=json`));
    const [, { children }] = JSON.parse(listing.toString()) as [string, { children: object }];
    if (Object.keys(children).length !== this.#entryCount) throw new Error('other entries came back');
  }

  #pathOf(capability: Buffer): string {
    return `${this.#url}uri/${encodeURIComponent(capability.toString().trim())}`;
  }

  async #timed<Result>(question: string, action: () => Promise<Result>): Promise<Result> {
    execFileSync('sync');
    const start = performance.now();
    const result = await action();
    const spent = performance.now() - start;
    if (this.#isCounted) this.times.set(question, [...(this.times.get(question) ?? []), spent]);
    return result;
  }
}

function check(returned: Buffer, expected: Buffer): void {
  if (!returned.equals(expected)) throw new Error('other bytes came back');
}

async function checkObjects([first, ...others]: readonly Subject[], count: number): Promise<void> {
  if (first === undefined || count === 0) return;
  const capabilities = await first.upload(count);
  for (const { grid } of others) await copyShares(first.grid, grid);
  for (const subject of [first, ...others]) await subject.keepObjects(capabilities);
  for (let i = 0; i < Number(values['check-rounds']); i++) {
    for (const subject of [first, ...others]) await subject.checkObjects(count);
  }
}

const grids: ProcessGrid[] = [];
const subjects = new Map<Program, Subject>();
try {
  for (const program of programs) {
    const plan = { storage: Array<Program>(10).fill(program), gateways: [program], encoding };
    const grid = await ProcessGrid.start(plan);
    grids.push(grid);
    const subject = new Subject(await grid.gateway(program).url(), grid);
    subjects.set(program, subject);
    await subject.prepare();
  }
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  for (let i = 0; i <= Number(values.rounds); i++) for (const subject of subjects.values()) await subject.round(i);
  for (const subject of subjects.values()) await subject.burst();
  await checkObjects([...subjects.values()], Number(values.objects));
} finally {
  for (const grid of grids) await grid.stop();
}
const questions = new Set([...subjects.values()].flatMap(({ times }) => [...times.keys()]));
for (const question of questions) {
  const medians = programs.map((program) => {
    const spent = subjects.get(program)?.times.get(question) ?? [];
    const milliseconds = median(spent);
    printResult({ question, program, milliseconds, least: Math.min(...spent), most: Math.max(...spent) });
    return milliseconds;
  });
  const [ours, reference] = medians;
  if (ours !== undefined && reference !== undefined) printResult({ question, timesAsFast: reference / ours });
}
