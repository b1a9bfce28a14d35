/** Directories and mutable files through the web API over a grid in memory: each operation, and what is refused. */
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { TahoeError } from '#core/errors.js';
import { createGateway } from '#gateway/gateway.js';
import { statusOf } from '#gateway/reply.js';
import { gatewayOf, gatewayServices } from '../fixtures/gateway-app.js';
import { seededBytes } from '../fixtures/crypto.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { testKeys } from '../fixtures/mutable-grid.js';

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

class Talk {
  readonly app: FastifyInstance;

  constructor(grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 })) {
    this.app = gatewayOf(grid);
  }

  async ask(
    method: Method,
    url: string,
    payload?: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
    const body = typeof payload === 'string' ? payload : payload && Buffer.from(payload);
    const {
      statusCode,
      body: text,
      headers: got,
    } = await this.app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    return { status: statusCode, body: text, headers: got };
  }

  async mkdir(query = ''): Promise<string> {
    const { status, body } = await this.ask('POST', `/uri?t=mkdir${query}`);
    if (status !== 200) throw new Error(body);
    return `/uri/${encodeURIComponent(body)}`;
  }

  async names(directory: string): Promise<string[]> {
    const { body } = await this.ask('GET', `${directory}?t=json`);
    const [, { children }] = JSON.parse(body) as [string, { children: object }];
    return Object.keys(children);
  }
}

const conflict = 'There was already a child by that name, and you asked me to not replace it.\n';

t.test('mutable files are made, read, written over and written into', async (t) => {
  const talk = new Talk();
  const content = Buffer.from(seededBytes('mutable', 5000)).toString('base64');
  for (const [query, kind, format] of [
    ['format=SDMF', /^URI:SSK:/, 'SDMF'],
    ['format=mdmf', /^URI:MDMF:/, 'MDMF'],
    ['mutable=true', /^URI:SSK:/, 'SDMF'],
  ] as const) {
    const put = await talk.ask('PUT', `/uri?${query}`, content);
    t.equal(put.status, 200);
    t.match(put.body, kind);
    const url = `/uri/${encodeURIComponent(put.body)}`;
    const get = await talk.ask('GET', url);
    t.match(get, { status: 200, body: content, headers: { 'content-security-policy': 'sandbox' } });
    t.notOk('etag' in get.headers, 'a mutable file has no lasting tag');
    const part = await talk.ask('GET', url, undefined, { range: 'bytes=10-19' });
    t.match(part, { status: 206, body: content.slice(10, 20) });
    const head = await talk.ask('HEAD', url);
    t.match(head, { status: 200, body: '', headers: { 'content-length': String(content.length) } });

    t.match(await talk.ask('PUT', `${url}?offset=3`, 'XYZ'), { status: 200, body: put.body });
    t.equal((await talk.ask('GET', url)).body, `${content.slice(0, 3)}XYZ${content.slice(6)}`);
    t.match(await talk.ask('PUT', url, 'short'), { status: 200, body: put.body });
    t.equal((await talk.ask('GET', url)).body, 'short');

    const json = JSON.parse((await talk.ask('GET', `${url}?t=json`)).body) as [string, Record<string, unknown>];
    t.match(json, ['filenode', { mutable: true, format, size: 5, rw_uri: put.body }]);
    t.same(Object.keys(json[1]), ['mutable', 'format', 'size', 'ro_uri', 'rw_uri', 'verify_uri']);
    const readOnly = (await talk.ask('GET', `${url}?t=readonly-uri`)).body;
    t.equal(readOnly, json[1]['ro_uri']);
    t.equal((await talk.ask('GET', `${url}?t=uri`)).body, put.body);
    t.equal((await talk.ask('GET', `/uri/${readOnly}`)).body, 'short');
    t.match(await talk.ask('PUT', `/uri/${readOnly}`, 'x'), { status: 400, body: /read-only cap/ });
    for (const offset of ['-1', 'x', '1.5', '9999999999999999']) {
      t.equal((await talk.ask('PUT', `${url}?offset=${offset}`, 'x')).status, 400, `offset=${offset}`);
    }
  }
  await talk.app.close();
});

