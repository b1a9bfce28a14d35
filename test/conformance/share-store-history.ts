/** Every store leaves, file by file and byte by byte, what the reference's server left after the same requests. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { decodeReadTestWriteRequest } from '#wire/storage-mutable.js';
import type { ShareStore } from '#storage/share-store.js';
import { counting, fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';
import type { HistoryStep } from '#test/fixtures/mutable-vectors.js';
import { slotRequest } from '#test/fixtures/mutable-store.js';
import { sorted } from '#test/fixtures/share-store.js';
import type { StoreSubject } from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

/** Runs all histories. */
export function historySuite(makeSubject: MakeSubject): void {
  for (const { steps, storageIndex } of mutableVectors.histories) {
    const index = fromText(storageIndex);
    t.test(`the history of ${formatBase32(index)}`, async (t) => {
      const subject = await makeSubject(t);
      const store = await subject.open({ nodeId: fromText(mutableVectors.nodeId) });
      for (const [number, step] of steps.entries()) {
        const { data, files, success } = step;
        const found = await replay(subject, store, index, step);
        t.strictSame(found, { success, data, files }, `step ${String(number)}`);
        t.strictSame(sorted(await store.listMutable(index)).map(String), Object.keys(files));
      }
    });
  }
}

async function replay(
  subject: StoreSubject,
  store: ShareStore,
  storageIndex: Uint8Array,
  step: HistoryStep,
): Promise<Pick<HistoryStep, 'success' | 'data' | 'files'>> {
  subject.clock.advance(step.now * 1000 - subject.clock.nowMs());
  const { data, success } = await store.readTestWrite({
    ...slotRequest(decodeReadTestWriteRequest(fromText(step.request))),
    storageIndex,
    writeEnabler: fromText(mutableVectors.writeEnabler),
    renewSecret: counting(step.client),
    cancelSecret: counting(step.client + 32),
  });
  const files: Record<string, string> = {};
  for (let shareNumber = 0; shareNumber < 4; shareNumber++) {
    const file = await subject.raw(storageIndex, shareNumber);
    if (file !== undefined) files[shareNumber] = createHash('sha256').update(file).digest('hex');
  }
  const texts = [...data].map(([shareNumber, pieces]) => [
    String(shareNumber),
    pieces.map((piece) => Buffer.from(piece).toString('base64')),
  ]);
  return { success, data: Object.fromEntries(texts) as HistoryStep['data'], files };
}
