/** A directory as a page for people. Names are anybody's words: all of them are escaped, and no capability is shown. */
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf } from '#core/capability/attenuate.js';
import { authorityOf, isMutable } from '#core/capability/types.js';
import type { DirectoryCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Child } from '#core/directory/child.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { sizeOf } from './child-json.js';
import { escapeHtml } from './html.js';

/** The page. @param listing - what is in the directory, and the path of the request's address. */
export function listingPage(
  crypto: CryptoProvider,
  directory: DirectoryCapability,
  listing: { readonly entries: readonly DirectoryEntry[]; readonly path: string },
): string {
  const storageIndex = storageIndexOf(crypto, directory);
  const name = storageIndex === undefined ? 'literal' : formatBase32(storageIndex).slice(0, 6);
  const title = `Directory ${name} (${nature(directory)})`;
  const base = listing.path.replace(/\/*$/, '/');
  const rows = listing.entries.map((entry) => row(entry, base));
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${rows.length === 0 ? '<p>There is nothing in it.</p>' : table(rows)}
</body>
</html>
`;
}

function table(rows: readonly string[]): string {
  return `<table>
<thead><tr><th>Type</th><th>Name</th><th>Size</th><th>Linked</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
}

function row({ name, child, metadata }: DirectoryEntry, base: string): string {
  const isDirectory = child.kind === 'directory';
  const address = `${base}${encodeURIComponent(name)}${isDirectory ? '/' : ''}`;
  const shown = escapeHtml(`${name}${isDirectory ? '/' : ''}`);
  const link = child.kind === 'unknown' ? shown : `<a href="${escapeHtml(address)}">${shown}</a>`;
  const size = child.kind === 'unknown' || isDirectory ? undefined : sizeOf(child);
  const cells = [typeOf(child), link, size === undefined ? '-' : String(size), linkedAt(metadata.get('tahoe'))];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function typeOf(child: Child): string {
  if (child.kind === 'unknown') return 'unknown';
  return `${child.kind === 'directory' ? 'directory' : 'file'}, ${nature(child)}`;
}

function nature(capability: Exclude<Child, { readonly kind: 'unknown' }>): string {
  if (!isMutable(capability)) return 'immutable';
  return authorityOf(capability) === 'write' ? 'modifiable' : 'read-only';
}

function linkedAt(system: JsonValue | undefined): string {
  const seconds = isJsonObject(system) ? system.get('linkmotime') : undefined;
  const date = new Date(typeof seconds === 'number' || typeof seconds === 'bigint' ? Number(seconds) * 1000 : NaN);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString().slice(0, 19).replace('T', ' ');
}
