/** docs/commands.md: the help of every command on one page, from the same source as the help itself. */
import { examples } from './examples.js';
import type { DescribedCommand } from './whole-program.js';

const HELP_WIDTH = 80;
const HEAD = `# Commands

\`tallac [global-options] COMMAND [options]\`; \`tallac --help\` lists the commands. \`node dist/scripts/man-pages.js\` writes this page and
the manual pages.
`;

/** The help of one command, as \`--help\` prints it. */
export function helpText({ command, name }: DescribedCommand): string {
  command.helpOption('-h, --help', 'print this help').configureHelp({ helpWidth: HELP_WIDTH });
  const shown = examples[name] ?? [];
  const tail = shown.length === 0 ? '' : `\nExamples:\n${shown.map((line) => `  ${line}\n`).join('')}`;
  return command.helpInformation() + tail;
}

/** The page. */
export function commandsPage(commands: readonly DescribedCommand[]): string {
  const chapters = commands.map((one) => `\n## ${one.name}\n\n\`\`\`text\n${helpText(one).trimEnd()}\n\`\`\`\n`);
  return HEAD + chapters.join('');
}
