/**
 * Tor itself, with its network disabled: its control port takes our proofs and our onion services, and a Tor that we
 * start says where its SOCKS proxy is and ends with us.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { nodeRandom } from '#node/keypair.js';
import { TorAccess } from '#node/network/tor-access.js';
import { TorProcess } from '#node/network/tor-process.js';
import { findProgram } from '../fixtures/foreign-programs.js';

const { signal } = new AbortController();

async function startTor(t: Test, program: string): Promise<TorAccess> {
  const folder = t.testdir({ 'offline-tor': `#!/bin/sh\nexec '${program}' --DisableNetwork 1 "$@"\n` });
  const executable = join(folder, 'offline-tor');
  await chmod(executable, 0o755);
  const directory = join(folder, 'state');
  await mkdir(directory, { mode: 0o700 });
  const access = new TorAccess({
    settings: { socks: undefined, control: undefined, launch: true, executable, onion: undefined },
    clock: systemClock,
    random: nodeRandom,
    launch: (signal) => TorProcess.start({ executable, directory, clock: systemClock, log: silentLog }, signal),
  });
  t.teardown(() => access.close());
  return access;
}

t.test('an onion service is made, made again with its key, and taken back', async (t) => {
  const program = findProgram(t, 'tor');
  if (program === undefined) return;
  const access = await startTor(t, program);
  const control = await access.openControl(signal);
  const made = await control.addOnion('NEW:ED25519-V3', 3457, 4545, signal);
  t.match(made.serviceId, /^[a-z2-7]{56}$/);
  t.match(made.privateKey, /^ED25519-V3:[A-Za-z0-9+/]{86}==$/);
  await t.rejects(control.addOnion(made.privateKey ?? '', 3457, 4545, signal), { code: 'ERR_PROXY' }, 'it is there');
  await control.removeOnion(made.serviceId, signal);
  t.equal((await control.addOnion(made.privateKey ?? '', 3457, 4545, signal)).serviceId, made.serviceId);
  control.close();
  const next = await access.openControl(signal);
  t.equal(
    (await next.addOnion(made.privateKey ?? '', 3457, 4545, signal)).serviceId,
    made.serviceId,
    'the last connection took its service with it',
  );
  t.equal(await next.progress(signal), 0);
  await t.rejects(next.addOnion('ED25519-V3:AAAA', 3457, 4545, signal), {
    code: 'ERR_PROXY',
    message: /refuses ADD_ONION/,
  });
  next.close();
});

t.test('a wrong cookie is refused by Tor, and a Tor that is changed behind its file is found out', async (t) => {
  const program = findProgram(t, 'tor');
  if (program === undefined) return;
  const access = await startTor(t, program);
  (await access.openControl(signal)).close();
  await writeFile(join(t.testdirName, 'state/control_auth_cookie'), new Uint8Array(32));
  await t.rejects(access.openControl(signal), { code: 'ERR_PROXY', message: /not the Tor that it claims to be/ });
});
