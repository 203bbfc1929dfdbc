#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One source under the analyzers: analyze.sh <source> <output file>, with CC, CLANG, TIDY and FLAGS (ours, without
# -Werror) in the environment. Writes every finding; an empty file is a clean source.
#
# Each analyzer that is missing on this machine is said to be missing. A finding is silenced for all of them by a comment
# on its line that gives the reason, `analyzer: why it cannot happen`, or by a line of tests/lint/analyzer.txt.
set -u

source=$1
output=$2
: >"$output.new"

run() { # name, command...
    name=$1
    shift
    command -v "$1" >/dev/null || { echo "SKIPPED: $1 is not installed" >&2; return; }
    "$@" 2>&1 | grep -E '(warning|error|style|performance|portability):' | sed "s/^/$name: /" >>"$output.new"
}

# Neither gcc 12 nor clang 14 sees a clean-up attribute: leaks and double frees are the sanitizers' to find, and a store
# that only the clean-up reads is not dead.
# shellcheck disable=SC2086
run fanalyzer "$CC" $FLAGS -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-double-free -Wno-analyzer-use-after-free \
    -Wno-analyzer-file-leak -Wno-analyzer-fd-leak -c -o /dev/null "$source"
# shellcheck disable=SC2086
run scan-build "$CLANG" $CLANG_FLAGS --analyze -Xanalyzer -analyzer-output=text \
    -Xanalyzer -analyzer-disable-checker=unix.Malloc,deadcode.DeadStores "$source"
# shellcheck disable=SC2086
run clang-tidy "$TIDY" --quiet "$source" -- $CLANG_FLAGS
# shellcheck disable=SC2086
run cppcheck cppcheck --quiet --std=c11 --inline-suppr --enable=warning,performance,portability --error-exitcode=0 \
    --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective --template='{file}:{line}: {severity}: {message} [{id}]' \
    -I. $CPP_FLAGS "$source"
sort -u "$output.new" | sed "s|$PWD/||g" | while IFS= read -r finding; do
    place=$(printf '%s\n' "$finding" | sed -n 's/^[a-z-]*: \([^: ]*\):\([0-9]*\):.*/\1 \2/p')
    line=${place#* }
    [ -n "$place" ] && sed -n "${line}p" "${place% *}" 2>/dev/null | grep -q 'analyzer: ' || printf '%s\n' "$finding"
done | awk -v list=tests/lint/analyzer.txt '
    BEGIN { while ((getline line < list) > 0) if (line !~ /^#/) { n++; split(line, part, / [|] /)
                file[n] = part[1]; text[n] = part[2] } }
    { for (i = 1; i <= n; i++) if (index($0, " " file[i] ":") && index($0, text[i])) next; print }' >"$output"
rm -f "$output.new"
