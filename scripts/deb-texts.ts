/** What a Debian package says of itself and does when it comes and goes, as text. */

/** One package of Node.js that is shipped inside. */
export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** No person is named: questions go where the source came from. */
const MAINTAINER = 'Tallac <packages@tallac.invalid>';

/**
 * The control file. There is no /usr/bin/tahoe and no /usr/bin/grid-manager in it, which belong to Debian's tahoe-lafs:
 * both can be installed together, one beside the other, so it neither conflicts with that nor provides it.
 */
export function controlText(facts: {
  readonly version: string;
  readonly architecture: string;
  readonly nodeVersion: string;
  readonly installedKib: number;
}): string {
  return `Package: tallac
Version: ${facts.version}
Architecture: ${facts.architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${String(facts.installedKib)}
Depends: nodejs (>= ${facts.nodeVersion})
Recommends: systemd
Suggests: tahoe-lafs
Section: net
Priority: optional
Description: decentralised storage grid that speaks Tahoe-LAFS
 Files are encrypted before they leave the machine and spread over storage
 servers, of which most may be lost. Storage nodes, gateways and introducers
 work together with those of Tahoe-LAFS 1.20, over HTTPS and Foolscap.
 .
 /usr/lib/tallac/bin holds the commands under the names that scripts for
 Tahoe-LAFS know, tahoe and grid-manager, for those who put it on their PATH.
`;
}

/** The changelog of the package; what is new in the product stands in CHANGELOG.md beside it. */
export function changelogText(version: string, epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000');
  return `tallac (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** The copyright file: the product's licence, and the name of each licence inside. */
export function copyrightText(license: string, shipped: readonly ShippedPackage[]): string {
  const own = license.trim().split('\n');
  const holder = own.find((line) => line.startsWith('Copyright')) ?? '';
  const body = own.slice(own.indexOf(holder) + 1).map((line) => (line === '' ? ' .' : ` ${line}`));
  const others = shipped.map(
    ({ name, version, license: text }) =>
      `Files: usr/lib/tallac/node_modules/${name}/*\nCopyright: see the files there (version ${version})\nLicense: ${text}\n`,
  );
  const head = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: tallac\n';
  const text = body.slice(body.findIndex((line) => line !== ' .')).join('\n');
  return [
    head,
    `Files: *\nCopyright: ${holder.replace('Copyright (c) ', '')}\nLicense: MIT\n${text}\n`,
    ...others,
  ].join('\n');
}

/** The user that nodes run as, and where their directories are. */
export const sysusersText = 'u tallac - "Tallac storage grid" /var/lib/tallac\n';
/** @see tmpfiles.d(5) */
export const tmpfilesText = 'd /var/lib/tallac 0750 tallac tallac -\n';

const SYSTEMD_RUNS = '[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]';

/** The scripts that dpkg runs. They work on $DPKG_ROOT where that is set. */
export const maintainerScripts: Readonly<Record<string, string>> = {
  postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  for program in systemd-sysusers 'systemd-tmpfiles --create'; do
    if command -v "\${program%% *}" >/dev/null; then
      $program \${DPKG_ROOT:+--root="$DPKG_ROOT"} tallac.conf
    fi
  done
  if ${SYSTEMD_RUNS}; then
    systemctl daemon-reload
    systemctl try-restart 'tallac@*.service'
  fi
fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && ${SYSTEMD_RUNS}; then
  systemctl stop 'tallac@*.service'
fi
`,
  // Nodes are not thrown away with their program: keys have no copy, and shares belong to others.
  postrm: `#!/bin/sh
set -e
if ${SYSTEMD_RUNS}; then
  systemctl daemon-reload
fi
if [ "$1" = purge ]; then
  if [ ! -d "$DPKG_ROOT/var/lib/tallac" ] || rmdir "$DPKG_ROOT/var/lib/tallac" 2>/dev/null; then
    userdel \${DPKG_ROOT:+--prefix "$DPKG_ROOT"} tallac >/dev/null 2>&1 || true
    groupdel \${DPKG_ROOT:+--prefix "$DPKG_ROOT"} tallac >/dev/null 2>&1 || true
  else
    echo "the nodes in /var/lib/tallac are kept, and the user they belong to"
  fi
fi
`,
};
