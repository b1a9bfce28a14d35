/** `grid servers`: the storage servers that a running node knows, and how they are. */
import type { ReportedServer } from '#node/grid-report.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { askGridReport } from '../grid-report.js';
import { formatSize } from '../quantities.js';
import { printFound } from '../storage-words.js';

/** Lists them. */
export const command: CommandModule = {
  describe(command) {
    command
      .description(
        'Lists the storage servers that a running node knows: from where, how they are reached (HTTPS or Foolscap), ' +
          'whether they are connected, how long they take, what room they have, and whether they may get new shares.',
      )
      .option(
        '-u, --node-url <url>',
        'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
      )
      .option('--json', 'print what was found as JSON');
  },

  async run(command, context) {
    const { nodeUrl } = command.opts<{ nodeUrl?: string }>();
    const report = await askGridReport(nodeUrl, context);
    const { introducers, lists, servers } = report;
    const lines = [
      ...servers.map(lineOf),
      ...introducers.map(
        ({ announcementCount, connectionStatus, dialect, name }) =>
          `introducer ${name} (${dialect}): ${connectionStatus}; ${String(announcementCount)} announcements`,
      ),
      ...lists.map(({ isExpired, name, number, problem }) => {
        const state = isExpired ? 'it has expired' : (problem ?? 'it is current');
        return `list ${name}: number ${number === undefined ? 'unknown' : String(number)}; ${state}`;
      }),
    ];
    await printFound(command, context, report, lines.length === 0 ? ['no server is known'] : lines);
    return SUCCESS;
  },
};

function lineOf(server: ReportedServer): string {
  const {
    availableSpace,
    certificate,
    connectionStatus,
    dialect,
    latencyMs,
    nickname,
    origin,
    plugins = [],
    serverId,
    upgraded,
    version,
  } = server;
  const parts = [
    serverId.replace(/^v0-/, '').slice(0, 8),
    printable(nickname),
    dialect === 'none' ? 'no usable address' : upgraded ? `${dialect} (announced by a furl alone)` : dialect,
    printable(connectionStatus),
    ...(latencyMs === null ? [] : [`${String(latencyMs)} ms`]),
    ...(availableSpace === null ? [] : [`${formatSize(availableSpace)} free`]),
    ...(version === null ? [] : [printable(version)]),
    ...(certificate === 'not-needed' ? [] : [`certificate: ${certificate}`]),
    ...(plugins.length === 0 ? [] : [`not supported: storage plugin ${printable(plugins.join(', '))}`]),
    `from ${printable(origin)}`,
  ];
  return parts.join('  ');
}

/** What servers say of themselves must not steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
}
