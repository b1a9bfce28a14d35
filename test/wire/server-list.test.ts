/** Published server lists: what is signed is read, and nothing else. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { fromUtf8, utf8 } from '#core/bytes.js';
import { SERVER_LIST_SIZE_MAX, verifyServerList } from '#wire/server-list.js';
import type { VerifiedServerList } from '#wire/server-list.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { crypto } from '#test/fixtures/crypto.js';
import { certify, managerKey, managerSeed } from '#test/fixtures/grid-managers.js';
import { publishList } from '#test/fixtures/server-lists.js';

const ISSUED = Date.UTC(2027, 0, 1);
const plan = { number: 3, issuedMs: ISSUED, expiresMs: ISSUED + 5000 };
const read = (document: Uint8Array): VerifiedServerList => verifyServerList(document, managerKey('m'), 'm', crypto);

/** Signed by the right key, whatever it says. */
function signed(list: unknown): Uint8Array {
  const text = typeof list === 'string' ? list : JSON.stringify(list);
  const signature = formatBase32(crypto.ed25519Sign(managerSeed('m'), utf8(text)));
  return utf8(JSON.stringify({ list: text, signature }));
}

t.test('what is published is read', async (t) => {
  const list = read(publishList(plan));
  t.match(list, { number: 3, issuedMs: ISSUED, expiresMs: ISSUED + 5000, skipped: [] });
  t.same(
    list.servers.map(({ serverId, nickname, nurls }) => [serverId, nickname, nurls.length]),
    [
      [serverIdOf(1), 'server 1', 1],
      [serverIdOf(2), 'server 2', 1],
    ],
  );
});

t.test('another key, any cut and any flipped bit are refused', async (t) => {
  const document = publishList(plan);
  const refusal = { code: 'ERR_SERVER_LIST', message: /the server list of m is refused/ };
  t.throws(() => read(publishList({ ...plan, manager: 'n' })), { ...refusal, message: /not signed by the key/ });
  for (let size = 0; size < document.length - 1; size += 29) t.throws(() => read(document.slice(0, size)), refusal);
  let same = 0;
  for (let bit = 0; bit < document.length * 8; bit += 61) {
    const changed = document.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    try {
      // A change around the two texts may leave both as they are.
      t.same(read(changed), read(document));
      same += 1;
    } catch (error) {
      t.match(error, refusal);
    }
  }
  t.ok(same <= 3, `${String(same)} changes did not matter`);
  t.throws(() => read(new Uint8Array(SERVER_LIST_SIZE_MAX + 1)), { ...refusal, message: /larger than 4194304 bytes/ });
});

t.test('what the key has signed for another purpose, or of another version, is no list', async (t) => {
  const { certificate, signature } = certify('m', serverIdOf(1), ISSUED);
  const good = JSON.parse((JSON.parse(fromUtf8(publishList(plan))) as { list: string }).list) as object;
  t.equal(read(signed(good)).number, 3);
  const cases: [Uint8Array, RegExp][] = [
    [utf8(JSON.stringify({ list: certificate, signature })), /of a kind that this version does not know/],
    [signed({ ...good, kind: 'else' }), /of a kind/],
    [signed({ ...good, version: 2 }), /of a kind/],
    [signed({ ...good, number: -1 }), /no number/],
    [signed({ ...good, number: '3' }), /no number/],
    [signed({ ...good, expires: 'never' }), /until when/],
    [signed({ ...good, issued: undefined }), /until when/],
    [
      signed({ ...good, servers: Object.fromEntries(Array.from({ length: 4097 }, (_, i) => [i, {}])) }),
      /more than 4096/,
    ],
    [signed('['.repeat(10_000)), /of a kind/],
    [utf8('null'), /no signed list/],
  ];
  for (const [document, message] of cases) t.throws(() => read(document), { code: 'ERR_SERVER_LIST', message });
});

t.test('one broken server costs that server only', async (t) => {
  const good = JSON.parse((JSON.parse(fromUtf8(publishList(plan))) as { list: string }).list) as { servers: object };
  const servers = { bad: {}, worse: 7, ...good.servers };
  const list = read(signed({ ...good, servers }));
  t.equal(list.servers.length, 2);
  t.match(list.skipped, [{ where: 'bad', reason: /no anonymous-storage-FURL/ }, { where: 'worse' }]);
  t.same(read(signed({ ...good, servers: undefined })).servers, []);
});
