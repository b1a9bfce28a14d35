/**
 * The pid file between real processes: live ones, dead ones, and many that start together.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import { PID_FILE, claimPidFile, formatPidFile, parsePidFile } from '#node/pid-file.js';
import { createTimeOf, isAlive, ownCreateTime, ownIdentity, stateOf } from '#node/process-identity.js';
import { temporaryDirectory } from '../node/fixtures/temporary-directory.js';

const program = new URL('../fixtures/pid-child.js', import.meta.url).pathname;

interface Child {
  readonly process: ChildProcessWithoutNullStreams;
  /** The first line it prints. */
  readonly line: string;
}

async function start(directory: string): Promise<Child> {
  const child = spawn(process.execPath, [program, directory]);
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, line: bytes.toString().trim() };
}

async function stop(child: Child): Promise<void> {
  if (child.process.exitCode !== null || child.process.signalCode !== null) return;
  child.process.stdin.end();
  await once(child.process, 'exit');
}

async function kill(child: Child): Promise<void> {
  child.process.kill('SIGKILL');
  await once(child.process, 'exit');
}

t.test('the file says who runs the node, and goes when it stops', async (t) => {
  const directory = await temporaryDirectory(t);
  const claim = await claimPidFile(directory);
  const text = await readFile(join(directory, PID_FILE), 'utf8');
  t.match(text, /^[0-9]+ [0-9]+\.[0-9]{1,2}\n$/);
  const { pid, createTime } = parsePidFile(text, PID_FILE);
  t.equal(pid, process.pid);
  t.ok(Math.abs(createTime - performance.timeOrigin / 1000) < 5, 'it was made when this process started');
  t.equal(claim.replacedPid, undefined);
  t.strictSame((await readdir(directory)).sort(), [PID_FILE, `${PID_FILE}.lock`]);
  t.equal((await stat(join(directory, `${PID_FILE}.lock`))).size, 0);
  await claim.release();
  t.strictSame(await readdir(directory), [`${PID_FILE}.lock`]);
  await t.resolves(claim.release(), 'a second time does nothing');
});

t.test('a node that runs keeps others out until it stops', async (t) => {
  const directory = await temporaryDirectory(t);
  const child = await start(directory);
  t.teardown(() => stop(child));
  t.equal(child.line, `claimed ${String(child.process.pid)}`);
  await t.rejects(claimPidFile(directory), {
    code: 'ERR_ALREADY_RUNNING',
    facts: { directory, pid: child.process.pid },
    message: `the node in '${directory}' is already running as process ${String(child.process.pid)}; stop it first`,
  });
  await stop(child);
  const claim = await claimPidFile(directory);
  t.equal(claim.replacedPid, undefined, 'it has removed its file');
  await claim.release();
});

t.test('the file of a node that was killed is replaced', async (t) => {
  const directory = await temporaryDirectory(t);
  const child = await start(directory);
  await kill(child);
  t.notOk(isAlive(child.process.pid ?? 0));
  const claim = await claimPidFile(directory);
  t.equal(claim.replacedPid, child.process.pid);
  t.equal(parsePidFile(await readFile(join(directory, PID_FILE), 'utf8'), PID_FILE).pid, process.pid);
  await claim.release();
});

t.test('our own pid in the file is that of an earlier process', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, PID_FILE), `${String(process.pid)} 1000000000.0\n`);
  const claim = await claimPidFile(directory);
  t.equal(claim.replacedPid, process.pid);
  await claim.release();
});

t.test('release leaves a file alone that has become another’s', async (t) => {
  const directory = await temporaryDirectory(t);
  const claim = await claimPidFile(directory);
  await writeFile(join(directory, PID_FILE), '1 1000000000.0\n');
  await claim.release();
  t.equal(await readFile(join(directory, PID_FILE), 'utf8'), '1 1000000000.0\n');
});

const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc';

