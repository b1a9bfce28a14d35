/**
 * Our mutable files and the reference's are the same files: on storage nodes of either program, what our client or a
 * gateway of the reference has written is read, changed as a whole and in part, and found healthy by the other.
 */
import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import type { Test } from 'tap';
import { readCapabilityOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { requireCapability } from '#core/capability/parse.js';
import { isTahoeError } from '#core/errors.js';
import type { MutableCapability } from '#core/mutable/access.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { mutableKeysOf, writeCapabilityOf } from '#core/mutable/keys.js';
import { createMutableFile } from '#client/mutable/create.js';
import type { MutableContext } from '#client/mutable/mutable-context.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { joinProcessGrid } from '#test/fixtures/mutable-process-client.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { ask, getFile, isHealthy, overwrite, pathOf, putMutable } from './gateway-talk.js';

const skip = hasReference ? false : 'no reference';
const encoding = { needed: 2, happy: 3, total: 3 };
/** MDMF segments of the reference and of ours with k = 2. */
const SEGMENT_SIZE = 131_072;

interface World {
  readonly context: MutableContext;
  readonly gateway: GridNode;
}

async function start(t: Test, program: Program): Promise<World> {
  const storage = Array<Program>(3).fill(program);
  const grid = await ProcessGrid.start({ storage, gateways: ['reference'], encoding });
  t.teardown(() => grid.stop());
  const { close, context } = await joinProcessGrid(grid, encoding);
  t.teardown(close);
  return { context, gateway: grid.gateway('reference') };
}

function newKey(): Buffer {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'der' });
}

function open(context: MutableContext, text: string): MutableFile {
  return new MutableFile(context, requireCapability(text) as MutableCapability);
}

/** The contents with `bytes` at `offset`. */
function splice(contents: Buffer, bytes: Uint8Array, offset: number): Buffer {
  const changed = Buffer.alloc(Math.max(contents.length, offset + bytes.length));
  changed.set(contents);
  changed.set(bytes, offset);
  return changed;
}

/** One file that both change in turns; everybody reads it after each change. */
async function live(t: Test, { context, gateway }: World, format: 'sdmf' | 'mdmf', maker: Program): Promise<void> {
  let contents: Buffer = Buffer.from(seededBytes(`${format} ${maker}`, 300_000));
  const text =
    maker === 'reference'
      ? await putMutable(gateway, contents, format)
      : dangerouslyFormatCapability((await createMutableFile(context, contents, { format })).capability);
  const readText = dangerouslyFormatCapability(
    readCapabilityOf(crypto, requireCapability(text)) ?? requireCapability(''),
  );
  const check = async (what: string, isThorough = true): Promise<void> => {
    t.ok((await getFile(gateway, text)).equals(contents), `${what}: read by the reference`);
    t.ok(contents.equals((await open(context, text).read()).bytes), `${what}: read by us`);
    if (!isThorough) return;
    t.ok((await getFile(gateway, readText)).equals(contents), `${what}: by the reference through the read capability`);
    t.ok(contents.equals((await open(context, readText).read()).bytes), `${what}: by us through the read capability`);
    t.ok(await isHealthy(gateway, text), `${what}: healthy to the reference`);
    const map = await open(context, text).servermap('check');
    t.strictSame([map.versions().length, map.best()?.distinct, map.badShares.length], [1, 3, 0], `${what}: and to us`);
  };
  await check('made');
  const steps: readonly (readonly [what: string, program: Program, length: number, offset?: number])[] = [
    ['overwritten, longer', 'ours', 400_000],
    ['overwritten, shorter', 'reference', 200_000],
    ['changed in a segment', 'ours', 100, 70_000],
    ['changed in a segment', 'reference', 100, 80_000],
    ['changed over a boundary', 'ours', 300, SEGMENT_SIZE - 150],
    ['changed over a boundary', 'reference', 300, SEGMENT_SIZE - 100],
    ['a whole segment', 'ours', SEGMENT_SIZE, 0],
    ['the last byte', 'ours', 1, 199_999],
    ['appended to', 'ours', 1000, 200_000],
    ['appended to', 'reference', 1000, 201_000],
    ['grown by a segment, within the tree', 'ours', 100_000, 202_000],
    ['grown over a power of two', 'ours', 300_000, 302_000],
    ['emptied', 'ours', 0],
    ['filled anew', 'reference', 10],
    ['emptied', 'reference', 0],
    ['filled anew', 'ours', SEGMENT_SIZE],
    ['appended to at a boundary', 'ours', 5, SEGMENT_SIZE],
  ];
  for (const [i, [what, program, length, offset]] of steps.entries()) {
    const bytes = seededBytes(`step ${String(i)}`, length);
    if (program === 'reference') await overwrite(gateway, text, bytes, offset);
    else if (offset === undefined) await open(context, text).overwrite(bytes);
    else await open(context, text).update(offset, bytes);
    contents = offset === undefined ? Buffer.from(bytes) : splice(contents, bytes, offset);
    await check(`${format} ${what} by ${program}`, i % 4 === 3);
  }
  await open(context, text).modify((old) => Buffer.concat([old, Buffer.from('changed')]));
  contents = Buffer.concat([contents, Buffer.from('changed')]);
  await check('modified');
  const { bytes } = await open(context, text).read({ begin: SEGMENT_SIZE - 3, end: SEGMENT_SIZE + 3 });
  t.ok(contents.subarray(SEGMENT_SIZE - 3, SEGMENT_SIZE + 3).equals(bytes), 'a range');
}

