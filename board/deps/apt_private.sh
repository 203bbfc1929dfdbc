# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# The distribution's own package client with private state: the list of sources, the index and the cache lie below
# $work, so that the system's apt is not changed and no root rights are needed. The index is verified against the Debian
# keyring by the client, and every file against the index. The mirror is the one that this machine's apt already uses.
# Sourced; $work is the caller's.

# The mirror of this machine: the repository that serves this release's own suite.
mirror() {
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    apt-get indextargets 'Created-By: Packages' --format '$(RELEASE) $(REPO_URI)' |
        awk -v release="$codename" '$1 == release { print $2; exit }'
}

apt_options=

apt_private() { # suite, client, arguments...
    state=$work/apt-$1
    client=$2
    shift 2
    # The sandbox user of apt could not write below a build directory of ours.
    # shellcheck disable=SC2086
    "$client" -q $apt_options -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/sources" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 -o Acquire::Languages=none "$@"
}

apt_refresh() { # suite, deb or deb-src
    state=$work/apt-$1
    mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial"
    printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$2" "$(mirror)" "$1" /usr/share/keyrings/debian-archive-keyring.gpg >"$state/sources/$1.sources"
    say "reading the signed index of $1"
    apt_update "$1"
}

apt_update() { # what apt_private is called with
    state=$work/apt-$1
    apt_private "$1" apt-get update >"$state/update.log" 2>&1 || { tail -n 5 "$state/update.log" >&2; return 1; }
    # apt-get update forgives a mirror that cannot be reached; without the index there is nothing to trust.
    grep -qE '^(E|W):' "$state/update.log" && { grep -E '^(E|W):' "$state/update.log" >&2; return 1; }
    return 0
}

# Every suite of this machine's own release that its apt knows: base, updates, security. For apt_private with `release`.
apt_refresh_release() {
    state=$work/apt-release
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    mkdir -p "$state/sources" "$state/lists/partial" "$state/cache/archives/partial"
    # shellcheck disable=SC2016
    apt-get indextargets 'Created-By: Packages' --format '$(RELEASE) $(REPO_URI)' | sort -u |
        awk -v release="$codename" -v keys=/usr/share/keyrings/debian-archive-keyring.gpg '
            $1 == release || index($1, release "-") == 1 {
                printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n", $2, $1, keys }' \
            >"$state/sources/release.sources"
    [ -s "$state/sources/release.sources" ] || { loud "this machine's apt knows no suite of $codename"; return 1; }
    say "reading the signed indexes of $codename"
    apt_update release
}

apt_offers() { # suite, source -> the newest version on offer
    apt_private "$1" apt-cache showsrc --only-source "$2" 2>/dev/null |
        awk '$1 == "Version:" { print $2 }' | sort -V | tail -n 1
}

say() { printf 'deps: %s\n' "$*"; }
loud() { printf '\n*** deps: %s\n\n' "$*" >&2; }
die() { loud "$*"; exit 1; }
