/** The helper over HTTPS, spoken to by hand: what it takes, what it refuses, and clients that go, stall and share. */
import t from 'tap';
import type { Test } from 'tap';
import { equalBytes } from '#core/bytes.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { CALL_COUNT_MAX } from '#client/helper/upload-helper.js';
import { READER_TIMEOUT_MS } from '#client/helper/ciphertext-readers.js';
import { encodeCbor } from '#wire/cbor.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { helperCiphertextPath, helperUploadPath } from '#wire/upload-helper.js';
import type { HelperEvent } from '#wire/upload-helper.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { HelperGrid } from '#test/fixtures/helper-grid.js';
import { HelperTalk, startDoor } from '#test/fixtures/helper-talk.js';
import type { EventTalk } from '#test/fixtures/helper-talk.js';
import { SWISSNUM } from '#test/fixtures/tls-server.js';

const readKey = seededBytes('key', 16);
const storageIndex = deriveImmutableStorageIndex(crypto, readKey);
const SIZE = 350_001;
const ciphertext = seededBytes('ciphertext', SIZE);
const file = { needed: 2, happy: 3, total: 4, segmentSize: 100_000, size: SIZE };
const all = `bytes 0-${String(SIZE - 1)}/${String(SIZE)}`;

async function start(t: Test, world = new HelperGrid()) {
  const { app, door, port } = await startDoor(t, world);
  door.open(world.helper);
  return { app, port, talk: new HelperTalk(port), world };
}

/** @returns the id of the upload, which is wanted from `offset`. */
async function wantedOf(t: Test, events: EventTalk, offset = 0): Promise<string> {
  const event = await events.next();
  t.match(event, { kind: 'wanted', offset });
  return event?.kind === 'wanted' ? event.uploadId : '';
}

function reasonIn(event: HelperEvent | undefined): string {
  return event?.kind === 'failed' ? event.reason : `no failure: ${event?.kind ?? 'nothing'}`;
}

/** Sends the first `size` bytes and breaks off, once the helper has them. */
async function sendPart(talk: HelperTalk, world: HelperGrid, uploadId: string, size: number): Promise<() => void> {
  const headers = { 'content-length': SIZE, 'content-range': all };
  const request = talk.request('PUT', helperCiphertextPath(storageIndex, uploadId), headers);
  request.write(ciphertext.subarray(0, size));
  while ((await world.figures())['fetched_bytes'] !== size) await settle(1);
  return () => request.destroy();
}

t.test('a file is sent once, and is there then', async (t) => {
  const { talk, world } = await start(t);
  const events = await talk.events(storageIndex, file);
  t.equal(events.status, 200);
  const uploadId = await wantedOf(t, events);
  t.equal(await talk.put(storageIndex, uploadId, ciphertext, all), 204);
  const results = await events.next();
  t.match(results, { kind: 'results', results: { pushedShares: 4, preexistingShares: 0, ciphertextFetched: SIZE } });
  t.equal(await events.next(), undefined, 'and no more is said');
  const again = await (await talk.events(storageIndex, file)).next();
  t.match(again, { kind: 'results', results: { pushedShares: 0, preexistingShares: 4, ciphertextFetched: undefined } });
  if (again?.kind !== 'results' || results?.kind !== 'results') return;
  t.ok(equalBytes(again.results.uebHash, results.results.uebHash));
  t.same([...again.results.ueb], [...results.results.ueb]);
  t.equal(again.results.sharemap.size, 4);
  t.match(await world.figures(), {
    upload_requests: 2,
    upload_already_present: 1,
    fetched_bytes: SIZE,
    active_uploads: 0,
  });
});

t.test('it is there as long as its events last, and those who come early wait for it', async (t) => {
  const world = new HelperGrid();
  const { app, door, port } = await startDoor(t, world);
  const talk = new HelperTalk(port);
  const [presence, upload] = [await talk.events(), await talk.events(storageIndex, file)];
  const [ready, wanted] = [presence.next(), upload.next()];
  await settle();
  t.match(await world.figures(), { upload_requests: 0 });
  door.open(world.helper);
  t.match([await ready, await wanted], [{ kind: 'ready' }, { kind: 'wanted' }]);
  world.grid.clock.advance(15_000);
  const ends = [presence.next(), upload.next()];
  const closing = app.close();
  t.same(await Promise.all(ends), [undefined, undefined]);
  app.server.closeAllConnections();
  await closing;
});

