/** Uploads through a helper over TLS, of a grid in memory: the same as over Foolscap, and helpers that die, lie and talk nonsense. */
import t from 'tap';
import type { Test } from 'tap';
import { equalBytes, utf8 } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import { HttpsHelper } from '#client/helper/https-helper.js';
import { HelperLink, HelperLinks } from '#client/helper/helper-link.js';
import type { UploadHelper } from '#client/helper/upload-helper.js';
import { uploadFile } from '#client/upload/upload.js';
import type { UploadResult } from '#client/upload/upload.js';
import { directDialler } from '#node/network/direct-dialler.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { Nurl } from '#wire/nurl.js';
import { formatHelperEvent } from '#wire/upload-helper.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { helperEncoding, HelperGrid, hexOf } from '#test/fixtures/helper-grid.js';
import { startDoor } from '#test/fixtures/helper-talk.js';
import { MemoryGrid, pieces } from '#test/fixtures/memory-grid.js';
import { nurlOf, onRequest, replyText, startTlsServer } from '#test/fixtures/tls-server.js';

const tls = await createTlsIdentity();
const content = seededBytes('helped', 350_001);
const small = seededBytes('small', 30_000);
const forever = new AbortController().signal;

/** What a file is called without a helper. */
async function direct(plaintext: Uint8Array): Promise<string> {
  return hexOf(await new MemoryGrid(4, helperEncoding).upload(plaintext));
}

/** A client of the helper at `nurl`, on the grid of `world`. */
async function clientOf(t: Test, world: HelperGrid, nurl: Nurl) {
  const { clock } = world.grid;
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_event: string, fields?: object) => warnings.push(JSON.stringify(fields)) };
  const https = new HttpsHelper({ name: 'h', nurl, clock, dialler: directDialler });
  const link = new HelperLink({
    name: 'h',
    connect: (signal) => https.connect(signal),
    clock,
    random: seededRandom('link'),
    log,
  });
  link.start();
  const close = async () => {
    await link.close();
    await https.close();
  };
  t.teardown(close);
  await link.connected(forever);
  const context = { ...world.grid.context, helper: link };
  const upload = (plaintext: Uint8Array, signal = forever): Promise<UploadResult> =>
    uploadFile(context, pieces(plaintext), { signal });
  return { close, link, upload, warnings };
}

async function start(t: Test, world = new HelperGrid(), helper: Pick<UploadHelper, 'ask'> = world.helper) {
  const { app, door, port } = await startDoor(t, world, { tls });
  door.open(helper);
  const nurl = nurlOf(port, tls.spkiHash);
  return { app, nurl, port, world, client: await clientOf(t, world, nurl) };
}

/** Calls `action` when the helper has so many bytes of a file. */
function whenHeld(world: HelperGrid, sizeBytes: number, action: () => void): void {
  const open = world.files.openIncoming.bind(world.files);
  let isDone = false;
  world.files.openIncoming = async (...given) => {
    const file = await open(...given);
    const append = file.append;
    file.append = async (bytes) => {
      await append(bytes);
      if (isDone || file.size < sizeBytes) return;
      isDone = true;
      action();
    };
    return file;
  };
}

t.test('a file is the same through a helper, and again it is there already', async (t) => {
  const { client, world } = await start(t);
  for (const size of [56, 100_000, 100_001, 1_200_000]) {
    const plaintext = seededBytes(`size ${String(size)}`, size);
    const before = await world.figures();
    const result = await client.upload(plaintext);
    t.equal(hexOf(result), await direct(plaintext), `${String(size)} bytes`);
    t.match(result, { pushedShares: 4, preexistingShares: 0, sizeBytes: size });
    t.equal(result.holdings.size, 4);
    t.equal(((await world.figures())['fetched_bytes'] ?? 0) - (before['fetched_bytes'] ?? 0), size);
    const again = await client.upload(plaintext);
    t.equal(hexOf(again), hexOf(result));
    t.match(again, { pushedShares: 0, preexistingShares: 4 });
    if (result.capability.kind !== 'chk') throw new Error('a file of shares');
    t.ok(equalBytes(await world.grid.download(result.capability), plaintext));
  }
  t.match(await world.figures(), { active_uploads: 0, incoming_count: 0, encoding_count: 0, upload_requests: 8 });
});

t.test('what has come in is not sent again', async (t) => {
  const { client, world } = await start(t);
  world.files.space = 200_000;
  await t.rejects(client.upload(content), { code: 'ERR_HELPER', message: /ERR_NO_SPACE/ });
  world.files.space = Number.POSITIVE_INFINITY;
  const { incoming_size: held = 0 } = await world.figures();
  t.ok(held > 100_000, `${String(held)} bytes are there`);
  t.equal(hexOf(await client.upload(content)), await direct(content));
  t.match(await world.figures(), { fetched_bytes: content.length, resumes: 1 });
});

