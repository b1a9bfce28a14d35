/**
 * Directories and mutable files at gateways of either program on one grid: the same requests get the same answers, and
 * what one program made the other reads and changes. Where we answer otherwise on purpose, both statuses stand here.
 */
import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { request } from 'undici';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function ask(gateway: GridNode, method: Method, path: string, body?: string | Uint8Array): Promise<Answer> {
  const url = `${await gateway.url()}${path}`;
  const reply = await request(url, { method, body: body ?? null, signal: AbortSignal.timeout(60_000) });
  return {
    status: reply.statusCode,
    type: String(reply.headers['content-type'] ?? ''),
    body: await reply.body.text(),
  };
}

/** What differs between two runs of one script: capabilities, times, and the sizes that the reference happens to know. */
function normalized(text: string): string {
  return text
    .replaceAll(/(URI:(?:SSK|MDMF|DIR2)[A-Za-z0-9-]*:)[a-z2-7]{26}:[a-z2-7]{52}/g, '$1*')
    .replaceAll(/("format": "[SM]DMF"),\n +"size": [0-9]+(?=,\n +"metadata")/g, '$1')
    .replaceAll(/"link(cr|mo)time": [0-9.e+]+/g, '"link$1time": *');
}

/**
 * A request: method, what follows the directory's address, body, and the reference's status where ours is a 4xx instead.
 */
type Step = readonly [method: Method, path: string, body?: string | undefined, referenceStatus?: number];

const children = JSON.stringify({
  file: ['filenode', { ro_uri: 'URI:LIT:ge', metadata: { ctime: 1002777696.7564139, note: 'ä', n: 3, f: 1e22 } }],
  later: ['unknown', { ro_uri: 'ro.URI:FUTURE:x' }],
  both: ['unknown', { rw_uri: 'URI:FUTURE:write', ro_uri: 'ro.URI:FUTURE:read' }],
});

const script: readonly Step[] = [
  ['GET', '?t=json'],
  ['PUT', '/file.txt', 'content'],
  ['PUT', '/file.txt', 'newer'],
  ['PUT', '/file.txt?replace=false', 'x'],
  ['GET', '/file.txt'],
  ['HEAD', '/file.txt'],
  ['GET', '/file.txt?t=json'],
  ['GET', '/file.txt?t=uri'],
  ['GET', '/file.txt?t=readonly-uri'],
  ['PUT', '/large', seededBytes('large', 20_000).join()],
  ['GET', '/large?t=json'],
  ['PUT', '/deep/er/f%C3%BCr/x%2Fy.html', '<p>'],
  ['GET', '/deep/er/f%C3%BCr/x%2Fy.html'],
  ['PUT', '/sdmf?format=SDMF', 'one'],
  ['PUT', '/sdmf', 'three'],
  ['GET', '/sdmf'],
  ['GET', '/sdmf?t=json'],
  ['PUT', '/mdmf?format=mdmf', 'content of MDMF'],
  ['PUT', '/mdmf?offset=2', 'XX'],
  ['GET', '/mdmf'],
  ['GET', '/mdmf?t=json'],
  ['PUT', '/mdmf?offset=-1', 'XX'],
  ['PUT', '/sub?t=mkdir'],
  ['PUT', '/sub?t=mkdir'],
  ['POST', '/sub2/sub3?t=mkdir&format=MDMF'],
  ['POST', '?t=mkdir&name=named'],
  ['POST', '?t=mkdir&name=named&replace=false'],
  ['POST', '/withkids?t=mkdir-with-children', children],
  ['POST', '?t=mkdir-immutable&name=frozen', JSON.stringify({ a: ['filenode', { ro_uri: 'URI:LIT:ge' }] })],
  ['GET', '/frozen?t=json'],
  ['GET', '/withkids?t=json'],
  ['GET', '/withkids/later?t=json'],
  ['GET', '/withkids/both?t=json'],
  ['POST', '?t=set_children', children],
  ['POST', '?t=set_children&replace=false', children],
  ['POST', '?t=uri&name=link&uri=URI:LIT:gi'],
  ['POST', '?t=uri&name=link&uri=URI:LIT:gi&replace=false'],
  ['POST', '?t=uri&name=link'],
  ['PUT', '/linked/in?t=uri', 'URI:LIT:gi'],
  ['PUT', '/sub?t=uri&replace=only-files', 'URI:LIT:gi'],
  ['PUT', '/sub?t=uri&replace=false', 'URI:LIT:gi'],
  ['POST', '?t=rename&from_name=link&to_name=renamed'],
  ['POST', '?t=rename&from_name=absent&to_name=x'],
  ['POST', '?t=rename&from_name=link'],
  ['POST', '?t=relink&from_name=renamed&to_name=again'],
  ['POST', '?t=unlink&name=again'],
  ['POST', '?t=unlink&name=again'],
  ['POST', '?t=delete&name=linked'],
  ['DELETE', '/withkids/file'],
  ['DELETE', '/absent'],
  ['GET', '/absent'],
  ['GET', '/absent/deeper'],
  ['GET', '/absent?t=json'],
  ['GET', '/file.txt/below'],
  ['PUT', '/file.txt/below/x', 'x'],
  ['PUT', '/sub', 'x'],
  ['PUT', '', 'x'],
  ['GET', '?t=nonsense'],
  ['GET', '/file.txt?t=nonsense'],
  ['HEAD', '/file.txt?t=json'],
  ['PUT', '/file.txt?t=nonsense', 'x'],
  ['POST', '?t=nonsense'],
  ['PUT', '/file.txt?offset=2', 'x'],
  ['PUT', '/new?format=ZIP', 'x'],
  ['PUT', '/new?replace=perhaps', 'x'],
  ['GET', '//file.txt'],
  ['GET', '/sub/'],
  // What the reference answers with a fault of its own.
  ['DELETE', '', undefined, 500],
  ['PUT', '/sdmf?offset=x', 'x', 500],
  ['POST', '?t=set_children', '{', 500],
  ['PUT', '/frozen/x', 'x', 500],
  ['GET', '?t=json'],
];

