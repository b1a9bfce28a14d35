/** A node that is killed in the middle of an upload, and one that is stopped: the upload goes on at the next start. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import { sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import { StoredNode } from '#test/fixtures/stored-node.js';

const MEBIBYTE = 1 << 20;
const share = seededBytes('share', 5 * MEBIBYTE);
const POLL_MS = 50;

/** Writes range after range of what is asked for. @returns the last status. */
async function finish(subject: StoredNode, required: readonly { begin: number; end: number }[]): Promise<number> {
  let status = 0;
  for (const range of required) status = (await subject.patch(storageIndex, share, range)).status;
  return status;
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`an upload survives ${signal}`, { timeout: 60_000 }, async (t) => {
    const subject = await StoredNode.make(t, join(await temporaryDirectory(t), 'store'));
    await subject.node.start();
    await subject.allocate(storageIndex, share.length);
    for (const begin of [0, 1, 3]) {
      const range = { begin: begin * MEBIBYTE, end: (begin + 1) * MEBIBYTE };
      t.equal((await subject.patch(storageIndex, share, range)).status, 200);
    }
    // Killed, it has what it kept a second ago at the latest.
    const records = async (): Promise<number> => (await readdir(join(subject.store, 'tallac/uploads'))).length;
    while (signal === 'SIGKILL' && (await records()) === 0) await sleep(POLL_MS);
    await subject.node.stop(signal);
    t.equal(await records(), 1);
    await subject.node.start();

    const { required, status } = await subject.patch(storageIndex, share, { begin: 0, end: 10 });
    t.equal(status, 200, 'it is known');
    const missing = [
      { begin: 2 * MEBIBYTE, end: 3 * MEBIBYTE },
      { begin: 4 * MEBIBYTE, end: 5 * MEBIBYTE },
    ];
    if (signal === 'SIGTERM') t.strictSame(required, missing, 'with all that was acknowledged');
    t.ok(
      missing.every((range) => required.some(({ begin, end }) => begin <= range.begin && range.end <= end)),
      'and asks for what it never had',
    );
    t.equal(await finish(subject, required), 201);
    sameBytes(t, await subject.read(storageIndex), share);
    t.equal(await records(), 0);
  });
}