t.test('a helper that dies fails the upload; it is gone on with when it is back, and meanwhile not used', async (t) => {
  const { app, client, port, world } = await start(t);
  whenHeld(world, 100_000, () => {
    app.server.closeAllConnections();
  });
  await t.rejects(client.upload(content), { code: 'ERR_HELPER' });
  const closed = app.close();
  app.server.closeAllConnections();
  await closed;
  while ((await client.link.connected(forever)) !== undefined) await settle(1);
  const other = seededBytes('other', 1000);
  t.equal(hexOf(await client.upload(other)), await direct(other), 'straight to the servers');
  const again = await startDoor(t, world, { tls }, port);
  again.door.open(world.helper);
  world.grid.clock.advance(1_000);
  while ((await client.link.connected(forever)) === undefined) await settle(1);
  const { fetched_bytes: before = 0 } = await world.figures();
  t.ok(before >= 100_000 && before < content.length, `${String(before)} bytes are there`);
  t.equal(hexOf(await client.upload(content)), await direct(content));
  t.match(await world.figures(), { fetched_bytes: content.length, resumes: 1 });
});

t.test('clients of one file share the work, over both protocols; when one dies the other goes on', async (t) => {
  for (const dying of ['https', 'foolscap'] as const) {
    const { client, world } = await start(t);
    const user = await world.user();
    const [first, second] = dying === 'https' ? [client, user] : [user, client];
    let later: Promise<UploadResult> | undefined;
    const stopped = new AbortController();
    whenHeld(world, 100_000, () => {
      later = second.upload(content);
      void settle(50).then(() => {
        stopped.abort();
      });
    });
    // Slower than it is stopped.
    const append = world.files.openIncoming.bind(world.files);
    world.files.openIncoming = async (...given) => {
      const file = await append(...given);
      const write = file.append;
      file.append = async (bytes) => {
        await write(bytes);
        if (!stopped.signal.aborted && later !== undefined) await settle(200);
      };
      return file;
    };
    await t.rejects(first.upload(content, stopped.signal), { code: 'ERR_CANCELLED' }, dying);
    t.equal(hexOf((await later) as UploadResult), await direct(content));
    t.match(await world.figures(), {
      fetched_bytes: content.length,
      encoded_bytes: content.length,
      upload_requests: 2,
    });
  }
});

t.test('a helper that lies about any part of it is found out', async (t) => {
  const ueb = (key: string, value: number) => (results: HelperResults) => ({
    ...results,
    ueb: new Map([...results.ueb, [key, value]]),
  });
  const lies: readonly [string, (results: HelperResults) => HelperResults, string][] = [
    ['needed_shares', ueb('needed_shares', 3), 'ERR_HELPER_RESULT'],
    ['total_shares', ueb('total_shares', 5), 'ERR_HELPER_RESULT'],
    ['segment_size', ueb('segment_size', 99_998), 'ERR_HELPER_RESULT'],
    ['size', ueb('size', small.length + 1), 'ERR_HELPER_RESULT'],
    ['hash', (results) => ({ ...results, uebHash: new Uint8Array(32) }), 'ERR_HELPER_RESULT'],
    ['no hash', (results) => ({ ...results, uebHash: new Uint8Array(5) }), 'ERR_HELPER'],
    ['share number', (results) => ({ ...results, sharemap: new Map([[256, new Set()]]) }), 'ERR_HELPER'],
  ];
  for (const presence of ['uploaded', 'there'] as const) {
    for (const [said, lie, code] of lies) {
      const world = new HelperGrid();
      if (presence === 'there') await (await world.user()).upload(small);
      const liar: Pick<UploadHelper, 'ask'> = {
        ask: async (storageIndex) => {
          const answer = await world.helper.ask(storageIndex);
          if (!('upload' in answer)) return lie(answer);
          return {
            upload: async (source) => {
              const outcome = await answer.upload(source);
              return { ...outcome, results: lie(outcome.results) };
            },
          };
        },
      };
      const { client } = await start(t, world, liar);
      await t.rejects(client.upload(small), { code, message: new RegExp(said) }, `${presence}: ${said}`);
    }
  }
});

t.test('a helper with another key or another secret is not used', async (t) => {
  const { nurl, port, world } = await start(t);
  const other = await createTlsIdentity();
  const { host, spkiHash } = nurl;
  for (const [wrong, said] of [
    [nurlOf(port, other.spkiHash), /key/],
    [
      new Nurl({ tor: false, spkiHash, host, port, swissnum: 'another' }),
      /its status is 401, and it says: Wrong Authorization/,
    ],
  ] as const) {
    const client = await clientOf(t, world, wrong);
    t.equal(hexOf(await client.upload(small)), await direct(small), 'straight to the servers');
    t.match(client.warnings.join(), said);
    t.match(await world.figures(), { upload_requests: 0 });
    for (const server of world.grid.servers) server.loseDisk();
  }
});

