/** The blocks of a negotiation and what is decided from them, and furls. */
import t from 'tap';
import { fromUtf8, toHex, utf8 } from '#core/bytes.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import {
  acceptance,
  BLOCK_SIZE_MAX,
  BlockReader,
  checkAcceptance,
  formatDecision,
  formatError,
  formatHello,
  formatRefusal,
  formatRequest,
  parseDecision,
  parseHello,
  parseRequest,
  replaces,
} from '#wire/foolscap/negotiation.js';
import type { Hello } from '#wire/foolscap/negotiation.js';
import { crypto } from '#test/fixtures/crypto.js';
import { vocabularyHashes, vocabularyTables } from '#wire/foolscap/vocabulary.js';

const tubId = 'abcdefghijklmnopqrstuvwxyz234567';
const failed = { code: 'ERR_NEGOTIATION' };
const blockOf = (bytes: Uint8Array): Uint8Array => new BlockReader().feed(bytes)?.block ?? new Uint8Array(0);
const text = (lines: string): Uint8Array => utf8(lines);

t.test('the request and its answer', async (t) => {
  t.equal(parseRequest(blockOf(formatRequest(tubId, 'host:1'))), tubId);
  for (const bad of [
    '',
    'GET / HTTP/1.1',
    `GET /id/${tubId} HTTP/1.1`,
    'POST /id/x HTTP/1.1\r\nUpgrade: TLS/1.0',
    '\xff',
  ]) {
    t.throws(() => parseRequest(text(bad)), failed, bad);
  }
  checkAcceptance(blockOf(acceptance));
  t.throws(() => checkAcceptance(blockOf(formatRefusal('unknown TubID'))), failed);
  t.throws(() => checkAcceptance(text('HTTP/1.1 101 Switching Protocols')), failed);
  t.throws(() => checkAcceptance(Uint8Array.of(255)), failed);
});

t.test('a hello is believed as far as the certificate goes', async (t) => {
  const lastConnection = { incarnation: 'other', sequence: 3 };
  const hello = blockOf(formatHello({ tubId, incarnation: 'mine', lastConnection, isClient: true }));
  t.match(fromUtf8(hello), /^banana-negotiation-range: 3 3\r\ninitial-vocab-table-range: 0 1\r\n/);
  t.strictSame(parseHello(hello, tubId), { tubId, incarnation: 'mine', lastConnection, vocabularyTable: 1 });
  t.throws(() => parseHello(hello, tubId.replace('a', 'b')), failed, 'of another certificate');
  t.throws(() => parseHello(hello, ''), failed, 'of none');
  const changed = (from: string, to: string): Uint8Array => text(fromUtf8(hello).replace(from, to));
  for (const [from, to] of [
    ['3 3', '4 9'],
    ['3 3', '1 2'],
    ['3 3', 'x'],
    ['0 1', '2 3'],
    ['0 1', '1'],
    [tubId, 'short'],
    ['my-tub-id: ', 'my-tub-id '],
  ] as const) {
    t.throws(() => parseHello(changed(from, to), tubId), failed, `${from} → ${to}`);
  }
  t.equal(parseHello(changed('0 1', '0 7'), tubId).vocabularyTable, 1);
  t.throws(() => parseHello(blockOf(formatError('Duplicate connection')), tubId), /Duplicate connection/);
});

t.test('a decision', async (t) => {
  const mark = { incarnation: 'mine', sequence: 12 };
  const decision = blockOf(formatDecision(mark, 1));
  t.strictSame(parseDecision(decision), { mark, vocabularyTable: 1 });
  t.throws(() => parseDecision(blockOf(formatError('no\r\nmore'))), /no {2}more/);
  const changed = (from: string, to: string): Uint8Array => text(fromUtf8(decision).replace(from, to));
  t.throws(() => parseDecision(changed('version: 3', 'version: 2')), failed);
  t.throws(() => parseDecision(changed('bb33', 'bb34')), failed);
  t.throws(() => parseDecision(changed('1 bb33', '2 bb33')), failed);
  for (const [table, words] of vocabularyTables.entries()) {
    t.equal(toHex(crypto.sha1(utf8(words.join('\0')))).slice(0, 4), vocabularyHashes[table]);
  }
});