t.test('a given key gives the same capability each time', async (t) => {
  const [key = new Uint8Array(0)] = testKeys.slice(-1);
  const query = `private-key=${encodeURIComponent(base64Url(key))}`;
  const made: string[] = [];
  for (let i = 0; i < 2; i++) {
    const talk = new Talk();
    made.push((await talk.ask('PUT', `/uri?format=SDMF&${query}`, 'x')).body);
    const again = await talk.ask('PUT', `/uri?format=SDMF&${query}`, 'y');
    t.match(again, { status: 500, body: /somebody else wrote/ }, 'there is a file of this key');
    t.match(await talk.ask('PUT', `/uri?${query}`, 'x'), { status: 400, body: /for mutable files/ });
    t.equal((await talk.ask('PUT', '/uri?format=SDMF&private-key=!', 'x')).status, 400);
    t.match(await talk.ask('PUT', '/uri?format=SDMF&private-key=aaaa', 'x'), { status: 400, body: /RSA key/ });
    await talk.app.close();
  }
  t.equal(made[0], made[1]);
  const directories = await Promise.all(
    [1, 2].map(async () => {
      const talk = new Talk();
      const url = await talk.mkdir(`&${query}`);
      await talk.app.close();
      return url;
    }),
  );
  t.equal(directories[0], directories[1]);
  t.match(decodeURIComponent(directories[0] ?? ''), made[0]?.replace('URI:SSK', 'URI:DIR2'));
});

t.test('a directory is filled, listed and emptied by path', async (t) => {
  const talk = new Talk();
  for (const format of ['SDMF', 'MDMF']) {
    const dir = await talk.mkdir(`&format=${format}`);
    t.match(decodeURIComponent(dir), format === 'SDMF' ? /URI:DIR2:/ : /URI:DIR2-MDMF:/);
    t.match(await talk.ask('PUT', `${dir}/file.txt`, 'content'), { status: 201, body: /^URI:LIT:/ });
    t.match(await talk.ask('PUT', `${dir}/file.txt`, 'newer'), { status: 200, body: /^URI:LIT:/ });
    t.match(await talk.ask('PUT', `${dir}/file.txt?replace=false`, 'x'), { status: 409, body: conflict });
    t.match(await talk.ask('GET', `${dir}/file.txt`), { status: 200, body: 'newer' });
    t.match(await talk.ask('HEAD', `${dir}/file.txt`), { status: 200, headers: { 'content-length': '5' } });
    t.match(await talk.ask('PUT', `${dir}/a/b%2Fc/d.html`, '<p>'), { status: 201 }, 'directories on the way are made');
    t.match(await talk.ask('GET', `${dir}/a/b%2Fc/d.html`), { body: '<p>', headers: { 'content-type': 'text/html' } });
    t.match(await talk.ask('PUT', `${dir}/m?format=MDMF`, 'one'), { status: 201, body: /^URI:MDMF:/ });
    const again = await talk.ask('PUT', `${dir}/m`, 'two');
    t.match(again, { status: 200, body: /^URI:MDMF:/ }, 'a mutable file is written over in its place');
    t.equal((await talk.ask('GET', `${dir}/m`)).body, 'two');
    t.same(await talk.names(dir), ['a', 'file.txt', 'm']);
    t.same(await talk.names(`${dir}/a/`), ['b/c']);
    t.match(await talk.ask('DELETE', `${dir}/m`), { status: 200, body: again.body });
    t.match(await talk.ask('DELETE', `${dir}/m`), { status: 404, body: 'No such child: m\n' });
    t.match(await talk.ask('GET', `${dir}/m`), { status: 404, body: 'No such child: m\n' });
    t.same(await talk.names(dir), ['a', 'file.txt']);
  }
  await talk.app.close();
});

