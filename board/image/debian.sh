#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches the Debian packages that parts of an image come from: debian.sh <dependencies> <Debian's architecture> <package>...
# A name with a + before it stands for the one package of that name's own kind that it depends on: +linux-image-cloud-amd64.
#
# They lie in <dependencies>/debian-<architecture>/ as they were fetched, with a line `name version sha256 file` for each in
# `taken`, and unpacked in a folder of their name; modules with the lists of depmod. The index is verified against the Debian keyring and each file against the index, by the distribution's own package
# client with private state. What is there already is kept, and nothing is asked of anybody: remove the folder for newer ones.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
deps=$(CDPATH='' cd -- "$1" && pwd)
arch=$2
shift 2
work=$deps/src/debian-$arch
place=$deps/debian-$arch
# shellcheck source=board/deps/apt_private.sh
. "$here/../deps/apt_private.sh"

exec 9>"$deps/lock"
flock 9
mkdir -p "$place" "$work"
touch "$place/taken" "$place/asked"

apt() { apt_private release "$@"; }

follow() { # the package that a metapackage of kernels stands for
    apt apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

fetch() { # what was asked for, package
    taken=$(apt apt-cache policy "$2" | sed -n 's/^ *Candidate: *//p')
    [ -n "$taken" ] && [ "$taken" != '(none)' ] || die "no index has $2 for $arch"
    say "fetching $2 $taken"
    (cd "$place" && apt apt-get download "$2=$taken") >"$work/fetch.log" 2>&1 ||
        { tail -n 5 "$work/fetch.log" >&2; die "$2 cannot be fetched"; }
    hash=$(apt apt-cache show "$2=$taken" | sed -n 's/^SHA256: *//p' | head -n 1)
    file=$(find "$place" -name "$2_*.deb" -exec basename {} \; | head -n 1)
    [ "$(sha256sum <"$place/$file" | cut -d' ' -f1)" = "$hash" ] || die "$file is not what the index says"
    printf '%s %s %s %s\n' "$2" "$taken" "$hash" "$file" >>"$place/taken"
    printf '%s %s\n' "$1" "$2" >>"$place/asked"
}

unpack() { # package, unless it is
    [ ! -d "$place/$1" ] || return 0
    say "unpacking $1"
    rm -rf "$work/unpacked"
    dpkg-deb -x "$place/$(sed -n "s/^$1 [^ ]* [^ ]* //p" "$place/taken")" "$work/unpacked"
    for modules in "$work/unpacked/lib/modules"/*; do
        [ ! -d "$modules" ] || depmod -b "$work/unpacked" "$(basename "$modules")"
    done
    mv -T "$work/unpacked" "$place/$1"
}

refreshed=
for asked; do
    if grep -q "^$asked " "$place/asked"; then
        unpack "$(sed -n "s/^$asked //p" "$place/asked")"
        continue
    fi
    if [ -z "$refreshed" ]; then
        apt_options="-o APT::Architecture=$arch -o APT::Architectures=$arch"
        apt_refresh_release || die "the indexes cannot be read"
        refreshed=1
    fi
    case $asked in
    +*) package=$(follow "${asked#+}") ;;
    *) package=$asked ;;
    esac
    [ -n "$package" ] || die "$asked stands for no package"
    fetch "$asked" "$package"
    unpack "$package"
done
