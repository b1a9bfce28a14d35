/**
 * The debug commands against what the reference printed of the same files and capabilities, at the same moment; and
 * what they make of damage, of which the reference prints a stack trace.
 */
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import t from 'tap';
import { createNativeCrypto } from '#core/native-crypto.js';
import { isTahoeError } from '#core/errors.js';
import { describeShare } from '#cli/debug/catalog.js';
import { quoteBytes, formatListedPath, formatRemaining, storageIndexOfPath } from '#cli/debug/printed.js';
import { readContainer, readMutable, readSlot } from '#cli/debug/share-contents.js';
import type { LocalShare } from '#cli/debug/local-share.js';
import { systemClock } from '#node/clock.js';
import { readVectors } from '#test/fixtures/vectors.js';
import { runInPlace, temporaryDirectory } from '../cli/fixtures/program.js';

interface Vectors {
  readonly nowMs: number;
  /** Share files in base64, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly cases: readonly { readonly words: readonly string[]; readonly stdout: string }[];
}

const vectors = readVectors<Vectors>('debug.json');
const crypto = await createNativeCrypto();
const clock = { ...systemClock, nowMs: () => vectors.nowMs };
const files = Object.entries(vectors.files).map(([path, text]) => [path, Buffer.from(text, 'base64')] as const);
const fileOf = (path: string): Buffer => files.find(([name]) => name.startsWith(path))?.[1] ?? Buffer.alloc(0);
const CHK = 'node-1/storage/shares/27/27mii5kzeg2zjd33uhnhqjznw4';
const SDMF = 'node-1/storage/shares/za/zagy3mbh5fa75s22hojxljvdp4';
const MDMF = 'node-1/storage/shares/sw/swb2sdlfj646rb5q4yaoiixbv4';

/** A directory with all files of the vectors. */
async function populated(test: Parameters<typeof temporaryDirectory>[0]): Promise<string> {
  const root = await temporaryDirectory(test);
  for (const [path, content] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

t.test('what the reference printed is printed, byte for byte', async (t) => {
  const root = await populated(t);
  const commands = new Map<string, number>();
  for (const { words, stdout } of vectors.cases) {
    const [name = ''] = words;
    commands.set(name, (commands.get(name) ?? 0) + 1);
    const outcome = await runInPlace(['debug', ...words.map((word) => word.replace('{root}', root))], root, { clock });
    const expected = stdout.replaceAll('{root}', root);
    // Directories are listed in their own order, which is not the same in a copy.
    const inOrder = (text: string): string => (name === 'find-shares' ? text.split('\n').sort().join('\n') : text);
    t.equal(inOrder(outcome.stdout), inOrder(expected), words.join(' '));
    t.equal(outcome.status, 0);
    if (name !== 'catalog-shares') t.equal(outcome.stderr, '');
  }
  t.strictSame([...commands.keys()].sort(), ['catalog-shares', 'dump-cap', 'dump-share', 'find-shares']);
});

t.test('shares that make no sense are told on standard error and hide no other', async (t) => {
  const root = await populated(t);
  const index = join(root, CHK);
  await mkdir(join(index, '5'));
  await writeFile(join(index, '6'), fileOf(CHK).subarray(0, 200));
  await writeFile(join(index, 'seven'), fileOf(SDMF).subarray(0, 600));
  execFileSync('mkfifo', [join(index, '8')]);
  await writeFile(join(root, 'node-1/storage/shares/zz'), 'a file where a directory should be');
  await mkdir(join(root, 'node-1/storage/shares/incoming/27/x'), { recursive: true });
  const { status, stdout, stderr } = await runInPlace(['debug', 'catalog-shares', join(root, 'node-1')], root, {
    clock,
  });
  t.equal(status, 0);
  const expected = vectors.cases.find(({ words }) => words[0] === 'catalog-shares')?.stdout ?? '';
  const before = expected.split('\n').filter((line) => line.includes('/node-1/'));
  t.strictSame(
    stdout.trimEnd().split('\n'),
    before.map((line) => line.replace('{root}', root)),
  );
  const sentences = [
    [`${CHK}/5`, /: cannot use '.*': it is (no regular file|a directory)$/],
    [`${CHK}/6`, /: the (URI extension block|share's layout|share file) is/],
    [`${CHK}/8`, /: cannot use '.*': it is no regular file$/],
    [`${CHK}/seven`, /: the share file is damaged: its leases do not lie behind its data$/],
    ['node-1/storage/shares/zz', /: ENOTDIR/],
  ] as const;
  t.equal(stderr.trimEnd().split('\n').length, sentences.length);
  for (const [i, [path, reason]] of sentences.entries()) {
    const line = stderr.split('\n')[i] ?? '';
    t.ok(line.startsWith(`Error processing '${join(root, path)}'`), line);
    t.match(line, reason);
  }
});

t.test('corrupt-share flips the bit that it names, among the blocks and nowhere else', async (t) => {
  const root = await populated(t);
  for (const [index, range] of [
    [CHK, [48, 198]],
    [SDMF, [1225, 1375]],
    [MDMF, undefined],
    ['node-1/storage/shares/id/idbcg6enqoak4lcympirzevswi', [80, 110]],
  ] as const) {
    const [name = ''] = await readdir(join(root, index));
    const path = join(root, index, name);
    const before = await readFile(path);
    const { status, stdout } = await runInPlace(['debug', 'corrupt-share', path], root);
    t.equal(status, 0);
    const [, begin, end, offset, bit] = /^\[(\d+)\.\.(\d+)\): {2}(\d+)\.b([0-7])\n$/.exec(stdout) ?? [];
    if (range !== undefined) t.strictSame([Number(begin), Number(end)], range);
    t.ok(Number(offset) >= Number(begin) && Number(offset) < Number(end));
    const expected = Buffer.from(before);
    expected[Number(offset)] = (expected[Number(offset)] ?? 0) ^ (1 << Number(bit));
    t.ok((await readFile(path)).equals(expected), `${index}: ${stdout}`);
  }
});

t.test('a wrong command line is one sentence', async (t) => {
  const root = await populated(t);
  const unknown = join(root, 'node-2/storage/shares/qr/qr533q6ntjd2yovsaixs3tpe2u/0');
  const empty = join(root, 'node-1/storage/shares/dn/dnlaoupgebrnkozrm54srw5xi4/2');
  const cases: [words: string[], sentence: RegExp][] = [
    [[], /must specify a command; see 'tallac debug --help'/],
    [['nonsense'], /unknown command 'nonsense'; see 'tallac debug --help'/],
    [['dump-share'], /missing required argument 'file'; see 'tallac debug dump-share --help'/],
    [['dump-share', 'absent'], /cannot use '.*absent': there is no such file or directory/],
    [['dump-share', root], /cannot use '.*': it is no regular file/],
    [['dump-share', unknown], /the share file is damaged: '.*' is no share container of a known version/],
    [['dump-cap'], /missing required argument 'capability'/],
    [['dump-cap', '-n', 'abc', 'URI:LIT:'], /--nodeid: this is not base32/],
    [['dump-cap', '-n', 'aa', 'URI:LIT:'], /--nodeid must have 32 characters/],
    [['dump-cap', '-c', '!', 'URI:LIT:'], /the secret of the client: this is not base32/],
    [['find-shares', 'nope'], /STORAGE_INDEX: this is not base32/],
    [['catalog-shares'], /missing required argument 'nodedirs'/],
    [['corrupt-share', '-o', '7', empty], /--offset: only block-random is available, not '7'/],
    [['corrupt-share', empty], /holds no blocks to corrupt/],
    [['corrupt-share', unknown], /is no share container of a known version/],
  ];
  for (const [words, sentence] of cases) {
    const { status, stderr } = await runInPlace(['debug', ...words], root);
    t.equal(status, 1);
    t.match(stderr.trimEnd().split('\n').at(-1), sentence);
    t.notMatch(stderr, /this is a bug/);
  }
});

function inMemory(bytes: Uint8Array): LocalShare {
  const read = async (offset: number, size: number): Promise<Uint8Array> => bytes.subarray(offset, offset + size);
  return { path: '/share', size: bytes.length, read };
}

/** Reads all that the commands read of a share. @returns the code of the error that ends it. */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  const share = inMemory(bytes);
  try {
    const line = await describeShare(crypto, share, 'index', vectors.nowMs);
    const container = await readContainer(share);
    if (container?.kind !== 'mutable') return line.split(' ')[0] ?? '';
    await readSlot(share, container);
    await readMutable(share, container);
    return line.split(' ')[0] ?? '';
  } catch (error) {
    if (isTahoeError(error)) return error.code;
    throw error;
  }
}

t.test('damage at any bit or length is an error that is named', async (t) => {
  const outcomes = new Set<string>();
  for (const index of [CHK, SDMF, MDMF]) {
    const file = fileOf(index);
    for (let size = 0; size < file.length; size += 7) outcomes.add(await outcomeOf(file.subarray(0, size)));
    for (let bit = 0; bit < file.length * 8; bit += bit < 5_000 ? 1 : 997) {
      const damaged = Buffer.from(file);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      outcomes.add(await outcomeOf(damaged));
    }
  }
  for (const outcome of outcomes) {
    t.match(outcome, /^(CHK|SDMF|MDMF|UNKNOWN|ERR_CONTAINER|ERR_SHARE_LAYOUT|ERR_UEB|ERR_TRUNCATED)$/);
  }
  t.ok(outcomes.has('ERR_CONTAINER') && outcomes.has('ERR_SHARE_LAYOUT') && outcomes.has('ERR_UEB'));
});

t.test('texts as the reference writes them', async (t) => {
  t.equal(formatRemaining(86_401, 0), '86401s (1 days)');
  t.equal(formatRemaining(86_400, 0), '86400s (24 hours)');
  t.equal(formatRemaining(3_600, 0), '3600s');
  t.equal(formatRemaining(0, 500), '0s');
  t.equal(formatRemaining(0, 1_500), '-1s');
  t.equal(formatListedPath('/a/b c'), '/a/b c');
  t.equal(formatListedPath('"a'), `'"a'`);
  t.equal(formatListedPath("it's\n"), '"it\'s\\x0a"');
  t.equal(quoteBytes(new Uint8Array([0xff, 0x22, 0x0a])), 'b"\\xff\\"\\x0a"');
  t.equal(storageIndexOfPath(`/x/${'a'.repeat(26)}/0`)?.length, 16);
  for (const path of ['/0', '/x/0', '/aa/0', `/${'a'.repeat(25)}b/0`, `/${'a'.repeat(27)}/0`]) {
    t.equal(storageIndexOfPath(path), undefined, path);
  }
});
