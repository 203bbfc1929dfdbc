#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Functions that nothing in the product calls: unused.sh <archive> <main.o or ""> <folder for trials>. Prints TAP.
#
# A function is unused when no other object refers to it, and its name stands once only in the sources without their
# comments: in its own definition. The second half is for what its own file calls or lists in a table, which the
# compiler has made invisible. So a name that some other thing has too hides a function here; it does not accuse one.
set -u

archive=$1
main=$2
trials=$3
lint=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cc=${CC:-gcc}
# shellcheck source=tests/lint/tap.sh
. "$lint/tap.sh"

defined() { nm -g --defined-only "$@" 2>/dev/null | awk 'NF == 3 && $2 == "T" { print $3 }' | sort -u; }
wanted() { nm -u "$@" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u; }

# Each name and how often it stands in the sources; the tag of a struct is not the name of a function.
names() { # root
    (cd "$1" && for folder in hal board crypto storage net firmware; do
        [ ! -d "$folder" ] || find "$folder" -name '*.c' -exec cat {} +
    done) | $cc -fpreprocessed -dD -E -P -w - | awk '
        { gsub(/"([^"\\]|\\.)*"/, ""); gsub(/(struct|enum|union) +[A-Za-z_0-9]+/, ""); gsub(/[^A-Za-z_0-9]+/, " ")
          for (i = 1; i <= NF; i++) seen[$i]++ }
        END { for (name in seen) print name, seen[name] }'
}

unused() { # root, objects and archives...
    root=$1
    shift
    wanted "$@" >"$trials/wanted"
    names "$root" >"$trials/names"
    defined "$@" | awk -v wanted="$trials/wanted" -v names="$trials/names" '
        BEGIN { while ((getline line < wanted) > 0) used[line] = 1
                while ((getline line < names) > 0) { split(line, part, " "); times[part[1]] = part[2] } }
        $1 != "main" && !($1 in used) && times[$1] < 2'
}

mkdir -p "$trials/tree/net"
cat >"$trials/tree/net/a.c" <<'EOF'
int called_elsewhere(void) { return 1; }
int called_here(void) { return 2; }
int in_a_table(void) { return called_here(); }
int (*const table[])(void) = {in_a_table};
/* never_called is named in a comment and in a text, and is the tag of a struct */
struct never_called { const char *name; } named = {"never_called"};
int never_called(void) { return 3; }
EOF
printf 'int called_elsewhere(void);\nint main(void)\n{\n    return called_elsewhere();\n}\n' >"$trials/tree/net/b.c"
$cc -w -O2 -c "$trials/tree/net/a.c" -o "$trials/a.o" && $cc -w -O2 -c "$trials/tree/net/b.c" -o "$trials/b.o"
[ "$(unused "$trials/tree" "$trials/a.o" "$trials/b.o")" = never_called ]
verdict $? "the function planted among others that are called is found, and no other"

sed -n 's/^\([A-Za-z0-9_]*\) | .*/\1/p' "$lint/unused.txt" | sort >"$trials/known"
# shellcheck disable=SC2086
unused "$lint/../.." "$archive" $main | sort >"$trials/found"
defined "$archive" | grep -q .
verdict $? "the archive was read"
comm -23 "$trials/found" "$trials/known" | sed 's/^/# nothing but tests calls /' | tee "$trials/new"
[ ! -s "$trials/new" ]
verdict $? "every function of the product is called by the product, or listed with a reason"
comm -13 "$trials/found" "$trials/known" | sed 's/^/# in unused.txt and not unused: /' | tee "$trials/old"
[ ! -s "$trials/old" ]
verdict $? "the list names only functions that are unused"
verdicts_end
