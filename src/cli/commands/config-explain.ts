/** `config explain`: what an option means, what it is now, and where that is from. */
import { isTahoeError } from '#core/errors.js';
import { isSecret, shownText } from '#node/config/changes.js';
import { environmentName, nameOption } from '#node/config/option.js';
import type { Option } from '#node/config/option.js';
import { optionsNamed } from '#node/config/option-key.js';
import { readConfiguration } from '../configuration-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

/** Explains. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] KEY')
      .description('Says what an option of tahoe.cfg or tallac.cfg means, what it is now, and what has set it.')
      .argument('<key>', 'such as client.shares.needed, [client]shares.needed or shares.needed');
  },

  async run(command, context) {
    for (const option of optionsNamed(command.args[0] ?? '')) {
      for (const line of await linesOf(option, context)) await writeLine(context.stdout, line);
    }
    return SUCCESS;
  },
};

async function linesOf(option: Option<unknown>, context: CommandContext): Promise<string[]> {
  const effects = { now: [], later: ['It has no effect in this version.'], never: ['It is accepted and ignored.'] };
  return [
    `${nameOption(option)} in ${option.file}`,
    `  ${option.says}`,
    ...effects[option.effect].map((line) => `  ${line}`),
    `  default: ${option.shown === '' ? '(not set)' : option.shown}`,
    `  environment: ${environmentName(option)}, or ${environmentName(option)}_FILE for a file that holds it`,
    `  now: ${await currentText(option, context)}`,
  ];
}

/** Where there is no node directory the option can be explained all the same. */
async function currentText(option: Option<unknown>, context: CommandContext): Promise<string> {
  try {
    const given = (await readConfiguration(context)).textOf(option);
    const shown = shownText(option, given?.text);
    return given === undefined ? shown : `${shown}, set by ${given.source}${isSecret(option) ? ' (a secret)' : ''}`;
  } catch (error) {
    if (!isTahoeError(error)) throw error;
    return `not known: ${error.message}`;
  }
}
