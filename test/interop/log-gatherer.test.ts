/**
 * Our logs with the tools of Foolscap that the reference brings: its gatherer and its incident gatherer receive what our nodes
 * log, also when they come back after a while or stop in the midst of it, and `flogtool tail` follows our logport.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { createCertificatePem, formatTubId, parseCertificatePem } from '#node/certificate.js';
import { systemClock } from '#node/clock.js';
import { Closers } from '#node/closers.js';
import { allocatePort } from '#node/endpoint.js';
import { startLogService } from '#node/foolscap/log-service.js';
import { createLog } from '#node/log.js';
import type { NodeLog } from '#node/log.js';
import { keepLogs } from '#node/logs/keep-logs.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { NodeDirectory } from '#node/node-directory.js';
import { applicationVersion } from '#node/version.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededRandom } from '#test/fixtures/crypto.js';
import { hasReference, referenceCommand } from '#test/fixtures/process-grid.js';
import { printed, runInPlace, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';

const options = { skip: hasReference ? false : 'no reference', timeout: 120_000 };
const tool = (name: string): string => join(dirname(referenceCommand), name);
const flogtool = (directory: string, ...words: string[]): string =>
  execFileSync(tool('flogtool'), words, { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 28 });
/** How the names end of a file that a gatherer writes, and of one that it did not come to close: the one sorts after the other. */
const OPEN_FLOG = '---to-present.flog';
const KILLED_FLOG = '---killed.flog';
/** Python keeps what it prints into a pipe. */
const env = { ...process.env, PYTHONUNBUFFERED: '1' };

/** Waits until something is so, as another process makes it. */
async function eventually<Found>(t: Test, what: string, look: () => Promise<Found | undefined>): Promise<Found> {
  for (let round = 0; round < 600; round++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.fail(`${what} has not come`);
  throw new Error(what);
}

interface Gatherer {
  readonly directory: string;
  readonly furl: string;
  readonly process: () => ChildProcess;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A gatherer of the reference, which runs. */
async function startGatherer(t: Test, kind: 'create-gatherer' | 'create-incident-gatherer'): Promise<Gatherer> {
  const root = await temporaryDirectory(t);
  const directory = join(root, 'gatherer');
  const port = String(await allocatePort());
  const place = [`--port=tcp:${port}:interface=127.0.0.1`, `--location=tcp:127.0.0.1:${port}`];
  flogtool(root, kind, '--quiet', ...place, directory);
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    // Its file is named after the second in which it started: in the same one it would go on in the midst of the old.
    const open = (await readdir(directory)).filter((name) => name.endsWith(OPEN_FLOG));
    for (const name of open) await rename(join(directory, name), join(directory, name.replace(OPEN_FLOG, KILLED_FLOG)));
  };
  const start = async (): Promise<void> => {
    child = spawn(tool('twistd'), ['--nodaemon', '--pidfile=', '-y', 'gatherer.tac'], { cwd: directory, env });
    child.stderr?.resume();
    await printed(child, /Gatherer waiting at:/);
  };
  t.teardown(stop);
  await start();
  const furl = (await readFile(join(directory, 'log_gatherer.furl'), 'utf8')).trim();
  const running = (): ChildProcess => {
    if (child === undefined) throw new Error('it does not run');
    return child;
  };
  return { directory, furl, process: running, start, stop };
}

/** All that a gatherer has written down. */
async function gathered(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.flog')).sort();
  return (await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))).join('');
}

/** The log of a node, in this process. */
async function startLog(t: Test, gatherer: string): Promise<{ log: NodeLog; clock: ManualClock; tubId: string }> {
  const directory = new NodeDirectory(await temporaryDirectory(t));
  await directory.ensurePrivate();
  const certificate = parseCertificatePem(await createCertificatePem(systemClock), 'node.pem');
  const log = createLog('debug', { write: () => undefined });
  const clock = new ManualClock();
  const source = keepLogs(log, { directory: directory.path, clock, destinations: [] });
  const closers = new Closers(systemClock, log);
  t.teardown(async () => {
    await closers.closeAll();
    source.end();
  });
  const environment = { dialler: directDialler, clock: systemClock, random: seededRandom('log'), log, closers };
  await startLogService({ directory, certificate, source, gatherer, ...environment });
  return { log, clock, tubId: formatTubId(certificate.tubId) };
}

/** Logs now and then until `isHeard`. */
async function heard(t: Test, log: NodeLog, event: string, isHeard: () => Promise<boolean>): Promise<void> {
  let count = 0;
  await eventually(t, event, async () => {
    log.info(event, { count: ++count, name: 'ü % %(x)s' });
    return (await isHeard()) ? true : undefined;
  });
}

t.setTimeout(10 * 60_000);

