/** `reload`: has a running node read its configuration again, and prints what that has changed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import { comesTrue, runningPid, tell } from '#node/node-process.js';
import { parseReloadReport, RELOAD_REPORT } from '#node/reload.js';
import type { ReloadReport } from '#node/reload.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { controlledDirectory, describeControl } from '../node-control.js';
import { writeLine } from '../output.js';

const ANSWER_MS = 30_000;

/** Reloads. */
export const command: CommandModule = {
  describe(command) {
    describeControl(command);
    command.description(
      'Has the node of a directory read tahoe.cfg and tallac.cfg again, as SIGHUP does, and prints what has changed and ' +
        'what waits for the next start. When anything is wrong, nothing is changed. Connections and transfers go on.',
    );
  },

  async run(command, context) {
    const directory = controlledDirectory(command, context);
    const pid = await runningPid(directory);
    if (pid === undefined) throw new TahoeError('ERR_USAGE', { reason: `no node runs in '${directory}'` });
    const before = await readReport(directory);
    tell(pid, 'SIGHUP');
    let report: ReloadReport | undefined;
    const isNew = async (): Promise<boolean> => {
      report = await readReport(directory);
      return report?.pid === pid && (before?.pid !== pid || report.count > before.count);
    };
    if (!(await comesTrue(isNew, context.clock, ANSWER_MS)) || report === undefined) {
      throw new TahoeError('ERR_TIMEOUT', { what: `process ${String(pid)}`, timeoutMs: ANSWER_MS });
    }
    const { changes, problem } = report;
    if (problem !== undefined) throw new TahoeError('ERR_USAGE', { reason: `nothing was changed: ${problem}` });
    for (const line of changes.length === 0 ? ['nothing has changed'] : changes) await writeLine(context.stdout, line);
    return SUCCESS;
  },
};

async function readReport(directory: string): Promise<ReloadReport | undefined> {
  const text = await readFile(join(directory, RELOAD_REPORT), 'utf8').catch(() => '');
  return parseReloadReport(text);
}
