/** The protocol suite in this process, on a disk. */
import { storageProtocolSuite } from '#test/conformance/storage-protocol.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { appOf, digestOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';

storageProtocolSuite(async (t) => {
  const subject = await makeDiskSubject(t);
  const app = await appOf(t, await subject.open());
  return {
    swissnum,
    isReference: false,
    request: injector(app),
    snapshot: () => digestOf(subject.layout.directory),
  };
});
