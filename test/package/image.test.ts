/** The Docker image without Docker: what the Dockerfile copies and runs, done in a directory, gives a program that runs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { root } from '../house/sources.js';
import { temporaryDirectory } from '../cli/fixtures/program.js';

t.setTimeout(300_000);

const run = promisify(execFile);
/** Of the developers alone: too large for an image, or of no use in it. */
const DEVELOPERS_ONLY = ['typescript', 'tap', 'eslint', 'prettier', 'assemblyscript', '@rollup/wasm-node'];

/** The instructions of both stages, each as one line. */
async function stages(): Promise<string[][]> {
  const text = await readFile(join(root, 'Dockerfile'), 'utf8');
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n');
  return lines
    .join('\n')
    .split(/^FROM .*\n/m)
    .slice(1)
    .map((stage) => stage.split('\n').filter((line) => line !== ''));
}

/** Does what a COPY does: `source … target`, below `from` and below `to`. */
async function copy(words: readonly string[], from: string, to: string): Promise<void> {
  const target = words.at(-1) ?? '';
  for (const source of words.slice(0, -1)) {
    const place = target.endsWith('/') ? join(to, target, basename(source)) : join(to, target);
    await mkdir(join(place, '..'), { recursive: true });
    await cp(join(from, source), place, { recursive: true });
  }
}

t.test('built and run', async (t) => {
  const directory = await temporaryDirectory(t);
  const [build, product] = [join(directory, 'build'), join(directory, 'opt')];
  const [building = [], final = []] = await stages();
  for (const line of building) {
    const [instruction, ...words] = line.split(' ');
    if (instruction === 'COPY') await copy(words, root, build);
    if (instruction === 'RUN') await run('sh', ['-ec', words.join(' ')], { cwd: build, maxBuffer: 1 << 24 });
  }
  for (const line of final) {
    const [instruction, origin, ...words] = line.split(' ');
    if (instruction !== 'COPY' || origin !== '--from=build') continue;
    await copy(
      words.map((word) => word.replace(/^\/build\//, '')),
      build,
      product,
    );
  }
  const main = join(product, 'dist/src/cli/main.js');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const use = (...words: string[]) => run(process.execPath, [main, ...words]);
  t.match((await use('--version')).stdout, version);
  const node = join(directory, 'node');
  await use('create-client', node);
  await t.rejects(use('-d', node, 'ls'), { code: 1, stderr: /tallac run/ });
  t.ok(existsSync(join(product, 'dist/src/cli/bundle')), 'the everyday commands are bundled');
  const left = DEVELOPERS_ONLY.filter((name) => existsSync(join(product, 'node_modules', name)));
  t.same(left, [], 'nothing of the developers');
});
