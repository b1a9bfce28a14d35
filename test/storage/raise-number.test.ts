/** A number that is raised in place is never less than it was, whatever a power cut leaves of it. */
import t from 'tap';
import { ByteReader, ByteWriter } from '#core/bytes.js';
import { raiseNumber } from '#storage/raise-number.js';
import { fileStates } from '#test/fixtures/sim-file.js';

const FILE_SIZE = 8192;

const numbers = [
  [0x0001_ffff, 0x0002_0000],
  [0x00ff_ffff, 0x0100_0001],
  [7, 8],
] as const;

for (const offset of [0, 509, 510, 511, 512, 4093, 4094, 4095, 4096]) {
  t.test(`at byte ${String(offset)}`, async (t) => {
    const numberIn = (bytes: Uint8Array): number => new ByteReader(bytes.subarray(offset)).uint32();
    for (const [before, after] of numbers) {
      const file = new Uint8Array(FILE_SIZE);
      file.set(new ByteWriter().uint32(before).finish(), offset);
      const states = await fileStates(file, (opened) =>
        raiseNumber(opened, offset, new ByteWriter().uint32(after).finish()),
      );
      const found = new Set(states.meanwhile.map(numberIn));
      t.ok(found.has(before) && found.has(after), 'both are found');
      t.ok(Math.min(...found) >= before, `${String(Math.min(...found))} is no less than ${String(before)}`);
      t.strictSame(new Set(states.afterwards.map(numberIn)), new Set([after]), 'it is safe when that is said');
    }
  });
}
