/**
 * Where something is in the grid, as people write it: `ALIAS:path`, `path` below the default alias, `CAPABILITY`,
 * `CAPABILITY/path` or `CAPABILITY:./path`.
 * @see Tahoe-LAFS docs/frontends/CLI.rst
 */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { looksLikeCapability, requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { quotePath } from '#node/quoted-path.js';
import { DEFAULT_ALIAS, directoryNamed } from './aliases.js';
import type { Aliases } from './aliases.js';

/** A capability and a path from it. */
export interface RemotePath {
  /** Secret. */
  readonly root: string;
  /** Names with slashes between them; empty for the root itself. */
  readonly path: string;
}

/** Whether a word of `cp` is in the grid: it begins with an alias or a capability. Others are local paths. */
export function isRemote(word: string): boolean {
  const text = word.replace(/^ +| +$/g, '');
  const colon = text.indexOf(':');
  return looksLikeCapability(text) || (colon >= 0 && !text.slice(0, colon).includes('/'));
}

/** @throws ERR_CAPABILITY when a capability is cut short, ERR_USAGE when there is no such alias. */
export function parseRemotePath(word: string, aliases: Aliases): RemotePath {
  const text = word.replace(/^ +| +$/g, '');
  if (looksLikeCapability(text)) return parseCapabilityPath(text);
  const colon = text.indexOf(':');
  const alias = text.slice(0, Math.max(colon, 0));
  const isNamed = colon >= 0 && !alias.includes('/');
  if (isNamed) return { root: rootOf(alias, aliases), path: text.slice(colon + 1) };
  return { root: rootOf(undefined, aliases), path: text };
}

/** The same for where a walk begins: a lone slash is the root. @throws as parseRemotePath does. */
export function parseStart(word: string, aliases: Aliases): RemotePath {
  const place = parseRemotePath(word, aliases);
  return place.path === '/' ? { root: place.root, path: '' } : place;
}

/** Where it is in the web API, after the gateway's address. */
export function addressOf({ root, path }: RemotePath): string {
  const names = path === '' ? [] : path.split('/').map(encodeURIComponent);
  return ['uri', encodeURIComponent(root), ...names].join('/');
}

/** The word as it may be repeated: without what a capability holds. */
export function hiddenCapability(word: string): string {
  return word.replace(/((?:ro\.|imm\.)?URI:[A-Za-z0-9-]+:)[^/\s]*/g, '$1[hidden]');
}

function parseCapabilityPath(text: string): RemotePath {
  const dotted = text.indexOf(':./');
  const slash = text.indexOf('/');
  const [end, skipped] = dotted >= 0 ? [dotted, 3] : slash >= 0 ? [slash, 1] : [text.length, 0];
  const root = text.slice(0, end);
  requireCapability(root);
  return { root, path: text.slice(end + skipped) };
}

function rootOf(alias: string | undefined, aliases: Aliases): string {
  const text = aliases.get(alias ?? DEFAULT_ALIAS);
  if (text !== undefined) {
    return dangerouslyFormatCapability(
      directoryNamed(text, `what the alias ${quotePath(alias ?? DEFAULT_ALIAS)} holds`),
    );
  }
  const reason =
    alias === undefined
      ? "error: No alias specified, and the default 'tahoe' alias doesn't exist. To create it, use 'tahoe create-alias tahoe'."
      : `error: Unknown alias ${quotePath(alias)}, please create it with 'tahoe add-alias' or 'tahoe create-alias'.`;
  throw new TahoeError('ERR_USAGE', { reason });
}
