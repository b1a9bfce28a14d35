/** `debug flogtool` and --eliot-destination, as people type them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { formatEvent, formatIncidentHead } from '#node/logs/flogfile.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const event = (num: number, level: number) => ({
  num,
  time: 1_700_000_000 + num,
  incarnation: ['u', null],
  level,
  facility: num === 2 ? 'tallac.two' : 'tallac',
  message: `message ${String(num)}`,
});
const incident =
  formatIncidentHead(event(3, 30), 99, { tallac: '1.2' }) +
  [event(1, 10), event(2, 20), event(3, 30)].map((one) => `${formatEvent(one)}\n`).join('');

t.test('dump prints, filter takes out', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'x.flog'), incident);
  const tool = (...words: string[]) => runInPlace(['debug', 'flogtool', ...words], directory);
  const dumped = await tool('dump', '-t', 'utc', 'x.flog');
  t.match(dumped, { status: 0, stderr: '' });
  t.equal(
    dumped.stdout,
    'Application versions (embedded in logfile):\ntallac: 1.2\nPID: 99\n\n' +
      'local#1 2023-11-14_22:13:21.000000Z: message 1\n' +
      'local#2 2023-11-14_22:13:22.000000Z: message 2\n' +
      'local#3 2023-11-14_22:13:23.000000Z: message 3 [INCIDENT-TRIGGER]\n',
  );
  t.match(await tool('dump', '-n', '-t', 'epoch', 'x.flog'), { stdout: /^1700000001\.000 1\n/ });
  t.match(await tool('dump', '-r', '-t', 'long-local', 'x.flog'), {
    stdout: /#2 rx\(2023-11-1[345]_\d\d:\d\d:22\.000000[+-]\d{4}\) emit\(.*\): message 2$/m,
  });
  t.match(await tool('dump', 'x.flog'), { stdout: /^local#1 \d\d:\d\d:21\.000: message 1$/m });
  t.match(await tool('dump', '-v', 'x.flog'), { stdout: /^\{"header"[^]*message 1: \{"from":"local"/ });
  const kept = async (...words: string[]): Promise<string> => {
    t.match(await tool('filter', ...words, 'x.flog', 'y.flog'), { status: 0, stdout: /^copied / });
    return (await tool('dump', '-n', '-t', 'epoch', 'y.flog')).stdout.replaceAll(/\d+\.000 /g, '').replaceAll('\n', '');
  };
  t.equal(await kept(), '123');
  t.equal(await readFile(join(directory, 'y.flog'), 'utf8'), incident, 'unchanged');
  t.equal(await kept('--above=WEIRD'), '3');
  t.equal(await kept('--above=20'), '23');
  t.equal(await kept('--after=1700000001', '--before=1700000003'), '2');
  t.equal(await kept('--strip-facility=tallac.two'), '13');
  t.equal(await kept('--from=xyz'), '');
});

t.test('what it does not do it says', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'x.flog'), incident);
  for (const [words, reason] of [
    [['tail', 'x'], /private\/logport\.furl; without it follow \/private\/logs\/v1/],
    [['web-viewer'], /dump prints them/],
    [['create-gatherer', 'd'], /Foolscap's flogtool makes gatherers/],
    [['create-incident-gatherer', 'd'], /\[node\]log_gatherer\.furl names one/],
    [['classify-incident', 'x'], /not classified/],
    [['frobnicate'], /there is no 'frobnicate'/],
    [['dump'], /one FILE/],
    [['dump', 'absent'], /absent/],
    [['dump', 'x.flog.bz2'], /bunzip2/],
    [['dump', '-t', 'x', 'x.flog'], /no format 'x'/],
    [['filter', 'x.flog'], /OLDFILE and NEWFILE/],
    [['filter', '--above=HIGH', 'x.flog', 'y'], /--above: 'HIGH'/],
    [['filter', 'x.flog', 'absent/y'], /absent\/y/],
  ] as const)
    t.match(
      await runInPlace(['debug', 'flogtool', ...words], directory),
      { status: 1, stdout: '', stderr: reason },
      words.join(' '),
    );
});

t.test('destinations are checked for every command, and explained', async (t) => {
  const directory = await temporaryDirectory(t);
  t.match(await runInPlace(['--eliot-destination=tcp:x', 'list-aliases'], directory), {
    status: 1,
    stderr: /the log destination 'tcp:x': only file: is known/,
  });
  t.match(await runInPlace(['--help-eliot-destinations'], directory), {
    status: 0,
    stdout: /file:PATH\[,rotate_length=BYTES\]\[,max_rotated_files=COUNT\]/,
    stderr: '',
  });
});
