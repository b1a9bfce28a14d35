/** How many signatures are verified between two turns of the event loop when an introducer floods: counted, not timed. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { silentLog } from '#core/environment.js';
import { HEARD_PER_TURN, hearAll } from '#client/introducer-link.js';
import { UploadPermission } from '#client/upload-permission.js';
import { AnnouncementMemory } from '#wire/announcement-memory.js';
import { AnnouncementTable } from '#wire/announcement-table.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { announce, serverIdOf } from '#test/fixtures/announcements.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { certify, managerKey } from '#test/fixtures/grid-managers.js';

/** Takes every signature for right, and counts. */
class CountingVerifier {
  total = 0;
  mostInOneTurn = 0;
  #inThisTurn = 0;
  #isEnded = false;

  constructor() {
    const turn = (): void => {
      this.#inThisTurn = 0;
      if (!this.#isEnded) setImmediate(turn);
    };
    turn();
  }

  readonly ed25519Verify = (): boolean => {
    this.total += 1;
    this.#inThisTurn += 1;
    this.mostInOneTurn = Math.max(this.mostInOneTurn, this.#inThisTurn);
    return true;
  };

  end(): void {
    this.#isEnded = true;
  }
}

t.test('100 000 announcements of a flooding introducer', async (t) => {
  const verifier = new CountingVerifier();
  t.teardown(() => verifier.end());
  let kept = 0;
  const record = { kept: [], keep: () => Promise.resolve(void (kept += 1)) };
  const memory = new AnnouncementMemory({ crypto: verifier, table: new AnnouncementTable(), record });
  const { message, signature } = announce(1, 1);
  const flood = Array.from({ length: 100_000 }, (_, i): SignedAnnouncement => {
    return {
      message,
      signature,
      key: `v0-${formatBase32(new Uint8Array(Uint32Array.of(i, 0, 0, 0, 0, 0, 0, 0).buffer))}`,
    };
  });
  t.equal(await hearAll(flood, memory, { log: silentLog, name: 'introducer' }), true);
  t.same([verifier.total, kept, memory.entries().length], [100_000, 4096, 4096], 'as many are kept as the table holds');
  t.ok(verifier.mostInOneTurn <= 2 * HEARD_PER_TURN, `${String(verifier.mostInOneTurn)} in one turn`);
});

t.test('certificates of 4096 servers that were announced at once', async (t) => {
  const verifier = new CountingVerifier();
  t.teardown(() => verifier.end());
  const clock = new ManualClock();
  const permission = new UploadPermission([managerKey('m')], verifier, clock);
  const certificates = Array.from({ length: 16 }, () => certify('m', serverIdOf(1), clock.nowMs() + 1));
  for (let i = 0; i < 4096; i++) permission.note({ serverId: `v0-${String(i)}`, certificates: [...certificates] });
  permission.note({ serverId: serverIdOf(1), certificates });
  t.equal(permission.stateOf(serverIdOf(1)), 'unverified');
  t.equal(permission.allows(serverIdOf(1)), true, 'one that is asked for does not wait');
  while (permission.stateOf('v0-4095') === 'unverified') await new Promise((resolve) => setImmediate(resolve));
  t.equal(permission.allows('v0-4095'), false, 'of another server');
  t.equal(verifier.total, 4097 * 16);
  t.ok(verifier.mostInOneTurn <= 3 * 16, `${String(verifier.mostInOneTurn)} in one turn`);
});
