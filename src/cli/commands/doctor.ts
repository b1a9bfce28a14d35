/** `doctor`: says what is wrong with a node and what to do. It changes nothing. */
import { examineNode } from '#node/doctor.js';
import type { GridReport } from '#node/grid-report.js';
import type { CommandContext, CommandModule } from '../context.js';
import { chooseDirectory } from '../directory-choice.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { askGridReport } from '../grid-report.js';
import { writeLine } from '../output.js';
import { printFound } from '../storage-words.js';

const MARKS = { ok: 'ok      ', note: 'note    ', problem: 'PROBLEM ' } as const;

/** Examines a node. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] [NODEDIR]')
      .description(
        'Looks at a node, be it running or not: its configuration, clock, certificates, store and ports, and, when it ' +
          'runs, its introducers, lists and servers. Says what is wrong and what to do. The exit status is 1 when there ' +
          'is a problem.',
      )
      .argument('[nodedir]', 'the node directory (default: ~/.tahoe)')
      .option('-C, --basedir <dir>', 'the node directory')
      .option('--json', 'print what was found as JSON');
  },

  async run(command, context) {
    const { basedir } = command.opts<{ basedir?: string }>();
    const directory = chooseDirectory({ argument: command.args[0], basedir }, context);
    const report = await reportOf(directory, context);
    const { clock, environment } = context;
    const findings = await examineNode({ directory, environment, clock, report });
    const lines = findings.map(({ level, sentence, what }) => `${MARKS[level]}${what}: ${sentence}`);
    await printFound(command, context, { findings }, lines);
    return findings.some(({ level }) => level === 'problem') ? FAILURE : SUCCESS;
  },
};

/** A node that does not run, or has no gateway, tells nothing: that is no failure. */
async function reportOf(directory: string, context: CommandContext): Promise<GridReport | undefined> {
  try {
    return await askGridReport(undefined, { ...context, nodeDirectory: directory });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!context.isQuiet) await writeLine(context.stderr, `the node tells nothing of its grid: ${reason}`);
    return undefined;
  }
}
