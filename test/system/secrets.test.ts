/**
 * Where secrets go, in a session of a grid of processes that do well and badly: nowhere but where they belong. Capabilities,
 * keys, lease secrets, swissnums, tokens and contents, 500 and more of them, are looked for in all that nodes and commands
 * say, in logs, in pages, their titles and errors, in metrics, in the arguments of all processes, and in files.
 */
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { WebSocket } from 'ws';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { outcomeOf, startProgram } from '../cli/fixtures/program.js';
import { seededBytes } from '../fixtures/crypto.js';
import { ProcessGrid } from '../fixtures/process-grid.js';

const FILES = 300;
const MUTABLE_FILES = 50;
const DIRECTORIES = 50;
const PARALLEL = 4;
/** How often the arguments of processes are looked at, in milliseconds. */
const LOOK_MS = 20;
/** A secret's first bytes are enough to know it by. */
const MARK_SIZE = 10;

/** Secrets, and the texts and bytes that somebody would know them by. */
class Canaries {
  readonly names = new Set<string>();
  readonly #marks = new Map<string, string>();

  /** A secret of bytes, in every form that it may take. */
  addBytes(name: string, bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes);
    const whole = [buffer.toString('hex'), formatBase32(bytes).slice(0, 20)];
    const start = buffer.subarray(0, MARK_SIZE);
    for (const mark of [...whole, start.toString('latin1'), buffer.toString('base64').slice(0, 16)])
      this.#add(name, mark);
  }

  addText(name: string, text: string): void {
    this.#add(name, text);
  }

  /** The secrets of a capability: its key, as text and as bytes. */
  addCapability(name: string, capability: string): void {
    const key = /^URI:[A-Z0-9-]+:([a-z2-7]{26}):/.exec(capability)?.[1];
    if (key === undefined) throw new Error(`${name} is no capability with a key`);
    this.addBytes(name, parseBase32(key));
  }

  /** Those that are in a text or in bytes. */
  in(text: string): string[] {
    return [...this.#marks].flatMap(([mark, name]) => (text.includes(mark) ? [name] : []));
  }

  #add(name: string, mark: string): void {
    this.names.add(name);
    this.#marks.set(mark, name);
  }
}

const encoding = { needed: 1, happy: 1, total: 2 };

