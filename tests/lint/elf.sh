#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads the hardening from what was built, not from the flags:
#   elf.sh <program or ""> <archive> <folder for trials> [<static program>...]
# Prints TAP. Each property is also looked for in a trial program that was built without it, and must be missed there.
#
# A linked program carries no mark of control-flow enforcement, because Debian 12's start-up objects carry none; our
# objects must.
set -u

program=$1
archive=$2
trials=$3
shift 3
lint=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cc=${CC:-gcc}
machine=$($cc -dumpmachine | cut -d- -f1)
strip=$machine-linux-gnu-strip # which knows the programs of its own processor alone
# shellcheck source=tests/lint/tap.sh
. "$lint/tap.sh"

headers() { readelf -lW "$1"; }
dynamic() { readelf -dW "$1"; }
symbols() { readelf --dyn-syms -W "$1"; }

is_pie() { readelf -hW "$1" | grep -q 'Type: *DYN' && dynamic "$1" | grep -q 'Flags:.*PIE'; }
has_relro() { headers "$1" | grep -q GNU_RELRO; }
binds_now() { dynamic "$1" | grep -qE 'BIND_NOW|Flags:.*NOW'; }
has_noexec_stack() { headers "$1" | grep GNU_STACK | grep -q ' RW '; }
has_no_rwx() { ! headers "$1" | grep -q ' RWE '; }
has_no_rpath() { ! dynamic "$1" | grep -qE 'R(UN)?PATH'; }
has_stack_protector() { symbols "$1" | grep -q __stack_chk_fail; }
has_fortify() { symbols "$1" | grep -qE ' __[a-z]+_chk(@|$| )'; }
links_wolfssl_in() { ! dynamic "$1" | grep -qE 'NEEDED.*(wolfssl|libssl|libcrypto)'; }
has_no_textrel() { ! dynamic "$1" | grep -q TEXTREL; }
# The recorder of tests/preload is for tests: nothing stands between the program and its disk.
records_nothing() {
    ! symbols "$1" | awk '$7 != "UND"' |
        grep -qE ' (p?writev?|p?writev?64|f(data)?sync|msync|ftruncate|rename|mdb_env_open)(@|$)'
}
# The programs of an appliance have nothing beside them. What a static program was asked for cannot be told from what the
# C library brought along, so for these two it is our objects that are looked at.
is_static() { is_pie "$1" && ! headers "$1" | grep -q INTERP && ! dynamic "$1" | grep -q NEEDED; }
asks_for_stack_protector() { readelf -sW "$1" 2>/dev/null | grep -q 'UND __stack_chk_fail'; }
asks_for_fortify() { readelf -sW "$1" 2>/dev/null | grep -qE 'UND __[a-z]+_chk$'; }
# 6 MiB: it was 5.0 when the limit was set. The root of a box has a program of it, and it is read at each start.
static_bytes_max=6291456
is_small() {
    "$strip" -o "$trials/stripped" "$1" && [ "$(wc -c <"$trials/stripped")" -le "${2:-$static_bytes_max}" ]
}
is_clean_text() { is_pie "$1" && has_no_textrel "$1"; }

# Objects of ours, each with the mark of its processor.
case $machine in
x86_64) mark='IBT, SHSTK' off=-fcf-protection=none ;;
aarch64) mark='BTI' off=-mbranch-protection=none ;;
*) mark= off= ;;
esac
objects_are_marked() {
    [ -n "$mark" ] || return 0
    readelf -nW "$1" 2>/dev/null | awk -v mark="$mark" '
        /^File: / { if (file != "" && !good) bad = bad " " file; file = $2; good = 0 }
        index($0, mark) { good = 1 }
        END { if (file != "" && !good) bad = bad " " file; if (bad != "") { print "# no mark:" bad; exit 1 } }'
}

