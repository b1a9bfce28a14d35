/** The protocol suite over TLS with HTTP/1.1 on loopback, on a disk. */
import { storageProtocolSuite } from '#test/conformance/storage-protocol.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { appOf, digestOf, overTls, swissnum } from '#test/fixtures/protocol-subjects.js';

const tls = await createTlsIdentity();

storageProtocolSuite(async (t) => {
  const subject = await makeDiskSubject(t);
  const app = await appOf(t, await subject.open(), { tls });
  return {
    swissnum,
    isReference: false,
    request: await overTls(t, app),
    snapshot: () => digestOf(subject.layout.directory),
  };
});