t.test('a number that lives and started at another time is that of another container', { skip }, async (t) => {
  const directory = await temporaryDirectory(t);
  const child = await start(await temporaryDirectory(t));
  t.teardown(() => stop(child));
  const pid = child.process.pid ?? 0;
  const createTime = Number(await createTimeOf(pid));
  for (const earlierSeconds of [0, 1]) {
    await writeFile(join(directory, PID_FILE), formatPidFile({ pid, createTime: createTime - earlierSeconds }));
    await t.rejects(claimPidFile(directory), { code: 'ERR_ALREADY_RUNNING', facts: { pid } }, 'the same process');
  }
  for (const otherTime of [createTime - 3, createTime + 86_400, 1_000_000_000]) {
    await writeFile(join(directory, PID_FILE), formatPidFile({ pid, createTime: otherTime }));
    const claim = await claimPidFile(directory);
    t.equal(claim.replacedPid, pid, String(otherTime));
    await claim.release();
  }
  await writeFile(join(directory, PID_FILE), formatPidFile({ pid: 1, createTime: 1_000_000_000 }));
  await (await claimPidFile(directory)).release();
});

t.test('a process is told apart from those elsewhere and from those before it', { skip }, async (t) => {
  const own = await ownIdentity();
  t.equal(await stateOf(own, own), 'lives');
  t.equal(await stateOf({ ...own, startTicks: own.startTicks - 1 }, own), 'gone', 'its number was given out again');
  t.equal(await stateOf({ ...own, bootId: 'another' }, own), 'unknown');
  t.equal(await stateOf({ ...own, pidNamespace: 'pid:[1]' }, own), 'unknown');
  t.equal(await stateOf({ ...own, startTicks: 0 }, own), 'unknown', 'where the kernel did not tell');
  t.equal(await createTimeOf(process.pid), await ownCreateTime());
  const child = await start(await temporaryDirectory(t));
  const pid = child.process.pid ?? 0;
  await kill(child);
  t.equal(await stateOf({ ...own, pid }, own), 'gone');
  t.equal(await createTimeOf(pid), 'gone');
});

t.test('of many nodes that start together on a dead one’s file, one runs', async (t) => {
  const directory = await temporaryDirectory(t);
  const dead = await start(directory);
  await kill(dead);
  const children = await Promise.all(Array.from({ length: 6 }, () => start(directory)));
  t.teardown(() => Promise.all(children.map(stop)));
  const winners = children.filter(({ line }) => line.startsWith('claimed'));
  t.equal(winners.length, 1, children.map(({ line }) => line).join(' | '));
  const text = await readFile(join(directory, PID_FILE), 'utf8');
  t.equal(parsePidFile(text, PID_FILE).pid, winners[0]?.process.pid);
  for (const { line } of children) t.match(line, /^claimed|^refused: the node in .* is already running as process/);
  await Promise.all(children.map(stop));
  t.strictSame(await readdir(directory), [`${PID_FILE}.lock`], 'nothing is left of it');
});

t.test('a file that is no pid file is refused and kept', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, PID_FILE);
  for (const text of ['', 'x', '12', '12 x', '-1 5.0', '0 5.0', '1 2 3', '99999999999 1.0']) {
    await writeFile(path, text);
    await t.rejects(claimPidFile(directory), {
      code: 'ERR_FILE',
      message: `cannot use '${path}': found invalid PID file; remove it if no node runs in this directory`,
    });
    t.equal(await readFile(path, 'utf8'), text);
  }
  await t.rejects(claimPidFile(join(directory, 'absent')), { code: 'ERR_FILE', message: /ENOENT/ });
});

t.test('times are written as Python writes them', (t) => {
  t.equal(formatPidFile({ pid: 7, createTime: 1_795_250_044.49 }), '7 1795250044.49\n');
  t.equal(formatPidFile({ pid: 7, createTime: 1_795_250_044 }), '7 1795250044.0\n');
  t.strictSame(parsePidFile(' 15476 1795250044.5\n', 'x'), { pid: 15_476, createTime: 1_795_250_044.5 });
  t.end();
});
