/**
 * Fetching a configuration: files that are missing, unreadable, not UTF-8, too large or too old, and overrides
 * from the environment.
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loadConfiguration } from '#node/config/load.js';
import { options } from '#node/config/schema.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

t.test('files are optional', async (t) => {
  const directory = await temporaryDirectory(t);
  const configuration = await loadConfiguration(directory, 'client');
  t.equal(configuration.get(options.nickname), '<unspecified>');
  t.equal(configuration.nodeType, 'client');
});

t.test('both files are read, a byte-order mark and CRLF included', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'tahoe.cfg'), '\ufeff[node]\r\nnickname = Zoë\r\n');
  await writeFile(join(directory, 'tallac.cfg'), '[log]\nlevel = debug\n');
  const configuration = await loadConfiguration(directory, 'client');
  t.equal(configuration.get(options.nickname), 'Zoë');
  t.equal(configuration.get(options.logLevel), 'debug');
});

t.test('a file that cannot be read is named with the reason', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'tahoe.cfg');
  await mkdir(path);
  await t.rejects(loadConfiguration(directory, 'client'), {
    code: 'ERR_FILE',
    message: `cannot use '${path}': EISDIR: illegal operation on a directory, read`,
  });
  const circle = await temporaryDirectory(t);
  await symlink('tallac.cfg', join(circle, 'tallac.cfg'));
  await t.rejects(loadConfiguration(circle, 'client'), { code: 'ERR_FILE', message: /tallac\.cfg': ELOOP/ });
});

t.test('what is not UTF-8, too large or malformed is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'tahoe.cfg');
  await writeFile(path, Buffer.from('[node]\nnickname = Zo\xeb\n', 'latin1'));
  await t.rejects(loadConfiguration(directory, 'client'), {
    code: 'ERR_CONFIG',
    message: `${path}: it is not written in UTF-8; save it in that encoding`,
  });
  await writeFile(path, '#'.repeat(1_048_577));
  await t.rejects(loadConfiguration(directory, 'client'), { code: 'ERR_TOO_LARGE' });
  await writeFile(path, 'nickname = x\n');
  await t.rejects(loadConfiguration(directory, 'client'), {
    code: 'ERR_CONFIG',
    message: `${path}: line 1 stands before the first [section]`,
  });
  await writeFile(path, '[nodes]\n');
  await t.rejects(loadConfiguration(directory, 'client'), { message: `'${path}' contains unknown section [nodes]` });
});

t.test('files from before tahoe.cfg are refused', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'webport'), '8123\n');
  await t.rejects(loadConfiguration(directory, 'client'), {
    code: 'ERR_CONFIG',
    message: /webport: found a configuration file from before Tahoe-LAFS v1\.3/,
  });
  const introducer = await temporaryDirectory(t);
  await writeFile(join(introducer, 'introducer.furl'), 'pb://x\n');
  await t.rejects(loadConfiguration(introducer, 'client'), { code: 'ERR_CONFIG' });
  await t.resolves(loadConfiguration(introducer, 'introducer'), 'an introducer keeps its own furl there');
});

t.test('the environment wins over the files', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'tahoe.cfg'), '[node]\nnickname = file\nweb.port = 1\n[client]\nshares.total = 9\n');
  const secret = join(directory, 'from-a-secret');
  await writeFile(secret, ' 5\n');
  const configuration = await loadConfiguration(directory, 'client', {
    TAHOE_NODE_NICKNAME: ' 100% me ',
    TAHOE_NODE_WEB_PORT: '',
    TAHOE_CLIENT_SHARES_TOTAL_FILE: secret,
    TAHOE_CLIENT_SHARES_NEEDED: 'x',
    TALLAC_LIMITS_CONNECTIONS: '7',
    TAHOE_SERVICE_HOST: '10.0.0.1',
    TAHOE_PORT: 'tcp://10.0.0.1:3456',
  });
  t.equal(configuration.get(options.nickname), '100% me', 'a percent sign is a percent sign');
  t.equal(configuration.get(options.webPort), undefined);
  t.equal(configuration.get(options.sharesTotal), 5);
  t.equal(configuration.get(options.connectionsMax), 7);
  t.throws(() => configuration.get(options.sharesNeeded), {
    code: 'ERR_CONFIG',
    message:
      "environment variable TAHOE_CLIENT_SHARES_NEEDED: [client]shares.needed: 'x' is not an integer from 1 to 256",
  });
});

t.test('an environment that contradicts itself or names no file is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  await t.rejects(loadConfiguration(directory, 'client', { TAHOE_NODE_NICKNAME: 'a', TAHOE_NODE_NICKNAME_FILE: 'b' }), {
    code: 'ERR_CONFIG',
    message: 'TAHOE_NODE_NICKNAME: TAHOE_NODE_NICKNAME_FILE is set as well; keep one of the two',
  });
  const absent = join(directory, 'absent');
  await t.rejects(loadConfiguration(directory, 'client', { TAHOE_NODE_NICKNAME_FILE: absent }), {
    code: 'ERR_FILE',
    message: `cannot use '${absent}': TAHOE_NODE_NICKNAME_FILE names it, and it is not there`,
  });
});
