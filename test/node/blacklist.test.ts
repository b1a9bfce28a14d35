/** access.blacklist: what it prohibits, and how it is read again. */
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { Blacklist, parseBlacklist } from '#node/blacklist.js';
import { NodeStatistics } from '#node/health/statistics.js';
import { ManualClock } from '../fixtures/clock.js';

const bad = new Uint8Array(16).fill(1);
const good = new Uint8Array(16).fill(2);

t.test('the file is looked at each time', (t) => {
  const path = join(t.testdir(), 'access.blacklist');
  const blacklist = new Blacklist(path);
  t.doesNotThrow(() => blacklist.check(bad), 'no file prohibits nothing');
  let seconds = 1_000_000;
  const write = (text: string): void => {
    writeFileSync(path, text);
    utimesSync(path, ++seconds, seconds);
  };
  write(`# comment\n\n  ${formatBase32(bad)}   not here, says a court\n`);
  t.throws(() => blacklist.check(bad), {
    code: 'ERR_PROHIBITED',
    message: 'Access Prohibited: not here, says a court',
  });
  t.doesNotThrow(() => blacklist.check(good));
  write(`${formatBase32(bad)} reason\nnonsense!\n`);
  t.throws(() => blacklist.check(good), { code: 'ERR_PROHIBITED', message: /line 2/ });
  write('');
  t.doesNotThrow(() => blacklist.check(bad));
  write(`${formatBase32(good)} x\n`);
  t.throws(() => blacklist.check(good), { code: 'ERR_PROHIBITED' });
  rmSync(path);
  t.doesNotThrow(() => blacklist.check(good));
  t.throws(() => parseBlacklist('onlyanindex'), { code: 'ERR_CONFIG' });
  t.end();
});

t.test('the figures of a node', async (t) => {
  const clock = new ManualClock();
  const statistics = new NodeStatistics(clock);
  clock.advance(60_000);
  statistics.add(() => Promise.resolve({ 'storage_server.disk_avail': 7 }));
  statistics.add(() => Promise.reject(new Error('the disk is gone')));
  const figures = await statistics.read();
  t.match(figures, {
    'node.uptime': 60,
    'storage_server.disk_avail': 7,
    'cpu_monitor.1min_avg': Number,
    'cpu_monitor.total': Number,
  });
  t.notOk('cpu_monitor.5min_avg' in figures, 'not before five minutes');
  clock.advance(20 * 60_000);
  t.ok('cpu_monitor.15min_avg' in (await statistics.read()));
  statistics.close();
  t.equal(clock.pending, 0);
});
