/**
 * Uploads through a helper, on a grid in memory: the same capabilities as without one, work that is shared and gone on with, and
 * helpers and clients that die, lie or ask too much.
 */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { concat, equalBytes } from '#core/bytes.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import { CALL_COUNT_MAX } from '#client/helper/upload-helper.js';
import type { Spool } from '#client/upload/plaintext.js';
import { uploadFile } from '#client/upload/upload.js';
import type { CallArguments, RemoteObject } from '#wire/foolscap/tub.js';
import { CHK_UPLOAD_PROTOCOL, HELPER_PROTOCOL, helperInterfaces } from '#wire/foolscap/upload-helper.js';
import { Copyable, Dict, Tuple } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { settle } from '../fixtures/clock.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';
import { objectOf } from '../fixtures/foolscap/banana-talk.js';
import { closed, helperEncoding, HelperGrid, hexOf } from '../fixtures/helper-grid.js';
import { MemoryGrid, memorySpool, pieces } from '../fixtures/memory-grid.js';

const content = seededBytes('helped', 350_001);
const ciphertextSize = content.length;

/** What a file is called without a helper. */
async function direct(plaintext: Uint8Array): Promise<string> {
  return hexOf(await new MemoryGrid(4, helperEncoding).upload(plaintext));
}

/** A file's reader that hands out bytes of its own choice. */
function readerOf(read: (offset: number, length: number) => Value | Promise<Value>, size = 1000): RemoteObject {
  const methods = {
    get_size: () => size,
    get_all_encoding_parameters: () => new Tuple(1, 1, 2, 500),
    read_encrypted: (offset: Value, length: Value) => read(Number(offset), Number(length)),
    close: () => null,
  };
  return objectOf(methods, helperInterfaces.reader);
}

t.test('a file is the same through a helper, and again it is there already', async (t) => {
  const world = new HelperGrid();
  const user = await world.user();
  for (const size of [56, 99_999, 100_000, 100_001, 350_001]) {
    const plaintext = seededBytes(`size ${String(size)}`, size);
    const before = await world.figures();
    const result = await user.upload(plaintext);
    t.equal(hexOf(result), await direct(plaintext), `${String(size)} bytes`);
    t.match(result, { pushedShares: 4, preexistingShares: 0, sizeBytes: size });
    t.equal(result.holdings.size, 4);
    const figures = await world.figures();
    t.equal((figures['fetched_bytes'] ?? 0) - (before['fetched_bytes'] ?? 0), size);
    const again = await user.upload(plaintext);
    t.equal(hexOf(again), hexOf(result));
    t.match(again, { pushedShares: 0, preexistingShares: 4 });
    if (result.capability.kind !== 'chk') throw new Error('a file of shares');
    t.ok(equalBytes(await world.grid.download(result.capability), plaintext));
  }
  t.match(await world.figures(), {
    active_uploads: 0,
    incoming_count: 0,
    encoding_count: 0,
    upload_requests: 10,
    upload_already_present: 5,
    upload_need_upload: 5,
    resumes: 0,
    fetched_bytes: 650_057,
    encoded_bytes: 650_057,
  });
  t.equal((await user.upload(seededBytes('literal', 55))).capability.kind, 'lit');
  t.equal((await world.figures())['upload_requests'], 10, 'a literal goes nowhere');
});

t.test('what it holds of a file that is in the grid goes when it is asked for that', async (t) => {
  const world = new HelperGrid();
  const user = await world.user();
  const { capability } = await user.upload(content);
  if (capability.kind !== 'chk') throw new Error('a file of shares');
  const name = formatBase32(deriveImmutableStorageIndex(crypto, capability.readKey));
  // As if it had died before it removed the one, and as if another client had brought the other.
  world.files.whole.set(name, content);
  world.files.incoming.set(name, content.subarray(0, 100));
  t.match(await user.upload(content), { pushedShares: 0 });
  t.equal((await world.files.sizes()).size, 0);
  world.files.whole.set(name, content);
  world.files.remove = () => Promise.reject(new TahoeError('ERR_FILE', { file: name, reason: 'EIO' }));
  t.match(await user.upload(content), { pushedShares: 0 }, 'it does not depend on that');
});

t.test('what it says of itself', async (t) => {
  const { reference } = await new HelperGrid().user();
  const version = await reference.call('get_version', []);
  t.ok(version instanceof Dict && version.get(HELPER_PROTOCOL) !== undefined);
  await t.rejects(reference.call('nonsense', []), { code: 'ERR_REMOTE' });
  await t.rejects(reference.call('upload_chk', [new Uint8Array(15)]), { code: 'ERR_REMOTE' });
  const answer = await reference.call('upload_chk', [new Uint8Array(16)]);
  const [, upload] = answer instanceof Tuple ? answer.items : [];
  if (upload === undefined || upload === null || typeof upload !== 'object' || !('peer' in upload))
    throw new Error('none');
  const said = await upload.call('get_version', []);
  t.ok(said instanceof Dict && said.get(CHK_UPLOAD_PROTOCOL) !== undefined);
  await t.rejects(upload.call('nonsense', []), { code: 'ERR_REMOTE' });
  await t.rejects(upload.call('upload', [objectOf({}, 'RIOther')]), /reader is not a reference/);
});

