/** The file that tells clients of a storage node: what they read is what was announced. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import { writeAnnouncement } from '#node/announcement-file.js';
import { NodeDirectory } from '#node/node-directory.js';
import { parseServersYaml } from '#wire/announcement.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const swissnum = 's'.repeat(32);
const announced = {
  serverId: `v0-${formatBase32(new Uint8Array(32).fill(7))}`,
  nickname: 'shelf: "one"',
  address: { furl: `pb://${'a'.repeat(32)}@tcp:127.0.0.1:3457/${swissnum}`, swissnum },
  spkiHash: 'A'.repeat(43),
  hints: [{ type: 'tcp', host: '127.0.0.1', port: 3457, text: 'tcp:127.0.0.1:3457' } as const],
  permutationSeed: formatBase32(new Uint8Array(20).fill(3)),
};

t.test('a storage node tells clients how to reach it', async (t) => {
  const path = await temporaryDirectory(t);
  const directory = new NodeDirectory(path);
  await directory.ensurePrivate();
  await writeAnnouncement(directory, announced);
  const file = join(path, 'private/announcement.yaml');
  const { mode, ino } = await stat(file);
  t.equal(mode & 0o777, 0o600, 'it holds the swissnum');
  const { servers, skipped } = parseServersYaml(await readFile(file, 'utf8'), file, await createNativeCrypto());
  t.same(skipped, []);
  t.match(servers, [{ serverId: announced.serverId, nickname: announced.nickname }]);
  t.equal(servers[0]?.nurls[0]?.dangerouslyFormat(), `pb://${announced.spkiHash}@127.0.0.1:3457/${swissnum}#v=1`);

  await writeAnnouncement(directory, announced);
  t.equal((await stat(file)).ino, ino, 'it is left alone when it says the same');
  await writeAnnouncement(directory, { ...announced, nickname: 'attic' });
  t.match(await readFile(file, 'utf8'), /nickname: attic\n/);
  await t.rejects(writeAnnouncement(directory, { ...announced, permutationSeed: '!' }), {
    code: 'ERR_FILE',
    message: `cannot use '${join(path, 'permutation-seed')}': it is not base32; put its content back`,
  });
});
