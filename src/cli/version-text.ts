/**
 * What `--version` says. Programs read the first line and strip `tahoe-lafs/` from it (Gridsync), so it names the
 * release of Tahoe-LAFS whose protocols and commands these are, and behind it, as in a User-Agent, this program.
 */
import { fileURLToPath } from 'node:url';
import { applicationVersion } from '#node/version.js';

/** The release of Tahoe-LAFS that this program is compatible with. */
const COMPATIBLE_WITH = 'tahoe-lafs/1.20.0';

/** `tahoe-lafs/1.20.0 tallac/0.1.0` */
export const versionLine = `${COMPATIBLE_WITH} ${applicationVersion}`;

/** The same with, on a second line, where the program and its Node.js are. */
export function versionAndPath(): string {
  const program = fileURLToPath(new URL('main.js', import.meta.url));
  return `${versionLine}\n${program} on Node.js ${process.version} (${process.execPath})`;
}