t.test('with a share missing it is uploaded again, with a damaged block too', async (t) => {
  const world = new HelperGrid();
  const user = await world.user();
  const first = await user.upload(content);
  if (first.capability.kind !== 'chk') throw new Error('a file of shares');
  const storageIndex = deriveImmutableStorageIndex(crypto, first.capability.readKey);
  const [, one, other] = world.grid.permuted(storageIndex);
  if (one === undefined || other === undefined) throw new RangeError('four servers');
  one.shares.clear();
  t.match(await user.upload(content), { pushedShares: 1, preexistingShares: 3 });
  // In the hash of the share tree, where the block stays one that can be read.
  for (const share of other.shares.values()) share[share.length - 80] = (share[share.length - 80] ?? 0) ^ 1;
  const before = await world.figures();
  t.equal(hexOf(await user.upload(content)), hexOf(first));
  t.equal((await world.figures())['upload_already_present'], before['upload_already_present'], 'blocks differ');
});

t.test('two clients of one file share the work; when one dies the other goes on', async (t) => {
  const world = new HelperGrid();
  const [dying, living] = [await world.user(), await world.user()];
  const append = world.files.openIncoming.bind(world.files);
  let pieceCount = 0;
  world.files.openIncoming = async (...given) => {
    const file = await append(...given);
    const write = file.append;
    file.append = async (bytes) => {
      await write(bytes);
      pieceCount += 1;
      if (pieceCount === 3) {
        later = living.upload(content);
        await settle(50);
        dying.disconnect();
      }
    };
    return file;
  };
  let later: Promise<unknown> = Promise.resolve();
  await t.rejects(dying.upload(content), { code: 'ERR_HELPER' });
  t.equal(hexOf((await later) as never), await direct(content));
  t.match(await world.figures(), { fetched_bytes: ciphertextSize, encoded_bytes: ciphertextSize, resumes: 0 });
  t.equal(world.files.incoming.size + world.files.whole.size, 0);
});

t.test('what has come in is not sent again', async (t) => {
  const world = new HelperGrid();
  const dying = await world.user();
  world.files.space = 200_000;
  await t.rejects(dying.upload(content), /no space is left/, 'a full disk');
  world.files.space = Number.POSITIVE_INFINITY;
  const { fetched_bytes: before = 0 } = await world.figures();
  t.equal(before, 153_600, 'three pieces');
  t.equal(hexOf(await dying.upload(content)), await direct(content));
  t.match(await world.figures(), { fetched_bytes: ciphertextSize, resumes: 1 });
});

t.test('ciphertext that is whole needs only be encoded; what is too long is no part of the file', async (t) => {
  const world = new HelperGrid();
  const user = await world.user();
  for (const server of world.grid.servers) server.space = 0;
  await t.rejects(user.upload(content), { code: 'ERR_HELPER', message: /shares could be spread/ });
  t.equal(world.files.whole.size, 1);
  for (const server of world.grid.servers) server.space = Number.POSITIVE_INFINITY;
  await user.upload(content);
  t.equal((await world.figures())['fetched_bytes'], ciphertextSize);
  for (const server of world.grid.servers) server.loseDisk();
  const name = 'a'.repeat(26);
  for (const kind of ['whole', 'incoming'] as const) {
    world.files[kind].set(name, new Uint8Array(2000));
    const given = seededBytes(kind, 1000);
    const { fetched_bytes: before } = await world.figures();
    const results = await uploadWith(
      world,
      readerOf((offset, length) => [given.subarray(offset, offset + length)]),
    );
    t.ok(results instanceof Copyable);
    t.equal((await world.figures())['fetched_bytes'], (before ?? 0) + 1000, `${kind}: fetched anew`);
    for (const server of world.grid.servers) server.loseDisk();
  }
});

/** Gives a helper a file of storage index 0. */
async function uploadWith(world: HelperGrid, ...readers: readonly RemoteObject[]): Promise<Value> {
  const { reference } = await world.user();
  const answer = await reference.call('upload_chk', [new Uint8Array(16)]);
  const [, upload] = answer instanceof Tuple ? answer.items : [];
  if (upload === undefined || upload === null || typeof upload !== 'object' || !('peer' in upload))
    throw new Error('none');
  const [first] = await Promise.all(readers.map((reader) => upload.call('upload', [reader])));
  return first ?? null;
}

