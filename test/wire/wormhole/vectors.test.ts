/** SPAKE2 and sealed messages against python-spake2 0.9 and magic-wormhole 0.24. */
import t from 'tap';
import fc from 'fast-check';
import { equalBytes, fromUtf8, toHex, utf8 } from '#core/bytes.js';
import { makeWormholeCode, parseWormholeCode } from '#wire/wormhole/code.js';
import { evenWords, oddWords } from '#wire/wormhole/code-words.js';
import { formatMailboxRequest, parseMailboxReply } from '#wire/wormhole/mailbox-messages.js';
import { createPhaseBox, phaseKey } from '#wire/wormhole/phase-box.js';
import { passwordScalar, spake2Of, startSpake2 } from '#wire/wormhole/spake2.js';
import type { Random } from '#core/environment.js';
import { Chance } from '../../fixtures/chance.js';
import { fromHex as bytes, readVectors } from '../../fixtures/vectors.js';

interface Vectors {
  readonly exchanges: readonly {
    readonly password: string;
    readonly identity: string;
    readonly passwordScalar: string;
    readonly scalars: readonly [string, string];
    readonly messages: readonly [string, string];
    readonly key: string;
  }[];
  readonly sealed: readonly {
    readonly key: string;
    readonly side: string;
    readonly phase: string;
    readonly phaseKey: string;
    readonly nonce: string;
    readonly plaintext: string;
    readonly box: string;
  }[];
}

const vectors = readVectors<Vectors>('wormhole.json');

function seededRandom(seed: number): Random {
  const chance = new Chance(seed);
  return { bytes: (size) => Uint8Array.from({ length: size }, () => chance.below(256)) };
}

t.test('SPAKE2 says and concludes what the reference does', (t) => {
  for (const { identity, key, messages, password, passwordScalar: scalar, scalars } of vectors.exchanges) {
    t.equal(passwordScalar(utf8(password)), BigInt(scalar));
    const [ours, theirs] = scalars.map((secret) => spake2Of(utf8(password), utf8(identity), BigInt(secret)));
    t.same(
      [ours?.message, theirs?.message].map((message) => toHex(message ?? new Uint8Array(0))),
      messages,
    );
    t.equal(toHex(ours?.finish(bytes(messages[1])) ?? new Uint8Array(0)), key);
    t.equal(toHex(theirs?.finish(bytes(messages[0])) ?? new Uint8Array(0)), key);
  }
  t.end();
});

t.test('messages are sealed as by the reference', async (t) => {
  for (const { box, key, nonce, phase, phaseKey: expected, plaintext, side } of vectors.sealed) {
    t.equal(toHex(phaseKey(bytes(key), side, phase)), expected);
    const sealer = await createPhaseBox(bytes(key), { bytes: () => bytes(nonce) });
    t.equal(toHex(sealer.seal(side, phase, utf8(plaintext))), box);
    t.equal(fromUtf8(sealer.open(side, phase, bytes(box)) ?? new Uint8Array(0)), plaintext);
    t.equal(sealer.open(`${side}0`, phase, bytes(box)), undefined, 'another side');
    t.equal(sealer.open(side, `${phase}0`, bytes(box)), undefined, 'another phase');
    for (let i = 0; i < bytes(box).length; i++) {
      const damaged = bytes(box).map((byte, at) => (at === i ? byte ^ 1 : byte));
      if (sealer.open(side, phase, damaged) !== undefined) t.fail(`byte ${String(i)} may be changed`);
      if (sealer.open(side, phase, damaged.subarray(0, i)) !== undefined) t.fail(`it may be cut at ${String(i)}`);
    }
  }
});

t.test('the same password gives the same key, another one another', (t) => {
  const random = seededRandom(8);
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (one, other) => {
      const [a, b] = [startSpake2(utf8(one), utf8('x'), random), startSpake2(utf8(other), utf8('x'), random)];
      return equalBytes(a.finish(b.message), b.finish(a.message)) === (one === other);
    }),
    { numRuns: 15 },
  );
  const same = startSpake2(utf8('p'), utf8('x'), random);
  t.equal(toHex(same.finish(spake2Of(utf8('p'), utf8('x'), 5n).message)).length, 64);
  t.end();
});

t.test('what is no message of SPAKE2 is refused', (t) => {
  const side = startSpake2(utf8('p'), utf8('x'), seededRandom(9));
  const element = (hex: string): Uint8Array => bytes(`53${hex}`);
  const refused = {
    'our own': side.message,
    'another side': Uint8Array.of(0x41, ...side.message.subarray(1)),
    short: side.message.subarray(0, 32),
    long: Uint8Array.of(...side.message, 0),
    empty: new Uint8Array(0),
    'the neutral element': element(`01${'00'.repeat(31)}`),
    'an element of order 2': element(`ec${'ff'.repeat(30)}7f`),
    'an element of order 8': element('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
    'a number beyond the field': element('ff'.repeat(32)),
  };
  for (const [name, message] of Object.entries(refused)) {
    t.throws(() => side.finish(message), { code: 'ERR_MESSAGE' }, name);
  }
  t.end();
});

t.test('codes', (t) => {
  t.same(parseWormholeCode(' 12-guitarist-revenge\n'), { nameplate: '12', text: '12-guitarist-revenge' });
  for (const text of ['', '4', '4-', 'four-purple', '-4-x', '4 purple', '4-a b', `4-${'x'.repeat(300)}`]) {
    t.throws(() => parseWormholeCode(text), { code: 'ERR_USAGE' }, text);
  }
  t.same([new Set(oddWords).size, new Set(evenWords).size], [256, 256]);
  t.equal(makeWormholeCode('7', { bytes: () => Uint8Array.of(0, 255) }).text, '7-adroitness-zulu');
  t.end();
});

t.test('what a mailbox server says', (t) => {
  const read = (value: unknown) => parseMailboxReply(JSON.stringify(value));
  t.same(read({ type: 'welcome', welcome: { motd: 'hi' }, server_tx: 1 }), { type: 'welcome', refusal: undefined });
  t.match(read({ type: 'welcome', welcome: { error: 'no\u001b[2J' } }), { refusal: 'no?[2J' });
  t.match(read({ type: 'welcome', welcome: { 'permission-required': { none: {} } } }), { refusal: undefined });
  t.match(read({ type: 'welcome', welcome: { 'permission-required': { hashcash: {} } } }), { refusal: /hashcash/ });
  t.same(read({ type: 'message', side: 'a', phase: '0', body: '00ff' }), {
    type: 'message',
    side: 'a',
    phase: '0',
    body: Uint8Array.of(0, 255),
  });
  t.same(read({ type: 'error', error: 'crowded', orig: {} }), { type: 'error', reason: 'crowded' });
  t.equal(read({ type: 'ack', id: 'x' }), undefined);
  const refused: unknown[] = [
    [],
    null,
    { type: 'claimed' },
    { type: 'allocated', nameplate: 'x' },
    { type: 'message', side: 'a', phase: '0', body: 'XY' },
    { type: 'message', side: 'a', phase: 'a b', body: '' },
  ];
  for (const value of refused) t.throws(() => read(value), { code: 'ERR_MESSAGE' }, JSON.stringify(value));
  t.throws(() => parseMailboxReply('{'), { code: 'ERR_MESSAGE' });
  t.throws(() => parseMailboxReply(`"${'x'.repeat(200_000)}"`), { code: 'ERR_MESSAGE' });
  t.equal(formatMailboxRequest({ type: 'allocate' }), '{"type":"allocate"}');
  t.end();
});
