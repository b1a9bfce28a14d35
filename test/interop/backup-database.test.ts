/** One node directory, one backupdb.sqlite, both programs by turns: each uses again what the other has stored. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import { CommandUser, writeTree } from './command-runner.js';
import { localFiles } from './command-script.js';

t.test('backups by turns', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours'],
    gateways: ['reference'],
    encoding: { needed: 1, happy: 1, total: 1 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());
  const ours = await CommandUser.make('ours', join(grid.directory, 'user'), grid.gateway('reference'), localFiles);
  const reference = ours.as('reference');
  const tree = join(grid.directory, 'shared/tree');
  await writeTree(join(grid.directory, 'shared'), localFiles);
  let backupCount = 0;
  const backUp = async (user: CommandUser): Promise<string> => {
    // Each to a place of its own: an archive is named after the second, and another one of the same second replaces it.
    backupCount += 1;
    const { status, stdout, stderr } = await user.run({ words: `backup ${tree} A:b${String(backupCount)}` });
    t.equal(status, 0, stderr);
    return stdout.split('\n').find((line) => line.includes('uploaded')) ?? '';
  };
  const report = (files: string, directories: string): string =>
    ` ${files}, 0 files skipped, ${directories}, 0 directories skipped`;
  t.equal((await ours.run({ words: 'create-alias A' })).status, 0);
  const all = report('7 files uploaded (0 reused)', '4 directories created (0 reused)');
  const none = report('0 files uploaded (7 reused)', '0 directories created (4 reused)');
  t.equal(await backUp(reference), all, 'the reference stores everything');
  t.equal(await backUp(ours), none, 'ours finds all of it');
  await mkdir(join(tree, 'added'));
  await writeFile(join(tree, 'added/five.txt'), 'the fifth file, which is new, and longer than a capability can hold');
  t.equal(await backUp(ours), report('1 files uploaded (7 reused)', '2 directories created (3 reused)'));
  t.equal(
    await backUp(reference),
    report('0 files uploaded (8 reused)', '0 directories created (5 reused)'),
    'the reference finds what ours has stored',
  );
  const capabilities: string[] = [];
  for (let i = 1; i <= backupCount; i++) {
    const { stdout } = await ours.run({ words: `ls --uri A:b${String(i)}/Archives` });
    capabilities.push(stdout.trim().replace(/^\S+ +/, ''));
  }
  t.equal(capabilities.length, 4);
  t.equal(new Set(capabilities).size, 2, 'equal trees are equal directories, whoever stores them');
});
