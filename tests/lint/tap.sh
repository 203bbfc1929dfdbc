# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# TAP for the checks of this folder. Sourced.

count=0
failures=0

verdict() { # status, name
    count=$((count + 1))
    if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failures=$((failures + 1)); fi
}

verdicts_end() { # the plan, and the status of the whole
    echo "1..$count"
    [ "$failures" = 0 ]
}
