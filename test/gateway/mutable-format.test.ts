/** The format of what is made when none is named, and mutable files that are larger than they may be. */
import t from 'tap';
import { CONTENTS_SIZE_MAX } from '#client/mutable/version-reader.js';
import { createGateway } from '#gateway/gateway.js';
import { gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

t.test('mutable.format is that of new directories, unless another is named', async (t) => {
  const kinds = { sdmf: /^URI:DIR2:/, mdmf: /^URI:DIR2-MDMF:/ } as const;
  for (const mutableFormat of ['sdmf', 'mdmf'] as const) {
    const app = createGateway({ ...gatewayServices(new MemoryGrid(10)), mutableFormat });
    const make = async (url: string, method: 'POST' | 'PUT' = 'POST', payload?: string): Promise<string> => {
      const reply = await app.inject({ method, url, ...(payload !== undefined && { payload }) });
      t.ok(reply.statusCode < 300, `${url}: ${String(reply.statusCode)}`);
      return reply.body;
    };
    const usual = kinds[mutableFormat];
    const root = await make('/uri?t=mkdir');
    t.match(root, usual);
    t.match(await make('/uri?t=mkdir-with-children', 'POST', '{}'), usual);
    t.match(await make(`/uri/${root}/sub?t=mkdir`, 'PUT'), usual);
    t.match(await make(`/uri/${root}/other?t=mkdir`), usual);
    for (const format of ['sdmf', 'mdmf'] as const) {
      t.match(await make(`/uri?t=mkdir&format=${format}`), kinds[format]);
      t.match(await make(`/uri/${root}/in-${format}?t=mkdir&format=${format}`, 'PUT'), kinds[format]);
    }
    t.match(await make('/uri?mutable=true', 'PUT', 'a file'), /^URI:SSK:/, 'as with the reference');
    t.match(await make('/uri', 'PUT', 'a longer file than fits into a capability, by some bytes'), /^URI:CHK:/);
    await app.close();
  }
});

t.test('a mutable file that is too large is refused before it is read', async (t) => {
  const app = createGateway(gatewayServices(new MemoryGrid(10)));
  const made = await app.inject({ method: 'PUT', url: '/uri?format=SDMF', payload: 'small' });
  const headers = { 'content-length': String(CONTENTS_SIZE_MAX + 1) };
  for (const url of ['/uri?format=SDMF', '/uri?format=MDMF', `/uri/${made.body}`, `/uri/${made.body}?offset=3`]) {
    const reply = await app.inject({ method: 'PUT', url, headers, payload: 'x' });
    t.equal(reply.statusCode, 413, url);
    t.match(reply.body, String(CONTENTS_SIZE_MAX), 'with the limit');
  }
  t.equal((await app.inject({ method: 'GET', url: `/uri/${made.body}` })).body, 'small');
  await app.close();
});
