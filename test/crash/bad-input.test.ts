/** Ranges, numbers, names and heads that make no sense, over both versions of HTTP: the right 4xx, and nothing changed. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatAuthorization, parseContentRange, parseRange, storagePath } from '#wire/storage.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { overHttp2, portOf } from '#test/fixtures/http2-talk.js';
import { appOf, digestOf, overTls, swissnum } from '#test/fixtures/protocol-subjects.js';
import { storageIndex } from '#test/fixtures/share-store.js';
import { rightSecrets, StorageTalk } from '#test/fixtures/storage-talk.js';
import type { Header, ProtocolSubject } from '#test/fixtures/storage-talk.js';

const tls = await createTlsIdentity();
const share = seededBytes('share', 200);
const index = storagePath.shares(storageIndex).split('/')[4] ?? '';
const PROPERTY_RUNS = 300;

/** A server with share 0 complete and share 1 being uploaded, and the digest of its disk. */
async function prepare(
  t: Test,
  over: typeof overTls,
): Promise<{ subject: ProtocolSubject; talk: StorageTalk; unchanged: () => Promise<boolean> }> {
  const disk = await makeDiskSubject(t);
  const request = await over(t, await appOf(t, await disk.open(), { tls }));
  const subject = { swissnum, isReference: false, request };
  const talk = new StorageTalk(subject);
  await talk.store(storageIndex, 0, share);
  await talk.allocate(storageIndex, [1], share.length);
  const before = await digestOf(disk.layout.directory);
  return { subject, talk, unchanged: async () => (await digestOf(disk.layout.directory)) === before };
}

