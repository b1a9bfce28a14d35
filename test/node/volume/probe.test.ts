/** The probe of a volume: silent on a good one, and one sentence for each thing that a bad one cannot do. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { PROBE_TIMEOUT_MS, probeCalls, probeVolume } from '#node/volume/probe.js';
import type { ProbeCalls } from '#node/volume/probe.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

function failing(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }));
}

/** The probe's calls, with a file handle on which one method fails. */
function withHandle(method: 'writeFile' | 'sync', code: string): Partial<ProbeCalls> {
  return {
    open: async (path, flags, mode) => {
      const handle: FileHandle = await probeCalls.open(path, flags, mode);
      return Object.assign(handle, { [method]: failing(code) });
    },
  };
}

t.test('a good volume passes and is left as it was', async (t) => {
  const store = await temporaryDirectory(t);
  const clock = new ManualClock();
  await probeVolume(join(store, 'new', 'tallac'), clock);
  t.strictSame(await readdir(join(store, 'new', 'tallac')), []);
  t.equal(clock.pending, 0);
});

t.test('what a volume cannot do is named', async (t) => {
  const cases: [changes: Partial<ProbeCalls>, sentence: RegExp][] = [
    [{ mkdir: failing('EROFS') }, /it cannot make directories: it is mounted read-only$/],
    [{ open: failing('EACCES') }, /it cannot make files: permission is denied: it must belong to the user/],
    [{ open: failing('EMFILE') }, /it cannot make files: this process has too many files open$/],
    [{ mkdir: failing('ENOSPC') }, /it cannot make directories: it is full$/],
    [withHandle('sync', 'EIO'), /it cannot sync files: EIO: it failed$/],
    [{ rename: failing('EPERM') }, /it cannot rename files: permission is denied/],
    [{ syncDirectory: failing('EINVAL') }, /it cannot sync directories: EINVAL/],
    [{ readFile: async () => 'zeros' }, /it cannot read back what it was given: other bytes came back$/],
    [
      { open: (path, flags, mode) => probeCalls.open(path, flags.replace('x', ''), mode) },
      /it cannot keep two nodes from making the same file: it made one that was there already$/,
    ],
    [{ statfs: failing('ENOSYS') }, /it cannot say how much space is free: ENOSYS/],
    [{ unlink: failing('EBUSY') }, /it cannot remove files: EBUSY/],
  ];
  for (const [changes, sentence] of cases) {
    const directory = await temporaryDirectory(t);
    const probing = probeVolume(directory, new ManualClock(), { ...probeCalls, ...changes });
    await t.rejects(probing, { code: 'ERR_VOLUME', message: sentence });
    await t.rejects(probing, { message: `the volume at '${directory}' cannot hold a store, for ` });
    t.strictSame(await readdir(directory), [], 'nothing is left of it');
  }
});

t.test('a volume that is full can still be read', async (t) => {
  const full: Partial<ProbeCalls>[] = [
    { open: failing('ENOSPC') },
    withHandle('writeFile', 'ENOSPC'),
    withHandle('sync', 'EDQUOT'),
  ];
  for (const changes of full) {
    const directory = await temporaryDirectory(t);
    t.strictSame(await probeVolume(directory, new ManualClock(), { ...probeCalls, ...changes }), { isFull: true });
    t.strictSame(await readdir(directory), [], 'nothing is left of it');
  }
  t.strictSame(await probeVolume(await temporaryDirectory(t), new ManualClock()), { isFull: false });
});

t.test('a volume that hangs is given up', async (t) => {
  const clock = new ManualClock();
  const directory = await temporaryDirectory(t);
  const calls: ProbeCalls = { ...probeCalls, statfs: () => new Promise(() => undefined) };
  const probing = probeVolume(directory, clock, calls);
  await settle();
  clock.advance(PROBE_TIMEOUT_MS);
  const message = `the volume at '${directory}' gave no answer within 30 s`;
  await t.rejects(probing, { code: 'ERR_TIMEOUT', message });
});

t.test('a file where the store should be', async (t) => {
  const path = join(await temporaryDirectory(t), 'store');
  await writeFile(path, 'precious');
  await t.rejects(probeVolume(join(path, 'tallac'), new ManualClock()), {
    code: 'ERR_VOLUME',
    message: /directories: /,
  });
  t.equal(await readFile(path, 'utf8'), 'precious');
});
