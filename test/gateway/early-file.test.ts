/** A small file that is stored while its directory is looked at: what is remembered, what turns out otherwise, and what fails. */
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { FileStore } from '#client/file-store.js';
import { KnownVersions } from '#client/mutable/known-versions.js';
import { EARLY_SIZE_MAX } from '#gateway/early-file.js';
import { createGateway } from '#gateway/gateway.js';
import { storeServices } from '#gateway/services.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { gatewayOf, gatewayServices, storeContext } from '#test/fixtures/gateway-app.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { hang } from '#test/fixtures/memory-server.js';
import type { MemoryServer } from '#test/fixtures/memory-server.js';

const encoding = { needed: 2, happy: 2, total: 4 };
const content = seededBytes('early', 500);

/** A gateway that remembers what it has seen. Keys are made one after the other, so it makes all that is made. */
function rememberingGateway(grid: MemoryGrid): FastifyInstance {
  const store = new FileStore({ ...storeContext(grid), known: new KnownVersions() });
  return createGateway({ ...gatewayServices(grid), ...storeServices(store, () => Promise.resolve()) });
}

type Answer = readonly [status: number, body: string];

async function ask(
  app: FastifyInstance,
  method: 'GET' | 'PUT' | 'POST',
  url: string,
  body?: Uint8Array,
): Promise<Answer> {
  const payload = body === undefined ? {} : { payload: Buffer.from(body) };
  const { body: text, statusCode } = await app.inject({ method, url, ...payload });
  return [statusCode, text];
}

async function madeBy(app: FastifyInstance): Promise<string> {
  const [, capability] = await ask(app, 'POST', '/uri?t=mkdir');
  return `/uri/${encodeURIComponent(capability)}`;
}

/** Both gateways of one grid, and a directory that the first remembers. */
async function subject(): Promise<{
  grid: MemoryGrid;
  app: FastifyInstance;
  other: FastifyInstance;
  directory: string;
}> {
  const grid = new MemoryGrid(4, encoding);
  const [app, other] = [rememberingGateway(grid), gatewayOf(grid)];
  const directory = await madeBy(app);
  for (const server of grid.servers) server.requests.length = 0;
  return { grid, app, other, directory };
}

/** In which order a server was asked to take a share and to say what the directory is. */
function orderOf({ requests }: MemoryServer): string[] {
  return requests.filter((name) => ['allocate', 'listMutable', 'readTestWrite'].includes(name));
}

t.test('where the directory is remembered, the file does not wait for the look', async (t) => {
  const { app, directory, grid, other } = await subject();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  for (const server of grid.servers) {
    const list = server.listMutableShares.bind(server);
    server.listMutableShares = (...asked) => held.then(() => list(...asked));
  }
  const put = ask(app, 'PUT', `${directory}/name`, content);
  await settle(200);
  t.ok(grid.servers.every(({ shares }) => shares.size === 1));
  t.notOk(grid.servers.some(({ requests }) => requests.includes('readTestWrite')));
  release();
  const [status, capability] = await put;
  t.equal(status, 201);
  for (const server of grid.servers) Reflect.deleteProperty(server, 'listMutableShares');
  t.strictSame(await ask(other, 'GET', `${directory}/name?t=uri`), [200, capability]);
  t.match(await ask(app, 'PUT', `${directory}/name?replace=only-files`, seededBytes('second', 500)), [200]);
});

t.test('the directory is changed when the file is safe, and not before', async (t) => {
  const { app, directory, grid } = await subject();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  for (const server of grid.servers) {
    const write = server.write.bind(server);
    server.write = (...asked) => held.then(() => write(...asked));
  }
  const put = ask(app, 'PUT', `${directory}/name`, content);
  await settle(200);
  t.ok(
    grid.servers.some(({ requests }) => requests.includes('listMutable')),
    'it has looked',
  );
  t.notOk(grid.servers.some(({ requests }) => requests.includes('readTestWrite')));
  release();
  t.match(await put, [201]);
});

