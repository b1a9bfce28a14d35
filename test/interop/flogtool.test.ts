/** Incidents of ours read by the reference's flogtool, and what that writes read by ours: the same lines. */
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { createLog } from '#node/log.js';
import { keepLogs } from '#node/logs/keep-logs.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { findReference } from '#test/fixtures/reference-node.js';
import { runInPlace, temporaryDirectory } from '../cli/fixtures/program.js';

const reference = findReference();

t.test('flogtool', { skip: reference === undefined ? 'no reference' : false }, async (t) => {
  const directory = await temporaryDirectory(t);
  const log = createLog('debug', { write: () => undefined });
  const { end } = keepLogs(log, { directory, clock: new ManualClock(), destinations: [] });
  log.debug('small', { size: 3, name: 'ü % %(x)s' });
  log.warn('odd');
  log.error('it broke', { reason: 'why not' });
  end();
  const [name = ''] = await readdir(join(directory, 'logs/incidents'));
  const incident = join('logs/incidents', name);
  const flogtool = join(dirname(reference ?? ''), 'flogtool');
  const theirs = (...words: string[]): string => execFileSync(flogtool, words, { cwd: directory, encoding: 'utf8' });
  const ours = async (...words: string[]): Promise<string> =>
    (await runInPlace(['debug', 'flogtool', ...words], directory)).stdout;
  for (const words of [[], ['-n'], ['-r'], ['-t', 'epoch'], ['-t', 'short-local']]) {
    const dumped = theirs('dump', ...words, incident);
    t.match(dumped, /\n.*3/, 'all events are there');
    t.equal(await ours('dump', ...words, incident), dumped, words.join(' '));
  }
  theirs('filter', '--above=INFREQUENT', incident, 'theirs.flog');
  await ours('filter', '--above=INFREQUENT', incident, 'ours.flog');
  t.match(await ours('dump', 'theirs.flog'), /odd\n.*it broke reason=why not \[INCIDENT-TRIGGER\]\n$/);
  t.equal(await ours('dump', 'theirs.flog'), theirs('dump', 'ours.flog'));
});
