/**
 * A node's links to its introducers: what it announces goes to all of them, and what they say, each for itself, becomes
 * servers of its grid. What an introducer has said is kept between runs, in private/introducer_<name>_announcements, and
 * once more in the reference's form beside it, for the day when that runs here.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { destinationOfNurl } from '#client/dialler.js';
import type { Dialler } from '#client/dialler.js';
import { HttpsIntroducer } from '#client/introducer-https.js';
import { IntroducerLink } from '#client/introducer-link.js';
import type { IntroducerSession } from '#client/introducer-link.js';
import type { KnownServers } from '#client/known-servers.js';
import { AnnouncementMemory } from '#wire/announcement-memory.js';
import { AnnouncementTable } from '#wire/announcement-table.js';
import { dangerouslyFormatCacheEntry } from '#wire/introducer-cache.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import type { Nurl } from '#wire/nurl.js';
import { AnnouncementLog } from './announcement-log.js';
import type { Closers } from './closers.js';
import { replaceFile } from './durable-file.js';
import type { Foolscap } from './foolscap/foolscap.js';
import type { KnownIntroducer } from './introducers-file.js';
import { PRIVATE_MODE } from './node-directory.js';
import type { NodeDirectory } from './node-directory.js';
import { applicationVersion } from './version.js';

/** Introducers come behind the node's own servers.yaml and signed lists. */
const INTRODUCER_RANK = 2;
/** How long the reference's file may be behind, in milliseconds, and how many of its entries are made in one turn. */
const CACHE_DELAY_MS = 5_000;
const CACHE_TURN_COUNT = 100;

/** What introductions are made with. */
export interface IntroductionsOptions {
  readonly directory: NodeDirectory;
  readonly introducers: readonly KnownIntroducer[];
  /** What this node announces; undefined for nothing. */
  readonly announcement: SignedAnnouncement | undefined;
  /** Where what is heard goes; undefined for a node that has no use for it. */
  readonly known: KnownServers | undefined;
  /** Where Foolscap is spoken. */
  readonly foolscap?: Foolscap | undefined;
  /** What this node is called. */
  readonly nickname: string;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
}

/** Begins them. What it opens is added to `closers`. @throws ERR_FILE, ERR_NO_SPACE. */
export async function startIntroductions(options: IntroductionsOptions): Promise<readonly IntroducerLink[]> {
  const links: IntroducerLink[] = [];
  for (const introducer of options.introducers) {
    const session = sessionOf(introducer, options);
    if (session === undefined) {
      options.log.warn('introducer left out: this node has no way to it', { introducer: introducer.name });
      continue;
    }
    const link = await openLink(introducer, session, options);
    options.closers.add(`the introducer ${introducer.name}`, () => link.close());
    links.push(link);
  }
  for (const link of links) link.start();
  return links;
}

function sessionOf(introducer: KnownIntroducer, options: IntroductionsOptions): IntroducerSession | undefined {
  const { furl, name } = introducer;
  const nurl = usableNurl(introducer, options);
  if (nurl !== undefined) return new HttpsIntroducer({ ...options, name, nurl, applicationVersion });
  return furl === undefined
    ? undefined
    : options.foolscap?.openIntroducer({ ...options, name, furl, applicationVersion });
}

function usableNurl({ nurl }: KnownIntroducer, { dialler }: IntroductionsOptions): Nurl | undefined {
  return nurl !== undefined && dialler.leadsTo(destinationOfNurl(nurl)) ? nurl : undefined;
}

async function openLink(
  introducer: KnownIntroducer,
  session: IntroducerSession,
  options: IntroductionsOptions,
): Promise<IntroducerLink> {
  const { announcement, known } = options;
  const { name } = introducer;
  const memory = known === undefined ? undefined : await openMemory(name, options);
  return new IntroducerLink({
    ...options,
    name,
    dialect: usableNurl(introducer, options) === undefined ? 'foolscap' : 'https',
    session,
    memory,
    announcement,
    told: (servers) => {
      known?.tell({ name: `introducer ${name}`, rank: INTRODUCER_RANK }, servers);
    },
  });
}

async function openMemory(name: string, options: IntroductionsOptions): Promise<AnnouncementMemory> {
  const { closers, crypto, directory, log } = options;
  const table = new AnnouncementTable();
  const path = directory.privateFile(`introducer_${name}_announcements`);
  const record = await AnnouncementLog.open(path, () => table.entries().map(({ signed }) => signed));
  closers.add(`the announcements of ${name}`, () => record.close());
  const memory = new AnnouncementMemory({ crypto, table, record });
  if (memory.damagedCount > 0) {
    log.warn('announcements that were kept are damaged', { introducer: name, count: memory.damagedCount });
  }
  writeReferenceCache(name, memory, options);
  return memory;
}

/** Some seconds after news, all of it. Nothing of ours depends on it. */
function writeReferenceCache(name: string, memory: AnnouncementMemory, options: IntroductionsOptions): void {
  const { clock, closers, directory, log } = options;
  const path = directory.privateFile(`introducer_${name}_cache.yaml`);
  let cancel: (() => void) | undefined;
  let writing = Promise.resolve();
  const write = (): void => {
    cancel = undefined;
    writing = writing.then(async () => {
      try {
        await replaceFile(path, await cacheText(memory), PRIVATE_MODE);
      } catch (error) {
        log.warn('announcements not written for tahoe-lafs', { introducer: name, reason: reasonOf(error) });
      }
    });
  };
  memory.listen(() => {
    cancel ??= clock.schedule(CACHE_DELAY_MS, write);
  });
  closers.add(`the cache of ${name}`, async () => {
    if (cancel !== undefined) {
      cancel();
      write();
    }
    await writing;
  });
}

async function cacheText(memory: AnnouncementMemory): Promise<string> {
  const entries = memory.entries();
  const parts: string[] = [];
  for (let i = 0; i < entries.length; i += CACHE_TURN_COUNT) {
    parts.push(...entries.slice(i, i + CACHE_TURN_COUNT).map(dangerouslyFormatCacheEntry));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return parts.length === 0 ? '[]\n' : parts.join('');
}
