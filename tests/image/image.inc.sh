# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# What the checks of images share. Sourced with their arguments: <what build.sh was given> <image that it made of it> <folder for
# trials>. Leaves the shell in the root of the tree, with what build.sh was given in the environment.

image=$2
trials=$3
tests=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tree=$(CDPATH='' cd -- "$tests/../.." && pwd)
# shellcheck source=tests/lint/tap.sh
. "$tests/../lint/tap.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES # those of the make that runs this
set -a
# shellcheck source=/dev/null
. "$(realpath "$1")" || exit 1
set +a
export PATH="$PATH:/usr/sbin:/sbin" # a user has no sbin

rm -rf "$trials"
mkdir -p "$trials"
image=$(CDPATH="" cd -- "$image" && pwd) || exit 1
trials=$(CDPATH="" cd -- "$trials" && pwd) || exit 1
cd "$tree" || exit 1
tools=$tree/board/image
machine=$(sed -n 's/^BOARD_ARCH=//p' "board/$BOARD/image.conf")
case $machine in
aarch64) debian=$DEPS/debian-arm64 ;;
*) debian=$DEPS/debian-amd64 ;;
esac
keys=$(realpath "$KEYS")
log=$trials/log

quietly() { "$@" >"$log" 2>&1; }
is_signed() { quietly sbverify --cert "$2" "$1"; }
