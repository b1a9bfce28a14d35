/**
 * The tahoe.cfg of a new node. Programs rewrite its lines with sed, so the option lines, their order, and the
 * commented ones among them are those of tahoe-lafs 1.20, character for character; the prose is ours.
 */
import { TahoeError } from '#core/errors.js';
import type { ConfigurationSection } from './network/hidden-listener.js';

/** What differs from node to node. Texts as the person gave them. */
export interface TemplateValues {
  readonly nickname: string;
  /** Empty when there is no gateway. */
  readonly webPort: string;
  readonly tubPort: string;
  readonly tubLocation: string;
  readonly sharesNeeded: string;
  readonly sharesHappy: string;
  readonly sharesTotal: string;
  readonly storageEnabled: boolean;
  /** undefined leaves it at its default. */
  readonly storageDir: string | undefined;
  readonly helperEnabled: boolean;
  /** Whether the address of the machine is to be shown to nobody. */
  readonly hidesAddress: boolean;
  /** What stands behind [node], such as [tor]. */
  readonly sections: readonly ConfigurationSection[];
}

type NodeValues = Pick<TemplateValues, 'tubPort' | 'tubLocation' | 'webPort' | 'hidesAddress' | 'sections'>;

/**
 * The text of tahoe.cfg for a client node.
 * @throws ERR_USAGE when a value has more than one line, and so would be read as further options.
 */
export function renderTemplate(values: TemplateValues): string {
  return `# -*- mode: conf; coding: utf-8 -*-

# The options of the Tahoe node in this directory. The node reads them
# when it starts and at no other time. Every option there is, with its
# meaning and its default, is listed in tahoe.cfg.example, which comes
# with the program.


${connectionsSection(values)}[node]
nickname = ${written('nickname', values.nickname)}
${nodeSection(values)}

[client]
helper.furl =

# How new files are encoded: a file comes back from any shares.needed
# of its shares.total shares. Files stored earlier are not touched by a
# change, for each capability holds the encoding of its file.
shares.needed = ${values.sharesNeeded}
shares.happy = ${values.sharesHappy}
shares.total = ${values.sharesTotal}

[storage]
# Whether this node stores shares for others
enabled = ${String(values.storageEnabled)}
#readonly =
reserved_space = 1G
${values.storageDir === undefined ? '#storage_dir =' : `storage_dir = ${written('storage-dir', values.storageDir)}`}
#expire.enabled =
#expire.mode =

[helper]
# Whether this node uploads on behalf of other clients
enabled = ${String(values.helperEnabled)}

`;
}

/**
 * The text of tahoe.cfg for an introducer.
 * @throws ERR_USAGE when a value has more than one line.
 */
export function renderIntroducerTemplate(values: NodeValues): string {
  return `# -*- mode: conf; coding: utf-8 -*-

# The options of the introducer in this directory. The node reads them
# when it starts and at no other time.


${connectionsSection(values)}[node]
nickname =
${nodeSection(values)}
`;
}

/** What both have after the nickname. */
function nodeSection(values: NodeValues): string {
  return `reveal-IP-address = ${String(!values.hidesAddress)}
web.port = ${written('webport', values.webPort)}
web.static = public_html
tub.port = ${written('port', values.tubPort)}
tub.location = ${written('location', values.tubLocation)}

#log_gatherer.furl =
#timeout.keepalive =
#timeout.disconnect =
#ssh.port = 8022
#ssh.authorized_keys_file = ~/.ssh/authorized_keys${values.sections.map(renderSection).join('')}`;
}

function connectionsSection({ hidesAddress }: NodeValues): string {
  return hidesAddress ? '[connections]\ntcp = tor\n\n' : '';
}

function renderSection({ name, options }: ConfigurationSection): string {
  return `\n\n[${name}]\n${options.map(([option, value]) => `${option} = ${written(option, value)}`).join('\n')}`;
}

/** A value on its line: one line, percent signs doubled. */
function written(option: string, value: string): string {
  if (/[\n\r]/.test(value)) throw new TahoeError('ERR_USAGE', { reason: `--${option} must be a single line` });
  return value.replaceAll('%', '%%');
}
