/**
 * Scripts that have a shell complete our commands and their options, and the aliases of ~/.tahoe. Everything they know
 * stands in them: nothing of ours runs while somebody types.
 */
import type { DescribedCommand } from './whole-program.js';

/** The shells there are scripts for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
/** One of them. */
export type Shell = (typeof shells)[number];

const GLOBAL_OPTIONS = ['--help', '--node-directory', '--quiet', '--version'];
/** Prints the aliases, each with its colon. */
const ALIASES = "sed -n 's/^\\([^#:][^:]*\\):.*/\\1:/p' ~/.tahoe/private/aliases 2>/dev/null";

/** The script for one shell. */
export function completionScript(shell: Shell, commands: readonly DescribedCommand[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

function bashScript(commands: readonly DescribedCommand[]): string {
  return `# bash completion for tallac and tahoe; made by: tallac completion bash
_tallac() {
  local word="\${COMP_WORDS[COMP_CWORD]}" name="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -d|--node-directory) ((i++)) ;;
      -*) ;;
      *) name="$name \${COMP_WORDS[i]}"; [[ "$name" == " ${groupNames(commands).join('" || "$name" == " ')}" ]] || break ;;
    esac
  done
  local words=""
  case "$name" in
    "") words="${[...topNames(commands), ...GLOBAL_OPTIONS].join(' ')}" ;;
${groupNames(commands)
  .map((group) => `    " ${group}") words="${membersOf(group, commands).join(' ')}" ;;`)
  .join('\n')}
${commands.map((command) => `    " ${command.name}") words="${optionsOf(command).join(' ')}" ;;`).join('\n')}
  esac
  [[ "$word" == -* || -z "$name" ]] || words="$words $(${ALIASES})"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ "\${COMPREPLY[0]:-}" == *: ]] && compopt -o nospace
}
complete -o default -F _tallac tallac tahoe
`;
}

function zshScript(commands: readonly DescribedCommand[]): string {
  return `#compdef tallac tahoe
# zsh completion for tallac and tahoe; made by: tallac completion zsh
autoload -U +X bashcompinit && bashcompinit
${bashScript(commands).split('\n').slice(1).join('\n')}`;
}

function fishScript(commands: readonly DescribedCommand[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  const lines: string[] = ['# fish completion for tallac and tahoe; made by: tallac completion fish'];
  for (const program of ['tallac', 'tahoe']) {
    const groups = new Set(groupNames(commands));
    for (const { name, summary, command } of commands) {
      const [first = '', second] = name.split(' ');
      const where = second === undefined ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${first}`;
      if (groups.delete(first)) lines.push(`complete -c ${program} -n __fish_use_subcommand -a ${first}`);
      lines.push(`complete -c ${program} -n ${quote(where)} -a ${second ?? first} -d ${quote(summary)}`);
      for (const { long, short, description } of command.options) {
        const names = [long && `-l ${long.slice(2)}`, short && `-s ${short.slice(1)}`].filter(Boolean).join(' ');
        const seen = quote(`__fish_seen_subcommand_from ${second ?? first}`);
        lines.push(`complete -c ${program} -n ${seen} ${names} -d ${quote(description)}`);
      }
    }
    lines.push(`complete -c ${program} -n 'not __fish_use_subcommand' -a ${quote(`(${ALIASES})`)}`);
  }
  return `${lines.join('\n')}\n`;
}

function topNames(commands: readonly DescribedCommand[]): string[] {
  return [...new Set(commands.map(({ name }) => name.replace(/ .*/, '')))];
}

function groupNames(commands: readonly DescribedCommand[]): string[] {
  return [...new Set(commands.flatMap(({ name }) => (name.includes(' ') ? [name.replace(/ .*/, '')] : [])))];
}

function membersOf(group: string, commands: readonly DescribedCommand[]): string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []));
}

function optionsOf({ command }: DescribedCommand): string[] {
  return [
    ...command.options.flatMap(({ long, short }) => [long, short]).filter((name) => typeof name === 'string'),
    '--help',
  ];
}
