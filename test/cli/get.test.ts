/** `get`: what is written where, what never stays behind, and every way in which it fails. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, open, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import t from 'tap';
import { localFileError } from '#cli/local-file.js';
import { CAPABILITY, CONTENT, deadAddress, reply, startGateway, startServer } from './fixtures/fake-gateway.js';
import { outcomeOf, runInPlace, startProgram, temporaryDirectory } from './fixtures/program.js';

t.test('standard output holds the file and nothing else', async (t) => {
  const directory = await temporaryDirectory(t);
  const large = Buffer.alloc(2_000_003, 'bytes');
  const capability = CAPABILITY.replace(/[0-9]+$/, String(large.length));
  const { address, seen } = await startGateway(t, reply(200, large));
  for (const words of [
    ['get', '-u', address, capability],
    ['get', '-u', address, capability, '-'],
  ]) {
    const { status, stderr, bytes } = await runInPlace(words, directory);
    t.same({ status, stderr }, { status: 0, stderr: '' });
    t.ok(bytes.equals(large));
    t.match(seen.pop(), { method: 'GET', url: `/uri/${encodeURIComponent(capability)}` });
  }
});

t.test('a local file is written whole, and the capability is not repeated', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(200, CONTENT));
  const { status, stdout, stderr } = await runInPlace(['get', '-u', address, CAPABILITY, 'file'], directory);
  t.same(
    { status, stdout, stderr },
    { status: 0, stdout: '', stderr: `URI:CHK:[hidden] retrieved and written to ${join(directory, 'file')}\n` },
  );
  t.ok((await readFile(join(directory, 'file'))).equals(CONTENT));
  t.match(await runInPlace(['-q', 'get', '-u', address, CAPABILITY, 'other'], directory), { status: 0, stderr: '' });
  t.same((await readdir(directory)).sort(), ['file', 'other']);
});

t.test('a file that is there is replaced and keeps its permissions; a link stays a link', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(200, CONTENT));
  const file = join(directory, 'file');
  await writeFile(file, 'something old that is longer than the new content of the file');
  await chmod(file, 0o640);
  await symlink('file', join(directory, 'link'));
  t.match(await runInPlace(['get', '-u', address, CAPABILITY, 'link'], directory), { status: 0 });
  t.ok((await readFile(file)).equals(CONTENT));
  t.equal((await stat(file)).mode & 0o777, 0o640);
  t.same((await readdir(directory, { withFileTypes: true })).map((entry) => entry.isSymbolicLink()).sort(), [
    false,
    true,
  ]);
});

t.test('the capability comes from standard input or a file', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CONTENT));
  await writeFile(join(directory, 'cap'), ` ${CAPABILITY}\n`);
  const stdin = (): Readable =>
    Readable.from([Buffer.from(CAPABILITY.slice(0, 9)), Buffer.from(`${CAPABILITY.slice(9)}\n`)]);
  const ways: readonly string[][] = [['-'], ['-', 'file'], ['--cap-file', 'cap'], ['--cap-file', 'cap', 'file']];
  for (const words of ways) {
    const outcome = await runInPlace(['get', '-u', address, ...words], directory, { stdin: stdin() });
    t.match(outcome, { status: 0 }, words.join(' '));
    t.match(seen.pop(), { url: `/uri/${encodeURIComponent(CAPABILITY)}` });
    t.equal(
      words.includes('file') ? outcome.stderr : outcome.stdout,
      words.includes('file')
        ? `URI:CHK:[hidden] retrieved and written to ${join(directory, 'file')}\n`
        : CONTENT.toString(),
    );
  }
});

t.test('bad input is one sentence, status 1, and nothing is asked for', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, CONTENT));
  await writeFile(join(directory, 'file'), 'old');
  await writeFile(join(directory, 'long'), 'URI:CHK:'.padEnd(100_000, 'a'));
  await mkdir(join(directory, 'folder'));
  const cut =
    'the capability is not valid: its kind is known, but its fields are cut short or changed; copy the whole string again, from URI: to its end';
  const unknown =
    'the capability is not valid: no known kind begins like that; copy the whole string again, from URI: to its end';
  const cases: readonly [words: string[], sentence: string][] = [
    [[], 'name a capability, or a file that holds one with --cap-file'],
    [['-u', address, CAPABILITY.slice(0, -8)], cut],
    [['-u', address, CAPABILITY.slice(0, 60), 'file'], cut],
    [
      ['-u', address, 'nonsense'],
      "error: No alias specified, and the default 'tahoe' alias doesn't exist. To create it, use 'tahoe create-alias tahoe'.",
    ],
    [
      ['-u', address, 'alias:path'],
      "error: Unknown alias 'alias', please create it with 'tahoe add-alias' or 'tahoe create-alias'.",
    ],
    [['-u', address, '-'], unknown],
    [['-u', address, '--cap-file', 'long'], cut],
    [['-u', address, '--cap-file', 'absent'], `cannot use '${directory}/absent': there is no such file or directory`],
    [['-u', address, '--cap-file', 'file', 'a', 'b'], 'with --cap-file, LOCAL_FILE is the only argument'],
    [
      ['-u', address, CAPABILITY, 'absent/file'],
      `cannot use '${directory}/absent/file': there is no such file or directory`,
    ],
    [['-u', address, CAPABILITY, 'folder'], `cannot use '${directory}/folder': it is a directory`],
    [['-u', address, CAPABILITY, 'file/x'], `cannot use '${directory}/file/x': a part of the path is not a directory`],
  ];
  for (const [words, sentence] of cases) {
    const { status, stdout, stderr } = await runInPlace(['get', ...words], directory);
    t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `tallac: ${sentence}\n` });
  }
  t.same(seen, []);
  t.same((await readdir(directory)).sort(), ['file', 'folder', 'long']);
  t.equal(await readFile(join(directory, 'file'), 'utf8'), 'old');
});

t.test('a download that fails leaves what was there', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'file');
  await writeFile(file, 'old');
  const brokenOff = await startServer(t, (_request, response) => {
    response.writeHead(200, { 'content-length': String(CONTENT.length) });
    response.write(CONTENT.subarray(0, 7), () => response.destroy());
  });
  const chunked = await startServer(t, (_request, response) => {
    response.writeHead(200).end(CONTENT.subarray(0, 7));
  });
  const otherFile = await startServer(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '7' }).end(CONTENT.subarray(0, 7));
  });
  const gone = (await startGateway(t, reply(410, 'NoSharesError: none\n'))).address;
  const dead = await deadAddress();
  const size = String(CONTENT.length);
  const cases = [
    [brokenOff, `the gateway at ${brokenOff} broke off after 7 of ${size} bytes; its log says why`],
    [chunked, `the gateway at ${chunked} broke off after 7 of ${size} bytes; its log says why`],
    [otherFile, `the gateway answered 200: a file of 7 bytes where the capability names one of ${size}`],
    [gone, 'the gateway answered 410: NoSharesError: none'],
    [dead, `cannot reach the gateway at ${dead}: nothing listens there; is the node running? (tallac run)`],
  ] as const;
  for (const [address, sentence] of cases) {
    const { status, stdout, stderr } = await runInPlace(['get', '-u', address, CAPABILITY, 'file'], directory);
    t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `tallac: ${sentence}\n` });
    t.same(await readdir(directory), ['file']);
    t.equal(await readFile(file, 'utf8'), 'old');
    t.match(await runInPlace(['get', '-u', address, CAPABILITY], directory), { status: 1, stderr });
  }
});

t.test('an interrupted download leaves what was there', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'file'), 'old');
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    let interrupt: () => void = () => t.fail('nothing to interrupt');
    const address = await startServer(t, (_request, response) => {
      response.writeHead(200, { 'content-length': String(CONTENT.length) });
      response.write(CONTENT.subarray(0, 7), interrupt);
    });
    const child = startProgram(['get', '-u', address, CAPABILITY, 'file'], { directory });
    interrupt = () => child.kill(signal);
    t.same(await outcomeOf(child), { status, stdout: '', stderr: '' });
    t.same(await readdir(directory), ['file']);
    t.equal(await readFile(join(directory, 'file'), 'utf8'), 'old');
  }
});

// A pipe of the test's own stands for every device: a fault here must never reach a real one, which root could replace.
t.test('a pipe or a device is written to, not replaced', { skip: process.platform === 'win32' }, async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(200, CONTENT));
  const pipe = join(directory, 'pipe');
  await promisify(execFile)('mkfifo', [pipe]);
  // Opened for both directions, it waits for nobody and keeps what is written.
  await using reader = await open(pipe, 'r+');
  await symlink('pipe', join(directory, 'link'));
  for (const name of ['pipe', 'link']) {
    t.match(await runInPlace(['get', '-u', address, CAPABILITY, name], directory), { status: 0 });
    if (!(await stat(pipe)).isFIFO()) {
      t.fail(`${name} was replaced`);
      return;
    }
    const { buffer, bytesRead } = await reader.read(Buffer.alloc(2 * CONTENT.length), 0, 2 * CONTENT.length);
    t.ok(buffer.subarray(0, bytesRead).equals(CONTENT), name);
  }
  t.same((await readdir(directory)).sort(), ['link', 'pipe']);
});

t.test('a full disk is a failure that says so, and other failures keep their reason', async (t) => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const error = localFileError('/place/file', Object.assign(new Error('write'), { code }));
    t.match(error, { code: 'ERR_NO_SPACE', message: "no space is left for '/place/file'; free some and try again" });
  }
  t.match(localFileError('/place/file', Object.assign(new Error('i/o error, write'), { code: 'EIO' })), {
    code: 'ERR_FILE',
    message: "cannot use '/place/file': i/o error, write",
  });
});
