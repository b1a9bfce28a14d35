/** The reference's own tests of a storage server, run against ours. @see reference_tests.py */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { Nurl } from '#wire/nurl.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import type { ManualClock } from '#test/fixtures/clock.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { referenceCommand } from '#test/fixtures/process-grid.js';
import { appOf, swissnum } from '#test/fixtures/protocol-subjects.js';

const python = join(dirname(referenceCommand), 'python');
const folder = fileURLToPath(new URL('../../../test/interop', import.meta.url));
/** How many tests the reference has of this. */
const TEST_COUNT = 34;

/** Sets a clock forward by as many seconds as the path says. @returns its address. */
async function serveClock(t: Test, clock: ManualClock): Promise<string> {
  const server = createServer((request, response) => {
    clock.advance(Number((request.url ?? '').slice(1)) * 1000);
    response.end(String(clock.nowMs() / 1000));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** What trial prints. */
async function runTrial(env: Record<string, string>): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), 'tallac-trial-'));
  try {
    const args = ['-m', 'twisted.trial', '--rterrors', `--temp-directory=${join(work, 'trial')}`, 'reference_tests'];
    const paths = { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn(python, args, { cwd: work, env: { ...process.env, ...env, ...paths } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    await new Promise((resolve) => child.on('close', resolve));
    return output;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

t.test("the reference's tests of a storage server pass", async (t) => {
  const { status } = spawnSync(python, ['-c', 'import allmydata.test.test_istorageserver']);
  t.equal(status, 0, `${python} has the reference's tests: pip install 'tahoe-lafs[test]==1.20.0'`);
  if (status !== 0) return;
  const tls = await createTlsIdentity();
  const subject = await makeDiskSubject(t);
  const app = await appOf(t, await subject.open(), { tls }, subject.clock);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const nurl = new Nurl({ tor: false, spkiHash: tls.spkiHash, host: '127.0.0.1', port, swissnum });
  const output = await runTrial({
    TALLAC_NURL: nurl.dangerouslyFormat(),
    TALLAC_STORAGE: subject.layout.directory,
    TALLAC_CLOCK: await serveClock(t, subject.clock),
  });
  t.match(output, new RegExp(`Ran ${String(TEST_COUNT)} tests`), 'all of them');
  t.match(output, new RegExp(`PASSED \\(successes=${String(TEST_COUNT)}\\)`), output);
});