t.test('a whole session', { timeout: 280_000 }, async (t) => {
  const grid = await ProcessGrid.start({ storage: ['ours', 'ours'], gateways: ['ours'], encoding });
  t.teardown(() => grid.stop());
  const gateway = grid.gateway('ours');
  const url = await gateway.url();
  const home = await mkdtemp(join(tmpdir(), 'tallac-secrets-'));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const temporary = join(home, 'tmp');
  await mkdir(temporary);
  const canaries = new Canaries();
  /** What may be read by others, by where it was found. */
  const seen = new Map<string, string>();
  const note = (where: string, text: string): void => void seen.set(where, `${seen.get(where) ?? ''}\n${text}`);

  // All lines of the gateway's log, of which the last only is kept otherwise.
  await writeFile(join(gateway.directory, 'tallac.cfg'), '[log]\nlevel = debug\n');
  const log = openSync(join(home, 'gateway.log'), 'w');
  await gateway.stop();
  const environment = { TMPDIR: temporary };
  const node = startProgram(['run', gateway.directory], { directory: home, environment, stdio: ['pipe', log, log] });
  t.teardown(() => node.kill('SIGKILL'));
  while (!(await readFile(join(home, 'gateway.log'), 'utf8')).includes('client running')) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await grid.connected(gateway);
  const token = (await gateway.read('private/api_auth_token')).trim();
  const socket = new WebSocket(`${url.replace('http', 'ws')}private/logs/v1`, {
    headers: { authorization: `tahoe-lafs ${token}` },
  });
  socket.on('message', (data: Buffer) => {
    note('the log that is followed', data.toString());
  });
  await once(socket, 'open');

  // What nodes keep for themselves.
  for (const one of [gateway, ...grid.storage]) {
    for (const file of ['api_auth_token', 'secret', 'convergence']) {
      const text = await one.read(`private/${file}`).catch(() => '');
      if (text !== '') canaries.addText(`${file} of ${one.name}`, text.trim());
    }
    const key = (await one.read('private/node.pem')).split('\n').filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line));
    const priv = await one.read('private/node.privkey');
    canaries.addText(`key of ${one.name}`, priv.trim().replace('priv-v0-', ''));
    if (key[1] !== undefined && /PRIVATE/.test((await one.read('private/node.pem')).split(key[1])[0] ?? '')) {
      canaries.addText(`private key of ${one.name}`, key[1]);
    }
    const furl = await one.read('private/storage.furl').catch(() => '');
    if (furl !== '') canaries.addText(`swissnum of ${one.name}`, furl.trim().replace(/^.*\//, ''));
  }

  const watching = new AbortController();
  const argv = watchArguments(watching.signal, (words) => note('the arguments of a process', words));

  const ask = async (method: string, path: string, body: Uint8Array | string | null = null, isNoted = true) => {
    const headers = { accept: 'text/html' };
    const reply = await fetch(`${url}${path}`, { method, headers, body, redirect: 'manual' });
    const text = await reply.text();
    if (reply.status >= 400) note('errors', text);
    else if (isNoted) note('titles', /<title>.*?<\/title>/s.exec(text)?.[0] ?? '');
    return text;
  };
  const queue = Array.from({ length: FILES + MUTABLE_FILES + DIRECTORIES }, (_none, i) => i);
  const capabilities: string[] = [];
  const make = async (i: number): Promise<void> => {
    if (i < FILES) {
      const content = seededBytes(`content ${String(i)}`, 300);
      const capability = await ask('PUT', 'uri', content, false);
      canaries.addCapability(`file ${String(i)}`, capability);
      if (i % 10 === 0) canaries.addText(`content ${String(i)}`, Buffer.from(content).toString('latin1').slice(40, 60));
      capabilities.push(capability);
      return;
    }
    const isDirectory = i >= FILES + MUTABLE_FILES;
    const capability = isDirectory
      ? await ask('POST', 'uri?t=mkdir', '', false)
      : await ask('PUT', 'uri?format=SDMF', seededBytes(`mutable ${String(i)}`, 100), false);
    canaries.addCapability(`writing ${String(i)}`, capability);
    const path = `uri/${encodeURIComponent(capability)}`;
    const readOnly = await ask('GET', `${path}?t=readonly-uri`, null, false);
    canaries.addCapability(`reading ${String(i)}`, readOnly.trim());
    capabilities.push(capability);
  };
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let i = queue.shift(); i !== undefined; i = queue.shift()) await make(i);
    }),
  );
  t.ok(canaries.names.size >= 500, `${String(canaries.names.size)} secrets`);

  // What goes wrong, with capabilities in every place.
  for (const capability of capabilities.filter((_one, i) => i % 9 === 0)) {
    const encoded = encodeURIComponent(capability);
    for (const path of [
      `uri/${encoded}?t=nonsense`,
      `uri/${encoded}x`,
      `uri/${encoded.slice(0, -3)}`,
      `uri/${encoded}/a/b`,
      `uri/${encoded}%`,
      `nothing/${encoded}`,
      `status/${encoded}`,
      `operations/${encoded}`,
      `uri?uri=${encoded}x`,
      `file/${encoded}/x/y?t=z`,
      `uri/${encoded}?offset=x`,
      `uri/URI:CHK:x?t=${encoded}`,
    ]) {
      await ask('GET', path);
    }
    for (const path of [
      `uri/${encoded}/a/b?t=x`,
      `uri/${encoded}?t=${encoded}`,
      `uri?t=mkdir&format=${encoded}`,
      `uri/${encoded}?t=relink&from_name=x&to_dir=${encoded}`,
    ]) {
      await ask('POST', path, '');
    }
    await ask('PUT', `uri/${encoded}/a/b`, 'x');
    await ask('DELETE', `uri/${encoded}/nothing`);
    for (const path of [`uri/${encoded}`, `uri/${encoded}?t=info`]) await ask('GET', path);
    await ask('POST', `uri/${encoded}?t=check`, '');
  }
  for (const page of [
    '',
    'status',
    'statistics',
    'statistics?t=json',
    'status?t=json',
    '?t=json',
    'metrics',
    'storage',
    'tallac/v1/grid',
    'healthz',
    'readyz',
  ]) {
    note(`page ${page}`, await ask('GET', page));
  }

  // Commands, which get capabilities from standard input and from aliases.
  const run = async (words: readonly string[], input = '') => {
    const child = startProgram(['-d', gateway.directory, ...words], { directory: home, environment });
    child.stdin?.end(input);
    const outcome = await outcomeOf(child);
    note(`standard error of ${words[0] ?? ''}`, outcome.stderr);
    return outcome;
  };
  const [first = ''] = capabilities;
  const directory = capabilities.find((one) => one.startsWith('URI:DIR2')) ?? '';
  t.match(await run(['add-alias', 'd', '-'], `${directory}\n`), { status: 0 });
  await writeFile(join(home, 'tree'), seededBytes('tree', 5000));
  for (const words of [
    ['put', 'tree', 'd:tree'],
    ['ls', 'd:'],
    ['cp', 'd:tree', 'copy'],
    ['check', 'd:tree'],
    ['deep-check', 'd:'],
    ['mv', 'd:tree', 'd:t'],
    ['stats', 'd:'],
    ['status'],
    ['grid', 'servers'],
    ['doctor'],
    ['reload'],
    ['unlink', 'd:t'],
  ]) {
    t.match(await run(words), { status: words[0] === 'doctor' ? /^[01]$/ : 0 }, words[0] ?? '');
  }
  t.match(await run(['get', '-', 'got'], `${first}\n`), { status: 0 });
  for (const words of [
    ['get', '-'],
    ['check', '-'],
    ['ls', '--cap-file', '-'],
    ['mkdir', 'd:x/y/z'],
    ['unlink', 'd:nothing'],
    ['get', 'd:nothing'],
  ]) {
    note('what failing commands print', (await run(words, `${first.slice(0, -4)}x\n`)).stdout);
  }
  // And with servers that are gone.
  await Promise.all(grid.storage.map((one) => one.stop('SIGKILL')));
  for (const capability of [first, directory]) {
    await ask('GET', `uri/${encodeURIComponent(capability)}?t=json`);
    await ask('PUT', `uri/${encodeURIComponent(capability)}/new`, 'x'.repeat(1000));
  }
  await run(['get', '-', 'late'], `${first}\n`);
  await run(['put', 'tree']);
  socket.terminate();
  watching.abort();
  t.ok((await argv) > 30, 'processes were looked at: the nodes, the commands, and what else runs here');

  note('the log of the gateway', await readFile(join(home, 'gateway.log'), 'latin1'));
  for (const one of grid.storage) note(`the output of ${one.name}`, one.output);
  for (const [name, path] of [
    ['gateway', gateway.directory],
    ['temporary files', temporary],
    ...grid.storage.map((one) => [one.name, one.directory] as const),
  ] as const) {
    for (const file of await filesOf(path))
      note(`files of ${name}`, `${file}\n${await readFile(join(path, file), 'latin1')}`);
  }
  t.ok((seen.get('the log of the gateway') ?? '').includes('"level":"debug"') || seen.has('the log that is followed'));
  t.ok((seen.get('errors') ?? '').length > 10_000, 'there were errors');
  for (const [where, text] of seen) t.strictSame(canaries.in(text), [], `${where}: ${String(text.length)} characters`);
  // They would be found.
  t.ok(canaries.in(JSON.stringify({ path: `/uri/${encodeURIComponent(first)}` })).length > 0);
  t.ok(canaries.in(`swissnum ${(await grid.storage[0]?.read('private/storage.furl')) ?? ''}`).length > 0);
});

/** Files of a node but for what is its own (`private`), and shares, which hold lease secrets as the format has it. */
async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((path) => !/^(private|storage\/shares)\//.test(path));
}

/** Looks at the arguments of every process again and again. @returns at how many. */
async function watchArguments(signal: AbortSignal, tell: (words: string) => void): Promise<number> {
  const known = new Set<string>();
  while (!signal.aborted) {
    for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
      const words = argumentsOf(pid);
      if (words === '' || known.has(`${pid} ${words}`)) continue;
      known.add(`${pid} ${words}`);
      tell(words);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return known.size;
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
