/**
 * Builds the Debian package from what `npm pack` packs and the packages that package-lock.json lists for run time. Needs
 * tar and dpkg-deb, no network.
 *
 *     npm run deb [-- DIRECTORY]     writes tallac_VERSION_ARCHITECTURE.deb there; here by default
 *
 * Two runs on the same sources make the same bytes: every time in it is SOURCE_DATE_EPOCH, or else that of the last
 * commit. Run it from the project's root.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { completionScript } from '#cli/completion.js';
import { describeCommands } from '#cli/whole-program.js';
import {
  changelogText,
  controlText,
  copyrightText,
  maintainerScripts,
  sysusersText,
  tmpfilesText,
} from './deb-texts.js';
import type { ShippedPackage } from './deb-texts.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const LIB = 'usr/lib/tallac';
const DOC = 'usr/share/doc/tallac';
/** What Node.js calls the architectures for which packages hold native parts. */
const PREBUILDS: Readonly<Record<string, string>> = { amd64: 'linux-x64', arm64: 'linux-arm64', armhf: 'linux-arm' };

interface Manifest {
  readonly version: string;
  readonly license?: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
}
interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const run = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
const gzip = (text: string | Buffer): Buffer => gzipSync(text, { level: 9 });

const manifest = readJson(join(root, 'package.json')) as Manifest;
const architecture = run('dpkg', '--print-architecture');
const epochSeconds = Number(process.env['SOURCE_DATE_EPOCH'] ?? run('git', 'log', '-1', '--format=%ct'));
const target = resolve(process.argv[2] ?? '.');
const work = mkdtempSync(join(tmpdir(), 'tallac-deb-'));
const stage = join(work, 'stage');

/** Writes a file of the package. */
function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  writeFileSync(join(stage, path), content);
}

function link(path: string, to: string): void {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  symlinkSync(relative(dirname(join(stage, path)), join(stage, to)), join(stage, path));
}

function unpackProduct(): void {
  run('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', work);
  const [packed = ''] = readdirSync(work).filter((name) => name.endsWith('.tgz'));
  mkdirSync(join(stage, LIB), { recursive: true });
  run('tar', '-xzf', join(work, packed), '-C', join(stage, LIB), '--strip-components=1');
}

/** Copies what the product needs at run time, without native parts for other machines. */
function copyDependencies(): readonly ShippedPackage[] {
  const { packages } = readJson(join(root, 'package-lock.json')) as Lock;
  const paths = Object.keys(packages).filter((path) => {
    const { dev, optional } = packages[path] ?? {};
    return path !== '' && dev !== true && optional !== true && existsSync(join(root, path));
  });
  return paths.map((path) => {
    const from = realpathSync(join(root, path));
    const filter = (source: string): boolean => belongs(relative(from, source));
    cpSync(from, join(stage, LIB, path), { recursive: true, filter });
    const { license, version } = readJson(join(from, 'package.json')) as Manifest;
    return { name: path.replace(/^node_modules\//, ''), version, license: license ?? 'unknown' };
  });
}

function belongs(path: string): boolean {
  const [folder, platform] = path.split('/');
  if (folder === 'node_modules') return false;
  return folder !== 'prebuilds' || platform === undefined || platform === PREBUILDS[architecture];
}

async function putDocuments(shipped: readonly ShippedPackage[]): Promise<void> {
  for (const page of readdirSync(join(root, 'docs/man')))
    put(`usr/share/man/man1/${page}.gz`, gzip(readFileSync(join(root, 'docs/man', page))));
  const commands = await describeCommands();
  put('usr/share/bash-completion/completions/tallac', completionScript('bash', commands));
  put('usr/share/zsh/vendor-completions/_tallac', completionScript('zsh', commands));
  put('usr/share/fish/vendor_completions.d/tallac.fish', completionScript('fish', commands));
  put(`${DOC}/copyright`, copyrightText(readFileSync(join(root, 'LICENSE'), 'utf8'), shipped));
  put(`${DOC}/changelog.gz`, gzip(changelogText(manifest.version, epochSeconds)));
  put(`${DOC}/CHANGELOG.md.gz`, gzip(readFileSync(join(root, 'CHANGELOG.md'))));
  put(`${DOC}/examples/tahoe.cfg.example`, readFileSync(join(root, 'tahoe.cfg.example')));
}

function putServices(): void {
  put('usr/lib/systemd/system/tallac@.service', readFileSync(join(root, 'deploy/tallac@.service')));
  put('usr/lib/sysusers.d/tallac.conf', sysusersText);
  put('usr/lib/tmpfiles.d/tallac.conf', tmpfilesText);
}

/** The commands: `tallac` for everybody, the other names in a folder of their own. */
function putCommands(): ReadonlySet<string> {
  link('usr/bin/tallac', `${LIB}/${manifest.bin['tallac'] ?? ''}`);
  for (const [name, file] of Object.entries(manifest.bin)) link(`${LIB}/bin/${name}`, `${LIB}/${file}`);
  return new Set(Object.values(manifest.bin).map((file) => join(stage, LIB, file)));
}

/** Gives everything under `path` its mode and its time. @returns the size of all files, in bytes. */
function finish(path: string, programs: ReadonlySet<string>): number {
  let size = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) size += finish(inside, programs);
    else if (entry.isFile()) {
      chmodSync(inside, programs.has(inside) ? 0o755 : 0o644);
      size += statSync(inside).size;
    }
    lutimesSync(inside, epochSeconds, epochSeconds);
  }
  chmodSync(path, 0o755);
  lutimesSync(path, epochSeconds, epochSeconds);
  return size;
}

async function build(): Promise<string> {
  unpackProduct();
  await putDocuments(copyDependencies());
  putServices();
  const installedKib = Math.ceil(finish(stage, putCommands()) / 1024);
  const nodeVersion = manifest.engines.node.replace('>=', '');
  put('DEBIAN/control', controlText({ version: manifest.version, architecture, nodeVersion, installedKib }));
  for (const [name, script] of Object.entries(maintainerScripts)) put(`DEBIAN/${name}`, script);
  finish(join(stage, 'DEBIAN'), new Set(Object.keys(maintainerScripts).map((name) => join(stage, 'DEBIAN', name))));
  lutimesSync(stage, epochSeconds, epochSeconds);
  const path = join(target, `tallac_${manifest.version}_${architecture}.deb`);
  process.env['SOURCE_DATE_EPOCH'] = String(epochSeconds);
  run('dpkg-deb', '--root-owner-group', '-Zxz', '-z3', '--build', stage, path);
  return path;
}

try {
  console.log(basename(await build()));
} finally {
  rmSync(work, { recursive: true, force: true });
}
