/** The suite of share stores over a simulated disk: the simulation is held to what a real disk does. */
import { shareStoreSuite } from '#test/conformance/share-store.js';
import { makeSimSubject } from '#test/fixtures/sim-subject.js';

shareStoreSuite(makeSimSubject);
