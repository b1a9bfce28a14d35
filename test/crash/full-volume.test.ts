/** A node whose volume has no byte left: it starts, serves what it has, and takes shares again when there is room. */
import { join } from 'node:path';
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { otherIndex, sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import { emptyVolume, fillVolume, mountSmallVolume } from '#test/fixtures/small-volume.js';
import { StoredNode } from '#test/fixtures/stored-node.js';

const VOLUME_MIB = 12;
const share = seededBytes('share', 20_000);

for (const kind of ['tmpfs', 'ext4'] as const) {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    t.test(`a full ${kind}, after ${signal}`, { timeout: 120_000 }, async (t) => {
      const volume = await mountSmallVolume(t, kind, VOLUME_MIB);
      if (volume === undefined) {
        t.notOk(process.env['CI'], 'where tests count, volumes can be mounted');
        return;
      }
      const subject = await StoredNode.make(t, join(volume, 'store'));
      await subject.node.start();
      t.strictSame(await subject.allocate(storageIndex, share.length), [0]);
      t.equal((await subject.patch(storageIndex, share)).status, 201);
      t.same(await subject.ready(), { status: 200, text: 'ok\n' });
      await subject.node.stop(signal);

      fillVolume(volume);
      await subject.node.start();
      t.match(subject.node.output, /storage\.volume-full/, 'the log says so');
      const { status, text } = await subject.ready();
      t.equal(status, 200);
      t.match(text, /^ok\nthe share store: it has no room for new shares/);
      sameBytes(t, await subject.read(storageIndex), share);
      t.strictSame(await subject.allocate(otherIndex, share.length), [], 'nothing new');

      emptyVolume(volume);
      t.strictSame(await subject.allocate(otherIndex, share.length), [0], 'there is room again');
      t.equal((await subject.patch(otherIndex, share)).status, 201);
      sameBytes(t, await subject.read(otherIndex), share);
      t.same(await subject.ready(), { status: 200, text: 'ok\n' });
    });
  }
}