t.test('an upload that is told to stop lets go of both its connections', async (t) => {
  const { client, world } = await start(t, new HelperGrid({ ready: () => new Promise(() => undefined) }));
  const stopped = new AbortController();
  const ended = t.rejects(client.upload(content, stopped.signal), { code: 'ERR_CANCELLED' });
  while ((await world.figures())['upload_requests'] === 0) await settle(1);
  stopped.abort();
  await ended;
  await client.close();
});

t.test('of two links the first that is connected is used', async (t) => {
  const { app, client, world } = await start(t);
  const user = await world.user();
  const links = new HelperLinks([client.link, user.context.helper ?? client.link]);
  t.equal((await links.connected(forever))?.name, 'h');
  const closed = app.close();
  app.server.closeAllConnections();
  await closed;
  while ((await client.link.connected(forever)) !== undefined) await settle(1);
  t.equal((await links.connected(forever))?.name, 'helper');
  user.disconnect();
  t.equal(await links.connected(forever), undefined);
});

t.test('a helper that talks nonsense fails the upload, and is not waited for', async (t) => {
  const head = (type: string) => `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n\r\n`;
  const events = head('text/event-stream');
  const wanted = (offset: number) => formatHelperEvent({ kind: 'wanted', offset, uploadId: 'a'.repeat(26) });
  const none = new Uint8Array(0);
  for (const [answer, said, ends] of [
    [replyText(500, {}, utf8('go\u0007ne')), /status is 500, and it says: go ne/, false],
    [replyText(200, { 'content-type': 'text/html' }, utf8('<p>')), /status is 200/, false],
    [replyText(302, { location: 'https://127.0.0.1/' }, none), /status is 302/, false],
    [replyText(200, { 'content-type': 'text/event-stream' }, none), /without a result/, false],
    ['nonsense\r\n\r\n', /ERR_HELPER|did not store/, true],
    [`${head('text/plain')}${'x'.repeat(100_000)}`, /did not store/, true],
    [`${events}event: results\ndata: x1\n\n`, /not base32/, false],
    [`${events}event: results\ndata: aaaa\n\n`, /did not store/, false],
    [`${events}data: ${'x'.repeat(4_200_000)}`, /event of a stream/, false],
    [`${events}${wanted(0)}`, /did not store/, true],
    [`${events}${wanted(small.length)}`, /behind the end/, true],
    [`${events}event: later\ndata: x\n\n`, /without a result|did not store/, true],
  ] as const) {
    const server = await startTlsServer({ key: tls.key, cert: tls.cert }, (connection) => {
      onRequest(connection, (request) => {
        if (request.startsWith('GET')) connection.write(`${events}${formatHelperEvent({ kind: 'ready' })}`);
        else if (request.startsWith('PUT')) connection.write(replyText(404, {}, none));
        else if (ends) connection.end(answer);
        else connection.write(answer);
      });
    });
    t.teardown(() => server.close());
    const client = await clientOf(t, new HelperGrid(), nurlOf(server.port, tls.spkiHash));
    await t.rejects(client.upload(small), { code: 'ERR_HELPER', message: said }, String(answer).slice(0, 120));
    await client.close();
  }
});

t.test('a helper that never says that it is there, and one that falls silent', async (t) => {
  const events = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: \n\n';
  let requestCount = 0;
  let endCount = 0;
  const server = await startTlsServer({ key: tls.key, cert: tls.cert }, (connection) => {
    connection.once('close', () => (endCount += 1));
    onRequest(connection, () => {
      requestCount += 1;
      connection.write(requestCount === 1 ? events : `${events}${formatHelperEvent({ kind: 'ready' })}`);
    });
  });
  t.teardown(() => server.close());
  const world = new HelperGrid();
  const { clock } = world.grid;
  const waiting = clientOf(t, world, nurlOf(server.port, tls.spkiHash));
  while (requestCount === 0) await settle(1);
  await settle();
  clock.advance(30_000);
  const client = await waiting;
  t.match(client.warnings.join(), /waiting for it.*30/);
  t.equal(await client.link.connected(forever), undefined);
  while (endCount === 0) await settle(1); // It is let go.
  clock.advance(1_000);
  while ((await client.link.connected(forever)) === undefined) await settle(1);
  const silent = t.rejects(client.upload(content), { code: 'ERR_HELPER', message: /45/ });
  while (requestCount < 3) await settle(1);
  await settle(50);
  clock.advance(45_000);
  await silent;
  t.equal(await client.link.connected(forever), undefined, 'and it is not taken for connected');
});
