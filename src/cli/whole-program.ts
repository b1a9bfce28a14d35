/**
 * Every command with its options and arguments, loaded: for shell completion and manual pages, which know them all.
 * Other commands load only themselves.
 */
import { Command } from 'commander';
import { commandEntries } from './program.js';

/** One command as it describes itself. */
export interface DescribedCommand {
  /** The words that name it: `ls`, `storage usage`. */
  readonly name: string;
  readonly summary: string;
  readonly command: Command;
}

/** All of them, in the order in which the help lists them. */
export async function describeCommands(): Promise<readonly DescribedCommand[]> {
  const described: DescribedCommand[] = [];
  for (const entry of commandEntries) {
    const members =
      'entries' in entry ? entry.entries.map((child) => ({ ...child, name: `${entry.name} ${child.name}` })) : [entry];
    for (const { name, summary, load } of members) {
      const command = new Command(`tallac ${name}`);
      (await load()).command.describe(command);
      described.push({ name, summary, command });
    }
  }
  return described;
}
