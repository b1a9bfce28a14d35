/** Checks and repairs as pages for people. They also say what the JSON does not: whether the shares lie on enough servers. */
import { formatBase32 } from '#core/base32.js';
import type {
  CheckedServer,
  CheckOutcome,
  CheckReport,
  RepairOutcome,
  ShareLocation,
} from '#client/check/check-report.js';
import { markup, page, table } from './html.js';
import type { Html } from './html.js';

/** The page of a check. */
export function checkPage(outcome: CheckOutcome): string {
  if (outcome.kind === 'literal') return literalPage();
  return page(`Check of ${formatBase32(outcome.storageIndex)}`, verdict(outcome), figures(outcome));
}

/** The page of a check with repair. */
export function repairPage(outcome: RepairOutcome): string {
  if (outcome.kind === 'literal') return literalPage();
  const { before, after, repairAttempted, repairSuccessful } = outcome;
  const title = `Check and repair of ${formatBase32(before.storageIndex)}`;
  if (!repairAttempted) return page(title, verdict(after), markup`<p>No repair was necessary.</p>\n`, figures(after));
  return page(
    title,
    verdict(after),
    markup`<p>${repairSuccessful ? 'The repair was successful.' : 'The repair was not successful.'}</p>\n`,
    markup`<h2>After the repair</h2>\n`,
    figures(after),
    markup`<h2>Before the repair</h2>\n`,
    figures(before),
  );
}

function literalPage(): string {
  return page('Check of a literal', markup`<p>A literal is always healthy: its capability holds all of it.</p>\n`);
}

function verdict(report: CheckReport): Html {
  const word = report.healthy ? 'Healthy' : report.recoverable ? 'Not healthy!' : 'Not recoverable!';
  const spread = report.happinessHealthy
    ? ''
    : ` Its shares are on too few servers: ${String(report.happiness)} where ${String(report.happinessWanted)} are wanted.`;
  return markup`<p><strong>${word}</strong> ${report.summary}.${spread}</p>\n`;
}

function figures(report: CheckReport): Html {
  const rows: readonly (readonly [string, number | string])[] = [
    [
      'Good shares',
      `${String(report.goodShareCount)}, of ${String(report.total)}; ${String(report.needed)} are needed`,
    ],
    ['Servers with good shares', report.goodShareHostCount],
    ['Happiness', `${String(report.happiness)}, wanted ${String(report.happinessWanted)}`],
    ['Wrong shares', report.wrongShareCount],
    ['Recoverable versions', report.recoverableVersionCount],
    ['Unrecoverable versions', report.unrecoverableVersionCount],
    ['Servers that answered', report.serversResponding.length],
    ['Leases renewed, and not', `${String(report.leases.renewed)}, ${String(report.leases.failed)}`],
  ];
  const good = [...report.sharemap].flatMap(([id, servers]) => servers.map((server) => [id, ...named(server)]));
  return markup`${[
    table(
      [],
      rows.map(([name, value]) => [name, String(value)]),
    ),
    markup`<h3>Good shares</h3>\n`,
    table(['Share', 'Nickname', 'Server'], good),
    ...locations('Corrupt shares', report.corruptShares),
    ...locations('Shares of a format that is not known here', report.incompatibleShares),
    ...locations('Shares whose server failed while they were read', report.unreadShares),
  ]}`;
}

function locations(title: string, shares: readonly ShareLocation[]): Html[] {
  if (shares.length === 0) return [];
  const rows = shares.map(({ server, shareNumber }) => [String(shareNumber), ...named(server)]);
  return [markup`<h3>${title}</h3>\n`, table(['Share', 'Nickname', 'Server'], rows)];
}

function named({ nickname, serverId }: CheckedServer): [string, string] {
  return [nickname, serverId];
}
