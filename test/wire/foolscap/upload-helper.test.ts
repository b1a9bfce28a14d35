/** What a helper and its clients tell each other: as it was meant, over a connection, and refused where it makes no sense. */
import fc from 'fast-check';
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { parametersOf } from '#core/immutable/parameters.js';
import { encodeUeb } from '#core/immutable/ueb.js';
import {
  fileSizeShape,
  formatHelperResults,
  formatHelperVersion,
  formatReaderEncoding,
  HELPER_PROTOCOL,
  helperResultsShape,
  readDataOf,
  readerEncodingShape,
  SEGMENT_SIZE_MAX,
  uebFieldsOf,
  uploadChkReplyShape,
} from '#wire/foolscap/upload-helper.js';
import type { HelperResults } from '#wire/foolscap/upload-helper.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import { Copyable, Dict, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { joinBrokers, objectOf } from '#test/fixtures/foolscap/banana-talk.js';

const hash = (name: string): Uint8Array => seededBytes(name, 32);
const file = parametersOf({ needed: 3, total: 10 }, 5_000_000_000, 1_048_578);
const uebBytes = encodeUeb(file, {
  crypttextHash: hash('file'),
  crypttextRootHash: hash('root'),
  shareRootHash: hash('shares'),
});
const results: HelperResults = {
  uebHash: hash('ueb'),
  ueb: uebFieldsOf(uebBytes),
  sharemap: new Map([
    [0, new Set(['v0-one', 'v0-two'])],
    [255, new Set(['v0-two'])],
  ]),
  pushedShares: 2,
  preexistingShares: 1,
  ciphertextFetched: 5_000_000_000,
};

/** The results with other attributes. */
function changed(changes: Readonly<Record<string, Value>>, removed: readonly string[] = []): Copyable {
  const { attributes, typeName } = formatHelperResults(results, 'URI:CHK-Verifier:…');
  const all = new Map([...attributes, ...Object.entries(changes)]);
  for (const name of removed) all.delete(name);
  return new Copyable(typeName, all);
}

t.test('results arrive as they were meant', async (t) => {
  const { here } = joinBrokers(new Map([['name', objectOf({ get: () => changed({}) })]]));
  const reference = await here.broker.reference('name', {});
  t.strictSame(helperResultsShape(await reference.call('get', []), 'the results'), results);
  const { attributes } = formatHelperResults(results, 'URI:CHK-Verifier:…');
  t.equal(attributes.get('file_size'), 5_000_000_000);
  t.strictSame(
    attributes.get('servermap'),
    new Dict([
      [utf8('v0-one'), new ValueSet([0])],
      [utf8('v0-two'), new ValueSet([0, 255])],
    ]),
  );
  t.strictSame(attributes.get('verifycapstr'), utf8('URI:CHK-Verifier:…'));
  t.notOk(formatHelperResults(results).attributes.has('verifycapstr'), 'only after an upload');
  t.strictSame(results.ueb.get('num_segments'), 4769);
  t.strictSame(results.ueb.get('codec_name'), utf8('crs'));
});

t.test('what a release says otherwise, and what it leaves out', (t) => {
  const bare = changed({}, ['sharemap', 'servermap', 'pushed_shares', 'preexisting_shares', 'ciphertext_fetched']);
  t.match(helperResultsShape(bare, 'they'), { pushedShares: 0, preexistingShares: 0, ciphertextFetched: undefined });
  const old = changed({ sharemap: new Dict([[0, utf8('Placed on [abc]')]]) });
  t.strictSame(helperResultsShape(old, 'they').sharemap, new Map([[0, new Set()]]), 'a sentence');
  const tubId = changed({ sharemap: new Dict([[0, new ValueSet([new Uint8Array(20).fill(0xff)])]]) });
  t.equal(helperResultsShape(tubId, 'they').sharemap.get(0)?.size, 1, 'a server by its tub id');
  const bytes = changed({ uri_extension_data: new Dict([[utf8('size'), 7]]) });
  t.equal(helperResultsShape(bytes, 'they').ueb.get('size'), 7, 'keys as bytes');
  t.end();
});

