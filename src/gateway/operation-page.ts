/** Operations as pages. One that goes on can be cancelled; a page shows how far it was. */
import { formatBase32 } from '#core/base32.js';
import { actionForm, markup, page, table } from './html.js';
import type { Html } from './html.js';
import type { Operation } from './operations.js';
import type { DeepCheckWork, WalkWork } from './walk-works.js';

const titles: Readonly<Record<WalkWork['kind'], string>> = {
  manifest: 'Manifest',
  size: 'Size of a tree',
  stats: 'Statistics of a tree',
  check: 'Deep check',
};
/** How many lines a page shows. */
const LINES_MAX = 1000;

/** The page. @param address - of the operation, from the root. */
export function operationPage({ work, finished }: Operation<WalkWork>, address: string): string {
  return page(
    `${titles[work.kind]} of ${work.origin.slice(0, 6) || 'a literal'}`,
    markup`<p>finished: ${finished ? 'yes' : 'no'}</p>\n`,
    ...(finished ? [] : [stillRunning(address)]),
    table(
      ['What', 'How many'],
      Object.entries(work.progress()).map(([name, count]) => [name, String(count)]),
    ),
    ...details(work, address),
  );
}

function stillRunning(address: string): Html {
  return markup`<p>It is still going on. <a href="${address}">Look again</a></p>${actionForm(`${address}?t=cancel`, {}, 'Cancel')}`;
}

function details(work: WalkWork, address: string): Html[] {
  switch (work.kind) {
    case 'manifest':
      return [
        table(
          ['Path', 'Capability'],
          work.lines.slice(0, LINES_MAX).map(({ path, cap }) => [path.join('/'), markup`<code>${cap ?? ''}</code>`]),
        ),
        ...(work.lines.length > LINES_MAX ? [markup`<p><a href="${address}?output=text">All lines</a></p>`] : []),
      ];
    case 'check':
      return checkDetails(work, address);
    default:
      return [];
  }
}

function checkDetails(work: DeepCheckWork, address: string): Html[] {
  const rows = work.unhealthy().slice(0, LINES_MAX);
  const failures = work.failures.slice(0, LINES_MAX).map(({ path, reason }) => [path.join('/'), reason]);
  return [
    markup`<h2>Not healthy</h2>\n`,
    rows.length === 0 ? markup`<p>None.</p>\n` : unhealthyTable(rows, address),
    ...(failures.length === 0 ? [] : [markup`<h2>Could not be looked at</h2>\n`, table(['Path', 'Why'], failures)]),
  ];
}

function unhealthyTable(rows: ReturnType<DeepCheckWork['unhealthy']>, address: string): Html {
  return table(
    ['Path', 'State', 'Storage index'],
    rows.map(({ path, report }) => {
      const index = formatBase32(report.storageIndex);
      return [path.join('/') || '(root)', report.summary, markup`<a href="${address}/${index}">${index}</a>`];
    }),
  );
}
