#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the Debian packages named in a list (one a line, # begins a comment) that are not installed yet.
# Needs root or sudo only when something is missing.
set -eu

missing=
for package in $(sed -e 's/#.*//' "$@"); do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: missing and no sudo to install them:$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "deps: installing$missing"
# shellcheck disable=SC2086
{
    $as_root apt-get -q update >/dev/null
    DEBIAN_FRONTEND=noninteractive $as_root apt-get -q install -y --no-install-recommends $missing >/dev/null
}
