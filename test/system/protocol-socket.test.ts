/** The protocol suite over real HTTP on loopback, on a disk. */
import { storageProtocolSuite } from '#test/conformance/storage-protocol.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { appOf, digestOf, overSocket, swissnum } from '#test/fixtures/protocol-subjects.js';

storageProtocolSuite(async (t) => {
  const subject = await makeDiskSubject(t);
  const app = await appOf(t, await subject.open());
  return {
    swissnum,
    isReference: false,
    request: await overSocket(t, app),
    snapshot: () => digestOf(subject.layout.directory),
  };
});
