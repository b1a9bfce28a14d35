/** The file of versions that were seen: it outlives the node, kills, torn and false records, and does not grow. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { createSeenVersions } from '#client/mutable/seen-versions.js';
import { SeenVersionsFile } from '#node/seen-versions-file.js';
import { crypto } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '../node/fixtures/temporary-directory.js';

const secret = new Uint8Array(32);
const program = new URL('../fixtures/seen-versions-child.js', import.meta.url).pathname;
const RECORD_SIZE = 72;

function open(path: string, filesMax?: number, key = secret): Promise<SeenVersionsFile> {
  return SeenVersionsFile.open({ path, crypto, secret: key, log: silentLog, ...(filesMax && { filesMax }) });
}

const indexOf = (file: number): Uint8Array => new Uint8Array(16).fill(file);
const version = (sequenceNumber: number, root = 1) => ({ sequenceNumber, rootHash: new Uint8Array(32).fill(root) });

t.test('what was seen is known after any number of starts', async (t) => {
  const directory = await temporaryDirectory(t);
  const step = fc.oneof(fc.constant('restart' as const), fc.tuple(fc.nat(5), fc.nat(20), fc.nat(3)));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const path = join(directory, `seen ${String(run++)}`);
      const model = createSeenVersions();
      let file = await open(path);
      for (const each of steps) {
        if (each === 'restart') {
          await file.close();
          file = await open(path);
          continue;
        }
        const [index, sequenceNumber, root] = each;
        for (const memory of [model, file]) await memory.saw(indexOf(index), version(sequenceNumber, root));
      }
      for (let index = 0; index <= 5; index++) {
        const [ours, expected] = [await file.highest(indexOf(index)), await model.highest(indexOf(index))];
        if (Buffer.compare(ours?.rootHash ?? secret, expected?.rootHash ?? secret) !== 0) return false;
        if (ours?.sequenceNumber !== expected?.sequenceNumber) return false;
      }
      await file.close();
      return true;
    }),
    { numRuns: 15 },
  );
});

t.test('a file cut anywhere, or with any bit flipped, costs its own records at most', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const file = await open(path);
  for (let i = 1; i <= 3; i++) await file.saw(indexOf(i), version(i));
  await file.close();
  const whole = await readFile(path);
  t.equal(whole.length, 3 * RECORD_SIZE);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  const known = async (bytes: Uint8Array): Promise<number[]> => {
    await writeFile(path, bytes);
    const damaged = await open(path);
    const found: number[] = [];
    for (let i = 1; i <= 3; i++) {
      const seen = await damaged.highest(indexOf(i));
      if (seen !== undefined) found.push(seen.sequenceNumber);
    }
    await damaged.saw(indexOf(9), version(9));
    await damaged.close();
    const again = await open(path);
    t.equal((await again.highest(indexOf(9)))?.sequenceNumber, 9, 'what comes after it is kept');
    await again.close();
    return found;
  };
  for (const size of [0, 1, 71, 72, 73, 143, 144, 200, 215]) {
    const expected = [1, 2, 3].slice(0, Math.floor(size / RECORD_SIZE));
    t.strictSame(await known(whole.subarray(0, size)), expected, `cut at ${String(size)}`);
  }
  for (const position of [72, 90, 100, 127, 128, 143]) {
    const flipped = Buffer.from(whole);
    flipped[position] = (flipped[position] ?? 0) ^ 4;
    t.strictSame(await known(flipped), [1, 3], `a bit of byte ${String(position)}`);
  }
});

t.test('who has not the secret writes nothing that counts', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const forged = await open(path, undefined, new Uint8Array(32).fill(1));
  await forged.saw(indexOf(1), version(1000));
  await forged.close();
  const file = await open(path);
  t.equal(await file.highest(indexOf(1)), undefined);
  await file.close();
});

t.test('the file stays as small as what is in it, and that within its limit', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const file = await open(path, 10);
  const sizes: number[] = [];
  for (let i = 0; i < 1200; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => file.saw(indexOf((i + j + 1) % 20), version(i + j + 1))));
    sizes.push((await stat(path)).size);
  }
  t.ok(Math.max(...sizes) <= RECORD_SIZE * (1024 + 20 + 100));
  t.ok((sizes.at(-1) ?? 0) < (sizes.at(-3) ?? 0), 'it was rewritten');
  t.equal(await file.highest(indexOf(5)), undefined, 'the longest untouched is forgotten');
  t.equal((await file.highest(indexOf(0)))?.sequenceNumber, 1200);
  await file.close();
  await t.rejects(file.saw(indexOf(1), version(5000)), { code: 'ERR_FILE' });
});

t.test('a killed node has kept what it said', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  let said = 0;
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [program, path, String(said + 1)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.split('\n').length > 20 * (round + 1)) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    said = Math.max(...output.split('\n').map(Number));
    const file = await open(path);
    for (let i = Math.max(1, said - 6); i <= said; i++) {
      t.ok(((await file.highest(indexOf(i % 7)))?.sequenceNumber ?? 0) >= i, `version ${String(i)}`);
    }
    await file.close();
  }
});

t.test('a file that cannot be read or made is said', async (t) => {
  const directory = await temporaryDirectory(t);
  await t.rejects(open(directory), { code: 'ERR_FILE' });
  await t.rejects(open(join(directory, 'absent', 'seen')), { code: 'ERR_FILE' });
});