t.test('damaged results are refused', (t) => {
  const many = Array.from({ length: 65 }, (_, i) => [String(i), 1] as const);
  const bad: readonly [string, Value][] = [
    ['none', null],
    ['another class', new Copyable('x', new Map())],
    ['no hash', changed({}, ['uri_extension_hash'])],
    ['a short hash', changed({ uri_extension_hash: new Uint8Array(31) })],
    ['no block', changed({}, ['uri_extension_data'])],
    ['a list for the block', changed({ uri_extension_data: [1] })],
    ['a list in the block', changed({ uri_extension_data: new Dict([['size', [1]]]) })],
    ['a key that is no text', changed({ uri_extension_data: new Dict([[utf8('\u00fc').subarray(1), 1]]) })],
    ['a long value', changed({ uri_extension_data: new Dict([['x', new Uint8Array(1025)]]) })],
    ['many keys', changed({ uri_extension_data: new Dict(many) })],
    ['a share beyond 255', changed({ sharemap: new Dict([[256, new ValueSet([])]]) })],
    ['a long server id', changed({ sharemap: new Dict([[0, new ValueSet([new Uint8Array(257)])]]) })],
    ['a count below zero', changed({ pushed_shares: -1 })],
    ['a count that is text', changed({ preexisting_shares: '1' })],
    ['a size below zero', changed({ ciphertext_fetched: -5 })],
  ];
  for (const [what, value] of bad) t.throws(() => helperResultsShape(value, 'they'), { code: 'ERR_VIOLATION' }, what);
  t.throws(() => uebFieldsOf(utf8('size:1:x,')), { code: 'ERR_UEB' });
  t.end();
});

t.test('what is asked of a reader', (t) => {
  const encoding = { needed: 3, happy: 7, total: 10, segmentSize: 1_048_578 };
  t.strictSame(readerEncodingShape(formatReaderEncoding(encoding), 'it'), encoding);
  for (const bad of [
    [0, 1, 1, 1],
    [2, 1, 1, 2],
    [1, 0, 1, 1],
    [1, 1, 257, 1],
    [1, 257, 1, 1],
    [3, 3, 3, 4],
    [1, 1, 1, 0],
    [1, 1, 1, SEGMENT_SIZE_MAX + 1],
    [1, 1, 1],
    [1, 1, 1, 1, 1],
    ['1', 1, 1, 1],
  ]) {
    t.throws(() => readerEncodingShape(new Tuple(...bad), 'it'), { code: 'ERR_VIOLATION' }, bad.join(' '));
  }
  for (const bad of [0, -1, 1n << 60n, null]) t.throws(() => fileSizeShape(bad, 'it'), { code: 'ERR_VIOLATION' });
  const read = readDataOf(10);
  t.equal(read([new Uint8Array(4), new Uint8Array(6)], 'it').length, 2);
  for (const bad of [
    [],
    [new Uint8Array(0)],
    [new Uint8Array(11)],
    [new Uint8Array(5), new Uint8Array(6)],
    ['x'],
    null,
  ])
    t.throws(() => read(bad, 'it'), { code: 'ERR_VIOLATION' });
  t.strictSame(formatHelperVersion(HELPER_PROTOCOL, 'tallac/1').get(HELPER_PROTOCOL), new Dict([]));
  t.end();
});

t.test('the answer to upload_chk is results or an object', async (t) => {
  const answers = {
    there: () => new Tuple(changed({}), null),
    object: () => new Tuple(null, objectOf({}, 'RIUploadHelper.tahoe.allmydata.com')),
    nothing: () => new Tuple(null, null),
    number: () => new Tuple(null, 7),
    single: () => new Tuple(null),
    wrong: () => new Tuple(7, null),
  };
  const { here } = joinBrokers(new Map([['name', objectOf(answers)]]));
  const reference = await here.broker.reference('name', {});
  const ask = async (name: keyof typeof answers) => uploadChkReplyShape(await reference.call(name, []), 'it');
  t.strictSame((await ask('there')).results, results);
  const { upload } = await ask('object');
  t.ok(upload !== undefined && isRemoteReference(upload));
  for (const name of ['nothing', 'number', 'single', 'wrong'] as const)
    await t.rejects(ask(name), { code: 'ERR_VIOLATION' });
});

t.test('anything is taken or refused, and nothing else happens', (t) => {
  const { value } = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<Value>(null, true, 0, -1, 5, 1n << 70n, '', 'size'),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => new Tuple(...items)),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => new ValueSet(items)),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Dict(pairs)),
    ),
  }));
  const names = [...changed({}).attributes.keys()];
  const shapes = [helperResultsShape, readerEncodingShape, readDataOf(5), uploadChkReplyShape];
  const isJudged = (judge: () => unknown): boolean => {
    try {
      judge();
      return true;
    } catch (error) {
      return isTahoeError(error, 'ERR_VIOLATION');
    }
  };
  t.doesNotThrow(() => {
    fc.assert(fc.property(value, (given) => shapes.every((shape) => isJudged(() => shape(given, 'it')))));
    fc.assert(
      fc.property(fc.constantFrom(...names), value, (name, given) =>
        isJudged(() => helperResultsShape(changed({ [name]: given }), 'it')),
      ),
    );
  });
  t.end();
});
