/** Banana that is broken on purpose: what it costs is a message or the connection, never more. */
import t from 'tap';
import { concat, utf8 } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { DEPTH_MAX } from '#wire/foolscap/limits.js';
import { tokenType } from '#wire/foolscap/token-writer.js';
import type { TokenWriter } from '#wire/foolscap/token-writer.js';
import { settle } from '#test/fixtures/clock.js';
import { banana, makeBroker, naming, objectOf } from '#test/fixtures/foolscap/banana-talk.js';

const names = new Map([['name', objectOf({ take: (value) => value ?? null, ok: () => null })]]);
const digits = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const long = (type: number, size: bigint): Uint8Array =>
  concat(
    Uint8Array.from({ length: 9 }, (_, i) => Number((size >> BigInt(7 * i)) & 0x7fn)),
    Uint8Array.of(type),
  );

/** A call of object 1, which is the registered one, with whatever `write` writes as its only argument. */
function take(writer: TokenWriter, write: () => void, requestNumber = 2): void {
  const call = writer.open('call');
  writer.integer(requestNumber);
  writer.integer(1);
  writer.word('take');
  const given = writer.open('arguments');
  writer.integer(1);
  write();
  writer.close(given);
  writer.close(call);
}

const namingSize = banana((writer) => naming(writer, 'name')).length;

/** What becomes of a connection on which `bytes` arrive: those of a stranger, or behind the registered name. */
async function fate(bytes: Uint8Array, isKnown = true): Promise<string> {
  const { broker, memory, sent } = makeBroker(names);
  try {
    const split = isKnown ? namingSize : 0;
    broker.receive(bytes.subarray(0, split));
    await settle(2);
    broker.receive(bytes.subarray(split));
  } catch (error) {
    if (!isTahoeError(error, 'ERR_BANANA')) throw error;
    return error.facts.reason;
  }
  await settle();
  const text = Buffer.concat(sent).toString('latin1');
  if (memory() > 0) return `holds ${String(memory())} bytes`;
  return /Violation|KeyError/.exec(text)?.[0] ?? (sent.length === (isKnown ? 1 : 0) ? 'nothing' : 'answered');
}

/** Bytes of a peer that is known, as tokens. */
function known(write: (writer: TokenWriter) => void): Uint8Array {
  return banana((writer) => {
    naming(writer, 'name');
    write(writer);
  });
}

t.test('what ends the connection', async (t) => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['65 digits', concat(digits(65), Uint8Array.of(tokenType.int)), /64 digits/],
    ['65 digits and no end', digits(65), /64 digits/],
    ['a type that is none', Uint8Array.of(0x9f), /no token/],
    ['an old list', Uint8Array.of(1, tokenType.list), /no token/],
    ['an integer of 1001 bytes', concat(Uint8Array.of(0x69, 7, tokenType.longInt)), /too long/],
    ['an oversized ERROR', concat(Uint8Array.of(0x69, 7, tokenType.error)), /too long/],
    ['an ERROR', banana((writer) => writer.error('so long')), /so long/],
    ['a string of 2^60', known((writer) => take(writer, () => undefined)), /CLOSE|arguments/],
    ['OPEN after OPEN', Uint8Array.of(0, tokenType.open, 1, tokenType.open), /OPEN/],
    ['a CLOSE of nothing', Uint8Array.of(0, tokenType.close), /CLOSE/],
    [
      'a CLOSE of another',
      concat(
        banana((writer) => writer.open('call')),
        Uint8Array.of(7, tokenType.close),
      ),
      /CLOSE/,
    ],
    ['a word of no vocabulary', Uint8Array.of(0x7f, tokenType.vocab), /vocabulary/],
    ['a bare integer', Uint8Array.of(1, tokenType.int), /sequence/],
    ['a call without anything', banana((writer) => writer.close(writer.open('call'))), /call/],
    ['an answer to nobody, without a value', banana((writer) => writer.close(writer.open('answer'))), /answer/],
    ['depth 100 000', concat(...Array<Uint8Array>(100_000).fill(banana((writer) => writer.open('list')))), /deep/],
    ['a word of 101 bytes', banana((writer) => addWord(writer, 99, 'x'.repeat(101))), /vocabulary/],
  ];
  for (const [what, bytes, reason] of cases) t.match(await fate(bytes), reason, what);
  for (const type of [tokenType.string, tokenType.longInt, tokenType.longNeg, tokenType.error]) {
    t.match(await fate(long(type, 2n ** 60n)), /larger|too long/, `2^60 bytes of ${type.toString(16)}`);
  }
});

function addWord(writer: TokenWriter, index: number, word: string): void {
  const count = writer.open('add-vocab');
  writer.integer(index);
  writer.string(utf8(word));
  writer.close(count);
}

