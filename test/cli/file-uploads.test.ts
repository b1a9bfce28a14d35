/** Files on their way to a gateway: the small ones together, each told what became of it, whatever gateway it is. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { FileUploads } from '#cli/file-uploads.js';
import type { FileUploadsOptions } from '#cli/file-uploads.js';
import type { LocalFile } from '#cli/local-file.js';
import { allEnded, Lanes } from '#cli/parallel.js';
import { settle } from '#test/fixtures/clock.js';
import { dangerouslyFormatSmallFilesAnswer, decodeSmallFiles, SMALL_FILE_SIZE_MAX } from '#wire/small-files.js';
import type { SmallFileAnswer } from '#wire/small-files.js';
import { GatewayUser } from './fixtures/gateway-user.js';

type Client = FileUploadsOptions['client'];

/** What a gateway was sent: `alone` or `many`, and the texts. */
type Sent = readonly [way: 'alone' | 'many', ...texts: string[]];

const capabilityOf = (text: string): string => `URI:${text.slice(0, 20)}`;
const stored = (files: readonly string[]): SmallFileAnswer[] =>
  files.map((text) => ({ capability: capabilityOf(text) }));

/** A gateway that answers when it is let. @param answer - to many files; it may know of no such thing. */
function subject(answer: ((files: readonly string[]) => readonly SmallFileAnswer[]) | 'unknown' = stored) {
  const sent: Sent[] = [];
  const gates: (() => void)[] = [];
  const gate = (): Promise<void> => new Promise((resolve) => gates.push(resolve));
  const client: Client = {
    async put(content) {
      const pieces: Uint8Array[] = [];
      for await (const piece of content) pieces.push(piece);
      const text = Buffer.concat(pieces).toString();
      sent.push(['alone', text]);
      await gate();
      return { status: 200, capability: capabilityOf(text) };
    },
    async call(_method, _address, { body = '' } = {}) {
      const files = decodeSmallFiles(Buffer.from(body)).map((bytes) => Buffer.from(bytes).toString());
      sent.push(['many', ...files]);
      await gate();
      if (answer === 'unknown') return { status: 404, text: 'No such resource' };
      return { status: 200, text: dangerouslyFormatSmallFilesAnswer(answer(files)) };
    },
  };
  const uploads = new FileUploads({ client, signal: new AbortController().signal, lanes: new Lanes(3) });
  const open = (text: string): Promise<LocalFile> => {
    const read = async function* (): AsyncGenerator<Uint8Array, void> {
      yield await Promise.resolve(utf8(text));
    };
    return Promise.resolve({ sizeBytes: text.length, read, close: () => Promise.resolve() });
  };
  const store = (text: string, sizeBytes: number | undefined = text.length): Promise<string> =>
    uploads.inTurn(() => uploads.store(sizeBytes, () => open(text)));
  /** Lets all that is asked be answered, until nothing more is. */
  const answerAll = async (): Promise<void> => {
    await settle();
    while (gates.length > 0) {
      for (const release of gates.splice(0)) release();
      await settle();
    }
  };
  return { sent, store, answerAll };
}

t.test('those that wait at the same time go together', async (t) => {
  const { answerAll, sent, store } = subject();
  const names = 'abcdefgh'.split('');
  const all = allEnded(names.map((name) => store(name)));
  await settle();
  t.strictSame(sent, [
    ['alone', 'a'],
    ['alone', 'b'],
  ]);
  await answerAll();
  t.strictSame(sent.slice(2), [['many', 'c', 'd', 'e', 'f', 'g', 'h']]);
  t.strictSame(await all, names.map(capabilityOf));
});

t.test(
  'a large file goes by itself, and so does one that turns out to be large, or whose size is not known',
  async (t) => {
    const { answerAll, sent, store } = subject();
    const large = 'x'.repeat(SMALL_FILE_SIZE_MAX + 1);
    const all = allEnded([
      store(large),
      store(`${large}grown`, 5),
      store('a pipe', 0),
      ...['a', 'b', 'c', 'd'].map((name) => store(name)),
    ]);
    await answerAll();
    t.strictSame(await all, [large, large, 'a pipe', 'a', 'b', 'c', 'd'].map(capabilityOf));
    const many = sent.filter(([way]) => way === 'many');
    t.strictSame(many, [['many', 'c', 'd']]);
  },
);

