#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One source under the analyzers: analyze.sh <source> <output file>, with CC, CLANG, TIDY and FLAGS (ours, without
# -Werror) in the environment. Writes every finding; an empty file is a clean source.
#
# Each analyzer that is missing on this machine is said to be missing.
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

# The taint and malloc states of gcc 12 do not see a clean-up attribute, so leaks and double frees are clang's and the
# sanitizers' to find.
# shellcheck disable=SC2086
run fanalyzer "$CC" $FLAGS -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-double-free -Wno-analyzer-use-after-free \
    -Wno-analyzer-file-leak -Wno-analyzer-fd-leak -c -o /dev/null "$source"
# shellcheck disable=SC2086
run scan-build "$CLANG" $CLANG_FLAGS --analyze -Xanalyzer -analyzer-output=text \
    -Xanalyzer -analyzer-disable-checker=unix.Malloc "$source"
# shellcheck disable=SC2086
run clang-tidy "$TIDY" --quiet "$source" -- $CLANG_FLAGS
# shellcheck disable=SC2086
run cppcheck cppcheck --quiet --std=c11 --inline-suppr --enable=warning,performance,portability --error-exitcode=0 \
    --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective --template='{file}:{line}: {severity}: {message} [{id}]' \
    -I. $CPP_FLAGS "$source"
sort -u "$output.new" >"$output"
rm -f "$output.new"
