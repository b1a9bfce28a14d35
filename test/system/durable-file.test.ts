/**
 * Durable files under strace: killed at each of its system calls, a file is old or new and what was acknowledged is
 * there; a call that fails gives its error and leaves the old file. Needs strace, and says so when it is not there.
 */
import { spawnSync } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { removeUnfinished } from '#node/durable-file.js';
import { temporaryDirectory } from '../node/fixtures/temporary-directory.js';

const program = new URL('../fixtures/durable-child.js', import.meta.url).pathname;
const NEW = 'new'.repeat(1000);
const OLD = 'old'.repeat(1000);

const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed: crash points were NOT tested';

interface Run {
  readonly directory: string;
  /** What the program said before it ended, a line each. */
  readonly said: readonly string[];
  readonly wasKilled: boolean;
}

/** Runs the program with one system call tampered with. */
async function run(t: Parameters<typeof temporaryDirectory>[0], call: string, injection: string): Promise<Run> {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'old'), OLD);
  const strace = ['-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:${injection}`];
  const { stdout, signal, status } = spawnSync('strace', [...strace, process.execPath, program, directory], {
    encoding: 'utf8',
    // strace counts the calls of each thread for itself: one thread for all file operations makes the count exact.
    env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1' },
  });
  return { directory, said: stdout.split('\n').slice(0, -1), wasKilled: signal === 'SIGKILL' || status === 137 };
}

async function read(directory: string, name: string): Promise<string> {
  return readFile(join(directory, name), 'utf8').catch(() => 'absent');
}

/** Each system call the two files need, and how often: writes of Node.js itself are among the last. */
const CALLS: [call: string, count: number][] = [
  ['fchmod', 2],
  ['fsync', 4],
  ['rename', 1],
  ['link', 1],
  ['unlink', 1],
  ['write', 4],
];

t.test('killed at any of its calls, a file is old or new', { skip, timeout: 120_000 }, async (t) => {
  for (const [call, count] of CALLS) {
    for (let when = 1; when <= count; when++) {
      const { directory, said, wasKilled } = await run(t, call, `signal=KILL:when=${String(when)}`);
      const point = `${call} ${String(when)}`;
      t.ok(wasKilled, `${point} is reached`);
      const [old, once] = [await read(directory, 'old'), await read(directory, 'once')];
      t.ok(old === NEW || (old === OLD && !said.includes('replaced')), `${point}: the replaced file is whole`);
      t.ok(once === NEW || (once === 'absent' && !said.includes('created')), `${point}: the created file is whole`);
      await removeUnfinished(directory);
      const left = (await readdir(directory)).filter((name) => name !== 'old' && name !== 'once');
      t.strictSame(left, [], `${point}: nothing is left after a new start`);
    }
  }
});

t.test('all calls of the two files are among those above', { skip, timeout: 60_000 }, async (t) => {
  for (const [call, count] of CALLS.filter(([call]) => call !== 'write')) {
    const { wasKilled, said } = await run(t, call, `signal=KILL:when=${String(count + 1)}`);
    t.notOk(wasKilled, `there is no further ${call}`);
    t.strictSame(said, ['replaced', 'created']);
  }
});

t.test('a call that fails gives its error and leaves the old file', { skip, timeout: 60_000 }, async (t) => {
  const failures: [call: string, injection: string, said: string[], old: string, once: string][] = [
    ['fsync', 'error=EIO:when=1', ['ERR_FILE', 'created'], OLD, NEW],
    ['fsync', 'error=EIO:when=3', ['replaced', 'ERR_FILE'], NEW, 'absent'],
    ['rename', 'error=EIO', ['ERR_FILE', 'created'], OLD, NEW],
    ['fchmod', 'error=ENOSPC:when=2', ['replaced', 'ERR_NO_SPACE'], NEW, 'absent'],
    ['link', 'error=EPERM', ['replaced', 'created'], NEW, NEW],
    ['link', 'error=EIO', ['replaced', 'ERR_FILE'], NEW, 'absent'],
  ];
  for (const [call, injection, expected, old, once] of failures) {
    const { directory, said } = await run(t, call, injection);
    const what = `${call} ${injection}`;
    t.strictSame(said, expected, what);
    t.equal(await read(directory, 'old'), old, what);
    t.equal(await read(directory, 'once'), once, what);
    t.ok(
      (await readdir(directory)).every((name) => !name.startsWith('.')),
      `${what}: nothing is left`,
    );
  }
});
