/**
 * The same requests to a gateway of either program on one grid: the answers that clients build on are equal. Where we
 * answer otherwise on purpose, both answers stand in the table with the reason.
 */
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import { ask, getFile, pathOf, putFile } from './gateway-talk.js';
import type { GatewayReply } from './gateway-talk.js';

/** Two segments and a half. */
const SIZE = 2_500_000;
const comparedHeaders = [
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'x-frame-options',
  'referrer-policy',
];

/** A Range header that both take alike. */
const ranges = [
  'bytes=0-0',
  'bytes=1-4',
  'bytes=1048575-1048576',
  'bytes=1000000-2200000',
  'bytes=2097152-2097152',
  `bytes=0-${String(SIZE - 1)}`,
  'bytes=2499999-2500010',
  'bytes=2-',
  'bytes=-4',
  'bytes=-999999',
  'bytes=0-1,3-4',
  'bytes= 1-4',
  'bytes=9-2',
  'bytes=a-b',
  'lines=0-1',
  'nonsense',
];
/** Ranges that begin behind the end. The reference takes those without an end for malformed, and sends everything. */
const rangesBeyond: readonly (readonly [range: string, referenceStatus: number])[] = [
  ['bytes=2500000-2500001', 416],
  ['bytes=2500000-', 200],
  ['bytes=-0', 200],
];
const absent = `URI:CHK:${'a'.repeat(26)}:${'a'.repeat(52)}:1:2:300000`;

t.test('two gateways', { skip: hasReference ? false : 'no reference', timeout: 120_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 2, total: 2 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());
  const askBoth = async (...request: Parameters<typeof ask> extends [unknown, ...infer Rest] ? Rest : never) => ({
    ours: await ask(grid.gateway('ours'), ...request),
    reference: await ask(grid.gateway('reference'), ...request),
  });
  const content = seededBytes('content', SIZE);
  const capability = await putFile(grid.gateway('ours'), content);
  const literal = await putFile(grid.gateway('reference'), seededBytes('literal', 40));

  await t.test('a file, whole and in ranges', async (t) => {
    t.ok((await getFile(grid.gateway('reference'), capability)).equals(content));
    for (const [kind, file] of [
      ['CHK', capability],
      ['LIT', literal],
    ] as const) {
      const suitable =
        kind === 'CHK' ? ranges : ['bytes=0-0', 'bytes=39-39', 'bytes=2-', 'bytes=-4', 'bytes=-99', 'nonsense'];
      for (const method of ['GET', 'HEAD'] as const) {
        for (const range of [undefined, ...suitable]) {
          const { ours, reference } = await askBoth(pathOf(file), {
            method,
            headers: range === undefined ? {} : { range },
          });
          const what = `${method} of a ${kind} file, ${range ?? 'whole'}`;
          t.equal(ours.status, reference.status, `${what}: status ${String(reference.status)}`);
          t.strictSame(headersOf(ours), headersOf(reference), `${what}: headers`);
          t.ok(ours.body.equals(reference.body), `${what}: ${String(reference.body.length)} bytes`);
        }
      }
    }
  });

  await t.test('a range behind the end', async (t) => {
    for (const [range, referenceStatus] of rangesBeyond) {
      const { ours, reference } = await askBoth(pathOf(capability), { headers: { range } });
      t.equal(reference.status, referenceStatus, `${range}: the reference`);
      t.equal(ours.status, 416, `${range}: ours`);
      t.equal(ours.headers['content-range'], `bytes */${String(SIZE)}`);
      if (referenceStatus !== 416) continue;
      t.equal(ours.body.toString().trim(), reference.body.toString().trim());
      t.equal(ours.headers['content-type'], reference.headers['content-type']);
    }
  });

  await t.test('what cannot be read', async (t) => {
    const failures: readonly [what: string, path: string, status: number][] = [
      ['no capability at all', pathOf('nonsense'), 400],
      ['a capability of no known fields', pathOf('URI:CHK:nonsense'), 400],
      ['a capability cut short', pathOf(capability.slice(0, -20)), 400],
      ['a verify capability', pathOf(absent.replace('CHK', 'CHK-Verifier')), 400],
      ['a file of which no share is found', pathOf(absent), 410],
      ['a capability with another size', pathOf(`${capability}0`), 410],
      ['no capability', 'uri', 400],
      ['a path that is none', 'nothing', 404],
    ];
    for (const [what, path, status] of failures) {
      const { ours, reference } = await askBoth(path);
      t.equal(reference.status, status, `${what}: the reference`);
      t.equal(ours.status, status, `${what}: ours`);
    }
  });

  await t.test('a file that is known', async (t) => {
    for (const gateway of grid.gateways) {
      const { etag = '' } = (await ask(gateway, pathOf(capability))).headers;
      const again = await ask(gateway, pathOf(capability), { headers: { 'if-none-match': etag } });
      t.equal(again.status, 304, gateway.program);
      t.equal(again.body.length, 0);
      // The reference leaves out the quotation marks that HTTP asks for.
      t.match(etag, /^"?[a-z2-7]{26}-"?$/);
    }
  });

  await t.test('the state of the grid', async (t) => {
    const { ours, reference } = await askBoth('?t=json');
    t.strictSame(statusOf(ours), statusOf(reference), 'the same keys, types and servers');
    t.match(ours.headers['content-type'], /^application\/json/);
    t.match(reference.headers['content-type'], /^application\/json/);
  });
});

function headersOf({ headers }: GatewayReply): Record<string, string | undefined> {
  return Object.fromEntries(comparedHeaders.map((name) => [name, headers[name]]));
}

/** The welcome page's JSON, with what changes from moment to moment replaced by its type. */
function statusOf({ body }: GatewayReply): unknown {
  const changing = ['available_space', 'last_received_data'];
  const status = JSON.parse(body.toString(), (name, value: unknown) =>
    changing.includes(name) ? typeof value : value,
  ) as { servers: { nodeid: string }[] };
  status.servers.sort((a, b) => (a.nodeid < b.nodeid ? -1 : 1));
  return status;
}