t.test('readers that fail or answer nonsense are passed over, and when none is left that is said', async (t) => {
  const bad: readonly RemoteObject[] = [
    readerOf(() => []),
    readerOf((_offset, length) => [new Uint8Array(length + 1)]),
    readerOf(() => ['text']),
    readerOf(() => Promise.reject(new TahoeError('ERR_DISK', { what: 'reading', reason: 'gone' }))),
    readerOf(() => [], 0),
    readerOf(() => [], 2 ** 41),
    objectOf({ get_size: () => 10, get_all_encoding_parameters: () => new Tuple(1, 1, 1, 0) }, helperInterfaces.reader),
    objectOf(
      { get_size: () => 2 ** 32, get_all_encoding_parameters: () => new Tuple(1, 1, 1, 1) },
      helperInterfaces.reader,
    ),
    objectOf({}, helperInterfaces.reader),
  ];
  const good = readerOf((offset, length) => [seededBytes('good', 1000).subarray(offset, offset + length)]);
  for (const [i, reader] of bad.entries()) {
    const code = i === 5 || i === 7 ? /ERR_TOO_LARGE/ : /ERR_NO_CIPHERTEXT/;
    await t.rejects(uploadWith(new HelperGrid(), reader), code, `bad reader ${String(i)}`);
    if (i !== 5 && i !== 7) t.ok((await uploadWith(new HelperGrid(), reader, good)) instanceof Copyable);
  }
});

t.test('limits', async (t) => {
  const small = new HelperGrid({ sizeMax: 100_000 });
  await t.rejects((await small.user()).upload(content), { code: 'ERR_HELPER', message: /ERR_NO_SPACE.*helper_size/ });
  const world = new HelperGrid({ ready: () => new Promise(() => undefined) });
  const users = await Promise.all(Array.from({ length: CALL_COUNT_MAX }, () => world.user()));
  const waiting = users.map(({ reference }) => reference.call('upload_chk', [new Uint8Array(16)]));
  for (const call of waiting) call.catch(() => undefined);
  await settle();
  await t.rejects((await world.user()).upload(content), { code: 'ERR_HELPER', message: /ERR_BUSY/ });
  world.helper.close();
  await settle();
  for (const { disconnect } of users) disconnect();
});

/** A helper whose answers are changed on the way. */
function lying(world: HelperGrid, lie: (results: Copyable) => Value, presence: 'there' | 'uploaded'): RemoteObject {
  const call: RemoteObject['call'] = async (method, given: CallArguments, peer) => {
    const answer = await world.object.call(method, given);
    if (!(answer instanceof Tuple)) return answer;
    const [results = null, upload = null] = answer.items;
    if (presence === 'there') return new Tuple(results instanceof Copyable ? lie(results) : results, upload);
    if (upload === null || typeof upload !== 'object' || !('interfaceName' in upload) || 'peer' in upload)
      return answer;
    const object: RemoteObject = {
      interfaceName: helperInterfaces.upload,
      call: async (name, what) => {
        const value = await upload.call(name, what, peer);
        return value instanceof Copyable ? lie(value) : value;
      },
    };
    return new Tuple(results, object);
  };
  return { interfaceName: helperInterfaces.helper, call };
}

function withUeb(results: Copyable, key: string, value: Value): Copyable {
  const ueb = results.attributes.get('uri_extension_data');
  const entries = (ueb instanceof Dict ? ueb.entries : []).map(([k, v]) => [k, k === key ? value : v] as const);
  return new Copyable(results.typeName, new Map([...results.attributes, ['uri_extension_data', new Dict(entries)]]));
}

t.test('a helper that lies about any part of it is found out', async (t) => {
  const attribute = (name: string, value: Value) => (results: Copyable) =>
    new Copyable(results.typeName, new Map([...results.attributes, [name, value]]));
  const lies: readonly [string, (results: Copyable) => Value, string][] = [
    ['needed_shares', (results) => withUeb(results, 'needed_shares', 3), 'ERR_HELPER_RESULT'],
    ['total_shares', (results) => withUeb(results, 'total_shares', 5), 'ERR_HELPER_RESULT'],
    ['segment_size', (results) => withUeb(results, 'segment_size', 99_998), 'ERR_HELPER_RESULT'],
    ['size', (results) => withUeb(results, 'size', ciphertextSize + 1), 'ERR_HELPER_RESULT'],
    ['size', (results) => withUeb(results, 'size', String(ciphertextSize)), 'ERR_HELPER_RESULT'],
    ['hash', attribute('uri_extension_hash', new Uint8Array(32)), 'ERR_HELPER_RESULT'],
    ['uri_extension_hash', attribute('uri_extension_hash', new Uint8Array(5)), 'ERR_HELPER'],
    ['uri_extension_data', attribute('uri_extension_data', null), 'ERR_HELPER'],
    ['nothing', () => null, 'ERR_HELPER'],
  ];
  for (const presence of ['uploaded', 'there'] as const) {
    for (const [said, lie, code] of lies) {
      const world = new HelperGrid();
      if (presence === 'there') await (await world.user()).upload(content);
      const user = await world.user(lying(world, lie, presence));
      await t.rejects(
        user.upload(content),
        { code, message: new RegExp(said === 'nothing' ? '' : said) },
        `${presence}: ${said}`,
      );
    }
  }
});