const seed = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'der', type: 'pkcs8' });
const key = `private-key=${encodeURIComponent(seed.toString('base64').replaceAll('+', '-').replaceAll('/', '_'))}`;

t.test('two gateways', { skip: hasReference ? false : 'no reference', timeout: 480_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 1, total: 2 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());
  const [ours, reference] = [grid.gateway('ours'), grid.gateway('reference')];
  const make = async (gateway: GridNode, query: string): Promise<string> => {
    const { body } = await ask(gateway, 'POST', `uri?t=mkdir${query}`);
    return `uri/${encodeURIComponent(body)}`;
  };

  for (const format of ['SDMF', 'MDMF']) {
    await t.test(`one script in directories of ${format}`, async (t) => {
      const [left, right] = [await make(ours, `&format=${format}`), await make(reference, `&format=${format}`)];
      for (const [method, path, body, status] of script) {
        const what = `${method} ${path}`;
        const got = await ask(ours, method, left + path, body);
        const wanted = await ask(reference, method, right + path, body);
        t.equal(wanted.status, status ?? got.status, what);
        if (status !== undefined) {
          t.ok(got.status >= 400 && got.status < 500, `${what} is refused in words`);
        } else if (got.status < 300) {
          const isPage = wanted.type.startsWith('text/html') && wanted.body.startsWith('<!DOCTYPE');
          if (!isPage) t.equal(normalized(got.body), normalized(wanted.body), what);
          if (path.includes('t=json')) t.equal(got.type, wanted.type, `${what}: type`);
        }
      }
    });
  }

  await t.test('what one made the other reads and changes', async (t) => {
    for (const [maker, changer] of [
      [ours, reference],
      [reference, ours],
    ] as const) {
      const dir = await make(maker, '');
      const large = Buffer.from(seededBytes('mdmf', 300_000)).toString('hex');
      await ask(maker, 'PUT', `${dir}/%C3%A4/mdmf?format=MDMF`, large);
      await ask(maker, 'POST', `${dir}?t=set_children`, children);
      const before = JSON.parse((await ask(changer, 'GET', `${dir}?t=json`)).body) as unknown;
      t.match(before, ['dirnode', { children: { both: ['unknown', { rw_uri: 'URI:FUTURE:write' }] } }]);
      const update = await ask(changer, 'PUT', `${dir}/%C3%A4/mdmf?offset=131070`, 'changed across segments');
      t.equal(update.status, 200);
      const changed = `${large.slice(0, 131_070)}changed across segments${large.slice(131_093)}`;
      for (const gateway of [maker, changer]) {
        t.ok((await ask(gateway, 'GET', `${dir}/%C3%A4/mdmf`)).body === changed, 'the change is there');
      }
      t.equal((await ask(changer, 'PUT', `${dir}/%C3%A4/added`, 'added')).status, 201);
      t.equal((await ask(changer, 'POST', `${dir}?t=unlink&name=later`)).status, 200);
      const [after, again] = [await ask(maker, 'GET', `${dir}?t=json`), await ask(changer, 'GET', `${dir}?t=json`)];
      t.equal(after.body, again.body, 'both list the same');
      t.equal((await ask(maker, 'GET', `${dir}/%C3%A4/added`)).body, 'added');
      t.equal((await ask(maker, 'PUT', `${dir}/%C3%A4/added`, 'and back')).status, 200);
      t.equal((await ask(changer, 'GET', `${dir}/%C3%A4/added`)).body, 'and back');
    }
  });

  await t.test('equal immutable directories have equal capabilities', async (t) => {
    const file = (await ask(ours, 'PUT', 'uri', 'x'.repeat(1000))).body;
    for (const content of [
      {},
      { a: ['filenode', { ro_uri: 'URI:LIT:ge' }] },
      {
        ü: ['filenode', { ro_uri: file, metadata: { b: [1, 2.5, null], a: 'ß' } }],
        '\u{1f600}': ['f', { ro_uri: file }],
      },
    ]) {
      const body = JSON.stringify(content);
      const made = await ask(ours, 'POST', 'uri?t=mkdir-immutable', body);
      t.equal(made.body, (await ask(reference, 'POST', 'uri?t=mkdir-immutable', body)).body);
      const path = `uri/${encodeURIComponent(made.body)}`;
      t.equal(
        (await ask(ours, 'GET', `${path}?t=json`)).body,
        (await ask(reference, 'GET', `${path}?t=json`)).body,
        'and print alike',
      );
    }
  });

  await t.test('a given key gives the same capability', async (t) => {
    const made = await ask(ours, 'POST', `uri?t=mkdir&${key}`);
    t.match(made, { status: 200, body: /^URI:DIR2:/ });
    const file = made.body.replace('URI:DIR2:', 'URI:SSK:');
    t.equal((await ask(reference, 'GET', `uri/${encodeURIComponent(file)}?t=uri`)).body, file);
    // The key's file is there now: neither program makes another.
    t.equal((await ask(reference, 'POST', `uri?t=mkdir&${key}`)).status, 500);
    t.equal((await ask(ours, 'POST', `uri?t=mkdir&${key}`)).status, 500);
  });
});
