/** Every derivation against the reference's answer. */
import t from 'tap';
import { toHex, utf8 } from '#core/bytes.js';
import * as derive from '#core/derive.js';
import { leaseSecrets } from '#core/lease.js';
import { crypto } from '../fixtures/crypto.js';
import { fromHex, readVectors } from '../fixtures/vectors.js';

interface Answers {
  readonly [name: string]: string;
}
interface Convergence {
  readonly needed: number;
  readonly total: number;
  readonly segmentSize: number;
  readonly secret: string;
  readonly plaintext: string;
  readonly key: string;
}
const { derivations } = readVectors<{ derivations: Answers & { convergence: Convergence[] } }>('reference.json');
const answer = (name: string): Uint8Array => fromHex(derivations[name] ?? '');

t.test('tagged hashes', async (t) => {
  t.equal(toHex(derive.taggedHash(crypto, utf8('tag'), utf8('value'))), derivations.taggedHash);
  t.equal(toHex(derive.taggedHash(crypto, utf8('tag'), utf8('value'), 16)), derivations.taggedHash16);
  t.equal(toHex(derive.taggedPairHash(crypto, utf8('tag'), utf8('a'), utf8('bb'))), derivations.taggedPairHash);
});

t.test('hashes of files and shares', async (t) => {
  t.equal(toHex(derive.deriveImmutableStorageIndex(crypto, answer('key'))), derivations.storageIndex);
  t.equal(toHex(derive.deriveBlockHash(crypto, utf8('block'))), derivations.block);
  t.equal(
    toHex(derive.crypttextHasher(crypto).update(utf8('crypt')).update(utf8('text')).digest()),
    derivations.crypttext,
  );
  t.equal(toHex(derive.deriveCrypttextSegmentHash(crypto, utf8('segment'))), derivations.crypttextSegment);
  t.equal(toHex(derive.crypttextSegmentHasher(crypto).update(utf8('segment')).digest()), derivations.crypttextSegment);
  t.equal(toHex(derive.deriveUebHash(crypto, utf8('ueb'))), derivations.ueb);
});

t.test('mutable keys', async (t) => {
  const readKey = derive.deriveMutableReadKey(crypto, answer('key'));
  t.equal(toHex(readKey), derivations.mutableReadKey);
  t.equal(toHex(derive.deriveMutableStorageIndex(crypto, readKey)), derivations.mutableStorageIndex);
});

t.test('convergent keys, fed whole and byte by byte', async (t) => {
  for (const { needed, total, segmentSize, secret, plaintext, key } of derivations.convergence) {
    const hasher = derive.convergenceHasher(crypto, fromHex(secret), { needed, total, segmentSize });
    for (const byte of fromHex(plaintext)) hasher.update(new Uint8Array([byte]));
    t.equal(toHex(hasher.digest(16)), key);
  }
});

t.test('lease secrets differ by kind, file and server, and are the reference’s', async (t) => {
  const secrets = leaseSecrets(crypto, answer('leaseSecret'), answer('storageIndex'), answer('tubId'));
  t.equal(toHex(secrets.renewSecret), derivations.bucketRenewSecret);
  t.equal(toHex(secrets.cancelSecret), derivations.bucketCancelSecret);
  const elsewhere = leaseSecrets(crypto, answer('leaseSecret'), answer('storageIndex'), new Uint8Array(20));
  t.not(toHex(elsewhere.renewSecret), toHex(secrets.renewSecret));
});