t.test('what is in the way, and what paths cannot be', async (t) => {
  const talk = new Talk();
  const dir = await talk.mkdir();
  await talk.ask('PUT', `${dir}/f`, 'x');
  await talk.ask('PUT', `${dir}/sub?t=mkdir`);
  const cases: readonly (readonly [Method, string, number, RegExp])[] = [
    ['PUT', `${dir}/f/g`, 409, /a file was in the way/],
    ['POST', `${dir}/f/g?t=mkdir`, 409, /a file was in the way/],
    ['GET', `${dir}/f/g`, 400, /has no children/],
    ['GET', '/uri/URI:LIT:ge/x', 400, /Files have no children named "x"/],
    ['GET', `${dir}//f`, 400, /double slash/],
    ['GET', `${dir}/%FF`, 400, /./],
    ['PUT', `${dir}/sub`, 400, /PUT to a directory/],
    ['PUT', dir, 400, /PUT to a directory/],
    ['PUT', `${dir}/sub?t=uri&replace=only-files`, 409, /already a child/],
    ['PUT', `${dir}?t=uri`, 400, /takes a path/],
    ['PUT', '/uri/URI:LIT:ge', 400, /never changes/],
    ['PUT', `${dir}/f?offset=1`, 400, /immutable cap/],
    ['PUT', `${dir}/f?t=mkdir`, 400, /bad t=mkdir/],
    ['POST', `${dir}/f?t=mkdir`, 400, /bad t=mkdir/],
    ['PUT', `${dir}/f?t=x`, 400, /bad t=x/],
    ['PUT', `${dir}/f?replace=perhaps`, 400, /invalid replace=/],
    ['DELETE', dir, 400, /takes a path/],
    ['DELETE', `${dir}/absent`, 404, /No such child: absent/],
    ['GET', `${dir}/absent/deeper`, 404, /No such child: absent/],
    ['GET', `${dir}?t=x`, 400, /GET directory: bad t=x/],
    ['GET', `${dir}/f?t=x`, 400, /GET file: bad t=x/],
    ['HEAD', `${dir}/f?t=json`, 400, /^$/],
    ['POST', `${dir}?t=x`, 400, /bad t=x/],
    ['POST', `${dir}/f?t=unlink`, 400, /POST to file/],
    ['POST', `${dir}?t=uri&name=x`, 400, /requires a uri/],
    ['POST', `${dir}?t=uri&uri=URI:LIT:ge`, 400, /requires a name/],
    ['POST', `${dir}?t=uri&name=x&uri=URI:FUTURE:x`, 400, /cannot be linked/],
    ['POST', `${dir}?t=unlink&name=absent`, 404, /No such child/],
    ['POST', `${dir}?t=rename&from_name=f&to_dir=x&to_name=y`, 400, /to_dir= is not valid/],
    ['POST', `${dir}?t=rename&from_name=f`, 400, /to_name= is required/],
    ['POST', `${dir}?t=relink&to_name=f`, 400, /from_name= is required/],
    ['POST', `${dir}?t=relink&from_name=a/b`, 400, /may not contain a slash/],
    ['POST', `${dir}?t=relink&from_name=f&to_dir=URI:LIT:ge`, 400, /to_dir is not a directory/],
    ['POST', '/uri?t=mkdir&format=CHK', 400, /format=CHK not accepted/],
    ['POST', `${dir}?t=mkdir-with-children&name=x`, 200, /^URI:DIR2:/],
  ];
  for (const [method, url, status, body] of cases) {
    t.match(await talk.ask(method, url, method === 'PUT' ? 'x' : undefined), { status, body }, `${method} ${url}`);
  }
  t.match(await talk.ask('PUT', `${dir}/new`, 'x', { 'content-range': 'bytes 0-0/1' }), { status: 501 });
  t.match(await talk.ask('POST', '/uri?t=mkdir', '{}'), { status: 400, body: /try t=mkdir-with-children/ });
  await talk.app.close();
});

t.test('statuses that clients tell apart', (t) => {
  t.equal(statusOf(new TahoeError('ERR_FILE_IN_THE_WAY', { name: 'x' })), 409);
  t.equal(statusOf(new TahoeError('ERR_NOT_SUPPORTED', { reason: 'x' })), 501);
  t.equal(statusOf(new TahoeError('ERR_UNCOORDINATED_WRITE', { storageIndex: 'x', detail: '' })), 500, 'no taken name');
  t.end();
});

