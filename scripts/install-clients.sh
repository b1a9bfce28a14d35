#!/usr/bin/env bash
# Installs the programs of others that test/interop/client-*.test.ts and the browser test run: Debian packages where
# this is root on Debian, Python packages into .venv-clients. What is there already is left alone, so that it costs a
# second where both are kept between runs. It never fails: each test says what is missing, and fails where CI=true.
set -u
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive

# program:package
wanted=(curl:curl promtool:prometheus rclone:rclone duplicity:duplicity git:git git-annex:git-annex chromium:chromium
  sftp:openssh-client lftp:lftp restic:restic sshfs:sshfs tor:tor)
missing=()
for pair in "${wanted[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || echo "apt-get could not install all of them"
  else
    echo "not installed: ${missing[*]}; it takes root on Debian"
  fi
fi

# Of its own, for its versions of what the reference needs, too, may differ.
if ! .venv-clients/bin/magic-folder --version >/dev/null 2>&1; then
  echo "installing magic-folder"
  rm -rf .venv-clients
  python3 -m venv .venv-clients &&
    .venv-clients/bin/python -m pip install --quiet --disable-pip-version-check \
      'magic-folder==24.3.0' 'tahoe-lafs==1.20.0' 'pyopenssl<25' 'setuptools<80' ||
    echo "pip could not install magic-folder"
fi
exit 0
