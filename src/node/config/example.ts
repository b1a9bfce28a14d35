/**
 * Renders tahoe.cfg.example from the schema: every option with its meaning and its default, each one commented
 * out, so that the file as it stands changes nothing. A test holds the committed file equal to this text.
 */
import type { ConfigurationFileName, Option } from './option.js';
import { allOptions, freeSections } from './schema.js';

const COMMENT_WIDTH = 110;

const HEAD = `\
# tahoe.cfg.example: every option that may stand in the tahoe.cfg of a node directory, with its default,
# or with an example where there is none.
#
# tahoe-lafs 1.20 knows the same options, so that a node directory can be moved between both programs. What this
# version does not do yet is marked [no effect yet]: such an option is accepted, and the node warns of it when it
# starts. An option or a section that is not listed here is refused.
#
# Syntax: name = value; a comment is a whole line that begins with # or ;, a line that begins with blanks
# continues the one above it, and a percent sign is written twice (%%). Names may be in upper or lower case.
# Values: booleans are true or false; paths are relative to the node directory.
#
# Each option can also be set by an environment variable: TAHOE_NODE_WEB_PORT is [node]web.port, and
# TAHOE_NODE_WEB_PORT_FILE names a file that holds it. They win over this file.
`;

const OWN_HEAD = `
# ----------------------------------------------------------------------------------------------------------
# Below are the options of tallac.cfg, a file beside tahoe.cfg with the same syntax. It need not be there.
# Do not put them into tahoe.cfg: tahoe-lafs would refuse to start. Their variables are called TALLAC_….
`;

const FREE_HEAD = '\n# Sections whose names or options are your own choice. Those of plugins have [no effect yet].\n';

/** The text of tahoe.cfg.example. */
export function renderExample(): string {
  const free = freeSections.map(({ prefix, exact, says }) => `\n${comment(says)}#[${prefix}${exact ? '' : 'NAME'}]\n`);
  return [HEAD, ...renderFile('tahoe.cfg', ''), FREE_HEAD, ...free, OWN_HEAD, ...renderFile('tallac.cfg', '#')].join(
    '',
  );
}

/** The sections of one file; `mark` stands before their headers. */
function renderFile(file: ConfigurationFileName, mark: string): string[] {
  const own = allOptions.filter((option) => option.file === file);
  const sections = [...new Set(own.map((option) => option.section))];
  return sections.map((section) => {
    const lines = own.filter((option) => option.section === section).map(renderOption);
    return `\n\n${mark}[${section}]\n${lines.join('')}`;
  });
}

function renderOption(option: Option<unknown>): string {
  const mark = option.effect === 'later' ? ' [no effect yet]' : '';
  return `\n${comment(option.says + mark)}#${option.name} =${option.shown === '' ? '' : ` ${option.shown}`}\n`;
}

/** The text in lines of at most COMMENT_WIDTH characters, each behind `# `. */
function comment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.pop();
    if (line === undefined) lines.push(`# ${word}`);
    else if (line.length + 1 + word.length <= COMMENT_WIDTH) lines.push(`${line} ${word}`);
    else lines.push(line, `# ${word}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}
