/**
 * What a walk came to, with the capabilities that check, repair and garbage collection need of each object.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=stream-manifest"
 */
import { formatBase32 } from '#core/base32.js';
import { storageIndexOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { authorityOf } from '#core/capability/types.js';
import type { KnownCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import { dangerouslyFormatChild, typeOfChild } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import type { VisitedNode } from './walk.js';

/** One object, as a line of a manifest tells of it. Its capability is a secret. */
export interface ManifestLine {
  readonly path: readonly string[];
  /** The strongest there is; null of an unknown child that shows none. */
  readonly cap: string | null;
  readonly type: 'file' | 'directory' | 'unknown';
  /** Empty where there is none, like the next two. */
  readonly verifycap: string;
  readonly repaircap: string;
  readonly 'storage-index': string;
}

/** An object's line, for the person or program whose tree it is. */
export function dangerouslyDescribeNode(crypto: CryptoProvider, { path, child }: VisitedNode): ManifestLine {
  const { write, read } = dangerouslyFormatChild(crypto, child);
  const known = child.kind === 'unknown' ? undefined : child;
  const storageIndex = known && storageIndexOf(crypto, known);
  return {
    path,
    cap: write ?? read ?? null,
    type: typeOfChild(child),
    verifycap: textOf(known && verifyCapabilityOf(crypto, known)),
    repaircap: textOf(repairCapabilityOf(crypto, child)),
    'storage-index': storageIndex === undefined ? '' : formatBase32(storageIndex),
  };
}

/**
 * What repairs it: an immutable file's verify capability, or the capability to write. Undefined where there is nothing
 * to repair with; the reference gives none for an immutable directory either.
 */
export function repairCapabilityOf(crypto: CryptoProvider, child: Child): KnownCapability | undefined {
  if (child.kind === 'unknown') return undefined;
  if (child.kind === 'chk') return verifyCapabilityOf(crypto, child);
  return authorityOf(child) === 'write' ? child : undefined;
}

function textOf(capability: KnownCapability | undefined): string {
  return capability === undefined ? '' : dangerouslyFormatCapability(capability);
}
