/** The program as a whole: versions, help, usage errors, exit statuses, and what happens when its output breaks. */
import { open, readFile, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { TahoeError, errorCodes } from '#core/errors.js';
import { exitStatusOf } from '#cli/exit-status.js';
import { reportFailure } from '#cli/failure.js';
import { commandEntries } from '#cli/program.js';
import { version } from '#node/version.js';
import { CAPABILITY, CONTENT, reply, startGateway, startServer } from '../cli/fixtures/fake-gateway.js';
import {
  Collector,
  MAIN,
  outcomeOf,
  runInPlace,
  runProgram,
  startProgram,
  temporaryDirectory,
} from '../cli/fixtures/program.js';

const VERSION_LINE = `tahoe-lafs/1.20.0 tallac/${version}\n`;

t.test('the version comes in one line that old programs can strip', async (t) => {
  const directory = await temporaryDirectory(t);
  for (const words of [['--version'], ['-V']]) {
    t.same(await runProgram(words, { directory }), { status: 0, stdout: VERSION_LINE, stderr: '' });
  }
  for (const words of [
    ['-d', '/x', '--version'],
    ['-q', '-V'],
  ]) {
    t.match(await runInPlace(words, directory), { status: 0, stdout: VERSION_LINE, stderr: '' });
  }
  const withPath = await runProgram(['--version-and-path'], { directory });
  t.same(withPath.stdout.split('\n').slice(0, 1), VERSION_LINE.split('\n').slice(0, 1));
  t.ok(withPath.stdout.includes(MAIN));
  t.match(await runInPlace(['-q', '--version-and-path'], directory), {
    status: 0,
    stdout: withPath.stdout.split(' on ')[0],
  });
});

t.test('asking for the version loads three modules of ours and none of anybody else', async (t) => {
  const loaded = new Set<string>();
  const builtIn = new Set<string>();
  const root = dirname(dirname(dirname(dirname(MAIN))));
  const load = async (file: string): Promise<void> => {
    loaded.add(file.slice(root.length));
    for (const [, name = ''] of (await readFile(file, 'utf8')).matchAll(
      /^(?:import|export)\b[^;]*? from '([^']+)'/gm,
    )) {
      if (name.startsWith('node:')) builtIn.add(name);
      else if (name.startsWith('.')) await load(resolve(dirname(file), name));
      else if (name.startsWith('#')) await load(join(root, 'dist/src', name.slice(1)));
      else t.fail(`${file} loads ${name}`);
    }
  };
  await load(MAIN);
  t.same([...loaded], ['/dist/src/cli/main.js'], 'the words decide what comes next');
  await load(join(dirname(MAIN), 'version-text.js'));
  t.same([...loaded], ['/dist/src/cli/main.js', '/dist/src/cli/version-text.js', '/dist/src/node/version.js']);
  t.ok(builtIn.size <= 4, [...builtIn].join());
  t.match(await readFile(MAIN, 'utf8'), /^#!\/usr\/bin\/env node\n/);
});

t.test('help goes to standard output and succeeds', async (t) => {
  const directory = await temporaryDirectory(t);
  const help = await runInPlace(['--help'], directory);
  t.match(help, { status: 0, stderr: '' });
  for (const { name, summary } of commandEntries) {
    t.ok(help.stdout.includes(name), name);
    t.ok(help.stdout.replaceAll(/\s+/g, ' ').includes(summary), summary);
    const own = await runInPlace([name, '--help'], directory);
    t.match(own, { status: 0, stderr: '', stdout: `Usage: tallac ${name} ` });
    t.notMatch(own.stdout, /undefined/);
    t.same(await runInPlace(['help', name], directory), own);
  }
  t.equal((await runInPlace(['help'], directory)).stdout, help.stdout);
  t.match(await runInPlace(['help', 'nonsense'], directory), { status: 1, stdout: '' });
});

