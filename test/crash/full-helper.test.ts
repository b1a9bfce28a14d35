/** A helper whose volume is full: its client is told so, and goes on behind what had come in when there is room. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '#node/clock.js';
import { HelperFiles, SYNC_SIZE } from '#node/helper/helper-files.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { HelperGrid, hexOf } from '#test/fixtures/helper-grid.js';
import { mountSmallVolume } from '#test/fixtures/small-volume.js';

const VOLUME_MIB = 12;
const content = seededBytes('content', 5_000_000);
const ballast = new Uint8Array(9_000_000);

for (const kind of ['tmpfs', 'ext4'] as const) {
  t.test(`a full ${kind}`, { timeout: 60_000 }, async (t) => {
    const volume = await mountSmallVolume(t, kind, VOLUME_MIB);
    if (volume === undefined) {
      t.notOk(process.env['CI'], 'where tests count, volumes can be mounted');
      return;
    }
    const files = await HelperFiles.open(join(volume, 'helper'), systemClock);
    const world = new HelperGrid({ files });
    const user = await world.user();
    await writeFile(join(volume, 'ballast'), ballast);
    await t.rejects(user.upload(content), {
      code: 'ERR_HELPER',
      message: /no space is left for files that the helper/,
    });
    const { fetched_bytes: first = 0, incoming_size: held = 0 } = await world.figures();
    t.ok(held > 0 && held < content.length, `${String(held)} bytes are there`);
    await rm(join(volume, 'ballast'));
    t.equal(hexOf(await user.upload(content)), hexOf(await new HelperGrid().grid.upload(content)));
    const figures = await world.figures();
    t.equal(figures['resumes'], 1);
    const again = (figures['fetched_bytes'] ?? 0) - first;
    t.ok(again <= content.length - held + SYNC_SIZE, `${String(again)} bytes were fetched then`);
    t.match(figures, { incoming_count: 0, encoding_count: 0 });
  });
}