t.test('links are made, renamed, moved and removed', async (t) => {
  const talk = new Talk();
  const dir = await talk.mkdir();
  const other = (await talk.ask('PUT', `${dir}/other?t=mkdir`)).body;
  const post = (query: string) => talk.ask('POST', `${dir}?${query}`);
  t.match(await post('t=uri&name=x&uri=URI:LIT:ge'), { status: 200, body: 'URI:LIT:ge' });
  t.match(await post('t=uri&name=x&uri=URI:LIT:gi&replace=false'), { status: 409, body: conflict });
  t.match(await talk.ask('PUT', `${dir}/p/q?t=uri`, 'URI:LIT:gi'), { status: 200, body: 'URI:LIT:gi' });
  t.match(await post('t=rename&from_name=x&to_name=y'), { status: 200, body: 'thing moved' });
  t.match(await post(`t=relink&from_name=y&to_dir=${other}&to_name=z`), { status: 200, body: 'thing moved' });
  t.match(await post(`t=relink&from_name=p&to_dir=${other}/`), { status: 200, body: 'thing moved' });
  t.same(await talk.names(dir), ['other']);
  t.same(await talk.names(`${dir}/other`), ['p', 'z']);
  t.match(await post('t=unlink&name=other'), { status: 200, body: 'thing unlinked' });
  t.same(await talk.names(dir), []);
  const children = JSON.stringify({
    b: ['filenode', { ro_uri: 'URI:LIT:ge', metadata: { note: 1.5 } }],
    '\u0061\u030a': ['unknown', { ro_uri: 'ro.URI:FUTURE:x' }],
  });
  t.match(await talk.ask('POST', `${dir}?t=set_children`, children), { status: 200, body: 'Okay so I did it.' });
  t.same(await talk.names(dir), ['b', '\u00e5']);
  t.match(await talk.ask('POST', `${dir}?t=set_children&replace=false`, children), { status: 409 });
  const unknown = await talk.ask('GET', `${dir}/${encodeURIComponent('\u00e5')}?t=json`);
  t.match(JSON.parse(unknown.body), ['unknown', { ro_uri: 'ro.URI:FUTURE:x', metadata: { tahoe: {} } }]);
  t.match(await talk.ask('GET', `${dir}/${encodeURIComponent('\u00e5')}`), { status: 400, body: /unknown URI type/ });
  t.match(JSON.parse((await talk.ask('GET', `${dir}?t=json`)).body), [
    'dirnode',
    { children: { b: ['filenode', { metadata: { note: 1.5, tahoe: { linkcrtime: Number } } }] }, mutable: true },
  ]);
  for (const bad of ['{', '[]', '{"x": 1}', '{"x": ["filenode", {"ro_uri": 1}]}', '{"x": ["f", {"metadata": 1}]}']) {
    t.match(await talk.ask('POST', `${dir}?t=set_children`, bad), { status: 400, body: /JSON of children/ }, bad);
  }
  await talk.app.close();
});

t.test('directories are made with children, and immutable ones', async (t) => {
  const talk = new Talk();
  const children = JSON.stringify({
    f: ['filenode', { ro_uri: 'URI:LIT:ge', metadata: { a: 'long enough for shares' } }],
  });
  const made = await talk.ask('POST', '/uri?t=mkdir-with-children', children);
  t.match(made, { status: 200, body: /^URI:DIR2:/ });
  const dir = `/uri/${made.body}`;
  t.equal((await talk.ask('GET', `${dir}/f`)).body, '1');
  const small = await talk.ask('POST', '/uri?t=mkdir-immutable', '{}');
  t.match(small, { status: 200, body: 'URI:DIR2-LIT:' });
  const immutable = await talk.ask('POST', `${dir}/i?t=mkdir-immutable`, children);
  t.match(immutable, { status: 200, body: /^URI:DIR2-CHK:/ });
  t.equal(
    (await talk.ask('POST', '/uri?t=mkdir-immutable', children)).body,
    immutable.body,
    'equal content, equal cap',
  );
  const listing = await talk.ask('GET', `/uri/${immutable.body}?t=json`);
  t.match(JSON.parse(listing.body), ['dirnode', { mutable: false, children: { f: ['filenode', {}] } }]);
  const tag = String(listing.headers['etag']);
  t.match(tag, /^"DIR:[a-z2-7]{26}-json"$/);
  t.match(await talk.ask('GET', `/uri/${immutable.body}?t=json`, undefined, { 'if-none-match': tag }), { status: 304 });
  t.match(await talk.ask('PUT', `/uri/${immutable.body}/x`, 'x'), { status: 403 });
  t.match(await talk.ask('DELETE', `/uri/${immutable.body}/f`), { status: 403 });
  const mutable = JSON.stringify({ f: ['dirnode', { rw_uri: made.body }] });
  t.match(await talk.ask('POST', '/uri?t=mkdir-immutable', mutable), { status: 400, body: /cannot be linked/ });
  const leading = await talk.ask('POST', '/uri?t=mkdir&redirect_to_result=true');
  t.match(leading, { status: 303, headers: { location: /^uri\/URI%3ADIR2%3A/ } });
  await talk.app.close();
});

