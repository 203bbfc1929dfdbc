#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs fuzzers, each for some seconds: run.sh <seconds> <work folder> <program>...
# tests/fuzz/seeds/<name>/ holds what a target starts from, tests/fuzz/<name>.dict its words; what it learns stays in
# <work folder>/corpus/<name>. A program under planted/ has a defect that must be found. Prints TAP.
set -u

seconds=$1
work=$(mkdir -p "$2" && CDPATH='' cd -- "$2" && pwd)
shift 2
count=0
failures=0
for program in "$@"; do
    name=$(basename "$program" | sed 's/_fuzz$//')
    count=$((count + 1))
    corpus=$work/corpus/$name
    mkdir -p "$corpus" "$work/found"
    set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$work/found/$name-" -verbosity=0 \
        -print_final_stats=1
    [ ! -f "tests/fuzz/$name.dict" ] || set -- "$@" -dict="tests/fuzz/$name.dict"
    set -- "$@" "$corpus"
    [ ! -d "tests/fuzz/seeds/$name" ] || set -- "$@" "tests/fuzz/seeds/$name"
    echo "# $name, $seconds s" >&2
    "$program" "$@" >"$work/$name.log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
    case $program in
    */planted/*)
        [ $status != 0 ] && grep -q 'ERROR: AddressSanitizer' "$work/$name.log"
        status=$?
        what="$name: the planted defect is found"
        ;;
    *) what="$name: ${runs:-0} runs" ;;
    esac
    if [ $status = 0 ]; then
        echo "ok $count - $what"
    else
        tail -n 40 "$work/$name.log"
        echo "not ok $count - $what"
        failures=$((failures + 1))
    fi
done
echo "1..$count"
[ "$failures" = 0 ]
