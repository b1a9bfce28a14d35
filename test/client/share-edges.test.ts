/** Files read from what servers give with the word that they have shares: all of it, part of it, and what is not so. */
import t from 'tap';
import type { Test } from 'tap';
import { equalBytes } from '#core/bytes.js';
import { wantedEdges } from '#client/download/speculation.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import type { MemoryServer } from '#test/fixtures/memory-server.js';
import type { ShareEdges } from '#wire/immutable-beginnings.js';

const small = seededBytes('a small file', 2_000);
const large = seededBytes('a large file', 3 << 20);

/** A grid of servers of our own kind, one share on each, that has a file. */
async function gridWith(plaintext: Uint8Array, segmentSizeMax = 1 << 20) {
  const grid = new MemoryGrid(10, { segmentSizeMax });
  for (const server of grid.servers) server.hasBeginnings = true;
  const capability = await grid.uploadChk(plaintext);
  const asked = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { requests } of grid.servers)
      for (const request of requests.splice(0)) counts[request] = (counts[request] ?? 0) + 1;
    return counts;
  };
  asked();
  return { grid, capability, asked };
}

/** The server says something else of its shares. */
function distort(server: MemoryServer, change: (edges: ShareEdges) => ShareEdges): void {
  const readBeginnings = server.readBeginnings.bind(server);
  server.readBeginnings = async (...args) => {
    const shares = await readBeginnings(...args);
    return shares && new Map([...shares].map(([shareNumber, edges]) => [shareNumber, change(edges)]));
  };
}

async function requireSame(t: Test, { grid, capability }: Awaited<ReturnType<typeof gridWith>>, plaintext: Uint8Array) {
  t.ok(equalBytes(await grid.download(capability), plaintext));
  await settle();
}

t.test('a small file takes nothing more', async (t) => {
  const subject = await gridWith(small);
  await requireSame(t, subject, small);
  t.strictSame(subject.asked(), { readBeginnings: 5 });
});

t.test('a large file opens without a read, also with hash trees of many nodes', async (t) => {
  const subject = await gridWith(large);
  await requireSame(t, subject, large);
  t.strictSame(subject.asked(), { readBeginnings: 5, read: 9 }, 'three blocks of three shares');
  const many = await gridWith(large, 6 * 2048);
  await many.grid.download(many.capability, 0, 10);
  t.strictSame(
    many.asked(),
    { readBeginnings: 5, read: 1 + 3 + 3 },
    'the guess misses both trees of a file cut in another way',
  );
});

t.test('how much is asked for', (t) => {
  const of = (size: number) => wantedEdges({ needed: 3, total: 10, size, uebHash: new Uint8Array(32) });
  t.equal(of(2_000).end, 0);
  t.equal(of(45_000).end, 0);
  t.strictSame([of(50_000).beginning, of(50_000).end > 0], [68, true]);
  t.ok(of(256 << 20).end > 2 * 511 * 32, 'both trees of 256 segments');
  t.ok(of(256 << 20).end <= 36_864);
  t.ok(of(300 << 20).end > 1023 * 32 && of(300 << 20).end <= 36_864, 'one of more');
  t.ok(of(2 ** 40).end < 1_000, 'neither');
  t.end();
});

t.test('servers without it are asked for a list, and all together give the file', async (t) => {
  const subject = await gridWith(small);
  for (const server of subject.grid.servers.slice(0, 8)) server.hasBeginnings = false;
  await requireSame(t, subject, small);
  const { list = 0, readBeginnings = 0 } = subject.asked();
  t.equal(list + readBeginnings, 5);
});

t.test('nothing but sizes: the shares are read', async (t) => {
  const subject = await gridWith(small);
  const nothing = new Uint8Array(0);
  for (const server of subject.grid.servers)
    distort(server, ({ size }) => ({ size, beginning: nothing, end: nothing }));
  await requireSame(t, subject, small);
  t.strictSame(subject.asked(), { readBeginnings: 5, read: 3 });
});

const lies: Readonly<Record<string, (edges: ShareEdges) => ShareEdges>> = {
  'a changed header': (edges) => ({ ...edges, beginning: edges.beginning.map((byte, i) => (i < 36 ? 255 : byte)) }),
  'changed bytes': (edges) => ({
    ...edges,
    beginning: edges.beginning.map((byte, i) => (i >= 36 ? byte ^ 1 : byte)),
    end: edges.end.map((byte) => byte ^ 1),
  }),
  'a changed block': (edges) => ({
    ...edges,
    beginning: edges.beginning.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
  }),
  'a wrong size': (edges) => ({ ...edges, size: edges.size + 1, beginning: edges.beginning.subarray(0, 68) }),
  'a size below nothing': (edges) => ({ ...edges, size: 0 }),
  'bytes of another place': (edges) => ({
    ...edges,
    beginning: edges.beginning.toReversed(),
    end: edges.end.toReversed(),
  }),
  'a short beginning': (edges) => ({ ...edges, beginning: edges.beginning.subarray(0, 20) }),
  'a long beginning': (edges) => ({ ...edges, beginning: new Uint8Array(100_000).fill(7) }),
};
for (const [name, plaintext] of [
  ['small', small],
  ['large', large],
] as const) {
  for (const [what, lie] of Object.entries(lies)) {
    t.test(`a ${name} file, and seven servers that give ${what}`, async (t) => {
      const subject = await gridWith(plaintext);
      const { servers } = subject.grid;
      for (const server of servers.slice(0, 7)) distort(server, lie);
      await requireSame(t, subject, plaintext);
      t.strictSame(
        servers.slice(7).flatMap(({ reports }) => reports),
        [],
        'nobody honest was accused',
      );
    });
  }
}

t.test('who gives changed bytes is told so', async (t) => {
  const subject = await gridWith(small);
  const { servers } = subject.grid;
  for (const server of servers)
    distort(server, (edges) => ({ ...edges, beginning: edges.beginning.map((b) => b ^ 1) }));
  await t.rejects(subject.grid.download(subject.capability), { code: 'ERR_NOT_ENOUGH_SHARES' });
  await settle();
  t.equal(servers.flatMap(({ reports }) => reports).length, 10);
});

t.test('a share that ends early is found out though all of it is at hand', async (t) => {
  const subject = await gridWith(small);
  for (const { shares } of subject.grid.servers.slice(0, 7))
    for (const [key, share] of shares) shares.set(key, share.subarray(0, share.length - 10));
  await requireSame(t, subject, small);
});
