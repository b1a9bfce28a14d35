/**
 * Runs a script of commands with the reference's program and with ours, at one gateway: standard output, standard
 * error and exit status are equal, and so are the files that they leave. Each accepted difference is a paragraph of
 * docs/differences-commands.md.
 *
 *     TALLAC_CLI_GATEWAY=ours   has both talk to a gateway of ours        TALLAC_CLI_VERBOSE=1   prints each step
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import { CommandUser, writeTree } from './command-runner.js';
import type { Step, StepOutcome } from './command-runner.js';
import { localFiles } from './command-script.js';

const TIMEOUT_MS = 1_200_000;
const differences = fileURLToPath(new URL('../../../docs/differences-commands.md', import.meta.url));
const gatewayProgram = process.env['TALLAC_CLI_GATEWAY'] === 'ours' ? 'ours' : 'reference';

/** Adds the test of a script. */
export function compareCommands(name: string, script: readonly Step[]): void {
  const options = { skip: hasReference ? false : 'no reference', timeout: TIMEOUT_MS };
  t.test(name, options, (t) => runScript(t, script));
}

async function runScript(t: Test, script: readonly Step[]): Promise<void> {
  const accepted = await readFile(differences, 'utf8');
  const grid = await ProcessGrid.start({
    storage: ['ours', 'ours'],
    gateways: [gatewayProgram],
    encoding: { needed: 1, happy: 2, total: 2 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());
  const gateway = grid.gateway(gatewayProgram);
  const make = (program: 'ours' | 'reference') =>
    CommandUser.make(program, join(grid.directory, program), gateway, localFiles);
  const [reference, ours] = [await make('reference'), await make('ours')];
  // One tree for both: backups hold what the file system says of each file.
  const shared = join(grid.directory, 'shared');
  await writeTree(shared, localFiles);
  for (const user of [reference, ours]) user.keep('SHARED', shared);
  for (const [number, step] of script.entries()) {
    const [expected, found] = await Promise.all([reference.run(step), ours.run(step)]);
    const name = `${String(number + 1)}: tahoe ${step.words}`;
    if (process.env['TALLAC_CLI_VERBOSE'] !== undefined) console.error(name, step.differs ?? '', expected, found);
    if (step.differs !== undefined) t.match(accepted, `\`${step.differs}\``, `${step.differs} is documented`);
    compare(t, name, step, expected, found);
  }
}

function compare(t: Test, name: string, step: Step, expected: StepOutcome, found: StepOutcome): void {
  const status = step.differs === undefined ? expected.status : (step.status ?? expected.status);
  t.equal(found.status, status, `${name}: status ${String(status)}`);
  if (step.status !== undefined && step.differs === undefined) t.equal(found.status, step.status, name);
  t.strictSame(found.files, expected.files, `${name}: files`);
  if (step.stdout !== undefined) t.match(found.stdout, step.stdout, `${name}: standard output`);
  if (step.loose === true) {
    if (status !== 0) t.not(found.stderr.trim(), '', `${name}: says why`);
    return;
  }
  if (step.differs !== undefined) return;
  t.equal(found.stdout, expected.stdout, `${name}: standard output`);
  t.equal(found.stderr, expected.stderr, `${name}: standard error`);
}
