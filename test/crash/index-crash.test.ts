/** An index whose process is killed is whole, or made anew: no share is forgotten. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { seededRandom } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import { differences, indexSubjectIn } from '#test/fixtures/index-subject.js';

const CHILD = fileURLToPath(new URL('../fixtures/index-crash-child.js', import.meta.url));

t.test('killed at any moment, also while tables are merged', { timeout: 80_000 }, async (t) => {
  const random = seededRandom('kills');
  const directory = await temporaryDirectory(t);
  const subject = await indexSubjectIn(directory);
  let rounds = 0;
  for (let kill = 0; kill < 12; kill++) {
    const child = spawn(process.execPath, [CHILD, directory, `kill ${kill}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end('go\n');
    const ended = once(child, 'close');
    let left = (random.bytes(1)[0] ?? 0) % 24;
    for await (const line of createInterface(child.stdout)) {
      if (line.startsWith('round')) rounds += 1;
      if (left-- <= 0) child.kill('SIGKILL');
    }
    await ended;
    const { index, close } = await subject.open();
    await index.compared();
    t.same(await differences(subject, index), [], `kill ${kill}`);
    await close();
  }
  t.comment(`${rounds} rounds of changes before 12 kills`);
});
