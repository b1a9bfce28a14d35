/** Modules in one file: found in it and elsewhere, with the code that V8 had of them and with that of another V8. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ModuleArchive } from '#cli/module-archive.js';

const modules = new Map([
  [
    'entry.cjs',
    {
      text: "exports.twice = (n) => require('./parts/double.js').double(n); exports.load = (id) => require.import(id);",
    },
  ],
  [
    'parts/double.js',
    { text: "const { two } = require('./two'); exports.double = (n) => two * n; exports.place = __filename;" },
  ],
  ['parts/two.js', { text: "exports.two = 2; exports.entry = require('../entry.cjs');" }],
  ['package/index.js', { text: "exports.name = 'töne';" }],
  ['failing.cjs', { text: "throw new Error('on purpose');" }],
]);

interface Entry {
  readonly twice: (n: number) => number;
  readonly load: (id: string) => Promise<Readonly<Record<string, unknown>>>;
}

/** One that was written after everything in it had been used, and where it is. */
async function written(directory: string): Promise<string> {
  const path = join(directory, 'all.bundle');
  const archive = new ModuleArchive(path, modules, { package: 'package/index.js' });
  (archive.load('entry.cjs') as Entry).twice(1);
  archive.write();
  await writeFile(join(directory, 'beside.mjs'), 'export const name = "beside";');
  return path;
}

t.test('modules find each other, and what is elsewhere', async (t) => {
  const directory = t.testdir();
  const archive = ModuleArchive.read(await written(directory));
  const { load, twice } = archive.load('entry.cjs') as Entry;
  t.equal(twice(21), 42);
  t.match(archive.load('parts/double.js'), { place: join(directory, 'parts/double.js') });
  t.equal((archive.load('parts/two.js') as { entry: unknown }).entry, archive.load('entry.cjs'), 'each is loaded once');
  t.equal((await load('package')).name, 'töne');
  t.equal((await load('./parts/two.js')).two, 2);
  t.equal((await load('./beside.mjs')).name, 'beside');
  t.equal((await load(join(directory, 'beside.mjs'))).name, 'beside');
  t.type((await load('node:path')).join, 'function');
  await t.rejects(load('./nothing.mjs'), { code: 'ERR_MODULE_NOT_FOUND' });
});

t.test('what a module throws is thrown, from its own place', async (t) => {
  const directory = t.testdir();
  const archive = ModuleArchive.read(await written(directory));
  t.throws(() => archive.load('failing.cjs'), {
    message: 'on purpose',
    stack: new RegExp(join(directory, 'failing.cjs')),
  });
  t.throws(() => archive.load('failing.cjs'), /on purpose/, 'each time');
  t.throws(() => archive.load('nothing.cjs'), /there is no module nothing\.cjs/);
  t.throws(() => ModuleArchive.read(join(directory, 'beside.mjs')), SyntaxError);
});

t.test('code of another V8 is made anew', async (t) => {
  const path = await written(t.testdir());
  const bytes = await readFile(path);
  const index = JSON.parse(bytes.toString('utf8', 0, bytes.indexOf('\n'))) as { modules: [string, number, number][] };
  const withCode = index.modules.filter(([, , codeSize]) => codeSize > 0).map(([name]) => name);
  t.strictSame(withCode, ['entry.cjs', 'parts/double.js', 'parts/two.js'], 'what was used has code');
  let offset = bytes.indexOf('\n') + 1;
  for (const [, textSize, codeSize] of index.modules) {
    offset += textSize;
    // Behind a magic number stands what V8 calls its version.
    if (codeSize > 0) bytes.writeUInt32LE((bytes.readUInt32LE(offset + 4) ^ 0xffff) >>> 0, offset + 4);
    offset += codeSize;
  }
  await writeFile(path, bytes);
  t.equal((ModuleArchive.read(path).load('entry.cjs') as Entry).twice(4), 8);
});
