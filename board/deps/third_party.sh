#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches, verifies and builds the third-party source that is compiled into the firmware.
#
#   third_party.sh <name> <output directory>      name: wolfssl, tpm2-tss, lwip
#
# Trust: the distribution's own source-package client fetches the package index and checks its signature against
# the Debian keyring; the index carries the hash of the tarball and the client checks it. On top of that the hash
# recorded in <name>.dep must match whenever the version is the recorded one. The system's apt is not changed: the
# index, the cache and the list of sources are private to the output directory. The mirror is the one that this
# machine's apt already uses. Needs no root rights.
#
# CROSS=aarch64 in the environment builds for that processor, by the cross compiler of that name. The output directory of
# such a build lies in that of this machine's, whose tarballs it takes.
#
# A tarball with the recorded hash that lies in <output>/src/<name> already is taken without asking anybody: that is how
# to build where no mirror serves it. What was taken is written to <output>/<name>/taken and said aloud when it is not
# what the .dep file records.
set -eu

name=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$2"
deps=$(CDPATH='' cd -- "$2" && pwd)
jobs=${JOBS:-2}
arch=${CROSS:-$(uname -m)}
tools=${CROSS:+$CROSS-linux-gnu-}
compiler=${tools:+${tools}gcc}
compiler=${compiler:-${CC:-gcc}}
work=$deps/src/$name
prefix=$deps/$name

# shellcheck source=board/deps/apt_private.sh
. "$here/apt_private.sh"
# shellcheck source=/dev/null
. "$here/$name.dep"

# Two builds at one time (two trees may share the output) must not tread on each other.
exec 9>"$deps/lock"
flock 9

dep_hash=$(cat "$here/$name.dep" "$here/apt_private.sh" "$0" | sha256sum | cut -c1-16)
if [ -f "$prefix/stamp" ] && [ "$(cat "$prefix/stamp")" = "$dep_hash" ]; then
    exit 0
fi

upstream() { printf '%s\n' "$1" | sed -e 's/^[0-9]*://' -e 's/-[^-]*$//' -e 's/[+~]dfsg.*$//'; }

at_least() { dpkg --compare-versions "$1" ge "$2"; }

# --- fetch ----------------------------------------------------------------------------------------------------------

