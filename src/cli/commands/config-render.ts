/** `config render`: the whole configuration as a node reads it, from files and environment. */
import { isSecret, shownText } from '#node/config/changes.js';
import type { Configuration } from '#node/config/configuration.js';
import { allOptions } from '#node/config/schema.js';
import { readConfiguration } from '../configuration-source.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

/** Renders. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options]')
      .description(
        'Prints every option as the node reads it, and behind each one that is set what has set it. Secrets are hidden.',
      )
      .option('--set', 'only the options that are set');
  },

  async run(command, context) {
    const { set } = command.opts<{ readonly set?: boolean }>();
    const configuration = await readConfiguration(context);
    for (const line of renderedLines(configuration, set === true)) await writeLine(context.stdout, line);
    return SUCCESS;
  },
};

function renderedLines(configuration: Configuration, isOnlySet: boolean): string[] {
  const shown = allOptions.filter((option) => !isOnlySet || configuration.isSet(option));
  const heads = [...new Set(shown.map(({ file, section }) => `${file} [${section}]`))];
  return heads.flatMap((head) => {
    const members = shown.filter(({ file, section }) => `${file} [${section}]` === head);
    const lines = members.map((option) => {
      const given = configuration.textOf(option);
      if (given === undefined) return `#${option.name} = ${option.shown}`;
      // A percent sign is written twice, so that the line can stand in a file.
      const text = isSecret(option)
        ? shownText(option, given.text)
        : given.text.replaceAll('%', '%%').replaceAll('\n', '\n\t');
      return `# ${given.source}\n${option.name} = ${text}`;
    });
    return [`# ${head.split(' ')[0] ?? ''}`, head.split(' ')[1] ?? '', ...lines, ''];
  });
}
