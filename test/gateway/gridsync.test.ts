/**
 * What Gridsync and magic-folder ask of a gateway, line for line: their addresses as they write them, with their headers.
 * The fixed capability is one that Gridsync's own tests expect.
 */
import { once } from 'node:events';
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { WebSocket } from 'ws';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { createGateway } from '#gateway/gateway.js';
import { utf8 } from '#core/bytes.js';
import { gatewayOf, gatewayServices } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { testKeys } from '../fixtures/mutable-grid.js';

const headers = { accept: 'text/plain' };
const GOLDEN = 'URI:CHK:rowlspe46wotpra7jruhtad3xy:lnviruztzbcugtpkrxnnodehpstlcoo6pswfgqjhv3teyn656fja:1:1:64';

class Client {
  readonly app: FastifyInstance;

  constructor(app: FastifyInstance) {
    this.app = app;
  }

  async ask(method: 'GET' | 'PUT' | 'POST', url: string, payload?: string): Promise<{ status: number; body: string }> {
    const reply = await this.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
    return { status: reply.statusCode, body: reply.body };
  }

  async text(method: 'GET' | 'PUT' | 'POST', url: string, payload?: string): Promise<string> {
    const { status, body } = await this.ask(method, url, payload);
    if (status !== 200 && status !== 201) throw new Error(`${method} ${url}: ${String(status)} ${body}`);
    return body;
  }

  async json(url: string): Promise<[string, Record<string, unknown>]> {
    return JSON.parse(await this.text('GET', url)) as [string, Record<string, unknown>];
  }
}

function client(): Client {
  return new Client(gatewayOf(new MemoryGrid(4, { needed: 2, happy: 2, total: 4 })));
}

t.test('the state of the grid', async (t) => {
  const { app } = client();
  const { servers } = (await new Client(app).json('/?t=json')) as unknown as { servers: Record<string, unknown>[] };
  t.match(servers[0], {
    connection_status: /^connected/i,
    available_space: 5,
    last_received_data: 1.5,
    nodeid: 'v0-a',
  });
  t.match(servers[1], { connection_status: 'refused', available_space: null, last_received_data: null });
  await app.close();
});

// Its convergence secret is "a" 52 times in base32: 32 bytes of zero.
t.test('a convergent file has the capability that its tests expect', async (t) => {
  const grid = new MemoryGrid(1, { needed: 1, happy: 1, total: 1 });
  const app = gatewayOf(grid);
  t.equal(await new Client(app).text('PUT', '/uri', '0'.repeat(64)), GOLDEN);
  t.equal(dangerouslyFormatCapability(await grid.uploadChk(utf8('0'.repeat(64)))), GOLDEN);
  await app.close();
});

t.test('directories, files and links', async (t) => {
  const gridsync = client();
  const root = await gridsync.text('POST', '/uri?t=mkdir');
  t.match(root, /^URI:DIR2:/);
  const sub = await gridsync.text('POST', `/uri/${root}?t=mkdir&name=sub`);
  const file = await gridsync.text('PUT', `/uri/${root}/file`, 'content');
  const mdmf = await gridsync.text('PUT', `/uri/${root}/mdmf?format=MDMF`, 'content');
  t.match(mdmf, /^URI:MDMF:/);
  t.equal(await gridsync.text('PUT', `/uri/${root}/mdmf`, 'again'), mdmf, 'the same capability');
  t.equal(await gridsync.text('GET', `/uri/${mdmf}`), 'again');
  // Capabilities stand in the query as they are, and a slash behind everything.
  await gridsync.text('POST', `/uri/${root}/?t=uri&name=linked&uri=${file}`);
  await gridsync.text('POST', `/uri/${root}/sub/?t=uri&name=up&uri=${sub}`);
  t.match(await gridsync.json(`/uri/${root}/?t=json`), [
    'dirnode',
    {
      rw_uri: root,
      ro_uri: /^URI:DIR2-RO:/,
      verify_uri: /^URI:DIR2-Verifier:/,
      children: {
        file: ['filenode', { ro_uri: file, size: 7, mutable: false }],
        linked: ['filenode', { ro_uri: file }],
        sub: ['dirnode', { rw_uri: sub, mutable: true, metadata: { tahoe: { linkmotime: Number } } }],
      },
    },
  ]);
  t.match(await gridsync.json(`/uri/${root}/sub/up/?t=json`), ['dirnode', { rw_uri: sub }]);
  t.match(await gridsync.json(`/uri/${file}/?t=json`), ['filenode', { size: 7 }]);
  t.equal((await gridsync.ask('GET', `/uri/${root}/absent/?t=json`)).status, 404);
  t.equal((await gridsync.ask('POST', `/uri/${root}/?t=unlink&name=linked`)).status, 200);
  t.equal((await gridsync.ask('POST', `/uri/${root}/?t=unlink&name=linked`)).status, 404, 'absent');
  t.equal((await gridsync.ask('GET', '/storage-plugins/privatestorageio-zkapauthz-v2/version')).status, 404);
  await gridsync.app.close();
});

