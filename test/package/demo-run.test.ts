/** The whole demonstration as a process: ten nodes and a gateway on this machine. */
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { outcomeOf, printed, startProgram, temporaryDirectory } from '../cli/fixtures/program.js';

// A busy machine needs longer than tap waits for a file.
t.setTimeout(180_000);

/** Command lines of live processes that mention `text`. */
async function processesOf(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text)).map((line) => line.replaceAll('\0', ' '));
}

t.test('nothing is lost and nothing is left', async (t) => {
  const directory = await temporaryDirectory(t);
  const temporary = join(directory, 'tmp');
  await mkdir(temporary);
  const child = startProgram(['demo'], {
    directory,
    environment: { TMPDIR: temporary, TAHOE_NODE_NICKNAME: 'not theirs' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const { status, stdout, stderr } = await outcomeOf(child);
  t.same({ status, stderr }, { status: 0, stderr: '' }, stdout);
  const held = [...stdout.matchAll(/node +([0-9]+) holds share ([0-9]), 5\.3 MB/g)];
  t.equal(new Set(held.map(([, node]) => node)).size, 10);
  t.equal(new Set(held.map(([, , share]) => share)).size, 10);
  t.match(stdout, /URI:CHK:[a-z2-7]{26}:[a-z2-7]{52}:3:10:16000000\n/);
  t.match(stdout, /Seven of the ten servers are killed without warning: nodes ([0-9]+, ){5}[0-9]+ and [0-9]+\./);
  t.match(stdout, /the same 16\.0 MB/);
  t.same(await readdir(temporary), []);
  if (process.platform === 'linux') t.same(await processesOf(temporary), []);
});

t.test('Ctrl-C in the middle leaves nothing either', async (t) => {
  const directory = await temporaryDirectory(t);
  const temporary = join(directory, 'tmp');
  await mkdir(temporary);
  const child = startProgram(['demo'], { directory, environment: { TMPDIR: temporary } });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = outcomeOf(child);
  await printed(child, /Their directories are made/);
  child.kill('SIGINT');
  t.match(await ended, { status: 130, stderr: '' });
  t.same(await readdir(temporary), []);
  if (process.platform === 'linux') t.same(await processesOf(temporary), []);
});

t.test('a demonstration that cannot be given says why', async (t) => {
  const directory = await temporaryDirectory(t);
  const child = startProgram(['demo'], { directory, environment: { TMPDIR: join(directory, 'absent') } });
  const { status, stderr } = await outcomeOf(child);
  const sentence = `the demonstration failed: cannot use '${directory}/absent': there is no such file or directory`;
  t.same({ status, stderr }, { status: 1, stderr: `tallac: ${sentence}\n` });
});
