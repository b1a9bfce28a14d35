/** Asks a running node what it knows of its grid, and to look again at what it does not reach. */
import { TahoeError } from '#core/errors.js';
import type { GridReport } from '#node/grid-report.js';
import type { CommandContext } from './context.js';
import { openGateway } from './gateway-address.js';

const REPORT_PATH = 'tallac/v1/grid';

/** Thousands of servers with long names, in bytes. */
const REPORT_SIZE_MAX = 32 << 20;
/** Of nodes that know no POST, and of gateways on which nothing may be changed. */
const NO_POST = [403, 404, 405];

/**
 * Has it try those that do not answer first.
 * @throws ERR_GATEWAY when it does not run, ERR_GATEWAY_REPLY when it is a program that has no such report.
 */
export async function askGridReport(nodeUrl: string | undefined, context: CommandContext): Promise<GridReport> {
  const client = await openGateway(nodeUrl, context);
  const options = { replySizeMax: REPORT_SIZE_MAX };
  try {
    const tried = await client.call('POST', REPORT_PATH, { ...options, accepted: NO_POST });
    const isRefused = NO_POST.includes(tried.status);
    return parseReport((isRefused ? await client.call('GET', REPORT_PATH, options) : tried).text);
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