t.test('who does not know the secret is told so before a byte of a body is read', async (t) => {
  const { talk } = await start(t);
  for (const [authorization, status] of [
    ['', 401],
    [dangerouslyFormatAuthorization('other'), 401],
    [`${dangerouslyFormatAuthorization(SWISSNUM)}x`, 401],
    ['\u00e9', 400],
  ] as const) {
    const path = helperUploadPath(storageIndex);
    // Longer than a message may be: that would be said of an admitted one.
    t.equal(await talk.send('POST', path, new Uint8Array(5000), { authorization }), status, authorization);
    t.equal(await talk.send('GET', '/tallac/v1/helper', new Uint8Array(0), { authorization }), status, authorization);
    t.equal(await talk.send('PUT', `${path}/${'a'.repeat(26)}`, new Uint8Array(9), { authorization }), status);
  }
});

t.test('paths and methods that are none', async (t) => {
  const { talk } = await start(t);
  const nothing = new Uint8Array(0);
  for (const [method, path, status] of [
    ['GET', '/tallac/v1/helper/x', 404],
    ['POST', '/tallac/v1/helper/x', 404],
    ['POST', `/tallac/v1/helper/${'1'.repeat(26)}`, 404],
    ['PUT', `${helperUploadPath(storageIndex)}/x`, 404],
    ['POST', '/tallac/v1/helper', 405],
    ['GET', helperUploadPath(storageIndex), 405],
    ['GET', '/storage/v1/version', 404],
  ] as const) {
    t.equal(await talk.send(method, path, nothing), status, `${method} ${path}`);
  }
});

t.test('files that cannot be encoded are refused at once', async (t) => {
  const { talk, world } = await start(t);
  const message = (changes: Readonly<Record<string, unknown>>) =>
    encodeCbor(
      new Map(Object.entries({ happy: 3, needed: 2, 'segment-size': 100_000, size: SIZE, total: 4, ...changes })),
    );
  for (const [body, status, said] of [
    [message({ needed: 5 }), 400, 'more are needed than there are'],
    [message({ total: 257 }), 400, 'too many shares'],
    [message({ total: 2 ** 40 }), 400, 'far too many'],
    [message({ needed: 0 }), 400, 'none is needed'],
    [message({ happy: 0 }), 400, 'happy with none'],
    [message({ size: 0 }), 400, 'an empty file'],
    [message({ size: -5 }), 400, 'less than that'],
    [message({ size: 2n ** 63n }), 400, 'no number'],
    [message({ size: 2 ** 40 + 1 }), 413, 'more than 1 TiB'],
    [message({ 'segment-size': 0 }), 400, 'no segment'],
    [message({ 'segment-size': 99_999 }), 400, 'a segment that cannot be cut'],
    [message({ 'segment-size': 67_108_866 }), 400, 'a segment that fills the memory'],
    [message({ 'segment-size': 2, size: 2 ** 40 }), 413, 'too many blocks'],
    [message({ more: 1 }), 400, 'a key more'],
    [encodeCbor(7), 400, 'no map'],
    [new Uint8Array(0), 400, 'nothing'],
    [new Uint8Array(2000), 413, 'too long'],
  ] as const) {
    t.equal(await talk.send('POST', helperUploadPath(storageIndex), body), status, said);
  }
  t.equal(await talk.send('POST', helperUploadPath(storageIndex), message({}), { 'content-type': 'text/plain' }), 415);
  t.match(await world.figures(), { upload_requests: 0, incoming_count: 0 });
});

