/** Our client's transport against the Python reference's storage node: every operation. */
import t from 'tap';
import { systemRandom } from '#core/native-crypto.js';
import { equalBytes, toHex } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import { Grid } from '#client/grid.js';
import { openStorageServer } from '#client/server-opening.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { mutableClientSuite } from '#test/conformance/mutable-client.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { findReference, startReferenceNode } from '#test/fixtures/reference-node.js';
import { dangerouslyFormatServersYaml, parseServersYaml } from '#wire/announcement.js';
import { Nurl } from '#wire/nurl.js';

const program = findReference();
const skip = program === undefined ? 'the reference is not here: set TALLAC_REFERENCE to its tahoe program' : false;

t.test('a storage node of the reference', { skip, timeout: 120_000 }, async (t) => {
  const node = await startReferenceNode(program ?? '');
  t.teardown(() => node.close());
  const { furl, nurl } = node;
  const entry = { serverId: 'reference', nickname: 'R', furl, nurls: [nurl], permutationSeed: new Uint8Array(32) };
  const [announcement] = parseServersYaml(dangerouslyFormatServersYaml([entry]), 'servers.yaml', crypto).servers;
  if (announcement === undefined) throw new Error('no announcement');
  const server = openStorageServer(announcement, { clock: systemClock, dialler: directDialler });
  if (server === undefined) throw new Error('no server');
  t.teardown(() => server.close());

  const storageIndex = systemRandom.bytes(16);
  const absent = systemRandom.bytes(16);
  const secrets = { renewSecret: systemRandom.bytes(32), cancelSecret: systemRandom.bytes(32) };
  const uploadSecret = systemRandom.bytes(20);
  const share = seededBytes('share', 1_500_000);

  await t.test('version', async (t) => {
    const version = await server.version();
    t.match(version.applicationVersion, /^tahoe-lafs\/1\./);
    t.ok(version.availableSpace > 0 && version.maximumImmutableShareSize > 0 && version.maximumMutableShareSize > 0);
    t.equal(toHex(server.tubId).length, 40);
  });

  await t.test('allocate and write', async (t) => {
    const shareNumbers = new Set([0, 7, 255]);
    const request = { shareNumbers, allocatedSize: share.length, ...secrets, uploadSecret };
    t.same(await server.allocate(storageIndex, request), { alreadyHave: new Set(), allocated: shareNumbers });
    const [front, middle, back] = [
      share.subarray(0, 400_000),
      share.subarray(400_000, 400_001),
      share.subarray(400_001),
    ];
    t.same(await server.write(storageIndex, 7, uploadSecret, 0, [front, middle]), { complete: false });
    t.same(await server.write(storageIndex, 7, uploadSecret, 0, [front]), { complete: false }, 'the same again');
    const other = front.map((byte) => byte ^ 1);
    const conflict = server.write(storageIndex, 7, uploadSecret, 0, [other]);
    await t.rejects(conflict, { code: 'ERR_SERVER_REPLY', message: /status 409/ });
    const stranger = server.write(storageIndex, 7, systemRandom.bytes(20), 0, [front]);
    await t.rejects(stranger, { code: 'ERR_SERVER_REPLY', message: /status 401/ });
    t.same(await server.listShares(storageIndex), new Set(), 'not listed before it is complete');
    t.same(await server.write(storageIndex, 7, uploadSecret, 400_001, [back]), { complete: true });
    t.same(await server.write(storageIndex, 255, uploadSecret, 0, [share]), { complete: true });
    t.same(await server.listShares(storageIndex), new Set([7, 255]));
    const late = server.write(storageIndex, 7, uploadSecret, 0, [front]);
    await t.rejects(late, { code: 'ERR_SERVER_REPLY', message: /status 404/ }, 'a complete share takes no writes');
  });

  await t.test('abort', async (t) => {
    await server.abort(storageIndex, 0, uploadSecret);
    const again = { shareNumbers: new Set([0, 7]), allocatedSize: 10, ...secrets, uploadSecret };
    const reply = await server.allocate(storageIndex, again);
    t.same(reply, { alreadyHave: new Set([7, 255]), allocated: new Set([0]) }, 'its place is free again');
    const wrong = server.abort(storageIndex, 0, systemRandom.bytes(20));
    await t.rejects(wrong, { code: 'ERR_SERVER_REPLY', message: /status 401/ });
    await server.abort(storageIndex, 0, uploadSecret);
    await t.rejects(server.abort(storageIndex, 7, uploadSecret), { code: 'ERR_SERVER_REPLY', message: /status 405/ });
  });

  await t.test('read', async (t) => {
    const ranges = [
      [0, 1],
      [0, share.length],
      [399_999, 400_003],
      [share.length - 1, share.length + 10],
    ] as const;
    for (const [begin, end] of ranges) {
      const bytes = await server.read(storageIndex, 7, { begin, end });
      t.ok(bytes !== undefined && equalBytes(bytes, share.subarray(begin, end)), `${String(begin)} to ${String(end)}`);
    }
    t.same(await server.read(storageIndex, 7, { begin: share.length, end: share.length + 9 }), new Uint8Array(0));
    t.equal(await server.read(storageIndex, 3, { begin: 0, end: 9 }), undefined);
    t.equal(await server.read(absent, 7, { begin: 0, end: 9 }), undefined);
    t.same(await server.listShares(absent), new Set());
  });

  await t.test('leases and corruption reports', async (t) => {
    const renewed = { renewSecret: systemRandom.bytes(32), cancelSecret: systemRandom.bytes(32) };
    t.equal(await server.addLease(storageIndex, renewed), true);
    t.equal(await server.addLease(storageIndex, renewed), true, 'renewed');
    t.equal(await server.addLease(absent, renewed), false);
    await server.reportCorrupt(storageIndex, 7, 'a test: nothing is wrong – ü');
    await server.reportCorrupt(storageIndex, 3, 'not there');
  });

  await t.test('the mutable half', (t) => mutableClientSuite(t, server));

  await t.test('a wrong swissnum, a wrong key', async (t) => {
    const open = (change: { swissnum?: string; spkiHash?: string }): NonNullable<typeof server> => {
      const { tor, spkiHash, host, port } = nurl;
      const changed = new Nurl({ tor, spkiHash, host, port, swissnum: nurl.dangerousSwissnum(), ...change });
      const opened = openStorageServer(
        { ...announcement, nurls: [changed] },
        { clock: systemClock, dialler: directDialler },
      );
      if (opened === undefined) throw new Error('no server');
      t.teardown(() => opened.close());
      return opened;
    };
    await t.rejects(open({ swissnum: 'wrong' }).version(), { code: 'ERR_SERVER_REPLY', message: /status 401/ });
    await t.rejects(open({ spkiHash: 'A'.repeat(43) }).version(), { code: 'ERR_PIN' });
  });

  await t.test('a grid of it', async (t) => {
    const own = openStorageServer(announcement, { clock: systemClock, dialler: directDialler });
    const servers = [{ identity: announcement, server: own }];
    const grid = new Grid({ servers, crypto, clock: systemClock, random: systemRandom, log: silentLog });
    t.teardown(() => grid.close());
    await grid.ready(1);
    t.match(grid.status(), [{ connected: true, connectionStatus: 'connected', version: /^tahoe-lafs/, nickname: 'R' }]);
    const [first] = grid.permutedServers(storageIndex);
    t.same(await first?.listShares(storageIndex), new Set([7, 255]));
  });
});
