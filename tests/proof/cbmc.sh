#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The harnesses under CBMC: cbmc.sh <cbmc> <include flags...>. A harness names the sources that it proves, besides
# hal/base, in a line `cbmc: --unwind N <source>...` of its opening comment. Every loop must end within the bound, or the
# proof fails. Prints TAP.
#
# CBMC 6 does not run scoped clean-up at a return: leaks and wiping are shown by the other engines, not here.
set -u

cbmc=$1
shift
[ -x "$cbmc" ] || { echo 'ok 1 - # SKIP no cbmc on this machine'; echo '1..1'; exit 0; }
count=0
failures=0
for harness in tests/proof/*_proof.c; do
    name=$(basename "$harness" _proof.c)
    with=$(sed -n 's/^.*cbmc: \(.*\)$/\1/p' "$harness" | sed 's| \*/$||' | head -n 1)
    count=$((count + 1))
    echo "# $name: $with" >&2
    # shellcheck disable=SC2086
    if [ -n "$with" ] && output=$("$cbmc" "$@" -D_GNU_SOURCE --c11 --function proof_harness --malloc-may-fail \
        --malloc-fail-null --drop-unused-functions "$harness" tests/proof/engine_cbmc.c $with 2>&1); then
        echo "ok $count - $name: $(printf '%s\n' "$output" | grep -o '^\*\* 0 of [0-9]* failed' | tr -d '*')"
    else
        printf '%s\n' "${output:-no line cbmc: in $harness}" | grep -vE ': SUCCESS$' | tail -n 40
        echo "not ok $count - $name"
        failures=$((failures + 1))
    fi
done
echo "1..$count"
[ "$failures" = 0 ]
