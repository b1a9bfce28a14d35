/** What is promised of the package: exact versions, no addresses, no install scripts, every dependency explained. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.js';

interface Package {
  readonly engines: { readonly node: string };
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly allowScripts: Record<string, boolean>;
}
interface Lock {
  readonly packages: Record<
    string,
    { resolved?: string; hasInstallScript?: boolean; dev?: boolean; version?: string; engines?: { node?: string } }
  >;
}
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const manifest = JSON.parse(read('package.json')) as Package;
const lock = JSON.parse(read('package-lock.json')) as Lock;

/** Their engines exclude Node 20, and they run there all the same: fastify brings them in. */
const engineExceptions = ['node_modules/cookie'];
/** It would only look whether the binary inside the package loads; `allowScripts` denies it even that. */
const scriptExceptions = ['node_modules/classic-level', 'node_modules/cpu-features', 'node_modules/ssh2'];
const RUNTIME_PACKAGES_MAX = 110;

t.test('versions are exact', async (t) => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.match(version, /^[0-9]+\.[0-9]+\.[0-9]+$/, name);
  }
});

t.test('the lockfile holds no address and nothing that runs at install time', async (t) => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  t.same(
    packages.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    [],
  );
  t.same(
    packages.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path),
    scriptExceptions,
  );
  for (const path of scriptExceptions) t.equal(manifest.allowScripts[path.replace('node_modules/', '')], false, path);
  const runtime = packages.filter(([, entry]) => entry.dev !== true);
  t.ok(runtime.length <= RUNTIME_PACKAGES_MAX, `${String(runtime.length)} packages at run time`);
  for (const [path, { engines }] of runtime) {
    const node = engines?.node ?? '';
    const excludes20 = /^(>=|\^)\s*2[1-9]/.test(node);
    t.ok(!excludes20 || engineExceptions.includes(path), `${path} runs on Node 20 (${node})`);
  }
});

t.test('every dependency has its sentence', async (t) => {
  const page = read('docs/dependencies.md');
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.ok(page.includes(`\`${name}\``), name);
  }
});

t.test('the image is built from every folder of the product', async (t) => {
  const { include } = JSON.parse(read('tsconfig.product.json')) as { include: string[] };
  for (const folder of include) t.match(read('Dockerfile'), `COPY ${folder} ${folder}\n`, folder);
});

t.test('no text of the repository names a machine', async (t) => {
  for (const name of ['README.md', 'CHANGELOG.md', 'package.json', 'docs/architecture.md', 'docs/performance.md']) {
    t.notMatch(read(name), /\/(home|root|work)\//, name);
  }
});