t.test('a helper that fetched other bytes than the file is found out', async (t) => {
  const world = new HelperGrid();
  const dying = await world.user();
  world.files.space = 200_000;
  await t.rejects(dying.upload(content), { code: 'ERR_HELPER' });
  for (const bytes of world.files.incoming.values()) bytes[77] = (bytes[77] ?? 0) ^ 1;
  world.files.space = Number.POSITIVE_INFINITY;
  await t.rejects(dying.upload(content), { code: 'ERR_HELPER_RESULT' }, 'torn on the disk');
});

t.test('a helper that is gone is not used, one that dies fails the upload', async (t) => {
  const world = new HelperGrid();
  const gone = await world.user();
  gone.disconnect();
  t.equal(hexOf(await gone.upload(content)), await direct(content), 'straight to the servers');
  t.equal((await world.figures())['upload_requests'], 0);
  const dying = await world.user({
    interfaceName: helperInterfaces.helper,
    call: () => {
      dying.disconnect();
      return Promise.reject(closed());
    },
  });
  await t.rejects(dying.upload(seededBytes('other', 1000)), { code: 'ERR_HELPER' });
});

t.test('a client that is told to stop, and a helper that says nothing any more', async (t) => {
  const world = new HelperGrid();
  const silent = objectOf({ upload: () => new Promise<Value>(() => undefined) }, helperInterfaces.upload);
  const user = await world.user(objectOf({ upload_chk: () => new Tuple(null, silent) }, helperInterfaces.helper));
  const stopped = new AbortController();
  const cancelled = user.upload(content, stopped.signal);
  const ended = t.rejects(cancelled, { code: 'ERR_CANCELLED' });
  await settle();
  stopped.abort();
  await ended;
  const forgotten = t.rejects(user.upload(content), { code: 'ERR_HELPER', message: /nothing was heard/ });
  await settle();
  world.grid.clock.advance(4_000_000);
  await forgotten;
});

/** A spool that fills the arrays it is given, as that of a node does, and takes its time. */
async function reusingSpool(): Promise<Spool> {
  const spool = memorySpool();
  return Promise.resolve({
    ...spool,
    read: async (offset, size, into = new Uint8Array(size)) => {
      const bytes = await spool.read(offset, size);
      await settle(1);
      into.set(bytes.subarray(0, size / 2));
      await settle(1);
      into.set(bytes.subarray(size / 2), size / 2);
      return into;
    },
  });
}

t.test('a helper gets each byte encrypted in its place, whatever it asks for at once', async (t) => {
  const large = seededBytes('large', 1_300_000);
  const world = new HelperGrid();
  const greedy = objectOf(
    {
      upload: async (reader) => {
        if (reader === null || reader === undefined || typeof reader !== 'object' || !('peer' in reader)) return null;
        const read = async (offset: number, length: number): Promise<Uint8Array> =>
          concat(...((await reader.call('read_encrypted', [offset, length])) as Uint8Array[]));
        const whole = concat(await read(0, 1_000_000), await read(1_000_000, 1_000_000));
        t.equal(whole.length, large.length);
        const offsets = [300_000, 6, 100_000, 1_290_000, 0, 700_000];
        for (const offset of offsets) await read(offset, 1000);
        const parts = await Promise.all(offsets.map((offset) => read(offset, 1000)));
        for (const [i, offset] of offsets.entries())
          t.ok(equalBytes(parts[i] ?? large, whole.subarray(offset, offset + 1000)), `at ${String(offset)}`);
        t.equal((await read(large.length, 5)).length, 0);
        await t.rejects(read(-1, 5), { code: 'ERR_REMOTE' });
        await t.rejects(read(0, 1_048_577), { code: 'ERR_REMOTE' });
        await t.rejects(reader.call('nonsense', []), { code: 'ERR_REMOTE' });
        t.equal(await reader.call('get_size', []), large.length);
        t.equal(await reader.call('close', []), null);
        return null;
      },
    },
    helperInterfaces.upload,
  );
  const user = await world.user(objectOf({ upload_chk: () => new Tuple(null, greedy) }, helperInterfaces.helper));
  const context = { ...user.context, openSpool: reusingSpool };
  const options = { signal: new AbortController().signal };
  await t.rejects(uploadFile(context, pieces(large), options), { code: 'ERR_HELPER' });
});