t.test('where nothing is remembered, or the name cannot be taken, the look comes first', async (t) => {
  const { app, directory, grid, other } = await subject();
  const isLookFirst = async (url: string, body = content, by = app): Promise<number> => {
    for (const server of grid.servers) server.requests.length = 0;
    const [status] = await ask(by, 'PUT', url, body);
    const isFirst = grid.servers.every((server) => (orderOf(server)[0] ?? 'listMutable') === 'listMutable');
    t.ok(isFirst, url.slice(directory.length));
    return status;
  };
  t.equal(await isLookFirst(`${directory}/name`, content, other), 201);
  t.equal(await isLookFirst(`${directory}/new?replace=false`), 201);
  t.equal(await isLookFirst(`${directory}/large`, seededBytes('large', EARLY_SIZE_MAX + 1)), 201);
  t.equal(await isLookFirst(`${directory}/mutable?format=SDMF`), 201);
  t.equal(await isLookFirst(`${directory}/mutable`), 200, 'written over');
  t.equal(await isLookFirst(`${directory}/mutable?offset=3`), 200);
  t.equal(await isLookFirst(`${directory}/one/two`), 201, 'a directory is made');
  t.equal(await isLookFirst(`${directory}/one`), 400, 'a directory is there');
  t.equal(await isLookFirst(`${directory}/name/below`), 409, 'a file is no directory');
  t.equal(await isLookFirst(`${directory}/name?replace=false`), 409);
  t.equal(await isLookFirst('/uri/URI:nonsense/name'), 400);
});

t.test('what somebody else has put there since is found', async (t) => {
  const { app, directory, grid, other } = await subject();
  const [, mutable] = await ask(app, 'PUT', '/uri?format=SDMF', seededBytes('mutable', 500));
  await ask(other, 'PUT', `${directory}/name?t=uri`, Buffer.from(mutable));
  t.strictSame(await ask(app, 'PUT', `${directory}/name`, content), [200, mutable]);
  t.strictSame(await ask(other, 'GET', `/uri/${mutable}`), [200, Buffer.from(content).toString()], 'all of the body');
  t.ok(
    grid.servers.every(({ uploads }) => uploads.size === 0),
    'the file was given up',
  );
});

t.test('a directory that somebody else has put there since is left alone', async (t) => {
  const { app, directory, other } = await subject();
  const [, inner] = await ask(app, 'POST', '/uri?t=mkdir');
  await ask(other, 'PUT', `${directory}/name?t=uri`, Buffer.from(inner));
  const answer = await ask(app, 'PUT', `${directory}/name`, content);
  t.strictSame(answer, await ask(other, 'PUT', `${directory}/name`, content));
  t.equal(answer[0], 400);
  t.strictSame(await ask(other, 'GET', `${directory}/name?t=uri`), [200, inner]);
});

t.test('a directory that is lost is the same failure, and nothing goes on behind it', async (t) => {
  const { app, directory, grid, other } = await subject();
  // Over a socket: whoever only injects a request seems to go away after the answer, which would end the upload too.
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  let begin: () => void = () => undefined;
  const hasBegun = new Promise<void>((resolve) => (begin = resolve));
  for (const server of grid.servers) {
    server.loseDisk();
    server.listMutableShares = () => hasBegun.then(() => new Set());
    server.write = (_index, _share, _secret, _offset, _parts, options) => {
      begin();
      return hang(options);
    };
  }
  const reply = await fetch(`${address}${directory}/name`, { method: 'PUT', body: Buffer.from(content) });
  t.equal(reply.status, 410);
  t.ok(
    grid.servers.every(({ requests, uploads }) => requests.includes('abort') && uploads.size === 0),
    'what was reserved is given back',
  );
  t.strictSame(await ask(other, 'PUT', `${directory}/name`, content), [410, await reply.text()]);
});

t.test('a file that cannot be stored is in no directory', async (t) => {
  const { app, directory, grid, other } = await subject();
  for (const server of grid.servers) server.space = 0;
  const answer = await ask(app, 'PUT', `${directory}/name`, content);
  t.strictSame(answer, await ask(other, 'PUT', `${directory}/name`, content));
  t.equal(answer[0], 500);
  t.match(await ask(other, 'GET', `${directory}/name`), [404]);
});
