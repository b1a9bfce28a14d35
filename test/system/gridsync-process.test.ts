/** How Gridsync makes, runs, knows and ends a node: its words, what it waits for, and what it writes itself. */
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { outcomeOf, printed, runProgram, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';

const FURL = 'pb://zwpqmbkqczdqgxs7rp26zdlvjqynk5f4@127.0.0.1:9/introducer';

t.test('the process contract of Gridsync', { timeout: 120_000 }, async (t) => {
  const directory = await temporaryDirectory(t);
  const version = await runProgram(['--version'], { directory });
  t.match(version.stdout.split('\n')[0], /^tahoe-lafs\/[0-9]/, 'what stands before the number is cut off');

  const made = await runProgram(
    [
      ...['-d', 'node', 'create-node', '--webport=tcp:0:interface=127.0.0.1'],
      ...['--nickname', 'Grid Ä', '--shares-needed', '1', '--shares-happy', '1'],
      ...['--shares-total', '2', '--listen', 'none', '--no-storage'],
    ],
    { directory },
  );
  t.match(made, { status: 0 });
  t.match(
    await runProgram(['-d', 'node', 'create-node', '--listen=none'], { directory }),
    { status: 255 },
    'never twice',
  );
  const node = join(directory, 'node');
  const read = (name: string): Promise<string> => readFile(join(node, name), 'utf8');
  // It reads the file with Python's RawConfigParser and writes it anew: no comments, and keys of older versions.
  const kept = (await read('tahoe.cfg')).split('\n').filter((line) => !/^[#;]/.test(line));
  const text = kept.join('\n').replace('[client]', `[client]\nintroducer.furl = ${FURL}`);
  await writeFile(join(node, 'tahoe.cfg'), text);
  await writeFile(join(node, 'private/convergence'), 'a'.repeat(52));
  const server = `    anonymous-storage-FURL: ${FURL.replace('introducer', 'a'.repeat(32))}\n    nickname: one\n`;
  await writeFile(
    join(node, 'private/servers.yaml'),
    `storage:\n  test-grid-storage-server-1:\n    ann:\n${server.replaceAll(/^/gm, '  ').trimEnd()}\n`,
  );
  for (const own of ['rootcap', 'settings.json', 'newscap'])
    await writeFile(join(node, 'private', own), `${own} is mine`);

  await t.test('it starts, and is ready in the moment that it says so', async (t) => {
    const child = startProgram(['-d', 'node', 'run'], { directory });
    t.teardown(() => child.kill('SIGKILL'));
    await printed(child, /client running/);
    const url = await read('node.url');
    t.match(url, /^http:\/\/127\.0\.0\.1:[0-9]+\/\n$/);
    t.match(await read('private/api_auth_token'), /^\S{20,}\s*$/);
    const [pid = '', created = ''] = (await read('running.process')).trim().split(' ');
    t.equal(Number(pid), child.pid);
    t.equal(created, await creationTime(child.pid ?? 0), 'as psutil reckons it');
    await read('running.process.lock');
    const reply = await fetch(`${url.trim()}?t=json`, { headers: { accept: 'text/plain' } });
    const { servers } = (await reply.json()) as { servers: { nodeid: string; connection_status: string }[] };
    t.match(servers, [{ nodeid: /test-grid-storage-server-1/, connection_status: /^(?!Connected)/i }]);
    t.equal(await read('private/convergence'), 'a'.repeat(52));
    for (const own of ['rootcap', 'settings.json', 'newscap']) t.equal(await read(`private/${own}`), `${own} is mine`);
    t.equal(await read('tahoe.cfg'), text, 'its configuration is as it wrote it');
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    t.strictSame(await ended, [0, null]);
  });

  await t.test('it ends with whoever started it', async (t) => {
    await mkdir(join(node, 'logs'), { recursive: true });
    await rm(join(node, 'twistd.pid'), { force: true });
    const child = startProgram(['-d', 'node', 'run'], { directory });
    t.teardown(() => child.kill('SIGKILL'));
    const outcome = outcomeOf(child);
    await printed(child, /client running/);
    child.stdin?.end();
    t.match(await outcome, { status: 0 });
  });
});

/** The boot time and the ticks since then, as psutil adds them up and Python prints the sum. */
async function creationTime(pid: number): Promise<string> {
  const boot = Number(/^btime ([0-9]+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1]);
  const fields = (await readFile(`/proc/${String(pid)}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
  const seconds = boot + Number(fields[19]) / 100;
  return Number.isInteger(seconds) ? `${String(seconds)}.0` : String(seconds);
}