t.test('usage errors say what is wrong on standard error, with status 1', async (t) => {
  const directory = await temporaryDirectory(t);
  const cases: readonly [words: string[], message: string][] = [
    [['nonsense'], "tallac: unknown command 'nonsense'; see 'tallac --help'\n"],
    [['rnu'], "tallac: unknown command 'rnu' (Did you mean run?); see 'tallac --help'\n"],
    [['--nope'], "tallac: unknown option '--nope'; see 'tallac --help'\n"],
    [['put', '--nope'], "tallac: unknown option '--nope'; see 'tallac put --help'\n"],
    [
      ['put', '--fromat', 'CHK'],
      "tallac: unknown option '--fromat' (Did you mean --format?); see 'tallac put --help'\n",
    ],
    [['-d'], "tallac: option '-d, --node-directory <dir>' argument missing; see 'tallac --help'\n"],
    [
      ['get', 'a', 'b', 'c'],
      "tallac: too many arguments for 'get'. Expected 2 arguments but got 3; see 'tallac get --help'\n",
    ],
  ];
  for (const [words, message] of cases) {
    const { status, stdout, stderr } = await runInPlace(words, directory);
    t.match(stderr, /^Usage: tallac /);
    t.same({ status, stdout, message: stderr.split('\n').slice(1).join('\n') }, { status: 1, stdout: '', message });
  }
  const none = await runInPlace([], directory);
  t.match(none, { status: 1, stdout: '' });
  t.match(none.stderr, /Commands:[^]*tallac: must specify a command; see 'tallac --help'\n$/);
  t.match(await runProgram(['nonsense'], { directory }), {
    status: 1,
    stdout: '',
    stderr: /unknown command 'nonsense'/,
  });
});

t.test('called as tahoe it calls itself so', async (t) => {
  const directory = await temporaryDirectory(t);
  const program = join(directory, 'tahoe');
  await symlink(MAIN, program);
  t.match(await runProgram(['nonsense'], { directory, program }), { status: 1, stderr: /^tahoe: unknown command/m });
  t.match(await runProgram(['run'], { directory, program }), { stdout: `'tahoe run' in '${directory}/home/.tahoe'\n` });
});

t.test('words of the reference that mean nothing here are accepted', async (t) => {
  const directory = await temporaryDirectory(t);
  const words = ['--eliot-destination', 'file:logs/eliot.json', 'create-client', 'node'];
  t.match(await runInPlace(words, directory), { status: 0, stderr: /^warning: --eliot-destination has no effect/ });
});

t.test('a failure is one line, a bug is its stack trace', async (t) => {
  const line = new Collector();
  t.equal(reportFailure(new TahoeError('ERR_DISK', { what: 'it', reason: 'this' }), 'tallac', line), 1);
  t.equal(line.text, 'tallac: it failed: this\n');
  for (const [bug, text] of [
    [new RangeError('an index'), /^RangeError: an index\n {4}at [^]*tallac: this is a bug in tallac; /],
    ['thrown text', /^thrown text\ntallac: this is a bug/],
  ] as const) {
    const trace = new Collector();
    t.equal(reportFailure(bug, 'tallac', trace), 1);
    t.match(trace.text, text);
  }
});

t.test('statuses that scripts tell apart', async (t) => {
  const others = new Map([
    ['ERR_NO_SUCH_PATH', 2],
    ['ERR_DIRECTORY_NOT_EMPTY', 255],
  ]);
  for (const code of errorCodes) {
    const error = Object.assign(new TahoeError('ERR_SWISSNUM', {}), { code });
    t.equal(exitStatusOf(error), others.get(code) ?? 1, code);
  }
  t.equal(exitStatusOf(new Error('a bug')), 1);
});

t.test('a reader that goes away ends the program without a word', async (t) => {
  const directory = await temporaryDirectory(t);
  const address = await startServer(t, (_request, response) => {
    const piece = Buffer.alloc(1 << 16);
    const pump = (): void => {
      while (!response.destroyed && response.write(piece));
      response.once('drain', pump);
    };
    response.writeHead(200);
    pump();
  });
  const child = startProgram(['get', '-u', address, 'URI:SSK-RO:' + 'a'.repeat(26) + ':' + 'a'.repeat(52)], {
    directory,
  });
  child.stdout?.once('data', () => child.stdout?.destroy());
  const { status, stderr } = await outcomeOf(child);
  t.same({ status, stderr }, { status: 1, stderr: '' });
});

const hasFull = await stat('/dev/full').then(
  (found) => found.isCharacterDevice(),
  () => false,
);

t.test('an output that is full is a failure', { skip: hasFull ? false : 'no /dev/full' }, async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, (request, response) => {
    reply(200, request.method === 'PUT' ? CAPABILITY : CONTENT)(request, response);
  });
  await using full = await open('/dev/full', 'w');
  for (const words of [
    ['get', '-u', address, CAPABILITY],
    ['put', '-u', address, MAIN],
  ]) {
    const child = startProgram(words, { directory, stdio: ['ignore', full.fd, 'pipe'] });
    const { status, stderr } = await outcomeOf(child);
    t.equal(status, 1);
    t.match(stderr, /tallac: no space is left for 'standard output'; free some and try again\n$/);
    t.notMatch(stderr, CAPABILITY);
  }
});