t.test('ciphertext that is not what is wanted', async (t) => {
  const { talk, world } = await start(t);
  const events = await talk.events(storageIndex, file);
  const uploadId = await wantedOf(t, events);
  const range = (begin: number, end: number) => `bytes ${String(begin)}-${String(end - 1)}/*`;
  const ten = new Uint8Array(10);
  for (const [id, body, contentRange, status, said] of [
    ['a'.repeat(26), ten, range(0, 10), 404, 'an upload that is none'],
    [uploadId, ten, 'nonsense', 416, 'no range'],
    [uploadId, ten, range(0, 11), 400, 'a range of another length'],
    [uploadId, ten, range(0, 10), 416, 'not to its end'],
    [uploadId, ten, range(SIZE - 10, SIZE), 416, 'not from where it is wanted'],
    [uploadId, ten, range(SIZE, SIZE + 10), 416, 'past the end'],
    [uploadId, new Uint8Array(SIZE + 1), range(0, SIZE + 1), 416, 'too long'],
  ] as const) {
    t.equal(await talk.put(storageIndex, id, body, contentRange), status, said);
  }
  t.match(await world.figures(), { fetched_bytes: 0 });
  const other = seededBytes('other index', 16);
  t.equal(await talk.put(other, uploadId, ciphertext, all), 404, 'the upload of another file');
  const end = await sendPart(talk, world, uploadId, 1000);
  const rest = await talk.put(storageIndex, uploadId, ciphertext.subarray(1000), range(1000, SIZE));
  t.equal(rest, 416, 'it is being sent');
  end();
  t.match(reasonIn(await events.next()), /ERR_NO_CIPHERTEXT/);
});

t.test('more bytes than there are, without a length in front', async (t) => {
  const { talk, world } = await start(t);
  const events = await talk.events(storageIndex, file);
  const uploadId = await wantedOf(t, events);
  const headers = { 'content-range': all, 'transfer-encoding': 'chunked' };
  const request = talk.request('PUT', helperCiphertextPath(storageIndex, uploadId), headers);
  const status = new Promise((resolve) =>
    request.on('response', ({ statusCode }) => {
      resolve(statusCode);
    }),
  );
  request.write(ciphertext);
  request.end('x');
  t.equal(await status, 400);
  t.match(await events.next(), { kind: 'results', results: { ciphertextFetched: SIZE } }, 'the file itself is whole');
  t.match(await world.figures(), { fetched_bytes: SIZE });
});

t.test('a body that breaks off, and one that ends too early: the next try goes on behind it', async (t) => {
  const { talk, world } = await start(t);
  const first = await talk.events(storageIndex, file);
  (await sendPart(talk, world, await wantedOf(t, first), 120_000))();
  t.match(reasonIn(await first.next()), /ERR_NO_CIPHERTEXT/);
  const second = await talk.events(storageIndex, file);
  const uploadId = await wantedOf(t, second, 120_000);
  const headers = { 'content-range': `bytes 120000-${String(SIZE - 1)}/*`, 'transfer-encoding': 'chunked' };
  const request = talk.request('PUT', helperCiphertextPath(storageIndex, uploadId), headers);
  request.end(ciphertext.subarray(120_000, 200_000));
  t.match(reasonIn(await second.next()), /ERR_NO_CIPHERTEXT.*ends too early/);
  const third = await talk.events(storageIndex, file);
  const rest = `bytes 200000-${String(SIZE - 1)}/*`;
  t.equal(await talk.put(storageIndex, await wantedOf(t, third, 200_000), ciphertext.subarray(200_000), rest), 204);
  t.match(await third.next(), { kind: 'results' });
  t.match(await world.figures(), { fetched_bytes: SIZE, resumes: 2, incoming_count: 0, encoding_count: 0 });
});