t.test('a gatherer receives events, and again after it was away or stood still', options, async (t) => {
  const gatherer = await startGatherer(t, 'create-gatherer');
  const { log, tubId } = await startLog(t, gatherer.furl);
  const has = (event: string) => async () => (await gathered(gatherer.directory)).includes(`"message": "${event} `);
  await heard(t, log, 'first', has('first'));
  await gatherer.stop();
  log.info('nobody hears this');
  await gatherer.start();
  await heard(t, log, 'second', has('second'));
  gatherer.process().kill('SIGSTOP');
  const flood = 20_000;
  for (let i = 1; i <= flood; i++) log.debug('flood', { i, text: 'x'.repeat(1000) });
  gatherer.process().kill('SIGCONT');
  await heard(t, log, 'third', has('third'));
  const text = await gathered(gatherer.directory);
  const lines = text.split('\n').filter((line) => line.startsWith('{"from"'));
  const events = lines.map((line) => JSON.parse(line) as { from: string; d: { num: number; message: string } });
  t.ok(events.every(({ from }) => from === tubId));
  const numbers = events.map(({ d }) => d.num);
  t.strictSame(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    'each once, in order',
  );
  const flooded = events.filter(({ d }) => d.message.startsWith('flood ')).length;
  t.ok(flooded > 100 && flooded < 3000, `${String(flooded)} of ${String(flood)} while it stood still`);
  t.notOk(text.includes('nobody hears this'));
  const [last = ''] = (await readdir(gatherer.directory))
    .filter((name) => name.endsWith('.flog'))
    .sort()
    .slice(-1);
  const words = ['dump', '-t', 'utc', last];
  const ours = await runInPlace(['debug', 'flogtool', ...words], gatherer.directory);
  t.ok(/third count=[0-9]+ name=ü % %\(x\)s/.test(ours.stdout));
  t.ok(ours.stdout === flogtool(gatherer.directory, ...words), 'and both dump it alike');
});

t.test('an incident gatherer fetches incidents, also those that it has missed', options, async (t) => {
  const gatherer = await startGatherer(t, 'create-incident-gatherer');
  const { clock, log, tubId } = await startLog(t, gatherer.furl);
  const folder = join(gatherer.directory, 'incidents', tubId);
  const names = async (): Promise<string[]> =>
    (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.flog.bz2')).sort();
  const classified = (): Promise<string> =>
    readFile(join(gatherer.directory, 'classified/unknown'), 'utf8').catch(() => '');
  // That is the last that it does with one.
  const arrived = (count: number) => async () =>
    (await classified()).trim().split(`incidents/${tubId}/`).length === count + 1 ? true : undefined;
  log.info('before it broke');
  log.error('it broke', { reason: 'URI:CHK:verysecret:alsosecret:3:10:99' });
  await eventually(t, 'the first incident', arrived(1));
  await gatherer.stop();
  clock.advance(60_000);
  log.error('while it was away');
  await gatherer.start();
  await eventually(t, 'the second incident', arrived(2));
  clock.advance(60_000);
  log.error('the third');
  await eventually(t, 'the third incident', arrived(3));
  t.equal((await names()).length, 3);
  const dumps = (await names()).map((name) => flogtool(folder, 'dump', name));
  const what = ['it broke reason=URI:CHK:[hidden]', 'while it was away', 'the third'];
  for (const [i, dump] of dumps.entries()) {
    t.ok(dump.includes(`${what[i] ?? ''} [INCIDENT-TRIGGER]`), `the trigger of ${String(i)}`);
    t.ok(dump.includes(': before it broke'), 'with what went before');
    t.ok(dump.includes(`tallac: ${applicationVersion}`));
    t.notMatch(dump, /verysecret|alsosecret/);
  }
  const latest = await readFile(join(folder, 'latest'), 'utf8');
  t.equal(latest, `${(await names()).at(-1)?.replace('.flog.bz2', '') ?? ''}\n`);
});

t.test('flogtool tail follows nodes of ours, which dial out to a gatherer as well', options, async (t) => {
  const directory = await temporaryDirectory(t);
  const gatherer = await startGatherer(t, 'create-gatherer');
  await runInPlace(['create-client', '--webport=none', 'client'], directory);
  const port = String(await allocatePort());
  const place = ['--listen=tcp', `--port=tcp:${port}:interface=127.0.0.1`, `--location=tcp:127.0.0.1:${port}`];
  await runInPlace(['create-introducer', ...place, 'introducer'], directory);
  for (const kind of ['client', 'introducer']) {
    const path = join(directory, kind, 'tahoe.cfg');
    const text = await readFile(path, 'utf8');
    if (kind === 'client') t.match(text, 'tub.port = disabled');
    await writeFile(path, text.replace('[node]\n', `[node]\nlog_gatherer.furl = ${gatherer.furl}\n`));
    const node = startProgram(['-d', kind, 'run', '--allow-stdin-close'], { directory });
    t.teardown(() => node.kill('SIGKILL'));
    await printed(node, new RegExp(`^${kind} running$`, 'm'));
    const tubId = (await readFile(join(directory, kind, 'my_nodeid'), 'utf8')).trim();
    const words = ['tail', '--catch-up', join(directory, kind, 'private/logport.furl')];
    const tail = spawn(tool('flogtool'), words, { cwd: join(directory, kind), env });
    t.teardown(() => tail.kill('SIGKILL'));
    const shown = await printed(tail, /L20 .*log gatherer connected/);
    t.match(shown, `Connected (to pid ${String(node.pid)})`);
    t.match(shown, `Remote Versions:\n tallac: ${applicationVersion}\n`);
    let happy = 0;
    if (kind === 'client')
      await eventually(t, 'an event of the client', async () => {
        happy = (happy % 10) + 1;
        await writeFile(
          path,
          (await readFile(path, 'utf8')).replace(/^shares.happy = .*$/m, `shares.happy = ${String(happy)}`),
        );
        node.kill('SIGHUP');
        const text = await gathered(gatherer.directory);
        return text.includes(`{"from": "${tubId}"`) && text.includes('option=[client]shares.happy') ? true : undefined;
      });
    node.kill('SIGTERM');
    await once(node, 'close');
  }
});
