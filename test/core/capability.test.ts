/** Capability strings: what the reference makes of each, then that printing one shows nothing. */
import t from 'tap';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { toHex } from '#core/bytes.js';
import { readCapabilityOf, storageIndexOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { looksLikeCapability, parseCapability, requireCapability } from '#core/capability/parse.js';
import { authorityOf, isMutable } from '#core/capability/types.js';
import { crypto } from '../fixtures/crypto.js';
import { readVectors } from '../fixtures/vectors.js';

interface Described {
  readonly text: string;
  readonly error: string | null;
  readonly canonical?: string;
  readonly mutable?: boolean;
  readonly readonly?: boolean;
  readonly read?: string | null;
  readonly verify?: string | null;
  readonly storageIndex?: string | null;
}
const { capabilities } = readVectors<{ capabilities: Described[] }>('reference.json');
const reasons: Record<string, string> = {
  BadURIError: 'malformed',
  MustBeReadonlyError: 'must-be-readonly',
  MustBeDeepImmutableError: 'must-be-deep-immutable',
};

t.test('every string is read as the reference reads it', async (t) => {
  for (const expected of capabilities) {
    const capability = parseCapability(expected.text);
    if (expected.canonical === undefined) {
      t.equal(capability.kind, 'unknown', expected.text);
      if (capability.kind !== 'unknown') continue;
      t.equal(capability.reason, expected.error === null ? undefined : reasons[expected.error], expected.text);
      t.equal(dangerouslyFormatCapability(capability), expected.text);
      t.throws(() => requireCapability(expected.text), { code: 'ERR_CAPABILITY' });
      continue;
    }
    t.equal(dangerouslyFormatCapability(capability), expected.canonical, expected.text);
    if (capability.kind === 'unknown') continue;
    const verifies = authorityOf(capability) === 'verify';
    t.equal(authorityOf(capability) !== 'write', expected.readonly, `${expected.text} readonly`);
    if (!verifies) t.equal(isMutable(capability), expected.mutable, `${expected.text} mutable`);
    const index = storageIndexOf(crypto, capability);
    t.equal(index === undefined ? null : toHex(index), expected.storageIndex ?? null, `${expected.text} index`);
    const verify = verifyCapabilityOf(crypto, capability);
    if (typeof expected.verify === 'string') t.equal(verify && dangerouslyFormatCapability(verify), expected.verify);
    const read = readCapabilityOf(crypto, capability);
    if (typeof expected.read === 'string' && !verifies)
      t.equal(read && dangerouslyFormatCapability(read), expected.read);
    if (verifies) t.equal(read, undefined, 'what verifies does not read');
  }
});

t.test('a deep-immutable context refuses what may change, as imm. does', async (t) => {
  const body = 'aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq';
  for (const kind of ['SSK', 'SSK-RO', 'MDMF', 'MDMF-RO', 'DIR2', 'DIR2-RO', 'DIR2-MDMF', 'DIR2-MDMF-RO']) {
    t.match(parseCapability(`URI:${kind}:${body}`, { deepImmutable: true }), { reason: 'must-be-deep-immutable' });
  }
  t.match(parseCapability(`ro.URI:SSK:${body}`, { deepImmutable: true }), { reason: 'must-be-deep-immutable' });
  t.equal(parseCapability(`URI:CHK:${body}:1:2:3`, { deepImmutable: true }).kind, 'chk');
});

t.test('impossible encodings are malformed', async (t) => {
  const body = 'aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq';
  for (const fields of ['0:10:5', '11:10:5', '3:257:5', '3:10:9007199254740992', '3:10:99999999999999999999']) {
    t.match(parseCapability(`URI:CHK:${body}:${fields}`), { kind: 'unknown', reason: 'malformed' }, fields);
  }
});

t.test('no printing shows a key', async (t) => {
  for (const { text, canonical } of capabilities) {
    if (canonical === undefined) continue;
    const capability = parseCapability(text);
    for (const shown of [inspect(capability, { depth: 9 }), JSON.stringify({ capability }), String(capability)]) {
      t.match(shown, /\[capability /);
      for (const field of canonical.split(':').filter((part) => part.length > 8 && !part.includes('-'))) {
        t.notOk(shown.includes(field), `${shown} holds no field`);
      }
      t.notMatch(shown, /[0-9]{2,}, ?[0-9]{2,}/);
    }
    t.throws(() => Object.assign(capability, { kind: 'x' }), TypeError, 'it cannot be changed');
  }
});

t.test('arbitrary text never throws and comes back unchanged', async (t) => {
  const fragments = fc.constantFrom(
    'URI:',
    'CHK',
    'SSK',
    'DIR2',
    '-RO',
    '-Verifier',
    ':',
    'imm.',
    'ro.',
    'a',
    '7',
    '10',
    '\n',
    'é',
    '__proto__',
  );
  fc.assert(
    fc.property(fc.array(fragments, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      const capability = parseCapability(text);
      return capability.kind !== 'unknown' || dangerouslyFormatCapability(capability) === text;
    }),
  );
  t.equal(parseCapability('URI:__proto__:x').kind, 'unknown');
  t.equal(parseCapability('URI:constructor:x').kind, 'unknown');
  t.ok(
    looksLikeCapability('URI:LIT:') &&
      looksLikeCapability('ro.URI:X:') &&
      looksLikeCapability('x-tahoe-future-test-mutable:1'),
  );
  t.notOk(looksLikeCapability('alias:URI:LIT:'));
});
