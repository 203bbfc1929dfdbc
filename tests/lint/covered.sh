#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Is every line and every branch of a folder run by the tests: covered.sh <lcov info file> <folder>. Lists what is not, and
# fails then; also when the folder has nothing in the file. A branch that no test takes is a rule nobody has shown to work.
awk -F: -v folder="$2/" '
    /^SF:/ { file = ""; at = index($2, folder); if (at > 0) file = substr($2, at) }
    file == "" { next }
    /^DA:/ { split($2, part, ","); lines++; if (part[2] == 0) { print file ":" part[1] ": the line is not run"; bad = 1 } }
    /^BRDA:/ {
        split($2, part, ",")
        branches++
        if (part[4] == "-" || part[4] == 0) { print file ":" part[1] ": branch " part[3] " is not taken"; bad = 1 }
    }
    END {
        print folder ": " lines + 0 " lines, " branches + 0 " branches"
        exit bad || lines == 0 || branches == 0
    }' "$1"
