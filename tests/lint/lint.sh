#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Holds a tree against style.md: lint.sh [root]. Prints `path:line: rule: why` for each finding, else nothing.
set -eu

lint=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "${1:-$lint/../..}"

files() { # extensions of the sources, without what is planted
    for folder in hal board crypto storage net firmware tests; do
        [ ! -d "$folder" ] || find "$folder" -path tests/lint/planted -prune -o -type f "$@" -print
    done | LC_ALL=C sort
}

sources=$(files \( -name '*.c' -o -name '*.h' \))
if [ -n "$sources" ]; then
    # shellcheck disable=SC2086
    awk -f "$lint/layers.awk" -v root=. $sources
    # shellcheck disable=SC2086
    awk -f "$lint/rules.awk" -v tables="$lint" $sources
fi
for file in $(files \( -name '*.c' -o -name '*.h' -o -name '*.py' -o -name '*.sh' -o -name run -o -name '*.ts' -o -name '*.tsx' \)); do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' ||
        echo "$file:1: spdx: the licence line is missing"
done
for file in $(files -name Kconfig); do
    # Every option an administrator can reach says what it costs.
    awk '/^config / { name = $2; prompt = help = 0 }
         /^\t(bool|int|hex|string) "/ { prompt = 1 }
         /^\tint "/ && !/\(/ { print FILENAME ":" FNR ": kconfig: " name " has no unit" }
         /^\thelp/ { help = 1 }
         /^(config|menu|endmenu|if|endif|source)/ && last != "" && last_prompt && !last_help {
             print FILENAME ":" FNR ": kconfig: " last " has no help" }
         { last = name; last_prompt = prompt; last_help = help }' "$file"
done