t.test('a directory of a given key, twice', async (t) => {
  const gridsync = client();
  const [key = new Uint8Array(0)] = testKeys.slice(-1);
  const text = Buffer.from(key).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  const made = await gridsync.text('POST', `/uri?t=mkdir&private-key=${text}`);
  await gridsync.text('PUT', `/uri/${made}/kept`, 'kept');
  t.match(await gridsync.ask('POST', `/uri?t=mkdir&private-key=${text}`), { status: 500 });
  t.equal(await gridsync.text('GET', `/uri/${made}/kept`), 'kept', 'the directory is not lost');
  await gridsync.app.close();
});

t.test("magic-folder's snapshots", async (t) => {
  const folder = client();
  const file = await folder.text('PUT', '/uri', 'content of a file that is long enough to have shares on servers');
  const metadata = { snapshot: [1, 2.5, { deep: null }], magic_folder: { author_signature: 'x=='.repeat(9) } };
  const body = JSON.stringify({
    content: ['filenode', { ro_uri: file, metadata }],
    metadata: ['filenode', { ro_uri: file }],
  });
  const snapshot = await folder.text('POST', '/uri?t=mkdir-immutable', body);
  t.match(await folder.json(`/uri/${snapshot}?t=json`), [
    'dirnode',
    { children: { content: ['filenode', { metadata }] } },
  ]);
  t.match(await folder.text('POST', '/uri?t=mkdir-immutable', '{}'), /^URI:DIR2-LIT:/);
  const collective = await folder.text('POST', '/uri?t=mkdir');
  const name = encodeURIComponent('@_sub@@é');
  t.equal((await folder.ask('PUT', `/uri/${collective}/${name}?t=uri&replace=false`, snapshot)).status, 200);
  t.equal((await folder.ask('PUT', `/uri/${collective}/${name}?t=uri&replace=false`, snapshot)).status, 409);
  t.equal((await folder.ask('PUT', `/uri/${collective}/${name}?t=uri&replace=true`, snapshot)).status, 200);
  const redirect = await folder.app.inject({ url: `/uri?uri=${encodeURIComponent(file)}`, headers });
  t.equal(redirect.statusCode, 302);
  t.match(await folder.app.inject({ url: String(redirect.headers.location) }), { statusCode: 200, body: /^content/ });
  await folder.app.close();
});

t.test('the log behind a double slash', async (t) => {
  let tell: (line: string) => void = () => undefined;
  const services = gatewayServices(new MemoryGrid(1));
  const followLog = (told: (line: string) => void): (() => void) => {
    tell = told;
    return () => undefined;
  };
  const app = createGateway({ ...services, followLog });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = new WebSocket(`${address.replace('http', 'ws')}//private/logs/v1`, {
    headers: { authorization: 'tahoe-lafs test-token' },
  });
  await once(socket, 'open');
  tell('{"a":1}');
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
  t.notOk(isBinary);
  t.same(JSON.parse(data.toString()), { a: 1 });
  socket.terminate();
  await app.close();
});
