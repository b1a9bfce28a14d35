/** Forms with files: the parser by itself, in pieces and damaged, and what a gateway does with them. */
import fc from 'fast-check';
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import { boundaryOf, readParts } from '#gateway/multipart.js';
import { seededBytes } from '../fixtures/crypto.js';
import { gatewayOf } from '../fixtures/gateway-app.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';

interface Field {
  readonly name: string;
  readonly fileName?: string | undefined;
  readonly value: Uint8Array;
}

const BOUNDARY = '----a boundary';

function encode(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(({ name, fileName, value }) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`),
    Buffer.from(fileName === undefined ? '' : `; filename="${fileName}"\r\nContent-Type: text/plain`),
    Buffer.from('\r\n\r\n'),
    value,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--`)]);
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function decode(bytes: Uint8Array, pieceSize = bytes.length + 1): Promise<Field[]> {
  const fields: Field[] = [];
  for await (const { name, fileName, body } of readParts(inPieces(bytes, pieceSize), BOUNDARY)) {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    fields.push({ name, fileName, value: Uint8Array.from(Buffer.concat(parts)) });
  }
  return fields;
}

t.test('what was put into a form comes out of it, however it is delivered', async (t) => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .constantFrom(`\r\n--${BOUNDARY.slice(0, -1)}`, '\r\n', `--${BOUNDARY}--`, '\r')
      .map((text) => Uint8Array.from(Buffer.from(text))),
  );
  const field = fc.record(
    {
      name: fc.constantFrom('t', 'file', 'a name', 'ü'),
      fileName: fc.constantFrom(undefined, 'x.txt', 'ä b.png'),
      value,
    },
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(field, { maxLength: 5 }), fc.integer({ min: 1, max: 300 }), async (fields, size) => {
      const got = await decode(encode(fields), size);
      t.strictSame(got, fields);
    }),
    { numRuns: 60 },
  );
});

t.test('a damaged form is refused or understood, and never more than that', async (t) => {
  const form = encode([
    { name: 't', value: Buffer.from('upload') },
    { name: 'file', fileName: 'x', value: Buffer.from('content') },
  ]);
  for (let length = 0; length < form.length - 2; length++) {
    await t.rejects(decode(form.subarray(0, length)), TahoeError, `cut after ${String(length)}`);
  }
  for (let i = 0; i < form.length; i++) {
    const damaged = Uint8Array.from(form);
    damaged[i] = (damaged[i] ?? 0) ^ 0x20;
    await decode(damaged, 7).catch((error: unknown) => t.match(error, { code: 'ERR_USAGE' }));
  }
  await t.rejects(decode(Buffer.concat([Buffer.from(`--${BOUNDARY}\r\n`), Buffer.alloc(70_000, 'a')]), 999), {
    message: /too long/,
  });
});

t.test('boundaries', (t) => {
  t.equal(boundaryOf('multipart/form-data; boundary=abc'), 'abc');
  t.equal(boundaryOf('multipart/form-data; charset=x; boundary="a b"'), 'a b');
  for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=""']) {
    t.throws(() => boundaryOf(type), { code: 'ERR_USAGE' });
  }
  t.end();
});

t.test('files come in forms', async (t) => {
  const app = gatewayOf(new MemoryGrid(4, { needed: 2, happy: 2, total: 4 }));
  const send = async (url: string, fields: readonly Field[], headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: { ...headers, 'content-type': `multipart/form-data; boundary="${BOUNDARY}"` },
      payload: encode(fields),
    });
  const field = (name: string, value: string): Field => ({ name, value: Buffer.from(value) });
  const content = seededBytes('a file beyond what is kept in memory', 2_500_000);
  const file: Field = { name: 'file', fileName: '/disk/large "x".bin', value: content };

  const stored = await send('/uri?t=upload', [file, field('when_done', '/uri/%(uri)s')]);
  t.equal(stored.statusCode, 302);
  const { location = '' } = stored.headers as { location?: string };
  t.ok((await app.inject(location)).rawPayload.equals(Buffer.from(content)), 'it came through the spool whole');
  t.match(await send('/uri', [file]), { statusCode: 200, body: /stored/, headers: { 'content-type': /html/ } });

  const { body: cap } = await app.inject({ method: 'POST', url: '/uri?t=mkdir' });
  const dir = `/uri/${encodeURIComponent(cap)}`;
  const small = { ...file, fileName: 'a.txt', value: Buffer.from('small') };
  t.match(await send(dir, [small, field('t', 'upload')]), { statusCode: 200, body: /^URI:LIT:/ });
  t.equal((await app.inject(`${dir}/a.txt`)).body, 'small');
  t.match(await send(dir, [small, field('t', 'upload'), field('replace', 'false')]), { statusCode: 409 });
  t.match(await send(`${dir}/a.txt?t=upload`, [{ ...small, value: Buffer.from('in its place') }]), { statusCode: 200 });
  t.equal((await app.inject(`${dir}/a.txt`)).body, 'in its place');
  t.match(await send(`${dir}?t=upload&name=m&format=SDMF`, [small]), { body: /^URI:SSK:/ });
  t.match(await send(`${dir}?t=upload&name=m`, [{ ...small, value: Buffer.from('over') }]), { body: /^URI:SSK:/ });
  t.equal((await app.inject(`${dir}/m`)).body, 'over');
  t.match(await send(`${dir}?t=upload`, [{ ...small, fileName: '' }]), { statusCode: 400, body: /requires a name/ });
  t.match(await send(`${dir}?t=upload&name=a/b`, [small]), { statusCode: 400, body: /slash/ });
  t.match(await send(`${dir}?t=upload`, [field('other', 'x')]), { statusCode: 400, body: /named file/ });
  t.match(await send(`${dir}/absent?t=upload`, [small]), { statusCode: 404 });
  t.match(await send('/uri?t=upload', [field('x', 'y'.repeat(1_100_000))]), { statusCode: 413 });

  for (const target of ['.', '..', '/status', `http://localhost:80/uri`]) {
    const reply = await send(dir, [field('t', 'mkdir'), field('name', 'again'), field('when_done', target)]);
    t.match(reply, { statusCode: 302, headers: { location: target } });
  }
  for (const target of [
    '//evil.example',
    'http://evil.example/',
    'javascript:alert(1)',
    '\\\\evil.example',
    'http://[',
  ]) {
    const reply = await send(dir, [field('t', 'unlink'), field('name', 'a.txt'), field('when_done', target)]);
    t.match(reply, { statusCode: 400, body: /on this gateway/ }, target);
  }
  t.equal((await app.inject(`${dir}/a.txt`)).statusCode, 200, 'and nothing was changed');
  await app.close();
});
