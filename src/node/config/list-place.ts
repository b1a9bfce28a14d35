/**
 * Where a signed server list is, and who signs it, as [client]server_lists says: `URL pub-v0-…`, with commas between.
 */
import { parsePublicKey } from '#wire/signing-key.js';
import type { Parsed, ValueKind } from './option.js';
import { list } from './values.js';

/** One place of one manager's list. */
export interface ListPlace {
  /** http: or https:. It may hold a secret. */
  readonly url: string;
  /** `pub-v0-…` */
  readonly identity: string;
  /** The same as 32 bytes. */
  readonly manager: Uint8Array;
}

/** Places between commas. No problem repeats a URL. */
export const listPlaces: ValueKind<readonly ListPlace[]> = {
  parse: (given) => {
    const items = list.parse(given);
    if ('problem' in items) return items;
    const places: ListPlace[] = [];
    for (const [position, item] of items.value.entries()) {
      const parsed = parsePlace(item);
      if ('problem' in parsed) return { problem: `list ${String(position + 1)}: ${parsed.problem}` };
      places.push(parsed.value);
    }
    return { value: places };
  },
};

function parsePlace(item: string): Parsed<ListPlace> {
  const [url = '', identity = '', ...more] = item.split(/\s+/);
  if (more.length > 0) return { problem: 'a URL and a key are expected, and a comma before the next URL' };
  const scheme = URL.canParse(url) ? new URL(url).protocol : '';
  if (scheme !== 'http:' && scheme !== 'https:') return { problem: 'it does not begin with a URL of http: or https:' };
  const manager = parsePublicKey(identity);
  if (manager === undefined) return { problem: 'behind its URL the key of its grid manager is expected, pub-v0-…' };
  return { value: { url, identity, manager } };
}
