/** What `config set` and `config unset` have in common. */
import type { Command } from 'commander';
import { changeConfig } from '#node/config-change.js';
import { changeLine } from '#node/config/changes.js';
import type { OptionPlace } from '#node/config/option-key.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { SUCCESS } from './exit-status.js';
import { writeLine } from './output.js';

/** Adds their options. */
export function describeChange(command: Command): void {
  command.option('-n, --dry-run', 'only print what would change');
}

/** Changes, and prints the difference. @throws as changeConfig does. */
export async function changeAndTell(
  command: Command,
  context: CommandContext,
  place: OptionPlace,
  value: string | undefined,
): Promise<number> {
  const { dryRun } = command.opts<{ readonly dryRun?: boolean }>();
  const change = await changeConfig(chooseDirectory({}, context), { place, value, isTrial: dryRun === true });
  if (!context.isQuiet)
    await writeLine(context.stdout, change === undefined ? 'nothing has changed' : changeLine(change));
  return SUCCESS;
}