t.test('each is told what became of it', async (t) => {
  const { answerAll, store } = subject((files) =>
    files.map((text) =>
      text === 'd' ? { status: 500, reason: 'too few servers for URI:CHK:secret' } : { capability: capabilityOf(text) },
    ),
  );
  const all = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((name) => store(name)));
  await answerAll();
  const outcomes = await all;
  t.strictSame(
    outcomes.map(({ status }) => status === 'fulfilled'),
    [true, true, true, false, true],
  );
  const message = 'the gateway answered 500: too few servers for URI:[hidden]';
  t.match(outcomes[3], { reason: { code: 'ERR_GATEWAY_REPLY', message } });
});

t.test('a gateway that does not know of this gets each by itself, and is not asked again', async (t) => {
  const { answerAll, sent, store } = subject('unknown');
  const first = allEnded(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => store(name)));
  await answerAll();
  t.strictSame(await first, ['a', 'b', 'c', 'd', 'e', 'f'].map(capabilityOf));
  const asked = sent.length;
  const second = allEnded(['g', 'h', 'i', 'j'].map((name) => store(name)));
  await answerAll();
  t.strictSame(await second, ['g', 'h', 'i', 'j'].map(capabilityOf));
  t.strictSame(
    sent.slice(asked).map(([way]) => way),
    ['alone', 'alone', 'alone', 'alone'],
  );
});

t.test('an answer that tells of other files than were sent is none', async (t) => {
  const { answerAll, store } = subject((files) => stored(files.slice(1)));
  const all = Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => store(name)));
  await answerAll();
  const outcomes = await all;
  for (const i of [2, 3]) t.match(outcomes[i], { reason: { code: 'ERR_GATEWAY_REPLY', facts: { status: 200 } } });
});

t.test('after one that fails no other is begun', async (t) => {
  const client: Client = {
    put: () =>
      Promise.reject(new TahoeError('ERR_GATEWAY', { address: 'http://gone/', reason: 'nothing listens there' })),
    call: () => Promise.reject(new Error('not asked')),
  };
  const uploads = new FileUploads({ client, signal: new AbortController().signal, lanes: new Lanes() });
  let opened = 0;
  const open = (): Promise<LocalFile> => {
    opened += 1;
    const read = async function* (): AsyncGenerator<Uint8Array, void> {
      yield await Promise.resolve(utf8('x'));
    };
    return Promise.resolve({ sizeBytes: 1, read, close: () => Promise.resolve() });
  };
  const all = Array.from({ length: 500 }, () => uploads.inTurn(() => uploads.store(1, open)));
  await t.rejects(allEnded(all), { code: 'ERR_GATEWAY' });
  t.ok(opened < 200, `${String(opened)} were`);
});

t.test('a copy and a backup of many small files take few requests', async (t) => {
  const count = 60;
  const text = (i: number): string => `file ${String(i)} `.repeat(60);
  const tree = Object.fromEntries(Array.from({ length: count }, (_, i) => [`tree/${String(i)}`, text(i)]));
  const user = await GatewayUser.make(t, tree);
  for (const words of [
    ['cp', '-r', 'tree', 'A:'],
    ['backup', 'tree', 'A:backups'],
  ]) {
    user.requests.length = 0;
    await user.expect(...words);
    t.ok(user.requests.length < count / 2, `${words[0] ?? ''}: ${String(user.requests.length)} requests`);
  }
  await user.expect('cp', '-r', 'A:tree', 'copied');
  await user.expect('cp', '-r', 'A:backups/Latest', 'backed-up');
  for (let i = 0; i < count; i++) {
    t.equal(await user.read(`copied/tree/${String(i)}`), text(i));
    t.equal(await user.read(`backed-up/Latest/${String(i)}`), text(i));
  }
});
