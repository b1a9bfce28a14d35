/** Packets of SFTP: cut out of a stream in any pieces, read, refused where they are damaged. */
import fc from 'fast-check';
import t from 'tap';
import { ByteReader, ByteWriter, concat, utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { readAttributes, writeAttributes } from '#sftp/attributes.js';
import { PacketSplitter } from '#sftp/packet-splitter.js';
import { encodeReply, encodeVersion } from '#sftp/replies.js';
import { decodePacket, PACKET_SIZE_MAX } from '#sftp/requests.js';
import { refusal, replyOf } from '#sftp/status.js';

const text = (value: string): Uint8Array => {
  const bytes = utf8(value);
  return new ByteWriter().uint32(bytes.length).bytes(bytes).finish();
};
const framed = (packet: Uint8Array): Uint8Array => concat(new ByteWriter().uint32(packet.length).finish(), packet);
const packet = (type: number, id: number, ...fields: Uint8Array[]): Uint8Array =>
  concat(new ByteWriter().uint8(type).uint32(id).finish(), ...fields);

/** One of each, as draft-ietf-secsh-filexfer-02 lays them out. */
const noAttributes = new Uint8Array(4);
const samples: readonly (readonly [Uint8Array, unknown])[] = [
  [
    packet(3, 1, text('/a'), new ByteWriter().uint32(26).finish(), noAttributes),
    { kind: 'open', path: utf8('/a'), flags: 26, attributes: { size: undefined, mode: undefined, mtime: undefined } },
  ],
  [packet(4, 2, text('0')), { kind: 'close', handle: '0' }],
  [
    packet(5, 3, text('0'), new ByteWriter().uint64(5).uint32(9).finish()),
    { kind: 'read', handle: '0', offset: 5, size: 9 },
  ],
  [
    packet(6, 4, text('0'), new ByteWriter().uint64(2 ** 40).finish(), text('data')),
    { kind: 'write', handle: '0', offset: 2 ** 40, bytes: utf8('data') },
  ],
  [packet(7, 5, text('/l')), { kind: 'lstat', path: utf8('/l') }],
  [packet(18, 6, text('/a'), text('/b')), { kind: 'rename', from: utf8('/a'), to: utf8('/b') }],
  [
    packet(200, 7, text('posix-rename@openssh.com'), text('/a'), text('/b')),
    { kind: 'posix-rename', from: utf8('/a'), to: utf8('/b') },
  ],
  [packet(200, 8, text('statvfs@openssh.com'), text('/')), { kind: 'statvfs', path: utf8('/') }],
  [packet(200, 9, text('x@y')), { kind: 'unknown', what: 'this extension' }],
  [packet(99, 10), { kind: 'unknown', what: 'packets of type 99' }],
];

t.test('requests are read', async (t) => {
  for (const [i, [bytes, request]] of samples.entries()) {
    t.strictSame(decodePacket(bytes), { kind: 'request', id: bytes[4], request }, String(i));
  }
  t.strictSame(decodePacket(packet(1, 3)), { kind: 'init' });
});

t.test('a request that is cut short is told by its id', async (t) => {
  for (const [bytes] of samples.slice(0, 8)) {
    for (let size = 5; size < bytes.length; size++) {
      t.strictSame(decodePacket(bytes.subarray(0, size)), { kind: 'malformed', id: bytes[4] });
    }
  }
  t.throws(() => decodePacket(new Uint8Array(3)), { code: 'ERR_TRUNCATED' });
});

t.test('an offset that no number holds is the largest that one holds', async (t) => {
  const decoded = decodePacket(packet(5, 1, text('0'), new Uint8Array(8).fill(255), new Uint8Array(4)));
  t.match(decoded, { request: { offset: Number.MAX_SAFE_INTEGER } });
});

t.test('packets come out as they went in, however they are delivered', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      (packets, sizes) => {
        const stream = concat(...packets.map(framed));
        const splitter = new PacketSplitter();
        const received: Uint8Array[] = [];
        for (let offset = 0, i = 0; offset < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          received.push(...splitter.push(stream.subarray(offset, offset + size)).map((bytes) => bytes.slice()));
          offset += size;
        }
        return (
          received.length === packets.length &&
          received.every((bytes, i) => Buffer.from(bytes).equals(packets[i] ?? bytes))
        );
      },
    ),
  );
});

t.test('a length that no packet has ends the stream', async (t) => {
  for (const length of [0, PACKET_SIZE_MAX + 1]) {
    t.throws(() => new PacketSplitter().push(new ByteWriter().uint32(length).finish()), { code: 'ERR_MESSAGE' });
  }
});

t.test('attributes are read as they are written', async (t) => {
  const some = fc.option(fc.nat(), { nil: undefined });
  fc.assert(
    fc.property(some, some, some, (size, mode, mtime) => {
      const writer = new ByteWriter();
      writeAttributes(writer, { size, mode, mtime });
      t.strictSame(readAttributes(new ByteReader(writer.finish())), { size, mode, mtime });
    }),
  );
});

t.test('the version names the extensions', async (t) => {
  const version = Buffer.from(encodeVersion());
  t.equal(version.readUInt32BE(0), version.length - 4);
  t.equal(version[4], 2);
  for (const name of ['posix-rename@openssh.com', 'statvfs@openssh.com', 'fstatvfs@openssh.com']) {
    t.ok(version.includes(name), name);
  }
});

t.test('every error has a status, and a fault of ours has no words', async (t) => {
  const statusOf = (error: unknown): string | undefined => replyOf(error)?.status;
  t.equal(statusOf(refusal('eof', 'x')), 'eof');
  t.equal(statusOf(new TahoeError('ERR_SFTP', { status: 'nonsense', reason: 'x' })), 'failure');
  t.equal(statusOf(new TahoeError('ERR_NO_SUCH_CHILD', { name: 'ü' })), 'noSuchFile');
  t.equal(statusOf(new TahoeError('ERR_DIRECTORY_READ_ONLY', {})), 'permissionDenied');
  t.equal(statusOf(new TahoeError('ERR_CHILD_TYPE', { name: 'x', expected: 'file' })), 'permissionDenied');
  t.equal(statusOf(new TahoeError('ERR_NO_SPACE', { where: 'x' })), 'failure');
  t.equal(statusOf(new TypeError('secret')), undefined);
  t.ok(isTahoeError(refusal('eof', 'x'), 'ERR_SFTP'));
  const reply = Buffer.from(encodeReply(7, { kind: 'status', reply: { status: 'noSuchFile', sentence: 'ü' } }));
  t.equal(reply.readUInt32BE(0), reply.length - 4);
  t.equal(reply.readUInt32BE(9), 2);
});
