/** The suite of share stores over memory. */
import { createMemoryStore } from '#storage/memory-store.js';
import { MemoryFiles } from '#storage/memory-files.js';
import { shareStoreSuite } from '#test/conformance/share-store.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { recordEvents, storeOptions } from '#test/fixtures/share-store.js';

shareStoreSuite((t) => {
  const clock = new ManualClock();
  const files = new MemoryFiles();
  const { events, told } = recordEvents();
  return Promise.resolve({
    clock,
    events: told,
    open: (options) => {
      const store = createMemoryStore({ ...storeOptions(clock, { events, ...options }), files });
      t.teardown(() => store.close());
      return Promise.resolve(store);
    },
    raw: async (storageIndex, shareNumber) => {
      const file = await files.open(storageIndex, shareNumber);
      return typeof file === 'string' ? undefined : file.read(0, file.size);
    },
    place: (storageIndex, shareNumber, bytes) => {
      files.place(storageIndex, shareNumber, bytes);
      return Promise.resolve();
    },
    advisories: () => Promise.resolve(files.advisories),
    quarantined: () => Promise.resolve(files.quarantined),
  });
});