const digits = fc.oneof(
  fc.nat(300).map(String),
  fc.constantFrom('18446744073709551616', '18446744073709551615', '9007199254740991', '9007199254740992'),
  fc.constantFrom('', '-1', '+1', '01', '1e3', '0x1', '1.0', ' 1', '1 ', '\u00b2', '\u0661', 'x', '9'.repeat(400)),
);
const dash = fc.constantFrom('-', '--', '', ' - ', '\u2013', '/');
const part = fc.tuple(digits, dash, digits).map((parts) => parts.join(''));
const parts = fc.oneof(
  { weight: 5, arbitrary: part },
  fc.array(part, { minLength: 2, maxLength: 5 }).map((many) => many.join(',')),
  fc.constant('0-0,'.repeat(2500)),
  fc.constantFrom('-5', '5-', '-', '*', '0-1,'),
);
const unit = fc.constantFrom('bytes', 'Bytes', 'byte', 'lines', '', ' bytes', 'bytes ');
/** What a header may hold at all: the rest is refused by the client itself. */
const sendable = (text: string): boolean =>
  /^[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/.test(text);
const rangeHeader = fc
  .tuple(unit, fc.constantFrom('=', ' ', '', ':'), parts)
  .map((parts) => parts.join(''))
  .filter(sendable);
const contentRangeHeader = fc
  .tuple(
    unit,
    fc.constantFrom(' ', '=', ''),
    parts,
    fc.constantFrom('/*', '/200', '/', '', '/x', '/18446744073709551616'),
  )
  .map((parts) => parts.join(''))
  .filter(sendable);
const badNumbers = [
  '-1',
  '+1',
  '00',
  '01',
  '1e3',
  '0x1',
  '%D9%A1',
  '%C2%B2',
  '256',
  '18446744073709551616',
  '%30%30',
  '%00',
  '0%00',
  '%20',
  '..',
  '%2e%2e',
  '%2e%2e%2f0',
  '0%2f..',
  '9'.repeat(3000),
];
const badIndexes = [
  index.toUpperCase(),
  index.slice(1),
  `${index}a`,
  `${index.slice(0, -1)}b`,
  `${index.slice(0, -1)}1`,
  `${index.slice(0, -1)}%00`,
  `${index}%00`,
  '..',
  '%2e%2e',
  '..%2f..%2f..%2fetc',
  '%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '%5c..%5c..',
  '%',
  '%zz',
  '%ff%fe',
  '%D0%B0',
  'a'.repeat(4000),
];

for (const [version, over] of [
  ['HTTP/1.1', overTls],
  ['HTTP/2', overHttp2],
] as const) {
  t.test(`${version}: every Range is its slice, or 416`, { timeout: 60_000 }, async (t) => {
    const { talk, unchanged } = await prepare(t, over);
    const property = fc.asyncProperty(rangeHeader, async (header) => {
      const { body, status } = await talk.read(storageIndex, 0, header);
      const range = parseRange(header);
      if (range === undefined) return status === 416;
      const slice = share.subarray(range.begin, range.end);
      return slice.length === 0 ? status === 204 : status === 206 && Buffer.compare(body, slice) === 0;
    });
    await t.resolves(fc.assert(property, { numRuns: PROPERTY_RUNS }));
    t.ok(await unchanged());
  });

  t.test(`${version}: a Content-Range that is not that of the body writes nothing`, { timeout: 60_000 }, async (t) => {
    const { talk, unchanged } = await prepare(t, over);
    const property = fc.asyncProperty(contentRangeHeader, async (header) => {
      const { status } = await talk.write(storageIndex, 1, 0, share.subarray(0, 7), { contentRange: header });
      const range = parseContentRange(header);
      if (range === undefined) return status === 416;
      if (range.end - range.begin !== 7) return status === 400;
      return status === (range.end > share.length ? 416 : 200);
    });
    // A range of seven bytes is no bad input.
    const bad = fc.asyncProperty(contentRangeHeader, async (header) => {
      const range = parseContentRange(header);
      fc.pre(range === undefined || range.end - range.begin !== 7);
      const { status } = await talk.write(storageIndex, 1, 0, share.subarray(0, 7), { contentRange: header });
      return status === (range === undefined ? 416 : 400);
    });
    await t.resolves(fc.assert(bad, { numRuns: PROPERTY_RUNS }));
    t.ok(await unchanged());
    await t.resolves(fc.assert(property, { numRuns: 50 }));
  });

  t.test(`${version}: what is no index and no share number is 404 everywhere`, { timeout: 60_000 }, async (t) => {
    const { subject, talk, unchanged } = await prepare(t, over);
    const paths = [
      ...badNumbers.flatMap((number) => [
        `immutable/${index}/${number}`,
        `immutable/${index}/${number}/abort`,
        `immutable/${index}/${number}/corrupt`,
      ]),
      ...badIndexes.flatMap((name) => [
        `immutable/${name}`,
        `immutable/${name}/shares`,
        `immutable/${name}/0`,
        `lease/${name}`,
      ]),
    ];
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        for (const headers of [[], [talk.authorization, ...rightSecrets(['upload-secret'])]]) {
          const { status } = await subject.request({ method, path: `/storage/v1/${path}`, headers });
          if (![404, 400, 414].includes(status)) t.fail(`${method} ${path.slice(0, 80)}: ${String(status)}`);
        }
      }
    }
    t.pass(`${String(paths.length)} paths`);
    t.ok(await unchanged());
  });

  t.test(`${version}: heads full of rubbish are refused`, { timeout: 60_000 }, async (t) => {
    const { subject, talk, unchanged } = await prepare(t, over);
    const rubbish = fc.string({ maxLength: 300, unit: 'grapheme-ascii' }).map((text) => text.trim());
    const kind = fc.constantFrom('upload-secret', 'lease-renew-secret', 'write-enabler', 'Upload-Secret', '');
    const value = fc.oneof(
      rubbish,
      fc.tuple(kind, rubbish).map((parts) => parts.join(' ').trim()),
    );
    const path = storagePath.share(storageIndex, 0);
    const ask = async (values: readonly string[]): Promise<number> => {
      const secrets = values.map((value): Header => ['X-Tahoe-Authorization', value]);
      return (await subject.request({ method: 'GET', path, headers: [talk.authorization, ...secrets] })).status;
    };
    const property = fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 4 }),
      async (values) => (await ask(values)) === 400,
    );
    await t.resolves(fc.assert(property, { numRuns: PROPERTY_RUNS }));
    const wrong = fc.asyncProperty(rubbish, async (value) => {
      const headers: Header[] = [['Authorization', value]];
      return (await subject.request({ method: 'GET', path: storagePath.version, headers })).status === 401;
    });
    await t.resolves(fc.assert(wrong, { numRuns: PROPERTY_RUNS }));
    t.equal(await ask([`upload-secret ${'A'.repeat(12_000)}`]), 400);
    // Over HTTP/2 the library itself may end the exchange.
    t.equal(await ask([`upload-secret ${'A'.repeat(20_000)}`]).catch(() => 431), 431);
    t.ok(await unchanged());
  });
}