# Variables in .data, .bss and their per-thread kin; constants with addresses in them lie in .data.rel.ro.
globals_are_listed() {
    objdump -tw "$1" 2>/dev/null | awk -v list="$lint/globals.txt" '
        BEGIN { while ((getline line < list) > 0) if (line !~ /^#/) { split(line, part, " "); known[part[2]] = 1 } }
        / (\.data|\.bss|\.tdata|\.tbss)(\.[a-z_.0-9]*)?\t/ && !/\.data\.rel\.ro/ && (/ O / || /\.t(data|bss)/) && $NF !~ /^[.$]/ {
            symbol = $NF
            sub(/\.[0-9]+$/, "", symbol)
            if (!(symbol in known)) { print "# not in tests/lint/globals.txt: " symbol; bad = 1 } }
        END { exit bad }'
}

mkdir -p "$trials"
cat >"$trials/good.c" <<'EOF'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[64];
    char copy[64];
    (void)argc;
    strcpy(text, argv[0]);
    snprintf(copy, sizeof(copy), "%s", text);
    return puts(copy) < 0;
}
EOF
good="-O2 -fPIE -pie -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
 -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code"

trial() { # name, more flags, check: the check must refuse the trial and accept the same program without the flags
    # shellcheck disable=SC2086
    $cc $good "$trials/good.c" -o "$trials/good" 2>"$trials/log" &&
        $cc $good $2 "$trials/good.c" -o "$trials/$1" 2>>"$trials/log" || { cat "$trials/log"; verdict 1 "$3: trial built"; return; }
    "$3" "$trials/good" && ! "$3" "$trials/$1"
    verdict $? "$3 misses it in a program built with $2"
}

trial no_pie '-no-pie -fno-pie' is_clean_text
trial no_relro '-Wl,-z,norelro' has_relro
trial lazy '-Wl,-z,lazy' binds_now
trial exec_stack '-Wl,-z,execstack' has_noexec_stack
trial rpath '-Wl,-rpath,/tmp' has_no_rpath
trial no_protector '-fno-stack-protector' has_stack_protector
trial no_fortify '-U_FORTIFY_SOURCE' has_fortify
: >"$trials/empty.c"
$cc -shared -fPIC "$trials/empty.c" -o "$trials/libwolfssl.so"
trial shared_wolfssl "-L$trials -Wl,--no-as-needed -lwolfssl" links_wolfssl_in
printf '__asm__(".section .both,\\"awx\\",@progbits\\n.byte 0\\n.text");\n' | cat - "$trials/good.c" >"$trials/both.c"
# shellcheck disable=SC2086
$cc $good "$trials/both.c" -o "$trials/both" 2>"$trials/log"
[ -x "$trials/both" ] && ! has_no_rwx "$trials/both" && has_no_rwx "$trials/good"
verdict $? "has_no_rwx misses it in a program with a section to write and run"

printf 'int rename(const char *from, const char *to)\n{\n    return from == to;\n}\n' | cat "$trials/good.c" - >"$trials/between.c"
# shellcheck disable=SC2086
$cc $good -rdynamic "$trials/between.c" -o "$trials/between" 2>"$trials/log"
[ -x "$trials/between" ] && ! records_nothing "$trials/between" && records_nothing "$trials/good"
verdict $? "records_nothing misses it in a program that stands between"

printf 'int counter;\nint count(void);\nint count(void)\n{\n    return ++counter;\n}\n' >"$trials/global.c"
# shellcheck disable=SC2086
$cc -O2 -fPIE $off -c "$trials/global.c" -o "$trials/global.o" && ar rcsD "$trials/global.a" "$trials/global.o"
! globals_are_listed "$trials/global.a" >/dev/null
verdict $? "globals_are_listed misses it in an object with a counter"
if [ -n "$mark" ]; then
    ! objects_are_marked "$trials/global.a" >/dev/null
    verdict $? "objects_are_marked misses it in an object built with $off"
fi

# shellcheck disable=SC2086
$cc ${good% -pie*} -static-pie ${good#* -pie} "$trials/good.c" -o "$trials/static" 2>"$trials/log"
is_static "$trials/static" && ! is_static "$trials/good"
verdict $? "is_static misses it in a program with a loader"
is_small "$trials/static" && ! is_small "$trials/static" 4096
verdict $? "is_small misses it in a program of more than 4096 bytes"
# shellcheck disable=SC2086
$cc $good -c "$trials/good.c" -o "$trials/good.o" &&
    $cc $good -fno-stack-protector -U_FORTIFY_SOURCE -c "$trials/good.c" -o "$trials/soft.o"
asks_for_stack_protector "$trials/good.o" && ! asks_for_stack_protector "$trials/soft.o"
verdict $? "asks_for_stack_protector misses it in an object without"
asks_for_fortify "$trials/good.o" && ! asks_for_fortify "$trials/soft.o"
verdict $? "asks_for_fortify misses it in an object without"

for check in asks_for_stack_protector asks_for_fortify; do
    "$check" "$archive"
    verdict $? "our objects: $check"
done
globals_are_listed "$archive"
verdict $? "only the listed variables outlive a function"
objects_are_marked "$archive"
verdict $? "every object carries the mark of control-flow enforcement"
if [ -n "$program" ]; then
    for check in is_clean_text has_relro binds_now has_noexec_stack has_no_rwx has_no_rpath \
        has_stack_protector has_fortify links_wolfssl_in records_nothing; do
        "$check" "$program"
        verdict $? "rowlock: $check"
    done
fi
for static in "$@"; do
    for check in is_static is_small is_clean_text has_relro binds_now has_noexec_stack has_no_rwx has_no_rpath; do
        "$check" "$static"
        verdict $? "$(basename "$static"), static: $check"
    done
done
verdicts_end
