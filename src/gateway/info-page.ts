/**
 * Pages about one file or directory: what it is and what can be done with it. They show its capabilities to whoever has
 * them already; titles do not.
 */
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { authorityOf, isMutable } from '#core/capability/types.js';
import type { KnownCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { dangerouslyFormatChild } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import { sizeOf } from './child-json.js';
import { actionForm, markup, page, table } from './html.js';
import type { Html } from './html.js';

/** `t=info`. @param handle - unpredictable, for an operation to be started from the page. */
export function infoPage(crypto: CryptoProvider, child: Child, handle: string): string {
  const { write, read } = dangerouslyFormatChild(crypto, child);
  if (child.kind === 'unknown') {
    const rows = capabilityRows({ 'To write': write, 'To read': read });
    return page('More about something unknown', markup`<p>A later release may know it.</p>\n`, table([], rows));
  }
  const verify = textOf(verifyCapabilityOf(crypto, child));
  const address = `/uri/${encodeURIComponent(dangerouslyFormatCapability(child))}`;
  return page(
    `More about ${shortNameOf(crypto, child)}`,
    table(
      [],
      [
        ['Kind', kindOf(child)],
        ['Size', sizeText(child)],
        ...capabilityRows({ 'To write': write, 'To read': read, 'To verify': verify }),
      ],
    ),
    markup`<p><a href="${address}">Open it</a>, <a href="${address}?t=json">as JSON</a></p>\n`,
    checkForm(address),
    ...(child.kind === 'directory' ? treeForms(address, handle) : []),
  );
}

/** What a directory or a file is called in titles: six characters of its storage index. */
export function shortNameOf(crypto: CryptoProvider, capability: KnownCapability): string {
  const storageIndex = storageIndexOf(crypto, capability);
  return storageIndex === undefined ? 'a literal' : formatBase32(storageIndex).slice(0, 6);
}

/** Whether it can change, and here. */
export function natureOf(capability: KnownCapability): string {
  if (!isMutable(capability)) return 'immutable';
  return authorityOf(capability) === 'write' ? 'modifiable' : 'read-only';
}

/** What is shown when a file has been stored. @param sizeBytes - of the file. */
export function uploadedPage(capability: KnownCapability, sizeBytes: number): string {
  const text = dangerouslyFormatCapability(capability);
  return page(
    'The file is stored',
    markup`<p>${sizeBytes} bytes. Whoever has its capability can read it, and nobody without:</p>
<p><a href="/uri/${encodeURIComponent(text)}"><code>${text}</code></a></p>
<p><a href="/">Back</a></p>\n`,
  );
}

/** `t=rename-form`. @param address - of the directory. */
export function renamePage(title: string, address: string, name: string): string {
  const field = markup`<label>New name <input name="to_name" value="${name}"></label>`;
  const fields = { t: 'rename', from_name: name, when_done: '.' };
  return page(`Rename in ${title}`, markup`<p>${name}</p>\n`, actionForm(address, fields, 'Rename', field));
}

function kindOf(child: KnownCapability): string {
  return `${child.kind === 'directory' ? 'directory' : 'file'}, ${natureOf(child)}`;
}

function sizeText(child: KnownCapability): string {
  const size = child.kind === 'directory' ? undefined : sizeOf(child);
  return size === undefined ? '?' : `${String(size)} bytes`;
}

function capabilityRows(texts: Readonly<Record<string, string | undefined>>): (readonly [string, Html])[] {
  return Object.entries(texts).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, markup`<code>${text}</code>`] as const],
  );
}

function textOf(capability: KnownCapability | undefined): string | undefined {
  return capability === undefined ? undefined : dangerouslyFormatCapability(capability);
}

function box(name: string, label: string): Html {
  return markup`<label><input type="checkbox" name="${name}" value="true"> ${label}</label> `;
}

const CHECK_BOXES = markup`${[box('verify', 'read every share'), box('repair', 'repair'), box('add-lease', 'renew leases')]}`;

function checkForm(address: string): Html {
  return actionForm(`${address}?t=check`, {}, 'Check', CHECK_BOXES);
}

function treeForms(address: string, handle: string): Html[] {
  const start = (operation: string, button: string, shown?: Html): Html =>
    actionForm(`${address}?t=${operation}`, { ophandle: `${handle}-${operation}` }, button, shown);
  return [
    markup`<h2>All below it</h2>\n`,
    start('start-deep-check', 'Check all', CHECK_BOXES),
    start('start-deep-size', 'How large is it?'),
    start('start-deep-stats', 'Statistics'),
    start('start-manifest', 'Manifest'),
  ];
}
