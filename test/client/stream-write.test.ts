/** Long writes: one request whose body is made while it is sent. */
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import type { HttpsLimits } from '#client/https-limits.js';
import type { HttpsStorageServer } from '#client/https-storage-server.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { openTestServer } from '#test/fixtures/https-client.js';
import { startRecordingServer } from '#test/fixtures/recording-server.js';
import type { RecordingServer } from '#test/fixtures/recording-server.js';
import { encodeRequired, encodeVersion } from '#wire/storage.js';

const identity = await createTlsIdentity();
const storageIndex = seededBytes('storage index', 16);
const uploadSecret = seededBytes('upload', 20);
const cborType = { 'content-type': 'application/cbor' };

/** A server that calls itself `applicationVersion` and every share complete, and a client of it. */
async function startPair(
  t: Test,
  applicationVersion: string,
  limits: Partial<HttpsLimits>,
  clock: ManualClock,
): Promise<{ server: RecordingServer; client: HttpsStorageServer }> {
  const size = 1;
  const version = encodeVersion({
    maximumImmutableShareSize: size,
    maximumMutableShareSize: size,
    availableSpace: size,
    applicationVersion,
  });
  const server = await startRecordingServer(identity, ({ path }) =>
    path.endsWith('/version')
      ? { status: 200, headers: cborType, body: version }
      : { status: 201, headers: cborType, body: encodeRequired([]) },
  );
  const client = openTestServer(server.port, identity.spkiHash, limits, clock);
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  return { server, client };
}

t.test('a long write is made while it is sent, and only for servers that like it', async (t) => {
  const chunkCount = 12;
  const chunks = Array.from({ length: chunkCount }, (_, i) => seededBytes(`chunk ${String(i)}`, 262_144 + i));
  const whole = Buffer.concat(chunks);
  const range = { begin: 500, end: 500 + whole.length };
  for (const [applicationVersion, welcome] of [
    ['tahoe-lafs/1.20.0', false],
    ['tallac/9.9.9', true],
  ] as const) {
    const { server, client } = await startPair(t, applicationVersion, {}, new ManualClock());
    let askedCount = 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      const reused = new Uint8Array(300_000);
      for (const chunk of chunks) {
        await new Promise(setImmediate);
        askedCount += 1;
        reused.set(chunk);
        yield reused.subarray(0, chunk.length);
      }
    };
    const write = (): Promise<{ complete: boolean } | undefined> =>
      client.streamWrite(storageIndex, 4, uploadSecret, range, body());
    t.equal(await write(), undefined, 'not before its version is known');
    await client.version();
    if (!welcome) {
      t.equal(await write(), undefined);
      t.equal(askedCount, 0);
      continue;
    }
    t.same(await write(), { complete: true });
    const request = server.requests[1];
    t.ok(request?.body.equals(whole), 'an array may be used again once the next chunk is asked for');
    t.equal(request?.path, `/storage/v1/immutable/${formatBase32(storageIndex)}/4`);
    t.same(request?.headers['content-range'], [`bytes 500-${String(499 + whole.length)}/*`]);
    t.same(request?.headers['content-length'], [String(whole.length)]);
  }
});

t.test('long writes leave connections to other calls, and their own making is no silence', async (t) => {
  const clock = new ManualClock();
  const { client } = await startPair(t, 'tallac/1', { streamCountMax: 2, silenceTimeoutMs: 1000 }, clock);
  await client.version();
  let goOn: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  let askedCount = 0;
  const body = async function* (): AsyncGenerator<Uint8Array> {
    askedCount += 1;
    yield new Uint8Array(20_000);
    await gate;
    yield new Uint8Array(20_000);
  };
  const write = (): Promise<{ complete: boolean } | undefined> =>
    client.streamWrite(storageIndex, 4, uploadSecret, { begin: 0, end: 40_000 }, body());
  const running = [write(), write()];
  while (askedCount < 2) await settle();
  t.equal(await write(), undefined, 'a third is not for now');
  for (let second = 0; second < 5; second++) {
    clock.advance(1000);
    await settle();
  }
  goOn();
  t.same(await Promise.all(running), [{ complete: true }, { complete: true }]);
  t.same(await write(), { complete: true });
});
