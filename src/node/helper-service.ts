/**
 * Both ends of a helper in a node: the one that uploads for others, in helper/, under the furl in private/helper.furl; and the link
 * to the one that uploads for this node. Loaded only where there is one.
 */
import { HelperLink } from '#client/helper/helper-link.js';
import { UploadHelper } from '#client/helper/helper-object.js';
import type { SendContext } from '#client/upload/send-file.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { NodeCertificate } from './certificate.js';
import type { Closers } from './closers.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { HelperFiles } from './helper/helper-files.js';
import type { NodeDirectory } from './node-directory.js';
import { loadServiceAddress } from './node-secrets.js';
import type { TubLocation } from './tub-location.js';
import { applicationVersion } from './version.js';

/** How often files that nobody comes back for are looked for. */
const STALE_CHECK_MS = 3_600_000;

/** Where a helper is reached. */
export interface HelperPlace {
  readonly location: TubLocation;
  readonly certificate: NodeCertificate;
  /** Whether nothing else of this node listens there. */
  readonly needsPort: boolean;
}

/** What a helper is started with. */
export interface HelperServiceOptions {
  readonly directory: NodeDirectory;
  readonly place: HelperPlace;
  readonly context: SendContext;
  /** What files may take together, in bytes. */
  readonly sizeMax: number;
  readonly connectionsMax: number;
  readonly foolscap: Foolscap;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
  ready(signal: AbortSignal): Promise<void>;
}

/** Starts to upload for others. What it opens is added to `closers`. @throws ERR_FILE, ERR_NO_SPACE, ERR_LISTEN, ERR_PORT_IN_USE. */
export async function startHelper(options: HelperServiceOptions): Promise<UploadHelper> {
  const { clock, closers, context, directory, foolscap, log, place, random } = options;
  const files = await HelperFiles.open(directory.file('helper'), clock);
  const helper = new UploadHelper({ ...context, ...options, files, applicationVersion });
  closers.add('the helper', () => {
    helper.close();
  });
  watchStale(files, helper, options);
  const hints = place.location.hints.map((hint) => hint.text);
  const address = await loadServiceAddress(directory, 'helper.furl', place.certificate.tubId, hints, random);
  foolscap.tub.register(address.swissnum, helper, address.furl);
  if (place.needsPort) await listen(options);
  log.info('helper runs');
  return helper;
}

async function listen({ closers, connectionsMax, foolscap, log, place }: HelperServiceOptions): Promise<void> {
  for (const endpoint of place.location.endpoints) {
    const table = new ConnectionTable({ connections: connectionsMax });
    const listener = await foolscap.listen(endpoint, { option: '[node]tub.port' }, table);
    closers.add('the port of the helper', () => listener.close());
    log.info('helper listens', { port: listener.port });
  }
}

/** Now, and then each hour. */
function watchStale(files: HelperFiles, helper: UploadHelper, { clock, closers, log }: HelperServiceOptions): void {
  let cancel: () => void = () => undefined;
  let isClosed = false;
  const look = async (): Promise<void> => {
    try {
      const count = await files.removeStale((name) => helper.isBusyWith(name));
      if (count > 0) log.info('files of the helper removed that nobody came back for', { count });
    } catch (error) {
      log.warn('files of the helper not looked through', { reason: reasonOf(error) });
    }
    if (!isClosed) cancel = clock.schedule(STALE_CHECK_MS, () => void look());
  };
  closers.add('the look for old files', () => {
    isClosed = true;
    cancel();
  });
  void look();
}

/** Links this node to the helper that uploads for it. */
export function linkHelper(
  furl: string,
  { clock, closers, foolscap, log }: Pick<HelperServiceOptions, 'clock' | 'closers' | 'foolscap' | 'log'>,
): HelperLink {
  const name = parseFurl(furl).tubId.slice(0, 8);
  const link = new HelperLink({ name, furl, tub: foolscap.tub, clock, log });
  closers.add('the link to the helper', () => link.close());
  link.start();
  return link;
}
