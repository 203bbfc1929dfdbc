#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows that each harness can fail: planted.sh <work folder> <archive> <engine objects...>, with COMPILE, LINK and LIBS in
# the environment. The line `plant: <source>: <sed expression>` of a harness makes a defective copy of that source, which is
# linked in its place; the harness must then fail. Prints TAP.
set -u

work=$1
archive=$2
shift 2
engines=$*
mkdir -p "$work"
count=0
failures=0

catches() { # harness, its name
    line=$(sed -n 's/^.*plant: \(.*\) \*\/$/\1/p' "$1" | head -n 1)
    [ -n "$line" ] || { echo "# $1 has no planted defect"; return 1; }
    source=${line%%:*}
    sed -e "${line#*: }" "$source" >"$work/$2.c"
    ! cmp -s "$source" "$work/$2.c" || { echo "# the planted defect of $1 changes nothing in $source"; return 1; }
    # shellcheck disable=SC2086
    $COMPILE -c -o "$work/$2.o" "$work/$2.c" && $COMPILE -c -o "$work/$2_proof.o" "$1" &&
        $COMPILE $LINK -o "$work/$2" "$work/$2_proof.o" "$work/$2.o" $engines "$archive" $LIBS >"$work/$2.log" 2>&1 ||
        { cat "$work/$2.log"; return 1; }
    # A broken promise or a stop by a sanitizer.
    ! "$work/$2" >"$work/$2.out" 2>&1
}

for harness in tests/proof/*_proof.c; do
    name=$(basename "$harness" _proof.c)
    count=$((count + 1))
    if catches "$harness" "$name"; then
        echo "ok $count - $name finds its planted defect"
    else
        echo "not ok $count - $name does not find its planted defect"
        failures=$((failures + 1))
    fi
done
echo "1..$count"
[ "$failures" = 0 ]
