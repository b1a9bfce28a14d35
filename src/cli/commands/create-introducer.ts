/** `create-introducer`: makes the directory of an introducer. */
import { TahoeError } from '#core/errors.js';
import { createIntroducer } from '#node/create.js';
import type { CreateIntroducerOptions } from '#node/create.js';
import { allocatePort } from '#node/endpoint.js';
import type { CommandModule } from '../context.js';
import { describeHidden, addressMakers, runCreation } from '../creation.js';

interface IntroducerWords extends CreateIntroducerOptions {
  readonly basedir?: string;
}

/** Makes an introducer. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] NODEDIR')
      .description(
        'Makes the directory of an introducer, through which the nodes of a grid learn of one another. When it runs, its ' +
          'addresses are in private/introducer.nurl and private/introducer.furl.',
      )
      .argument('[nodedir]', 'the directory to make')
      .option('-C, --basedir <dir>', 'the directory to make')
      .option('--hostname <host>', 'the name or address by which others reach this machine, for --listen=tcp')
      .option('--listen <list>', 'how others may connect, comma-separated: tcp, tor, i2p (default: tcp)')
      .option('--port <endpoints>', 'where to listen, with --location')
      .option('--location <hints>', 'what to tell others, with --port: tcp:example.org:12345')
      .option('-p, --webport <endpoint>', 'where the status page is; none for no page (default: none)')
      .option('--hide-ip', 'never show the address of this machine');
    describeHidden(command);
  },

  run(command, context) {
    const { basedir, ...options } = command.opts<IntroducerWords>();
    if (basedir === undefined && context.nodeDirectory === undefined && command.args[0] === undefined) {
      throw new TahoeError('ERR_USAGE', {
        reason: 'name the directory to make: there is no default for an introducer',
      });
    }
    return runCreation(command, context, (path) =>
      createIntroducer(path, { ...options, ...addressMakers(context) }, allocatePort),
    );
  },
};
