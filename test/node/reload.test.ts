/** What a running node takes over from a changed configuration, what it names, and what it refuses as a whole. */
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import { uploadFile } from '#client/upload/upload.js';
import { changeLine, changesBetween } from '#node/config/changes.js';
import { nearestWord } from '#node/config/nearest.js';
import { LiveSettings, parseReloadReport } from '#node/reload.js';
import { readSettings } from '#node/settings.js';
import type { LogLevel } from '#node/log.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid, pieces } from '#test/fixtures/memory-grid.js';
import { configure } from './fixtures/configure.js';

const lines: string[] = [];
const levels: LogLevel[] = [];
const note = (event: string): void => void lines.push(event);
const log = {
  debug: note,
  info: note,
  warn: note,
  error: note,
  setLevel: (to: LogLevel) => levels.push(to),
  follow: () => () => undefined,
  close: () => undefined,
};

const both = (tahoe: string, tallac = '') => {
  const configuration = configure(tahoe, tallac);
  return { configuration, settings: readSettings(configuration, '/node') };
};

t.test('a reload is all or nothing', async (t) => {
  const first = both('[client]\nshares.needed = 2\nshares.happy = 2\nshares.total = 3\n[node]\nnickname = a\n');
  const live = new LiveSettings(first.configuration, first.settings);
  const second = both(
    '[client]\nshares.needed = 4\nshares.happy = 2\nshares.total = 9\n[node]\nnickname = b\n',
    '[log]\nlevel = debug\n',
  );
  const report = await live.reload(() => Promise.resolve(second), log);
  t.match(report, { count: 1, pid: process.pid });
  t.strictSame(report.changes, [
    '[node]nickname: a -> b (takes effect at the next start)',
    '[client]shares.needed: 2 -> 4',
    '[client]shares.total: 3 -> 9',
    '[log]level: info (default) -> debug',
  ]);
  t.match(live.encoding, { needed: 4, total: 9 });
  t.strictSame(levels, ['debug']);
  const failing = () => Promise.reject(new TahoeError('ERR_CONFIG', { file: 'tahoe.cfg', reason: 'wrong' }));
  const refused = await live.reload(failing, log);
  t.match(refused, { count: 2, changes: [], problem: 'tahoe.cfg: wrong' });
  t.match(live.encoding, { needed: 4, total: 9 }, 'as before');
  t.strictSame(levels, ['debug']);
  await t.rejects(
    live.reload(() => Promise.reject(new TypeError('a bug')), log),
    /a bug/,
  );
  const same = await live.reload(() => Promise.resolve(second), log);
  t.strictSame(same.changes, []);
});

t.test('an upload keeps the encoding that it began with', async (t) => {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  let reads = 0;
  const context = Object.defineProperty({ ...grid.context }, 'encoding', {
    enumerable: true,
    get: () => (reads++ === 0 ? grid.context.encoding : { ...grid.context.encoding, needed: 1, total: 3 }),
  });
  const { signal } = new AbortController();
  const { capability, pushedShares } = await uploadFile(context, pieces(seededBytes('reloaded', 5000)), { signal });
  t.match(capability, { kind: 'chk', needed: 2, total: 4 });
  t.equal(pushedShares, 4);
});

t.test('what opens something is not told', (t) => {
  const secret = 'pb://abc@tcp:h:1/swissnum';
  const changes = changesBetween(configure(''), configure(`[client]\nhelper.furl = ${secret}\n`));
  t.strictSame(changes.map(changeLine), [
    '[client]helper.furl: (not set) -> [hidden] (takes effect at the next start)',
  ]);
  const nurl = `pb://${'A'.repeat(43)}@x:1/s3cret#v=1`;
  t.strictSame(changesBetween(configure('', `[client]\nhelper_nurl = ${nurl}\n`), configure('')).map(changeLine), [
    '[client]helper_nurl: [hidden] -> (not set) (takes effect at the next start)',
  ]);
  t.end();
});

t.test('the nearest name is proposed, and no far one', (t) => {
  const known = ['web.port', 'nickname', 'shares.needed', 'reveal-IP-address'];
  for (const [word, nearest] of [
    ['webport', 'web.port'],
    ['nicknmae', 'nickname'],
    ['share.needed', 'shares.needed'],
    ['reveal-ip-adress', 'reveal-IP-address'],
    ['quux', undefined],
    ['', undefined],
  ] as const) {
    t.equal(nearestWord(word, known), nearest, word);
  }
  t.throws(() => configure('[node]\nnick = x\nweb.prot = 1\n'), { code: 'ERR_CONFIG_UNKNOWN' });
  t.throws(() => configure('[node]\nweb.prot = 1\n'), /unknown option 'web.prot'; did you mean 'web.port'\?/);
  t.throws(() => configure('[nod]\n'), /unknown section \[nod\]; did you mean 'node'\?/);
  t.throws(() => configure('[something]\n'), /unknown section \[something\]$/);
  t.end();
});

t.test('a report that is none is nothing', (t) => {
  for (const text of ['', 'null', '{}', '[1]', '{"count":1,"pid":"x","changes":[]}'])
    t.equal(parseReloadReport(text), undefined);
  t.match(parseReloadReport('{"count":1,"pid":2,"changes":[]}'), { count: 1 });
  t.end();
});
