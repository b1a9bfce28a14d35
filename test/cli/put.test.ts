/** `put`: what is sent, what is printed where, and every way in which it fails. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import t from 'tap';
import { openLocalFile } from '#cli/local-file.js';
import { CAPABILITY, CONTENT, deadAddress, reply, startGateway, startServer } from './fixtures/fake-gateway.js';
import { runInPlace, startProgram, outcomeOf, temporaryDirectory } from './fixtures/program.js';

t.test('a file is sent with its length, and its capability is all that standard output holds', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'file'), CONTENT);
  for (const [status, line] of [
    [200, '200 OK\n'],
    [201, '201 Created\n'],
  ] as const) {
    const { address, seen } = await startGateway(t, reply(status, `${CAPABILITY}\n`));
    const { status: ended, stdout, stderr } = await runInPlace(['put', '-u', address, 'file'], directory);
    t.same({ ended, stdout, stderr }, { ended: 0, stdout: `${CAPABILITY}\n`, stderr: line });
    t.match(seen, [
      { method: 'PUT', url: '/uri', body: CONTENT, headers: { 'content-length': String(CONTENT.length) } },
    ]);
    t.match(await runInPlace(['-q', 'put', '-u', address, 'file'], directory), {
      stdout: `${CAPABILITY}\n`,
      stderr: '',
    });
  }
});

t.test('the gateway is the one of node.url', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(200, CAPABILITY));
  await writeFile(join(directory, 'file'), CONTENT);
  await mkdir(join(directory, 'home', '.tahoe'), { recursive: true });
  await writeFile(join(directory, 'home', '.tahoe', 'node.url'), `${address}\n`);
  await writeFile(join(directory, 'node.url'), address.slice(0, -1));
  for (const words of [
    ['put', 'file'],
    ['-d', '.', 'put', 'file'],
    ['-d', '~/.tahoe', 'put', '~/../file'],
  ]) {
    t.match(await runInPlace(words, directory), { status: 0, stdout: `${CAPABILITY}\n` }, words.join(' '));
  }
});

t.test('a file goes where a path says, in the format that is asked for', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(201, CAPABILITY));
  const body = `${'a'.repeat(26)}:${'a'.repeat(52)}`;
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  await writeFile(join(directory, 'file'), CONTENT);
  await writeFile(join(directory, 'key'), key.export({ format: 'pem', type: 'pkcs1' }));
  const der = key.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  const cases: readonly [words: string[], url: RegExp | string][] = [
    [[`URI:DIR2:${body}/a b/ü`], `/uri/URI%3ADIR2%3A${body.replace(':', '%3A')}/a%20b/%C3%BC`],
    [[`URI:DIR2:${body}:./x`], /%3Aa{52}\/x$/],
    [[`URI:SSK:${body}`], /^\/uri\/URI%3ASSK%3A[^/]+$/],
    [['--dir-cap', 'URI:DIR2-LIT:', 'x/y'], '/uri/URI%3ADIR2-LIT%3A/x/y'],
    [['-m', '--dir-cap', 'URI:DIR2-LIT:', 'tahoe:x'], '/uri/URI%3ADIR2-LIT%3A/x?mutable=true'],
    [['--format=mdmf', '--dir-cap', 'URI:DIR2-LIT:', 'x'], '/uri/URI%3ADIR2-LIT%3A/x?format=MDMF'],
    [
      ['-m', '--private-key-path=key'],
      `/uri?mutable=true&private-key=${der.padEnd(Math.ceil(der.length / 4) * 4, '=').replaceAll('=', '%3D')}`,
    ],
  ];
  for (const [words, url] of cases) {
    const [options, remote] = [words.filter((_word, i) => i < words.length - 1), words.at(-1) ?? ''];
    const line = remote.startsWith('-') ? [...options, remote, 'file'] : [...options, 'file', remote];
    const outcome = await runInPlace(['put', '-u', address, ...line], directory);
    t.match(outcome, { status: 0, stdout: `${CAPABILITY}\n`, stderr: '201 Created\n' }, words.join(' '));
    t.match(seen.pop()?.url, url);
  }
});

t.test('standard input is sent as it comes', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CAPABILITY));
  for (const words of [
    ['put', '-u', address],
    ['put', '-u', address, '-'],
  ]) {
    const stdin = Readable.from([CONTENT.subarray(0, 5), CONTENT.subarray(5)]);
    const { status, stdout, stderr } = await runInPlace(words, directory, { stdin });
    t.same(
      { status, stdout, stderr },
      {
        status: 0,
        stdout: `${CAPABILITY}\n`,
        stderr: 'waiting for file data on stdin..\n200 OK\n',
      },
    );
    t.match(seen.pop(), { body: CONTENT, headers: { 'transfer-encoding': 'chunked' } });
  }
  const child = startProgram(['put', '-u', address], { directory });
  child.stdin?.end(CONTENT);
  t.match(await outcomeOf(child), { status: 0, stdout: `${CAPABILITY}\n` });
  t.match(seen, [{ body: CONTENT }]);
});

t.test('a file that is empty, of many pieces, or a pipe', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CAPABILITY));
  const large = Buffer.alloc(3_000_001, 'abcdefg');
  await writeFile(join(directory, 'empty'), '');
  await writeFile(join(directory, 'large'), large);
  for (const [name, body] of [
    ['empty', Buffer.alloc(0)],
    ['large', large],
  ] as const) {
    t.match(await runInPlace(['put', '-u', address, name], directory), { status: 0 });
    t.ok(seen.pop()?.body.equals(body), name);
  }
  await promisify(execFile)('mkfifo', [join(directory, 'pipe')]);
  const [, outcome] = await Promise.all([
    writeFile(join(directory, 'pipe'), CONTENT),
    runInPlace(['put', '-u', address, 'pipe'], directory),
  ]);
  t.match(outcome, { status: 0, stderr: '200 OK\n' });
  t.match(seen, [{ body: CONTENT, headers: { 'transfer-encoding': 'chunked' } }]);
});

t.test('a file that claims to be empty and is not', { skip: process.platform !== 'linux' }, async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CAPABILITY));
  t.match(await runInPlace(['put', '-u', address, '/proc/self/status'], directory), { status: 0 });
  t.match(seen[0]?.body.toString(), /^Name:/);
});

t.test('bad input is one sentence, status 1, and nothing is sent', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CAPABILITY));
  const dead = await deadAddress();
  await writeFile(join(directory, 'file'), CONTENT);
  await mkdir(join(directory, 'node'));
  await writeFile(join(directory, 'node', 'node.url'), 'nonsense');
  const cases: readonly [words: string[], sentence: string][] = [
    [['-u', address, 'absent'], `cannot use '${directory}/absent': there is no such file or directory`],
    [['-u', address, '.'], `cannot use '${directory}': it is a directory`],
    [['-u', address, 'file/x'], `cannot use '${directory}/file/x': a part of the path is not a directory`],
    [['-u', 'nonsense', 'file'], '--node-url must look like http://127.0.0.1:3456'],
    [['-u', 'file:///etc/passwd', 'file'], '--node-url must look like http://127.0.0.1:3456'],
    [
      ['-u', address, 'file', 'alias:name'],
      "error: Unknown alias 'alias', please create it with 'tahoe add-alias' or 'tahoe create-alias'.",
    ],
    [
      ['-u', address, '--dir-cap=URI:DIR2-LIT:', 'file', '/a/b'],
      "Error: The remote filename must not start with a slash\nPlease try again, perhaps with 'a/b'",
    ],
    [
      ['-u', address, '--private-key-path=key', 'file'],
      '--private-key-path is for mutable files; add --mutable or --format',
    ],
    [
      ['-u', address, '-m', '--private-key-path=file', 'file'],
      'this is no usable RSA key of 2048 bits: it is neither PEM nor DER',
    ],
    [['-u', address, '--format=foo', 'file'], 'foo is an invalid format'],
    [
      ['-u', dead, 'file'],
      `cannot reach the gateway at ${dead}: nothing listens there; is the node running? (tallac run)`,
    ],
  ];
  for (const [words, sentence] of cases) {
    const { status, stdout, stderr } = await runInPlace(['put', ...words], directory);
    t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `tallac: ${sentence}\n` });
  }
  const noNode = await runInPlace(['-d', 'absent', 'put', 'file'], directory);
  t.match(noNode, { status: 1, stderr: /absent\/node\.url': it is not there; .*tallac run.* -d, .*--node-url/ });
  const noAddress = await runInPlace(['-d', 'node', 'put', 'file'], directory);
  t.match(noAddress, { status: 1, stderr: /node\/node\.url': it does not hold an address/ });
  t.match(await runInPlace(['put', '-u', address, '--format=chk', 'file'], directory), { status: 0 });
  t.equal(seen.length, 1);
});

t.test('a refusal is the sentence of the gateway, without capabilities or control characters', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'file'), CONTENT);
  const unhappy = `too few servers\nfor ${CAPABILITY} \u001b[31m and ${encodeURIComponent(CAPABILITY)}.\n`;
  const cases = [
    [reply(500, unhappy), 'the gateway answered 500: too few servers for URI:[hidden] [31m and URI:[hidden]'],
    [reply(507, ''), 'the gateway answered 507: it gives no reason'],
    [reply(500, 'x'.repeat(100_000)), `the gateway answered 500: ${'x'.repeat(1000)}`],
    [reply(200, 'stored!'), 'the gateway answered 200: this is not a capability'],
    [reply(200, Buffer.alloc(5 << 20, 'x')), 'the gateway answered 200: far too much'],
    [
      reply(302, '', { location: 'http://127.0.0.1:1/' }),
      'the gateway answered 302: a redirect, which is not followed',
    ],
  ] as const;
  for (const [answer, sentence] of cases) {
    const { address, seen } = await startGateway(t, answer);
    const { status, stdout, stderr } = await runInPlace(['put', '-u', address, 'file'], directory);
    t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `tallac: ${sentence}\n` });
    t.equal(seen.length, 1);
  }
});

t.test('a gateway that refuses before it has read everything is understood', async (t) => {
  const directory = await temporaryDirectory(t);
  const address = await startServer(t, (_request, response) => {
    response.writeHead(413, { 'content-length': '9' }).end('too large');
  });
  // Input that never ends, and whose end nobody waits for.
  const child = startProgram(['put', '-u', address], { directory });
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(Buffer.alloc(100_000));
  const { status, stderr } = await outcomeOf(child);
  t.same(
    { status, stderr },
    { status: 1, stderr: 'waiting for file data on stdin..\ntallac: the gateway answered 413: too large\n' },
  );
});

t.test('a gateway that goes away is named', async (t) => {
  const directory = await temporaryDirectory(t);
  const address = await startServer(t, (request) => {
    request.once('data', () => request.socket.destroy());
  });
  await writeFile(join(directory, 'large'), Buffer.alloc(4 << 20));
  const { status, stdout, stderr } = await runInPlace(['put', '-u', address, 'large'], directory);
  const sentence = `cannot reach the gateway at ${address}: it closed the connection; is the node running? (tallac run)`;
  t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `tallac: ${sentence}\n` });
});

t.test('Ctrl-C ends it at once', async (t) => {
  const directory = await temporaryDirectory(t);
  let interrupt: () => void = () => t.fail('nothing to interrupt');
  const address = await startServer(t, () => interrupt());
  const child = startProgram(['put', '-u', address], { directory });
  interrupt = () => child.kill('SIGINT');
  child.stdin?.write('some');
  t.match(await outcomeOf(child), { status: 130, stdout: '', stderr: 'waiting for file data on stdin..\n' });
});

t.test('a file that changes while it is read', async (t) => {
  const path = join(await temporaryDirectory(t), 'file');
  await writeFile(path, Buffer.alloc(600_000));
  const shrinking = await openLocalFile(path);
  const pieces = shrinking.read();
  await pieces.next();
  await truncate(path, 300_000);
  const read = async (): Promise<void> => {
    while ((await pieces.next()).done !== true);
  };
  await t.rejects(read(), { code: 'ERR_FILE', message: /it became shorter while it was read$/ });
  await shrinking.close();

  const growing = await openLocalFile(path);
  await using more = await open(path, 'a');
  await more.writeFile('more');
  let size = 0;
  for await (const piece of growing.read()) size += piece.length;
  t.equal(size, growing.sizeBytes);
  await growing.close();
});