t.test('a client that goes leaves the work to the next, and one that stalls too', async (t) => {
  for (const kind of ['goes', 'stalls', 'says nothing'] as const) {
    const { talk, world } = await start(t);
    const first = await talk.events(storageIndex, file);
    const uploadId = await wantedOf(t, first);
    if (kind !== 'says nothing') await sendPart(talk, world, uploadId, 60_000);
    const second = await talk.events(storageIndex, file);
    while ((await world.figures())['upload_requests'] !== 2) await settle(1);
    await settle();
    if (kind === 'goes') first.end();
    else world.grid.clock.advance(READER_TIMEOUT_MS);
    const offset = kind === 'says nothing' ? 0 : 60_000;
    const range = `bytes ${String(offset)}-${String(SIZE - 1)}/*`;
    const id = await wantedOf(t, second, offset);
    t.equal(await talk.put(storageIndex, id, ciphertext.subarray(offset), range), 204, kind);
    t.match(await second.next(), { kind: 'results', results: { pushedShares: 4, ciphertextFetched: SIZE } });
    if (kind !== 'goes') t.match(await first.next(), { kind: 'results' }, 'it is told, too');
    t.match(await world.figures(), { fetched_bytes: SIZE, active_uploads: 0 });
  }
});

t.test('clients of both protocols share a file', async (t) => {
  const { talk, world } = await start(t);
  const events = await talk.events(storageIndex, file);
  const end = await sendPart(talk, world, await wantedOf(t, events), 80_000);
  const asked = await world.helper.ask(storageIndex);
  if (!('upload' in asked)) throw new Error('it is wanted');
  const offsets: number[] = [];
  const other = asked.upload({
    describe: () => Promise.resolve(file),
    read: (offset, size) => {
      offsets.push(offset);
      return Promise.resolve(ciphertext.subarray(offset, offset + size));
    },
    release: () => undefined,
    close: () => undefined,
  });
  end();
  const { results } = await other;
  t.equal(offsets[0], 80_000);
  const told = await events.next();
  t.ok(told?.kind === 'results' && equalBytes(told.results.uebHash, results.uebHash));
  t.match(await world.figures(), { fetched_bytes: SIZE });
});

t.test('one whose file is shorter than that of the other is passed over', async (t) => {
  const { talk, world } = await start(t);
  const first = await talk.events(storageIndex, file);
  const end = await sendPart(talk, world, await wantedOf(t, first), 60_000);
  const second = await talk.events(storageIndex, { ...file, size: 60_001, segmentSize: 60_002 });
  while ((await world.figures())['upload_requests'] !== 2) await settle(1);
  await settle();
  end();
  t.match(reasonIn(await second.next()), /ERR_NO_CIPHERTEXT.*longer file/);
});

t.test('a client that goes before its file is looked for leaves nothing', async (t) => {
  let ready: () => void = () => undefined;
  const { talk, world } = await start(t, new HelperGrid({ ready: () => new Promise((resolve) => (ready = resolve)) }));
  const events = await talk.events(storageIndex, file);
  while ((await world.figures())['upload_requests'] !== 1) await settle(1);
  events.end();
  await settle(50);
  ready();
  while ((await world.figures())['active_uploads'] !== 0) await settle(1);
  await settle();
  t.match(await world.figures(), { incoming_count: 0, fetched_bytes: 0, active_uploads: 0 });
});

t.test('what a helper refuses is said, and a failure that is its own is not told', async (t) => {
  const small = await start(t, new HelperGrid({ sizeMax: 100_000 }));
  const events = await small.talk.events(storageIndex, file);
  t.match(reasonIn(await events.next()), /ERR_NO_SPACE.*helper_size/);
  const broken = await start(t, new HelperGrid({ ready: () => Promise.reject(new Error('s3cret')) }));
  t.equal(
    reasonIn(await (await broken.talk.events(storageIndex, file)).next()),
    'something went wrong that its log tells',
  );
  const full = await start(t);
  full.world.files.space = 100_000;
  const first = await full.talk.events(storageIndex, file);
  const put = full.talk.put(storageIndex, await wantedOf(t, first), ciphertext, all);
  t.match(reasonIn(await first.next()), /ERR_NO_SPACE/);
  t.not(await put, 204);
  const busy = await start(t, new HelperGrid({ ready: () => new Promise(() => undefined) }));
  const waiting = Array.from({ length: CALL_COUNT_MAX }, () => busy.world.helper.ask(new Uint8Array(16)));
  for (const call of waiting) call.catch(() => undefined);
  t.match(reasonIn(await (await busy.talk.events(storageIndex, file)).next()), /ERR_BUSY/);
});