for (const program of ['reference', 'ours'] as const) {
  t.test(`on storage nodes: ${program}`, { skip, timeout: 500_000 }, async (t) => {
    const world = await start(t, program);
    const { context, gateway } = world;
    for (const format of ['sdmf', 'mdmf'] as const) {
      for (const maker of ['reference', 'ours'] as const) {
        await t.test(`${format}, made by: ${maker}`, { timeout: 300_000 }, (t) => live(t, world, format, maker));
      }
    }

    await t.test('one key gives one capability', { timeout: 100_000 }, async (t) => {
      for (const format of ['sdmf', 'mdmf'] as const) {
        const key = newKey();
        const ours = dangerouslyFormatCapability(writeCapabilityOf(format, mutableKeysOf(crypto, key)));
        t.equal(await putMutable(gateway, seededBytes('key', 100), format, key), ours);
        t.equal((await open(context, ours).read()).bytes.length, 100);
        const again = createMutableFile(context, new Uint8Array(1), { format, privateKey: key });
        await t.rejects(again, { code: 'ERR_UNCOORDINATED_WRITE' }, 'the file is there already');
      }
      const key = newKey();
      const file = await createMutableFile(context, seededBytes('ours', 10), { format: 'sdmf', privateKey: key });
      const text = dangerouslyFormatCapability(file.capability);
      await t.rejects(putMutable(gateway, seededBytes('theirs', 10), 'sdmf', key));
      t.ok((await getFile(gateway, text)).equals(seededBytes('ours', 10)), 'it is as it was');
    });

    await t.test(
      'writers of both programs at once: who is acknowledged is there, or was overtaken',
      { timeout: 100_000 },
      async (t) => {
        const file = await createMutableFile(context, seededBytes('start', 50), { format: 'sdmf' });
        const text = dangerouslyFormatCapability(file.capability);
        for (let round = 0; round < 20; round++) {
          const base = (await file.overwrite(seededBytes('start', 50))).sequenceNumber;
          const [mine, theirs] = [seededBytes(`mine ${String(round)}`, 50), seededBytes(`theirs ${String(round)}`, 50)];
          const [ours, reply] = await Promise.all([
            open(context, text)
              .overwrite(mine)
              .catch((error: unknown) => error),
            ask(gateway, pathOf(text), { method: 'PUT', body: theirs }),
          ]);
          const { bytes, version } = await open(context, text).read();
          const isMine = Buffer.from(mine).equals(bytes);
          const isTheirs = Buffer.from(theirs).equals(bytes);
          const number = version.sequenceNumber;
          const wasRefused = isTahoeError(ours, 'ERR_UNCOORDINATED_WRITE');
          const was = `ours ${wasRefused ? 'refused' : String(ours)}, theirs ${String(reply.status)}, now ${String(number - base)}`;
          // A write that is refused may be there all the same, on top of the one that was acknowledged: who is told of
          // a meeting does not know. What was acknowledged gives way to a higher number only, never to an equal one.
          if (!wasRefused) {
            const acknowledged = (ours as MutableVersion).sequenceNumber;
            t.ok(isMine ? number === acknowledged : isTheirs && number > acknowledged, was);
          } else if (reply.status === 200) {
            t.ok(isTheirs || (isMine && number > base + 1), was);
          } else {
            t.ok(number >= base, was);
          }
        }
        await file.overwrite(seededBytes('start', 50));
        t.ok((await getFile(gateway, text)).equals(seededBytes('start', 50)));
        const verify = verifyCapabilityOf(crypto, requireCapability(text)) as MutableCapability;
        t.equal((await new MutableFile(context, verify).servermap('check')).best()?.distinct, 3);
      },
    );
  });
}
