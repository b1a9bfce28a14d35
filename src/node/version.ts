/** What this program is and which version, from package.json. */
import { readFileSync } from 'node:fs';

/** package.json, two folders above dist/src/node. */
const PACKAGE = new URL('../../../package.json', import.meta.url);

/** Such as `0.1.0`. */
export const version = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string }).version;

/** What the node calls itself to others: `tallac/0.1.0`. */
export const applicationVersion = `tallac/${version}`;
