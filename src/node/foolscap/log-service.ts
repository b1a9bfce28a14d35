/**
 * A node's log for others, over Foolscap: the logport, a port of this machine alone whose furl is in private/logport.furl, new at
 * each start; and the gatherer that [node]log_gatherer.furl names. Both are a Tub of their own with the node's identity and little
 * memory, so that whoever reads logs is in nobody's way. A node that cannot offer its log runs without.
 * @see Tahoe-LAFS src/allmydata/node.py, create_log_tub
 */
import type { Dialler } from '#client/dialler.js';
import { formatBase32 } from '#core/base32.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { formatTubId } from '../certificate.js';
import type { NodeCertificate } from '../certificate.js';
import type { Closers } from '../closers.js';
import { Foolscap } from './foolscap.js';
import { GathererLink } from './logport/gatherer-link.js';
import { LogPublisher } from './logport/publisher.js';
import type { LogSource } from './logport/publisher.js';
import { dangerouslyFormatFurl } from '../furl.js';
import type { NodeDirectory } from '../node-directory.js';

const SWISSNUM_BYTES = 20;
/** Connections that the logport holds at a time. */
const CONNECTION_COUNT_MAX = 32;
/** What all that readers of the log send may hold of memory, in bytes: they have little to say. */
export const READER_MEMORY_MAX = 2 << 20;

/** What the log is offered with. */
export interface LogServiceOptions {
  readonly directory: NodeDirectory;
  readonly certificate: NodeCertificate;
  readonly source: LogSource;
  /** The furl of a gatherer. Secret. */
  readonly gatherer: string | undefined;
  readonly dialler: Dialler;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
}

/** Offers the log until `closers` close. Never throws. */
export async function startLogService(options: LogServiceOptions): Promise<void> {
  const { certificate, clock, closers, dialler, gatherer, log, random, source } = options;
  const limits = { memoryMax: READER_MEMORY_MAX };
  const foolscap = new Foolscap({ identity: certificate, clock, random, log, dialler, limits });
  const publisher = new LogPublisher(source, log);
  closers.add('the logport', async () => {
    publisher.close();
    await foolscap.close();
  });
  try {
    await listen(options, foolscap, publisher);
  } catch (error) {
    log.warn('there is no logport', { reason: reasonOf(error) });
  }
  if (gatherer === undefined) return;
  const link = new GathererLink({ furl: gatherer, publisher, tub: foolscap.tub, clock, random, log });
  closers.add('the link to the log gatherer', () => link.close());
  link.start();
}

/** @throws ERR_LISTEN, ERR_FILE, ERR_NO_SPACE. */
async function listen(
  { certificate, closers, directory, random }: LogServiceOptions,
  foolscap: Foolscap,
  publisher: LogPublisher,
): Promise<void> {
  const endpoint = { host: '127.0.0.1', port: 0, backlog: undefined, text: 'tcp:0:interface=127.0.0.1' };
  const table = new ConnectionTable({ connections: CONNECTION_COUNT_MAX });
  const listener = await foolscap.listen(endpoint, { option: 'the logport' }, table);
  closers.add('the port of the log', () => listener.close());
  const swissnum = formatBase32(random.bytes(SWISSNUM_BYTES));
  const hints = [`tcp:127.0.0.1:${String(listener.port)}`];
  const furl = dangerouslyFormatFurl({ tubId: formatTubId(certificate.tubId), hints, swissnum });
  foolscap.tub.register(swissnum, publisher, furl);
  await directory.writePrivate('logport.furl', `${furl}\n`);
}
