/** The protocol suite in this process, in memory. */
import { createMemoryStore } from '#storage/memory-store.js';
import { storageProtocolSuite } from '#test/conformance/storage-protocol.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import { storeOptions } from '#test/fixtures/share-store.js';

storageProtocolSuite(async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  t.teardown(() => store.close());
  return { swissnum, isReference: false, request: injector(await appOf(t, store)) };
});
