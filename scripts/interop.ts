/**
 * Runs the tests of interoperation: real processes of this project and of the Python reference, together.
 *
 *     node dist/scripts/interop.js [TAP-OPTION …]
 *
 * The reference is TALLAC_REFERENCE where that names its `tahoe` program; else it is installed, once, into `.venv` of
 * the project. Where that cannot be, for want of Python or of a network, it says so and ends well, for nothing is wrong
 * with this project then; but with CI=true, or a TALLAC_REFERENCE that is none, it fails, lest nobody notice.
 */
import { spawnSync } from 'node:child_process';
import type { SpawnSyncOptions, SpawnSyncReturns } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const environment = join(root, '.venv');
/** With what the reference's own tests take, some of which are run against ours, and the server of invitations. */
const requirements = ['tahoe-lafs[test]==1.20.0', 'pyopenssl<25', 'magic-wormhole-mailbox-server==0.5.1'];
const EXPECTED_VERSION = /^tahoe-lafs\/1\.20\.0\b/m;

const VERSION_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 15 * 60_000;
/** What one test file may take: several times what it does take on two cores. */
const FILE_TIMEOUT_SECONDS = 600;

/** Runs a program to its end. */
function run(program: string, args: readonly string[], options: SpawnSyncOptions = {}): SpawnSyncReturns<string> {
  return spawnSync(program, [...args], { cwd: root, ...options, encoding: 'utf8' });
}

/** Why a program did not do its work; undefined when it did. */
function failureOf({ error, signal, status }: SpawnSyncReturns<string>): string | undefined {
  if (error !== undefined) return error.message;
  if (signal !== null) return `it was ended by ${signal}`;
  return status === 0 ? undefined : `it ended with status ${String(status)}`;
}

function isReference(program: string): boolean {
  const result = run(program, ['--version'], { timeout: VERSION_TIMEOUT_MS });
  return failureOf(result) === undefined && EXPECTED_VERSION.test(result.stdout);
}

/** Whether the reference's own tests can be run. */
function hasTests(program: string): boolean {
  const result = run(
    join(dirname(program), 'python'),
    ['-c', 'import allmydata.test.common, wormhole_mailbox_server'],
    {
      timeout: VERSION_TIMEOUT_MS,
    },
  );
  return failureOf(result) === undefined;
}

/** Installs the reference from the beginning. @returns what keeps it from being installed. */
function install(): string | undefined {
  rmSync(environment, { recursive: true, force: true });
  console.error(`installing ${requirements.join(' and ')} into .venv, which takes a minute or two, once`);
  const steps: readonly [program: string, args: readonly string[]][] = [
    ['python3', ['-m', 'venv', environment]],
    [
      join(environment, 'bin/python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements],
    ],
  ];
  for (const [program, args] of steps) {
    const failure = failureOf(run(program, args, { timeout: INSTALL_TIMEOUT_MS, stdio: ['ignore', 2, 2] }));
    if (failure !== undefined) return `${[program, ...args.slice(0, 2)].join(' ')}: ${failure}`;
  }
  return undefined;
}

/** The reference's command, or why there is none. */
function findReference(): { readonly command: string } | { readonly problem: string } {
  const named = process.env['TALLAC_REFERENCE'];
  if (named !== undefined) {
    return isReference(named)
      ? { command: named }
      : { problem: `TALLAC_REFERENCE (${named}) is not tahoe-lafs 1.20.0` };
  }
  const command = join(environment, 'bin/tahoe');
  if (isReference(command) && hasTests(command)) return { command };
  const problem = install();
  if (problem !== undefined) return { problem };
  return isReference(command)
    ? { command }
    : { problem: 'what was installed does not say that it is tahoe-lafs 1.20.0' };
}

/** @returns the exit status. */
function main(): number {
  const reference = findReference();
  if ('problem' in reference) {
    const isFailure = process.env['CI'] === 'true' || process.env['TALLAC_REFERENCE'] !== undefined;
    console.error(
      '\nTHE INTEROPERATION TESTS WERE NOT RUN. They need the Python reference, tahoe-lafs 1.20.0, and it cannot be had ' +
        `here: ${reference.problem}. It takes python3 with its venv module and pip, and a package index that pip ` +
        'reaches; or name the command of an installed one in TALLAC_REFERENCE. ' +
        `${isFailure ? 'It was asked for, so this is a failure.' : 'Nothing else is wrong.'}\n`,
    );
    return isFailure ? 1 : 0;
  }
  const options = ['--jobs=1', `--timeout=${String(FILE_TIMEOUT_SECONDS)}`, ...process.argv.slice(2)];
  const args = [join(root, 'dist/scripts/run-tests.js'), ...options, 'dist/test/interop/*.test.js'];
  const env = { ...process.env, TALLAC_REFERENCE: reference.command };
  return run(process.execPath, args, { env, stdio: 'inherit' }).status ?? 1;
}

process.exitCode = main();