t.test('which of two connections stays', async (t) => {
  const existing = { mark: { incarnation: 'mine', sequence: 5 }, peerIncarnation: 'theirs' };
  const hello = (changes: Partial<Hello>): Hello => ({
    tubId,
    incarnation: 'theirs',
    lastConnection: { incarnation: 'mine', sequence: 5 },
    vocabularyTable: 1,
    ...changes,
  });
  t.ok(replaces(hello({}), existing), 'it knows of this one and comes again');
  t.ok(replaces(hello({ incarnation: 'reborn' }), existing), 'it has started anew');
  t.ok(
    replaces(hello({ lastConnection: { incarnation: 'earlier', sequence: 9 } }), existing),
    'it knows an earlier us',
  );
  for (const lastConnection of [
    { incarnation: 'none', sequence: 0 },
    { incarnation: 'mine', sequence: 4 },
    { incarnation: 'mine', sequence: 6 },
    undefined,
  ]) {
    t.notOk(replaces(hello({ lastConnection }), existing), JSON.stringify(lastConnection));
  }
  t.notOk(replaces(hello({ incarnation: undefined }), existing));
});

t.test('blocks come in pieces and end', async (t) => {
  const bytes = text('a: b\r\n\r\nrest');
  const reader = new BlockReader();
  for (const byte of bytes.subarray(0, 7)) t.equal(reader.feed(Uint8Array.of(byte)), undefined);
  const received = reader.feed(bytes.subarray(7));
  t.equal(fromUtf8(received?.block ?? bytes), 'a: b');
  t.equal(fromUtf8(received?.rest ?? bytes), 'rest');
  t.throws(() => new BlockReader().feed(new Uint8Array(BLOCK_SIZE_MAX + 1)), failed);
  t.throws(() => new BlockReader().feed(new Uint8Array(BLOCK_SIZE_MAX * 2).fill(13)), failed);
  const slow = new BlockReader();
  t.throws(() => {
    for (;;) slow.feed(text('x'.repeat(100)));
  }, failed);
});

t.test('furls', async (t) => {
  const furl = parseFurl(
    `pb://${tubId}@tcp:host:1,[::1]:2,tcp:[::2]:3,tor:x.onion:4,tcp:no,10.0.0.1:5,i2p:y.b32.i2p,i2p:z.i2p:6,i2p:,x:y:7/swiss`,
  );
  t.strictSame(furl.hints, [
    { network: 'tcp', host: 'host', port: 1 },
    { network: 'tcp', host: '::1', port: 2 },
    { network: 'tcp', host: '::2', port: 3 },
    { network: 'tor', host: 'x.onion', port: 4 },
    { network: 'tcp', host: '10.0.0.1', port: 5 },
    { network: 'i2p', host: 'y.b32.i2p', port: 0 },
    { network: 'i2p', host: 'z.i2p', port: 6 },
  ]);
  t.equal(
    furl.dangerouslyFormat(),
    `pb://${tubId}@tcp:host:1,tcp:[::1]:2,tcp:[::2]:3,tor:x.onion:4,tcp:10.0.0.1:5,i2p:y.b32.i2p,i2p:z.i2p:6/swiss`,
  );
  t.equal(furl.tubId, tubId);
  t.equal(furl.dangerousName(), 'swiss');
  t.notMatch(`${String(furl)} ${JSON.stringify(furl)}`, 'swiss');
  t.strictSame(parseFurl(`pb://${tubId}0later@/swiss`).hints, []);
  for (const bad of [
    '',
    'pb://x@y/z',
    `pb://${tubId}@a`,
    `pb://${tubId}@a/`,
    `http://${tubId}@a/b`,
    'x'.repeat(1001),
  ]) {
    t.throws(() => parseFurl(bad), { code: 'ERR_FURL' }, bad.slice(0, 50));
  }
  t.throws(() => parseFurl(`pb://${tubId}@a/${'x'.repeat(1000)}`), { code: 'ERR_FURL' });
});
