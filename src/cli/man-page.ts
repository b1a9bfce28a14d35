/**
 * Manual pages, from what commands say of themselves: the same source as their help. Text in the format of man(7).
 */
import { examples } from './examples.js';
import type { DescribedCommand } from './whole-program.js';

/** What a page is called: `tallac-storage-usage.1`. */
export function manPageName({ name }: DescribedCommand): string {
  return `tallac-${name.replaceAll(' ', '-')}.1`;
}

/** The page of one command. */
export function manPage({ name, summary, command }: DescribedCommand): string {
  const title = `tallac-${name.replaceAll(' ', '-')}`;
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ flags, description }) => item(flags, description));
  const words = command.registeredArguments.filter(({ description }) => description !== '');
  const named = words.map((argument) => item(argument.name().toUpperCase(), argument.description));
  const shown = examples[name] ?? [];
  return [
    `.TH ${title.toUpperCase()} 1 "" "tallac" "Tallac"`,
    '.SH NAME',
    `${escape(title)} \\- ${escape(summary)}`,
    '.SH SYNOPSIS',
    ...synopses(name, command.usage()),
    '.SH DESCRIPTION',
    escape(command.description()),
    ...(named.length === 0 ? [] : ['.SH ARGUMENTS', ...named]),
    '.SH OPTIONS',
    ...options,
    item('-h, --help', 'print the help'),
    ...(shown.length === 0 ? [] : ['.SH EXAMPLES', '.nf', ...shown.map(escape), '.fi']),
    '.SH EXIT STATUS',
    '0 when it was done, 1 when not; standard error says why.',
    '.SH SEE ALSO',
    `tallac(1)`,
    '',
  ].join('\n');
}

/** The page of the program. */
export function mainManPage(commands: readonly DescribedCommand[]): string {
  return [
    '.TH TALLAC 1 "" "tallac" "Tallac"',
    '.SH NAME',
    'tallac \\- a decentralised storage grid that speaks Tahoe\\-LAFS',
    '.SH SYNOPSIS',
    '.B tallac',
    '[\\-d NODEDIR] [\\-q] COMMAND [OPTION...] [ARGUMENT...]',
    '.SH COMMANDS',
    ...commands.map(({ name, summary }) => item(name, summary)),
    '.SH SEE ALSO',
    commands.map((command) => escape(manPageName(command).replace(/\.1$/, '(1)'))).join(', '),
    '',
  ].join('\n');
}

function synopses(name: string, usage: string): string[] {
  const [first = '', ...more] = usage.split('\n').map((line) => line.trim());
  const line = (words: string): string[] => ['.B tallac', escape(words)];
  return [...line(`${name} ${first}`), ...more.flatMap((words) => ['.br', ...line(words)])];
}

function item(term: string, text: string): string {
  return `.TP\n.B ${escape(term)}\n${escape(text)}`;
}

/** Nothing in it is taken for a request, and hyphens can be copied. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}