recorded_tarball() { # one that is already here and has the recorded hash
    for file in "$work"/*.orig.tar.* ${CROSS:+"$deps/../src/$name"/*.orig.tar.*}; do
        case $file in *.asc) continue ;; esac
        if [ -f "$file" ] && [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$sha256" ]; then
            printf '%s\n' "$file"
            return 0
        fi
    done
    return 1
}

take_recorded_copy() {
    tarball=$(recorded_tarball) || return 1
    taken=$version
    verified="recorded hash"
}

take_from_suite() {
    only_recorded=
    if ! apt_refresh "$suite" deb-src; then
        # A mirror that stands still serves a signed index past its date. Whoever replays one could offer an old release
        # by it, so then nothing counts but the recorded hash.
        apt_options="-o Acquire::Check-Valid-Until=false"
        apt_refresh "$suite" deb-src || { why="the index of $suite cannot be read"; return 1; }
        loud "the index of $suite is past its date: only $name $version with the recorded hash is taken from it"
        only_recorded=1
    fi
    offered=$(apt_offers "$suite" "$source")
    [ -n "$offered" ] || { why="$suite has no $source"; return 1; }
    taken=$(upstream "$offered")
    at_least "$taken" "$floor" || { why="$suite offers $taken"; return 1; }
    [ -z "$only_recorded" ] || [ "$taken" = "$version" ] || { why="$suite is past its date and offers $taken"; return 1; }
    say "fetching $name $offered from $suite"
    (cd "$work" && apt_private "$suite" apt-get source --download-only --tar-only "$source=$offered") \
        >"$work/fetch.log" 2>&1 || { tail -n 5 "$work/fetch.log" >&2; why="$suite does not hand $offered out"; return 1; }
    tarball=$(find "$work" -maxdepth 1 -name "*_$taken*.orig.tar.*" ! -name '*.asc' | head -n 1)
    [ -n "$tarball" ] || { why="$suite hands no tarball of $offered out"; return 1; }
    verified="signed index of $suite"
    got=$(sha256sum <"$tarball" | cut -d' ' -f1)
    if [ "$taken" = "$version" ]; then
        [ "$got" = "$sha256" ] || die "$name $version from $suite has SHA-256 $got, $name.dep records $sha256"
    else
        loud "took $name $taken from the signed index of $suite; $name.dep records $version. SHA-256 $got"
    fi
}

# --- build ----------------------------------------------------------------------------------------------------------

unpack() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree"
    tar -xf "$tarball" -C "$work/tree" --strip-components=1
}

prepare() { # before configure_make_install
    if [ ! -x "$work/tree/configure" ]; then
        say "generating configure"
        (cd "$work/tree" && autoreconf -fi) >"$work/autoreconf.log" 2>&1 || { tail -n 20 "$work/autoreconf.log" >&2; exit 1; }
    fi
}

# The hardening of our own code as far as it suits code that we did not write. Left out: automatic initialisation
# and the clearing of registers, which cost bulk ciphers a third of their speed, and our warnings.
# They ride on CC because wolfSSL copies every -D of CFLAGS into its public options.h.
harden="-O2 -g -fPIE -fvisibility=hidden -fstack-protector-strong -fstack-clash-protection -fno-strict-overflow
 -fno-delete-null-pointer-checks -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -ffile-prefix-map=$work=."
case $arch in
x86_64) harden="$harden -fcf-protection=full" options_asm=${options_asm_x86_64:-} ;;
aarch64) harden="$harden -mbranch-protection=standard" options_asm=${options_asm_aarch64:-} ;;
*) options_asm= ;;
esac

configure_make_install() { # label, prefix, options
    build=$work/build-$1
    rm -rf "$build" "$2.new"
    mkdir -p "$build"
    say "building $name $taken ($1), about a minute"
    # shellcheck disable=SC2086
    (
        cd "$build" &&
            ../tree/configure --prefix="$2.new" $3 ${CROSS:+--host=$CROSS-linux-gnu} CC="$compiler $(echo $harden)" CFLAGS= CPPFLAGS="$defines" &&
            make -j"$jobs" &&
            make install
    ) >"$build.log" 2>&1 || { tail -n 30 "$build.log" >&2; die "building $name ($1) failed, see $build.log"; }
}

# Source that needs no configuration: the files that the .dep file names, into one archive, and their headers.
compile_library() {
    build=$work/build
    rm -rf "$build" "$prefix.new"
    mkdir -p "$build" "$prefix.new/lib"
    say "building $name $taken, some seconds"
    (
        cd "$work/tree"
        # shellcheck disable=SC2086
        ls $library_sources | grep -vE "$library_without" >"$build/files"
        # The archive's members are named by their whole path, so that two files of one name do not meet.
        # shellcheck disable=SC2016
        xargs -P "$jobs" -n 8 sh -c 'for file in "$@"; do
            $LIBRARY_CC -c "$file" -o "'"$build"'/$(printf "%s" "${file%.c}" | tr / -).o" || exit 255; done' one <"$build/files"
        "${tools}ar" rcsD "$prefix.new/lib/$library" "$build"/*.o
        cp -r "$library_headers" "$prefix.new/include"
    ) >"$build.log" 2>&1 || { tail -n 30 "$build.log" >&2; die "building $name failed, see $build.log"; }
}

remember_taken() { # prefix
    printf 'name=%s\nversion=%s\nverified=%s\nsha256=%s\n' "$name" "$taken" "$verified" \
        "$(sha256sum <"$tarball" | cut -d' ' -f1)" >"$1/taken"
    printf '%s' "$dep_hash" >"$1/stamp"
}

finish() { # prefix
    rm -rf "$1"
    mv "$1.new" "$1"
    rm -rf "${1:?}/bin" "${1:?}/share" "${1:?}/lib/pkgconfig" "$1"/lib/*.la
}

mkdir -p "$work"
why=
take_recorded_copy || take_from_suite || die "no source of $name $floor or newer, because $why. Try again later, have apt" \
    "use a mirror that serves $suite, or put $name $version (SHA-256 $sha256)" \
    "at $work/${source}_$version.orig.tar.* and build again: it is then taken without a mirror."
unpack

if [ "${layout:-}" = library ]; then
    # shellcheck disable=SC2086
    LIBRARY_CC="$compiler $(echo $harden) $library_flags"
    export LIBRARY_CC
    compile_library
    remember_taken "$prefix.new"
    rm -rf "$prefix"
    mv "$prefix.new" "$prefix"
    rm -rf "$work/build" "$work/tree"
    say "$name $taken is in $prefix ($verified)"
    exit 0
fi

# What is compiled by our own Makefile, with our configuration, is only laid out.
if [ "${layout:-}" = source ]; then
    rm -rf "$prefix" "$prefix.new"
    mkdir -p "$prefix.new"
    cp -r "$work/tree/src" "$work/tree/COPYING" "$prefix.new"
    remember_taken "$prefix.new"
    mv "$prefix.new" "$prefix"
    rm -rf "$work/tree"
    say "$name $taken is in $prefix ($verified)"
    exit 0
fi

prepare
configure_make_install asm "$prefix" "$options_common $options_tls $options_asm"
grep -q "define $hybrids_define" "$prefix.new/include/wolfssl/options.h" ||
    die "$name $taken was built without the ML-KEM hybrids"
# net/tls.c reads the state of a handshake, which wolfSSL keeps in a header that it does not install.
cp "$work/tree/wolfssl/internal.h" "$prefix.new/include/wolfssl/internal.h"
made_all=$prefix.new
# Only tests are linked with it, and they run on this machine.
if [ -z "${CROSS:-}" ]; then
    configure_make_install noasm "$prefix-noasm" "$options_common $options_noasm"
    made_all="$made_all $prefix-noasm.new"
fi

for made in $made_all; do
    # wolfSSL hands its users _GNU_SOURCE; ours see POSIX outside hal/.
    sed -i '/_GNU_SOURCE/d' "$made/include/wolfssl/options.h"
    mkdir -p "$made/include/generated"
    cat >"$made/include/generated/wolfssl_taken.h" <<EOF
/* Generated by board/deps/third_party.sh: which wolfSSL this program is linked with. */
#ifndef GENERATED_WOLFSSL_TAKEN_H
#define GENERATED_WOLFSSL_TAKEN_H
#define WOLFSSL_TAKEN_VERSION "$taken"
#endif
EOF
done
finish "$prefix"
[ -n "${CROSS:-}" ] || finish "$prefix-noasm"
remember_taken "$prefix"
rm -rf "$work"/build-asm "$work"/build-noasm "$work"/tree
say "$name $taken is in $prefix ($verified)"