const authorization = `Authorization: ${dangerouslyFormatAuthorization(swissnum)}`;
const versionHead = `GET ${storagePath.version} HTTP/1.1\r\nHost: x\r\n${authorization}\r\n`;
const patchHead = [
  `PATCH ${storagePath.share(storageIndex, 1)} HTTP/1.1`,
  'Host: x',
  authorization,
  ...rightSecrets(['upload-secret']).map(([name, value]) => `${name}: ${value}`),
  'Content-Range: bytes 0-4/*\r\n',
].join('\r\n');
/** Behind it stands a whole request that must not be taken for one. */
const smuggled = `0\r\n\r\n${versionHead}\r\n`;

const smuggling: readonly (readonly [why: string, text: string])[] = [
  ['a length and chunks', `${patchHead}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`],
  ['chunks and a length', `${patchHead}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${smuggled}`],
  ['two lengths', `${patchHead}Content-Length: 5\r\nContent-Length: 6\r\n\r\n${smuggled}`],
  ['a list of lengths', `${patchHead}Content-Length: 5, 6\r\n\r\n${smuggled}`],
  ['a negative length', `${patchHead}Content-Length: -1\r\n\r\n${smuggled}`],
  ['a length with a sign', `${patchHead}Content-Length: +5\r\n\r\n${smuggled}`],
  ['a length in hex', `${patchHead}Content-Length: 0x5\r\n\r\n${smuggled}`],
  ['a length beyond 2^64', `${patchHead}Content-Length: 18446744073709551621\r\n\r\n${smuggled}`],
  ['a coding that is none', `${patchHead}Transfer-Encoding: xchunked\r\n\r\n${smuggled}`],
  ['chunks that are not last', `${patchHead}Transfer-Encoding: chunked, identity\r\n\r\n${smuggled}`],
  ['a blank before the colon', `${patchHead}Transfer-Encoding : chunked\r\n\r\n${smuggled}`],
  ['a folded header', `${patchHead}X-Fold: a\r\n\tTransfer-Encoding: chunked\r\nX: y\r\n z\0\r\n\r\n${smuggled}`],
  ['a bare CR in a header', `${patchHead}X: a\rTransfer-Encoding: chunked\r\n\r\n${smuggled}`],
  ['a NUL in a header', `${patchHead}X: a\0b\r\n\r\n${smuggled}`],
  ['a chunk size that is none', `${patchHead}Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`],
  ['a chunk size beyond 2^64', `${patchHead}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n${smuggled}`],
  ['two hosts', `GET ${storagePath.version} HTTP/1.1\r\nHost: x\r\nHost: y\r\n${authorization}x\r\n\r\n`],
  ['no host', `GET ${storagePath.version} HTTP/1.1\r\n${authorization}\r\n\r\n`],
  ['a method that is none', `BREW ${storagePath.version} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a version that is none', `GET ${storagePath.version} HTTP/3.7\r\nHost: x\r\n\r\n`],
];

async function dial(t: Test): Promise<{ socket: Socket; heard: () => string; closed: Promise<void> }> {
  const disk = await makeDiskSubject(t);
  const app = await appOf(t, await disk.open());
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connectTcp(portOf(app), '127.0.0.1');
  t.teardown(() => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let heard = '';
  socket.on('error', () => undefined).on('data', (part) => (heard += part.toString('latin1')));
  await once(socket, 'connect');
  return { socket, heard: () => heard, closed };
}

t.test('no head makes two requests out of one', async (t) => {
  for (const [why, text] of smuggling) {
    const { closed, heard, socket } = await dial(t);
    socket.end(text, 'latin1');
    await closed;
    const statuses = [...heard().matchAll(/^HTTP\/1\.1 ([0-9]{3}) /gm)].map(([, status]) => Number(status));
    t.ok(
      statuses.length <= 1 && statuses.every((status) => status >= 400 && status < 500),
      `${why}: ${statuses.join()}`,
    );
  }
});

t.test('ten thousand requests in one piece are answered one by one', async (t) => {
  const { socket } = await dial(t);
  const count = 10_000;
  socket.write(`${versionHead}\r\n`.repeat(count));
  let answered = 0;
  for (let rest = ''; answered < count;) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    const pieces = (rest + part.toString('latin1')).split('HTTP/1.1 200 OK');
    answered += pieces.length - 1;
    rest = pieces.at(-1)?.slice(-20) ?? '';
  }
  t.pass('all of them');
});