t.test('what costs its message only', async (t) => {
  const cases: readonly [string, (writer: TokenWriter) => void][] = [
    ['an unknown type', (writer) => writer.close(writer.open('gift'))],
    ['a type that is only met elsewhere', (writer) => writer.close(writer.open('answer'))],
    ['a boolean of 2', (writer) => one(writer, 'boolean', () => writer.integer(2))],
    ['a none with something in it', (writer) => one(writer, 'none', () => writer.integer(2))],
    ['text that is no UTF-8', (writer) => one(writer, 'unicode', () => writer.string(Uint8Array.of(255)))],
    ['a key without a value', (writer) => one(writer, 'dict', () => writer.integer(1))],
    ['a dangling my-reference', (writer) => one(writer, 'my-reference', () => writer.string(utf8('x')))],
    ['a dangling your-reference', (writer) => one(writer, 'your-reference', () => writer.integer(99))],
    ['a gift', (writer) => one(writer, 'their-reference', () => writer.integer(1))],
    ['a reference to nothing', (writer) => one(writer, 'reference', () => writer.integer(99))],
    ['a cycle', (writer) => one(writer, 'list', () => one(writer, 'reference', () => writer.integer(4)))],
    ['a tuple of 1001', (writer) => one(writer, 'tuple', () => Array.from({ length: 1001 }, () => writer.integer(1)))],
  ];
  for (const [what, write] of cases) {
    t.equal(await fate(known((writer) => take(writer, () => write(writer)))), 'Violation', what);
    const both = known((writer) => {
      take(writer, () => write(writer), 2);
      take(writer, () => writer.integer(1), 3);
    });
    const { broker, sent } = makeBroker(names);
    broker.receive(both.subarray(0, namingSize));
    await settle(2);
    for (const byte of both.subarray(namingSize)) broker.receive(Uint8Array.of(byte));
    await settle(2);
    t.equal(sent.length, 3, `${what}: the next call is answered`);
  }
});

function one(writer: TokenWriter, type: string, write: () => void): void {
  const count = writer.open(type);
  write();
  writer.close(count);
}

t.test('what is given up by its sender is not answered', async (t) => {
  const aborted = concat(
    known((writer) => {
      const call = writer.open('call');
      writer.integer(2);
      writer.integer(1);
      t.equal(call, 2);
    }),
    Uint8Array.of(2, tokenType.abort, 2, tokenType.close),
  );
  t.equal(await fate(aborted), 'nothing', 'a call');
  t.equal(await fate(Uint8Array.of(9, tokenType.abort), false), 'nothing', 'a stray ABORT');
  t.equal(
    await fate(
      banana((writer) => writer.close(writer.open('gift'))),
      false,
    ),
    'nothing',
    'an unknown message',
  );
});

t.test('a stranger may send a name and hardly more', async (t) => {
  const large = (size: number) => (writer: TokenWriter) => {
    take(writer, () => writer.string(new Uint8Array(size)));
  };
  t.match(await fate(banana(large(17_000)), false), /larger/);
  t.equal(await fate(known(large(17_000))), 'answered');
  const many = (writer: TokenWriter): void => {
    take(writer, () => one(writer, 'list', () => Array.from({ length: 300 }, () => writer.integer(1))));
  };
  t.match(await fate(banana(many), false), /tokens/);
  t.equal(await fate(known(many)), 'answered');
  t.equal(
    await fate(
      banana((writer) => naming(writer, 'other')),
      false,
    ),
    'KeyError',
  );
  const { broker, events } = makeBroker(names);
  broker.receive(banana((writer) => naming(writer, 'other')));
  t.strictSame(events, []);
  broker.receive(banana((writer) => naming(writer, 'name', 2)));
  t.strictSame(events, ['admitted']);
});

t.test('a sequence nested as deep as is allowed, and a list that is there twice', async (t) => {
  const deep = known((writer) => {
    take(writer, () => {
      const opened = Array.from({ length: DEPTH_MAX - 2 }, () => writer.open('list'));
      for (const count of opened.reverse()) writer.close(count);
    });
  });
  t.equal(await fate(deep), 'answered');
  const twice = known((writer) => {
    take(writer, () => {
      one(writer, 'tuple', () => {
        const list = writer.open('list');
        writer.integer(1);
        writer.close(list);
        one(writer, 'reference', () => writer.integer(list));
      });
    });
  });
  t.equal(await fate(twice), 'answered');
});

t.test('words that are added and replaced', async (t) => {
  const bytes = known((writer) => {
    addWord(writer, 90, 'take');
    const call = writer.open('call');
    writer.integer(2);
    writer.integer(1);
    writer.string(utf8('ok'));
    const given = writer.open('arguments');
    writer.integer(0);
    writer.close(given);
    writer.close(call);
  });
  t.equal(await fate(bytes), 'answered');
  const replaced = concat(
    banana((writer) => {
      const count = writer.open('set-vocab');
      writer.integer(0);
      writer.string(utf8('call'));
      writer.close(count);
    }),
    Uint8Array.of(1, tokenType.open, 1, tokenType.vocab),
  );
  t.match(await fate(replaced), /vocabulary/, 'the old words are gone');
});

t.test('memory that is not there', async (t) => {
  const { broker } = makeBroker(names, {
    takeMemory: () => {
      throw new RangeError('none');
    },
  });
  t.throws(() => {
    broker.receive(banana((writer) => naming(writer, 'name')));
  }, RangeError);
});
