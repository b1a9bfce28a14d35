/** The suite of share stores over a disk. */
import { shareStoreSuite } from '#test/conformance/share-store.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';

shareStoreSuite(makeDiskSubject);