t.test('arguments come in forms, too', async (t) => {
  const talk = new Talk();
  const dir = await talk.mkdir();
  const post = (body: string, type: string) => talk.ask('POST', dir, body, { 'content-type': type });
  const encoded = 'application/x-www-form-urlencoded';
  t.match(await post('t=uri&name=%C3%A4+b&uri=URI%3ALIT%3Age', encoded), { status: 200 });
  const part = (name: string, value: string): string =>
    `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const form = `${part('t', 'rename')}${part('from_name', 'ä b')}${part('to_name', 'c')}--XX--\r\n`;
  t.match(await post(form, 'multipart/form-data; boundary=XX'), { status: 200, body: 'thing moved' });
  t.same(await talk.names(dir), ['c']);
  t.match(await post('nonsense', 'multipart/form-data; boundary=XX'), { status: 400, body: /form cannot be read/ });
  t.match(await post('x'.repeat(2 << 20), encoded), { status: 413, body: /larger than the limit/ });
  await talk.app.close();
});

t.test('the page of a directory escapes what is in it and shows no capability', async (t) => {
  const talk = new Talk();
  const dir = await talk.mkdir();
  await talk.ask('PUT', `${dir}/${encodeURIComponent('<img src=x onerror="1">&')}`, 'x');
  await talk.ask('PUT', `${dir}/sub?t=mkdir`);
  const page = await talk.ask('GET', dir);
  t.match(page, { status: 200, headers: { 'content-type': 'text/html;charset=utf-8' } });
  t.match(String(page.headers['content-security-policy']), /default-src 'none'/);
  t.match(page.body, /&lt;img src=x onerror=&quot;1&quot;&gt;&amp;/);
  t.notMatch(page.body, /<img/);
  const [, title = ''] = /<title>(.*)<\/title>/.exec(page.body) ?? [];
  t.match(title, /^Directory [a-z2-7]{6} \(modifiable\)$/);
  t.ok(page.body.includes(`href="${dir}/sub/"`), 'links lead on from the address that was asked');
  t.equal((await talk.ask('GET', `${dir}/sub/`)).status, 200);
  await talk.app.close();
});

t.test('writers of one file through one gateway take turns', async (t) => {
  const talk = new Talk();
  const dir = await talk.mkdir();
  const names = Array.from({ length: 12 }, (_, i) => `f${String(i).padStart(2, '0')}`);
  const puts = await Promise.all(names.map((name) => talk.ask('PUT', `${dir}/${name}`, name)));
  t.ok(puts.every(({ status }) => status === 201));
  t.same(await talk.names(dir), names);
  await talk.app.close();
});

t.test('an error while listing is JSON where JSON was asked for', async (t) => {
  const grid = new MemoryGrid(4, { needed: 2, happy: 2, total: 4 });
  const services = gatewayServices(grid);
  const file = await services.createMutable(Buffer.from('no directory'), {
    format: 'sdmf',
    signal: new AbortController().signal,
  });
  const app = createGateway(services);
  const text = dangerouslyFormatCapability({ kind: 'directory', file: file.capability });
  const reply = await app.inject({ method: 'GET', url: `/uri/${text}?t=json` });
  t.equal(reply.statusCode, 410);
  t.match(JSON.parse(reply.body), { error: /contents of the directory are not usable/ });
  await app.close();
});

function base64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
