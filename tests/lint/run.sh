#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The lint, as tests: the tree has no finding, and each rule finds the defect planted for it in
# tests/lint/planted/<rule>/ (a small tree of its own; that of file-length is made here) and nothing else there. Prints TAP.
set -u

lint=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=tests/lint/tap.sh
. "$lint/tap.sh"

rules=$(sed -n 's/^\([a-z][a-z0-9-]*\)+\{0,1\} *|.*/\1/p' "$lint/rules.txt")
rules="$rules layers file-length function-length parameters ifdef reveal todo spdx kconfig"

findings=$("$lint/lint.sh" 2>&1)
[ -z "$findings" ] || printf '%s\n' "$findings"
for rule in $rules; do
    ! printf '%s\n' "$findings" | grep -q "^[^ ]*: $rule: "
    verdict $? "the tree obeys $rule"
done
# What is no finding at all (an awk that stops, say) must not pass for a clean tree.
! printf '%s\n' "$findings" | grep -v '^$' | grep -qvE '^[^ ]+:[0-9]+: [a-z0-9-]+: '
verdict $? "the lint itself ran without an error"

# Too long to be kept: one line more than a file may have, made for this run. The tree of a rule: where its defect is.
long=$(mktemp -d)
trap 'rm -rf "$long"' EXIT
mkdir "$long/net"
awk 'BEGIN { print "/* SPDX-License-Identifier: GPL-3.0-or-later */"; for (i = 2; i <= 601; i++) print "int x;" }' >"$long/net/http.c"
tree() { if [ "$1" = file-length ]; then echo "$long"; else echo "$lint/planted/$1"; fi; }

for rule in $rules; do
    planted=$("$lint/lint.sh" "$(tree "$rule")" 2>&1)
    wanted=$(cat "$lint/planted/$rule/findings" 2>/dev/null || echo 1)
    found=$(printf '%s\n' "$planted" | grep -c "^[^ ]*: $rule: ")
    others=$(printf '%s\n' "$planted" | grep -v '^$' | grep -vc "^[^ ]*: $rule: ")
    [ "$found" = "$wanted" ] && [ "$others" = 0 ]
    status=$?
    [ $status = 0 ] || printf '# %s: %s findings of %s, %s others\n%s\n' "$rule" "$found" "$wanted" "$others" "$planted"
    verdict $status "the defect planted for $rule is found"
done
verdicts_end
