/** Grid managers' certificates on a grid: who gets new shares, who is read from, and what happens when one expires. */
import t from 'tap';
import { verifyChk } from '#core/capability/attenuate.js';
import { repairImmutable } from '#client/check/repair-immutable.js';
import type { StorageServer } from '#client/storage-server.js';
import { UploadPermission } from '#client/upload-permission.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import { utf8 } from '#core/bytes.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { certify, managerKey } from '#test/fixtures/grid-managers.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { MutableGrid, sharesOn } from '#test/fixtures/mutable-grid.js';

const DAY_MS = 86_400_000;
const [a, b] = [serverIdOf(1), serverIdOf(2)];

t.test('a certificate counts while it is valid, for its server, from a manager that was named', async (t) => {
  const clock = new ManualClock();
  const permission = new UploadPermission([managerKey('m'), managerKey('n')], crypto, clock);
  const until = clock.nowMs() + DAY_MS;
  permission.note({ serverId: a, certificates: [certify('m', a, until)] });
  permission.note({ serverId: b, certificates: [certify('m', a, until), certify('else', b, until)] });
  t.same([permission.allows(a), permission.stateOf(a)], [true, 'valid']);
  t.same(
    [permission.allows(b), permission.stateOf(b)],
    [false, 'none'],
    "another's certificate, and another manager's",
  );
  t.equal(permission.allows('v0-unheard-of'), false);
  clock.advance(DAY_MS - 1);
  t.equal(permission.allows(a), true);
  clock.advance(1);
  t.same([permission.allows(a), permission.stateOf(a), permission.expiryOf(a)], [false, 'expired', until]);
  permission.note({ serverId: a, certificates: [certify('n', a, until), certify('m', a, until + DAY_MS)] });
  t.equal(permission.allows(a), true, 'one valid is enough');
  permission.note({ serverId: a, certificates: [] });
  t.equal(permission.allows(a), false, 'what it does not show any more does not count');
});

t.test('without managers all may, with none of them nobody', async (t) => {
  const clock = new ManualClock();
  t.equal(new UploadPermission(undefined, crypto, clock).allows(a), true);
  t.equal(new UploadPermission(undefined, crypto, clock).stateOf(a), 'not-needed');
  const nobody = new UploadPermission([], crypto, clock);
  nobody.note({ serverId: a, certificates: [certify('m', a, clock.nowMs() + DAY_MS)] });
  t.equal(nobody.allows(a), false, 'an empty set is not widened to any server');
});

/** Only these servers may get shares; the set may change. */
function only(allowed: Set<string>): (server: StorageServer) => boolean {
  return ({ serverId }) => allowed.has(serverId);
}

t.test('new files go to certified servers only, and are read from all', async (t) => {
  const grid = new MemoryGrid(6, { needed: 2, happy: 3, total: 4 });
  const allowed = new Set(grid.servers.slice(0, 3).map(({ serverId }) => serverId));
  const before = await grid.uploadChk(seededBytes('before', 5000));
  const held = (): number[] => grid.servers.map((server) => server.shares.size);
  const heldBefore = held();
  Object.assign(grid.context, { mayTakeShares: only(allowed) });
  for (let i = 0; i < 8; i++) await grid.uploadChk(seededBytes(`after ${String(i)}`, 5000));
  t.same(held().slice(3), heldBefore.slice(3), 'the others got nothing');
  t.same(await grid.download(before), seededBytes('before', 5000));
  allowed.clear();
  await t.rejects(grid.uploadChk(seededBytes('late', 5000)), {
    code: 'ERR_NOT_CERTIFIED',
    message: /none of the 6 connected servers has a valid certificate; ask the grid manager/,
  });
  t.same(await grid.download(before), seededBytes('before', 5000), 'reads go on');
});

t.test('a repair puts nothing on servers that are not certified, and counts what lies there', async (t) => {
  const grid = new MemoryGrid(6, { needed: 2, happy: 3, total: 6, segmentSizeMax: 3000 });
  const capability = await grid.uploadChk(seededBytes('repair', 5000));
  const [lost, ...others] = grid.servers;
  lost?.shares.clear();
  const allowed = new Set(others.slice(0, 2).map(({ serverId }) => serverId));
  Object.assign(grid.context, { mayTakeShares: only(allowed) });
  const heldBefore = others.map((server) => server.shares.size);
  const signal = new AbortController().signal;
  const outcome = await repairImmutable(grid.context, verifyChk(crypto, capability), { signal, verify: true });
  t.ok(outcome.kind === 'shares' && outcome.after.healthy);
  const heldAfter = others.map((server) => server.shares.size);
  t.equal(lost?.shares.size, 0);
  t.same(heldAfter.slice(2), heldBefore.slice(2));
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  t.equal(sum(heldAfter) - sum(heldBefore), 1, 'only what was missing was made');
});

t.test('a new mutable file goes to certified servers; one that is there is written where it lies', async (t) => {
  const grid = new MutableGrid({ servers: 6, needed: 2, total: 4 });
  const allowed = new Set(grid.servers.slice(0, 2).map(({ serverId }) => serverId));
  const old = await grid.create('sdmf', utf8('old'));
  const counts = async (file: MutableFile): Promise<number[]> =>
    [...(await sharesOn(grid.servers, file.storageIndex)).values()].map((shares) => shares.size);
  const before = await counts(old);
  Object.assign(grid.context, { mayTakeShares: only(allowed) });
  const made = await grid.create('sdmf', utf8('new'));
  t.same((await counts(made)).slice(2), [0, 0, 0, 0]);
  allowed.clear();
  await t.rejects(grid.create('mdmf', utf8('late')), { code: 'ERR_NOT_CERTIFIED' });
  await old.overwrite(utf8('newer'));
  t.same(await counts(old), before, 'its shares stay where they are');
  t.same((await grid.open(old).read()).bytes, utf8('newer'));
});
