/** A directory as a page for people. Names are anybody's words: all of them are escaped, and no capability is shown. */
import type { DirectoryCapability } from '#core/capability/types.js';
import { authorityOf } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Child } from '#core/directory/child.js';
import type { DirectoryEntry } from '#core/directory/entries.js';
import { isJsonObject } from '#core/directory/json-value.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { sizeOf } from './child-json.js';
import { actionForm, markup, page, table } from './html.js';
import type { Html } from './html.js';
import { natureOf, shortNameOf } from './info-page.js';

const FORMATS = markup`<select name="format"><option value="CHK">immutable</option><option>SDMF</option><option>MDMF</option></select>`;
const DIRECTORY_FORMATS = markup`<select name="format"><option>SDMF</option><option>MDMF</option></select>`;

/** The page. @param listing - what is in the directory, and the path of the request's address. */
export function listingPage(
  crypto: CryptoProvider,
  directory: DirectoryCapability,
  listing: { readonly entries: readonly DirectoryEntry[]; readonly path: string },
): string {
  const base = listing.path.replace(/\/*$/, '/');
  const mayChange = authorityOf(directory) === 'write';
  const rows = listing.entries.map((entry) => row(entry, base, mayChange));
  return page(
    `Directory ${shortNameOf(crypto, directory)} (${natureOf(directory)})`,
    markup`<p><a href="/">Gateway</a>, <a href="${base}?t=info">more about this directory</a></p>\n`,
    rows.length === 0
      ? markup`<p>There is nothing in it.</p>\n`
      : table(['Type', 'Name', 'Size', 'Linked', ...(mayChange ? [''] : [])], rows),
    ...(mayChange ? forms(base) : []),
  );
}

function row({ name, child, metadata }: DirectoryEntry, base: string, mayChange: boolean): (string | Html)[] {
  const isDirectory = child.kind === 'directory';
  const address = `${base}${encodeURIComponent(name)}${isDirectory ? '/' : ''}`;
  const shown = `${name}${isDirectory ? '/' : ''}`;
  const size = child.kind === 'unknown' || isDirectory ? undefined : sizeOf(child);
  return [
    typeOf(child),
    child.kind === 'unknown' ? shown : markup`<a href="${address}">${shown}</a>`,
    size === undefined ? '-' : String(size),
    linkedAt(metadata.get('tahoe')),
    ...(mayChange ? [changes(name, base)] : []),
  ];
}

function changes(name: string, base: string): Html {
  const renaming = `${base}?t=rename-form&name=${encodeURIComponent(name)}`;
  return markup`<a href="${renaming}">rename</a> ${actionForm(base, { t: 'unlink', name, when_done: '.' }, 'unlink')}`;
}

function forms(base: string): Html[] {
  const fieldset = (legend: string, form: Html): Html =>
    markup`<fieldset><legend>${legend}</legend>${form}</fieldset>\n`;
  const name = markup`<label>Name <input name="name"></label> `;
  return [
    fieldset(
      'Upload a file',
      actionForm(base, { t: 'upload', when_done: '.' }, 'Upload', markup`<input type="file" name="file"> ${FORMATS}`),
    ),
    fieldset(
      'Make a directory',
      actionForm(base, { t: 'mkdir', when_done: '.' }, 'Make', markup`${name}${DIRECTORY_FORMATS}`),
    ),
    fieldset(
      'Link what you have a capability of',
      actionForm(
        base,
        { t: 'uri', when_done: '.' },
        'Link',
        markup`${name}<label>Capability <input name="uri" size="60"></label>`,
      ),
    ),
  ];
}

function typeOf(child: Child): string {
  if (child.kind === 'unknown') return 'unknown';
  return `${child.kind === 'directory' ? 'directory' : 'file'}, ${natureOf(child)}`;
}

function linkedAt(system: JsonValue | undefined): string {
  const seconds = isJsonObject(system) ? system.get('linkmotime') : undefined;
  const date = new Date(typeof seconds === 'number' || typeof seconds === 'bigint' ? Number(seconds) * 1000 : NaN);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString().slice(0, 19).replace('T', ' ');
}
