/** Signed announcements: the reference's, ours, and all that must be refused. */
import t from 'tap';
import fc from 'fast-check';
import { fromUtf8, utf8 } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import {
  ANNOUNCEMENT_SIZE_MAX,
  dangerouslyFormatAnnouncement,
  parseSignedAnnouncement,
  signAnnouncement,
  verifyAnnouncement,
} from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { announce, serverIdOf, serverSeed, storageFields } from '#test/fixtures/announcements.js';
import { crypto } from '#test/fixtures/crypto.js';
import { fromHex, readVectors } from '#test/fixtures/vectors.js';

interface Vectors {
  readonly announcements: readonly {
    readonly seedHex: string;
    readonly message: string;
    readonly signature: string;
    readonly key: string;
    readonly nickname: string;
    readonly seqnum: number;
  }[];
}

const isRefused = (error: unknown): boolean => isTahoeError(error, 'ERR_ANNOUNCEMENT');

t.test("the reference's are verified, and signed to the same signature", async (t) => {
  for (const { seedHex, message, signature, key, nickname, seqnum } of readVectors<Vectors>('announcements.json')
    .announcements) {
    const verified = verifyAnnouncement({ message: utf8(message), signature, key }, crypto);
    t.equal(verified.serverId, key);
    t.equal(verified.nickname, nickname);
    t.equal(verified.sequenceNumber, seqnum);
    t.equal(verified.serviceName, 'storage');
    t.equal(verified.version, 'tahoe-lafs/1.20.0');
    const seed = fromHex(seedHex);
    const signed = signAnnouncement(JSON.parse(message) as Record<string, unknown>, seed, crypto);
    t.equal(signed.key, key);
    const again = verifyAnnouncement(signed, crypto);
    t.same([...again.fields], [...verified.fields], 'another layout of JSON says the same');
  }
});

t.test('what travels over HTTPS comes back as the same bytes', async (t) => {
  const signed = announce(1, 7, { nickname: 'Zoë \u{1f600} "quoted"\n' });
  const text = dangerouslyFormatAnnouncement(signed);
  t.same(parseSignedAnnouncement(text), signed);
  t.equal(verifyAnnouncement(parseSignedAnnouncement(text), crypto).serverId, serverIdOf(1));
});

t.test('any flipped bit is refused, in the message, the signature and the key', async (t) => {
  const { message, signature, key } = announce(1, 1);
  const flip = (text: string, at: number): string =>
    text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1);
  for (let bit = 0; bit < message.length * 8; bit += 13) {
    const changed = message.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.throws(() => verifyAnnouncement({ message: changed, signature, key }, crypto), { code: 'ERR_ANNOUNCEMENT' });
  }
  for (let i = 3; i < signature.length; i += 5) {
    const changed = { message, signature: flip(signature, i), key };
    t.throws(() => verifyAnnouncement(changed, crypto), { code: 'ERR_ANNOUNCEMENT' });
  }
  for (let i = 3; i < key.length; i++) {
    t.throws(() => verifyAnnouncement({ message, signature, key: flip(key, i) }, crypto), { code: 'ERR_ANNOUNCEMENT' });
  }
});

t.test("another key's signature, another scheme, and no service are refused", async (t) => {
  const signed = announce(1, 1);
  const wrong: [string, SignedAnnouncement, RegExp][] = [
    ['re-keyed', { ...signed, key: announce(2, 1).key }, /not that of its key/],
    ['another signature', { ...signed, signature: announce(2, 1).signature }, /not that of its key/],
    ['v1', { ...signed, key: signed.key.replace('v0', 'v1') }, /its key is not v0-/],
    ['upper case', { ...signed, key: signed.key.toUpperCase() }, /its key is not v0-/],
    ['pub-', { ...signed, key: `pub-${signed.key}` }, /its key is not v0-/],
    ['no signature', { ...signed, signature: '' }, /its signature is not v0-/],
    ['a key that is no point', { ...signed, key: `v0-${'7'.repeat(51)}q` }, /not that of its key/],
    ['too large', announce(1, 1, { nickname: 'x'.repeat(ANNOUNCEMENT_SIZE_MAX) }), /larger than 16384 bytes/],
    ['no service', announce(1, 1, { 'service-name': undefined }), /names no service/],
    ['a service that is no text', announce(1, 1, { 'service-name': ['storage'] }), /names no service/],
    ['a long service', announce(1, 1, { 'service-name': 'x'.repeat(65) }), /names no service/],
  ];
  for (const [what, announcement, message] of wrong) {
    t.throws(() => verifyAnnouncement(announcement, crypto), { code: 'ERR_ANNOUNCEMENT', message }, what);
  }
  const raw = (text: string | Uint8Array): SignedAnnouncement => {
    const message = typeof text === 'string' ? utf8(text) : text;
    const { key, signature } = { ...announce(1, 1), ...signRaw(message) };
    return { message, signature, key };
  };
  for (const text of ['[]', 'null', '"x"', '{', '', '['.repeat(9000), new Uint8Array([0x7b, 0xff, 0x7d])]) {
    t.throws(() => verifyAnnouncement(raw(text), crypto), { code: 'ERR_ANNOUNCEMENT' });
  }
});

function signRaw(message: Uint8Array): { signature: string } {
  // A signer that signs what it is given instead of what was laid out.
  const signer = { ...crypto, ed25519Sign: (seed: Uint8Array) => crypto.ed25519Sign(seed, message) };
  return { signature: signAnnouncement({}, serverSeed(1), signer).signature };
}

t.test('a sequence number that is not exact counts as none', async (t) => {
  for (const seqnum of [1.5, '3', null, 2 ** 53, [1], true]) {
    const verified = verifyAnnouncement(announce(1, 1, { seqnum }), crypto);
    t.equal(verified.sequenceNumber, undefined, JSON.stringify(seqnum));
  }
});

t.test('no error repeats what was announced', async (t) => {
  const signed = announce(1, 1);
  const cut = { ...signed, message: signed.message.slice(0, -3) };
  for (const action of [
    () => verifyAnnouncement(cut, crypto),
    () => verifyAnnouncement({ ...cut, ...signRaw(cut.message) }, crypto),
    () => parseSignedAnnouncement(fromUtf8(signed.message).slice(0, -3)),
    () => parseSignedAnnouncement(fromUtf8(signed.message)),
  ]) {
    try {
      action();
      t.fail('it is accepted');
    } catch (error) {
      t.notMatch(String(error), /swissnum|pb:/);
      t.ok(isRefused(error));
    }
  }
});

t.test('whatever comes, it is refused or it is what was signed', async (t) => {
  const good = announce(1, 1);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc
          .record({ message: fc.string(), signature: fc.string(), key: fc.constant(good.key) })
          .map((r) => JSON.stringify(r)),
      ),
      (text) => {
        try {
          verifyAnnouncement(parseSignedAnnouncement(text), crypto);
          return false;
        } catch (error) {
          return isRefused(error);
        }
      },
    ),
    { numRuns: 500 },
  );
  t.ok(storageFields(1, 1), 'none was accepted');
});
