/**
 * How much slower is the portable crypto provider than the native one?
 *
 *     node dist/bench/crypto.js [--rounds N] [--megabytes N]
 *
 * Both in turns, in one process, on one thread. Prints one JSON line a primitive: what each does in a second
 * (medians; higher is better) and how many times as much the native one does. Both are asked for the same bytes, which are
 * compared; of signatures, each verifies the other's.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { equalBytes } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { createNativeCrypto, systemRandom } from '#core/native-crypto.js';
import { createPortableCrypto } from '#core/portable-crypto.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '7' }, megabytes: { type: 'string', default: '16' } },
});
const rounds = Number(values.rounds);
const native = await createNativeCrypto();
const portable = await createPortableCrypto(systemRandom);

const piece = systemRandom.bytes(1_000_000);
const small = systemRandom.bytes(64);
const key = systemRandom.bytes(32);
const privateKey = await native.generateRsaKey();
const publicKey = native.rsaPublicKey(privateKey);
const signature = portable.rsaSign(privateKey, small);
if (!native.rsaVerify(publicKey, small, signature)) throw new Error('the providers disagree on a signature');
if (!portable.rsaVerify(publicKey, small, native.rsaSign(privateKey, small))) {
  throw new Error('the providers disagree on a signature');
}

interface Primitive {
  readonly name: string;
  readonly unit: string;
  /** How often it is done in a round. */
  readonly times: number;
  /** Does it once. @returns what both providers must agree on. */
  readonly run: (crypto: CryptoProvider) => Uint8Array | boolean | Promise<Uint8Array>;
  /** Whether the result is the same each time. */
  readonly comparable?: boolean;
}

const megabytes = Number(values.megabytes);
const primitives: readonly Primitive[] = [
  {
    name: 'AES-128-CTR',
    unit: 'MB',
    times: megabytes,
    run: (crypto) => crypto.aesCtr(key.subarray(0, 16), 0).process(piece),
    comparable: true,
  },
  {
    name: 'AES-256-CTR',
    unit: 'MB',
    times: megabytes,
    run: (crypto) => crypto.aesCtr(key, 0).process(piece),
    comparable: true,
  },
  { name: 'SHA-256', unit: 'MB', times: megabytes, run: (crypto) => crypto.sha256(piece), comparable: true },
  {
    name: 'SHA-256 of 64 bytes',
    unit: 'digests',
    times: 20_000,
    run: (crypto) => crypto.sha256(small),
    comparable: true,
  },
  { name: 'Ed25519 verify', unit: 'signatures', times: 200, run: (crypto) => ed25519(crypto), comparable: true },
  { name: 'RSA-2048 sign', unit: 'signatures', times: 50, run: (crypto) => crypto.rsaSign(privateKey, small) },
  {
    name: 'RSA-2048 verify',
    unit: 'signatures',
    times: 500,
    run: (crypto) => crypto.rsaVerify(publicKey, small, signature),
    comparable: true,
  },
  { name: 'RSA-2048 new key', unit: 'keys', times: 5, run: (crypto) => crypto.generateRsaKey() },
];

const ed25519Signature = native.ed25519Sign(key, small);
const ed25519Key = native.ed25519PublicKey(key);
function ed25519(crypto: CryptoProvider): boolean {
  return crypto.ed25519Verify(ed25519Key, small, ed25519Signature);
}

function same(a: Uint8Array | boolean, b: Uint8Array | boolean): boolean {
  return typeof a === 'boolean' || typeof b === 'boolean' ? a === b : equalBytes(a, b);
}

/** How many a second. */
async function rate({ run, times }: Primitive, crypto: CryptoProvider): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) await run(crypto);
  return times / ((performance.now() - start) / 1000);
}

for (const primitive of primitives) {
  const { name, unit, comparable } = primitive;
  const [ours, theirs] = [await primitive.run(native), await primitive.run(portable)];
  if (comparable === true && !same(ours, theirs)) throw new Error(`the providers disagree on ${name}`);
  const rates = { native: [] as number[], portable: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    rates.native.push(await rate(primitive, native));
    rates.portable.push(await rate(primitive, portable));
  }
  const [nativeRate, portableRate] = [median(rates.native), median(rates.portable)];
  const ratio = nativeRate / portableRate;
  printResult({ primitive: name, unit: `${unit}/s`, native: nativeRate, portable: portableRate, timesAsFast: ratio });
}
