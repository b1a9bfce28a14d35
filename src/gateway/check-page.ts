/** Checks and repairs as pages for people. They also say what the JSON does not: whether the shares lie on enough servers. */
import { formatBase32 } from '#core/base32.js';
import type {
  CheckedServer,
  CheckOutcome,
  CheckReport,
  RepairOutcome,
  ShareLocation,
} from '#client/check/check-report.js';
import { escapeHtml } from './html.js';

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
  if (!repairAttempted) return page(title, verdict(after), '<p>No repair was necessary.</p>', figures(after));
  return page(
    title,
    verdict(after),
    `<p>${repairSuccessful ? 'The repair was successful.' : 'The repair was not successful.'}</p>`,
    '<h2>After the repair</h2>',
    figures(after),
    '<h2>Before the repair</h2>',
    figures(before),
  );
}

function literalPage(): string {
  return page('Check of a literal', '<p>A literal is always healthy: its capability holds all of it.</p>');
}

function verdict(report: CheckReport): string {
  const word = report.healthy ? 'Healthy' : report.recoverable ? 'Not healthy!' : 'Not recoverable!';
  const spread = report.happinessHealthy
    ? ''
    : ` Its shares are on too few servers: ${String(report.happiness)} where ${String(report.happinessWanted)} are wanted.`;
  return `<p><strong>${word}</strong> ${escapeHtml(report.summary)}.${spread}</p>`;
}

function figures(report: CheckReport): string {
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
  return [
    table(rows.map(([name, value]) => [name, String(value)])),
    '<h3>Good shares</h3>',
    table([...report.sharemap].flatMap(([id, servers]) => servers.map((server) => [id, ...named(server)]))),
    ...locations('Corrupt shares', report.corruptShares),
    ...locations('Shares of a format that is not known here', report.incompatibleShares),
    ...locations('Shares whose server failed while they were read', report.unreadShares),
  ].join('\n');
}

function locations(title: string, shares: readonly ShareLocation[]): string[] {
  if (shares.length === 0) return [];
  return [`<h3>${title}</h3>`, table(shares.map(({ server, shareNumber }) => [String(shareNumber), ...named(server)]))];
}

function named({ nickname, serverId }: CheckedServer): [string, string] {
  return [nickname, serverId];
}

function table(rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]): string => row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('');
  return `<table>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</table>`;
}

function page(title: string, ...parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${parts.join('\n')}
</body>
</html>
`;
}
