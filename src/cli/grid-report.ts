/** Asks a running node what it knows of its grid. */
import { TahoeError } from '#core/errors.js';
import type { GridReport } from '#node/grid-report.js';
import type { CommandContext } from './context.js';
import { openGateway } from './gateway-address.js';

const REPORT_PATH = 'tallac/v1/grid';

/** @throws ERR_GATEWAY when it does not run, ERR_GATEWAY_REPLY when it is a program that has no such report. */
export async function askGridReport(nodeUrl: string | undefined, context: CommandContext): Promise<GridReport> {
  const client = await openGateway(nodeUrl, context);
  try {
    return parseReport(await client.readText(REPORT_PATH));
  } finally {
    await client.close();
  }
}

function parseReport(text: string): GridReport {
  try {
    const report = JSON.parse(text) as Partial<GridReport> | null;
    if (Array.isArray(report?.servers) && Array.isArray(report.introducers) && Array.isArray(report.lists)) {
      return report as GridReport;
    }
  } catch {
    // It is refused below.
  }
  throw new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason: 'this is no report of a grid' });
}
