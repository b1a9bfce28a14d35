/** /tallac/v1/grid: to GET at once, to POST after servers that do not answer were asked again. */
import fastify from 'fastify';
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { Grid } from '#client/grid.js';
import { UploadPermission } from '#client/upload-permission.js';
import { GRID_REPORT_PATH, gridReportRoute } from '#node/grid-report.js';
import type { GridReport } from '#node/grid-report.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededRandom } from '#test/fixtures/crypto.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';

t.test('who looks at the grid has it look, too', async (t) => {
  const clock = new ManualClock();
  const server = new MemoryServer('one');
  const version = await server.version();
  const refuse = (): Promise<never> => Promise.reject(new TahoeError('ERR_CONNECT', { server: 'one', reason: 'gone' }));
  server.version = refuse;
  const servers = [{ identity: server, server }];
  const grid = new Grid({ servers, crypto, clock, random: seededRandom('x'), log: silentLog });
  t.teardown(() => grid.close());
  const app = fastify();
  t.teardown(() => app.close());
  gridReportRoute(app, {
    grid,
    permission: new UploadPermission(undefined, crypto, clock),
    lists: [],
    introducers: [],
  });
  for (let i = 0; i < 100; i++) {
    clock.advance(3_600);
    await settle(1);
  }
  server.version = () => Promise.resolve(version);
  const ask = async (method: 'GET' | 'POST'): Promise<boolean | undefined> => {
    const { headers, body } = await app.inject({ method, url: GRID_REPORT_PATH });
    t.match(headers, { 'cache-control': 'no-store', 'content-type': 'application/json' });
    return (JSON.parse(body) as GridReport).servers[0]?.connected;
  };
  clock.advance(5_000);
  await settle();
  t.equal(await ask('GET'), false, 'it is not asked before its time');
  const tried = ask('POST');
  await settle();
  clock.advance(1);
  t.equal(await tried, true);
  t.equal(await ask('GET'), true);
});
