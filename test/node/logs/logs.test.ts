/** Log files that turn over, incidents, and the forms of their lines. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createLog } from '#node/log.js';
import { parseDestination } from '#node/logs/destination.js';
import { eventOfLogLine, FLOG_MAGIC, formatEvent, parseFlog } from '#node/logs/flogfile.js';
import { INCIDENT_COUNT_MAX } from '#node/logs/incident-files.js';
import { INCIDENT_LINE_COUNT_MAX, INCIDENT_PAUSE_MS } from '#node/logs/incidents.js';
import { keepLogs } from '#node/logs/keep-logs.js';
import { LINE_LENGTH_MAX } from '#node/logs/recent-lines.js';
import { RotatingFile } from '#node/logs/rotating-file.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

t.test('destinations are written as the reference writes them', (t) => {
  t.strictSame(parseDestination('file:/a/b'), { path: '/a/b', rotateLengthBytes: 1 << 30, rotatedFilesMax: 10 });
  t.strictSame(parseDestination('file:x,max_rotated_files=2,rotate_length=99'), {
    path: 'x',
    rotateLengthBytes: 99,
    rotatedFilesMax: 2,
  });
  for (const [text, reason] of [
    ['x', /KIND:WORDS/],
    ['tcp:x', /only file:/],
    ['file:', /no file/],
    ['file:a@b', /@ cannot/],
    ['file:a,rotate_length=x', /rotate_length is not a number/],
    ['file:a,rotate=1', /'rotate' means nothing/],
  ] as const)
    t.throws(() => parseDestination(text), { code: 'ERR_USAGE', message: reason }, text);
  t.end();
});

t.test('a file turns over, and no more than so many are kept', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'deep/log');
  const destination = { path, rotateLengthBytes: 20, rotatedFilesMax: 2 };
  const file = new RotatingFile(destination);
  for (let i = 0; i < 9; i++) t.ok(file.write(`line ${String(i)}`));
  file.close();
  t.strictSame((await readdir(join(directory, 'deep'))).sort(), ['log', 'log.1', 'log.2']);
  t.equal(await readFile(path, 'utf8'), 'line 8\n');
  t.equal(await readFile(`${path}.1`, 'utf8'), 'line 6\nline 7\n');
  t.equal(await readFile(`${path}.2`, 'utf8'), 'line 4\nline 5\n');
  const again = new RotatingFile(destination);
  t.ok(again.write('x'.repeat(100)), 'a line that is longer than a file');
  again.close();
  t.equal(await readFile(`${path}.1`, 'utf8'), 'line 8\n', 'what was there counts');
  const none = new RotatingFile({ ...destination, rotatedFilesMax: 0 });
  none.write('only this');
  none.close();
  t.equal(await readFile(path, 'utf8'), 'only this\n');
  t.throws(() => new RotatingFile({ ...destination, path: join(path, 'under-a-file') }), { code: 'ERR_FILE' });
});

async function kept(t: Parameters<typeof temporaryDirectory>[0], path = 'log.json') {
  const directory = await temporaryDirectory(t);
  const clock = new ManualClock();
  const log = createLog('debug', { write: () => undefined });
  const destinations = [{ path: join(directory, path), rotateLengthBytes: 1e6, rotatedFilesMax: 1 }];
  const { end } = keepLogs(log, { directory, clock, destinations });
  const incidents = join(directory, 'logs/incidents');
  const names = async (): Promise<string[]> => (await readdir(incidents).catch(() => [])).sort();
  return { directory, clock, log, end, incidents, names };
}

t.test('an error makes an incident of what went before it, without secrets', async (t) => {
  const { clock, directory, end, incidents, log, names } = await kept(t);
  for (let i = 0; i < 3 * INCIDENT_LINE_COUNT_MAX; i++) log.debug('step', { i });
  log.info('long', { text: 'x'.repeat(LINE_LENGTH_MAX) });
  log.warn('odd', { where: 'URI:CHK:verysecret:alsosecret:3:10:99' });
  t.strictSame(await names(), [], 'nothing has happened');
  log.error('it broke', { reason: 'furl pb://abc@tcp:h:1/swissnum' });
  const [name = '', ...more] = await names();
  t.strictSame(more, []);
  t.match(name, /^incident-2023-11-14--22-13-20Z-[0-9]+-1\.flog$/);
  const text = await readFile(join(incidents, name), 'utf8');
  t.notMatch(text, /verysecret|alsosecret|swissnum/);
  const [head, ...events] = parseFlog(text, name);
  t.match(head, { pid: process.pid, trigger: { message: /^it broke reason=furl pb:\/\/abc@\[hidden\]/, level: 30 } });
  t.equal(events.length, INCIDENT_LINE_COUNT_MAX);
  t.equal(events.at(-1)?.event?.num, head?.trigger?.num, 'the last one made it');
  t.notOk(events.some(({ event }) => event?.message.startsWith('long')));

  log.error('and again');
  t.equal((await names()).length, 1, 'soon after: the same incident');
  for (let i = 0; i < INCIDENT_COUNT_MAX + 5; i++) {
    clock.advance(INCIDENT_PAUSE_MS);
    log.error('later');
  }
  t.equal((await names()).length, INCIDENT_COUNT_MAX);
  t.notOk((await names()).includes(name), 'the oldest went');
  end();
  clock.advance(INCIDENT_PAUSE_MS);
  log.error('after the end');
  t.equal((await names()).length, INCIDENT_COUNT_MAX);
  const lines = (await readFile(join(directory, 'log.json'), 'utf8')).trim().split('\n');
  t.match(JSON.parse(lines.at(-1) ?? ''), { message_type: 'later', log_level: 'error' });
});

t.test('where incidents cannot be kept the node goes on', async (t) => {
  const { directory, end, log } = await kept(t);
  await mkdir(join(directory, 'logs'));
  await writeFile(join(directory, 'logs/incidents'), 'in the way');
  log.error('it broke');
  end();
  t.equal(await readFile(join(directory, 'logs/incidents'), 'utf8'), 'in the way');
});

t.test('a fault of the program is an incident', async (t) => {
  const before = process.listeners('uncaughtExceptionMonitor');
  const { end, log, names } = await kept(t);
  const [hears] = process.listeners('uncaughtExceptionMonitor').filter((listener) => !before.includes(listener));
  hears?.(new Error('a bug'), 'uncaughtException');
  t.equal((await names()).length, 1);
  end();
  t.strictSame(process.listeners('uncaughtExceptionMonitor'), before);
  log.close();
});

t.test('flogfiles and our own lines are read as the same events', (t) => {
  const line = JSON.stringify({
    where: 'here',
    task_uuid: 'u',
    task_level: [7],
    timestamp: 12.5,
    message_type: 'done',
    log_level: 'warn',
  });
  const event = {
    num: 7,
    time: 12.5,
    incarnation: ['u', null],
    level: 25,
    facility: 'tallac',
    message: 'done where=here',
  };
  t.strictSame(eventOfLogLine(line), event);
  t.match(parseFlog(`${line}\n`, 'log'), [{ from: 'local', event }]);
  const flog = `${FLOG_MAGIC}\n${formatEvent(event)}\n`;
  t.match(parseFlog(flog, 'flog'), [{ from: 'local', event }]);
  const theirs = { from: 'tub', rx_time: 1, d: { num: 1, time: 1, format: 'got %(n)d of %(what)s', n: 2, what: 'x' } };
  t.match(parseFlog(`${FLOG_MAGIC}\n${JSON.stringify(theirs)}`, 'flog'), [{ event: { message: 'got 2 of x' } }]);
  for (const text of ['pb://abc', '{}', 'null', `${FLOG_MAGIC}\nnone`])
    t.throws(() => parseFlog(text, 'f'), { code: 'ERR_USAGE', message: /'f' is neither .* line [12] / }, text);
  for (const none of ['', '[]', '{"message_type":1}']) t.equal(eventOfLogLine(none), undefined, none);
  t.end();
});
