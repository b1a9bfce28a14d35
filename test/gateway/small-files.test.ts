/** Many small files with one request: what is stored, what is not, and who may not ask. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { createGateway } from '#gateway/gateway.js';
import type { GatewayServices } from '#gateway/services.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { gatewayServices } from '#test/fixtures/gateway-app.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { encodeSmallFiles, parseSmallFilesAnswer } from '#wire/small-files.js';
import { SMALL_FILES_PATH, SMALL_FILES_REQUEST_SIZE_MAX } from '#wire/small-files.js';
import type { SmallFileAnswer } from '#wire/small-files.js';

interface Asked {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A gateway over three servers, and what it logged. */
function gatewayWith(changes: Partial<GatewayServices> = {}) {
  const lines: string[] = [];
  const services = gatewayServices(new MemoryGrid(3, { needed: 2, happy: 2, total: 3 }), lines);
  const app = createGateway({ ...services, ...changes });
  const ask = async (body: Uint8Array, headers: Record<string, string> = {}): Promise<Asked> => {
    const reply = await app.inject({ method: 'POST', url: SMALL_FILES_PATH, payload: Buffer.from(body), headers });
    return { status: reply.statusCode, text: reply.body, headers: reply.headers };
  };
  const get = async (answer: SmallFileAnswer | undefined): Promise<Uint8Array> => {
    if (answer === undefined || !('capability' in answer)) throw new Error('it was not stored');
    const { rawPayload } = await app.inject({ url: `/uri/${encodeURIComponent(answer.capability)}` });
    return new Uint8Array(rawPayload);
  };
  return { app, lines, services, ask, get };
}

t.test('each is stored as by itself', async (t) => {
  const { app, ask, get } = gatewayWith();
  const files = [seededBytes('large', 30_000), utf8('short'), ...[1, 2, 3].map((i) => seededBytes(String(i), 300))];
  const { status, text, headers } = await ask(encodeSmallFiles(files));
  t.equal(status, 200);
  t.match(headers, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  const answers = parseSmallFilesAnswer(text, files.length);
  for (const [i, file] of files.entries()) t.same(await get(answers[i]), file, `file ${String(i)}`);
  const alone = await app.inject({ method: 'PUT', url: '/uri', payload: Buffer.from(files[0] ?? '') });
  t.strictSame(answers[0], { capability: alone.body }, 'the same capability');
  t.match(answers[1], { capability: /^URI:LIT:/ });
});

t.test('one that cannot be stored keeps no other from it, and says why', async (t) => {
  const { lines, services } = gatewayWith();
  const errors = [new TahoeError('ERR_NO_SPACE', { where: 'writing' }), new Error('broken within')];
  const { ask, get } = gatewayWith({
    log: services.log,
    upload: async (input, signal) => {
      for await (const [first = 0] of input) if (first < errors.length) throw errors[first] ?? new Error('none');
      return services.upload([utf8('the others')] as unknown as AsyncIterable<Uint8Array>, signal);
    },
  });
  const { status, text } = await ask(encodeSmallFiles([0, 9, 1, 9].map((first) => Uint8Array.of(first, 1))));
  t.equal(status, 200);
  const answers = parseSmallFilesAnswer(text, 4);
  t.match(answers[0], { status: 507, reason: /space/ });
  t.strictSame(answers[2], { status: 500, reason: 'the gateway made a mistake; its log says more' });
  for (const i of [1, 3]) t.same(await get(answers[i]), utf8('the others'));
  t.strictSame(lines, ['request failed {"reason":"broken within"}']);
});

t.test('what is no list of files is refused', async (t) => {
  const { ask } = gatewayWith();
  for (const [body, expected] of [
    ['', 400],
    ['3:one', 400],
    ['9'.repeat(30), 400],
  ] as const)
    t.equal((await ask(utf8(body))).status, expected, body);
  t.equal((await ask(new Uint8Array(SMALL_FILES_REQUEST_SIZE_MAX + 1))).status, 413);
});

t.test('who may not put a file may not put many', async (t) => {
  const body = encodeSmallFiles([utf8('one')]);
  const usual = { token: 'test-token', hosts: [], isPrivate: false, isReadOnly: false };
  const ask = (guard: object, headers: Record<string, string> = {}): Promise<Asked> =>
    gatewayWith({ guard: { ...usual, ...guard } }).ask(body, headers);
  t.equal((await ask({})).status, 200);
  t.equal((await ask({}, { host: 'evil.example' })).status, 421);
  t.equal((await ask({}, { origin: 'http://evil.example' })).status, 403);
  t.equal((await ask({ isReadOnly: true })).status, 403);
  t.equal((await ask({ isPrivate: true })).status, 401);
  t.equal((await ask({ isPrivate: true }, { authorization: 'tahoe-lafs test-token' })).status, 200);
});
