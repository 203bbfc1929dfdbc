#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows that the sanitizer builds and valgrind stop at a defect: sanitizers.sh <work folder> [valgrind], with ASAN and TSAN
# (compiler and flags) in the environment. Prints TAP.
set -u

work=$1
mkdir -p "$work"
# shellcheck source=tests/lint/tap.sh
. "$(dirname -- "$0")/tap.sh"

stops() { # name, compiler and flags, message
    cat >"$work/$1.c"
    # shellcheck disable=SC2086
    $2 -Wno-error -pthread -o "$work/$1" "$work/$1.c" >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; verdict 1 "$1: built"; return; }
    # shellcheck disable=SC2086
    ! ${4:-} "$work/$1" >"$work/$1.log" 2>&1 && grep -q "$3" "$work/$1.log"
    verdict $? "$1 is found"
}

stops heap-overflow "$ASAN" 'heap-buffer-overflow\|insufficient space' <<'EOF'
#include <stdlib.h>
int main(int argc, char **argv) { (void)argv; volatile char *p = malloc(8); return p[7 + argc]; }
EOF
stops leak "$ASAN" 'LeakSanitizer' <<'EOF'
#include <stdlib.h>
int main(void) { volatile char *p = malloc(8); p[0] = 1; p = NULL; return 0; }
EOF
stops signed-overflow "$ASAN" 'signed integer overflow' <<'EOF'
int main(int argc, char **argv) { (void)argv; volatile int n = 2147483647; n = n + argc; return 0; }
EOF
stops data-race "$TSAN" 'data race' <<'EOF'
#include <pthread.h>
static int shared;
static void *race(void *unused) { (void)unused; for (int i = 0; i < 10000; i++) shared++; return NULL; }
int main(void) { pthread_t t; pthread_create(&t, NULL, race, NULL); race(NULL); pthread_join(t, NULL); return 0; }
EOF
if [ "${2:-}" = valgrind ]; then
    stops uninitialised "gcc -O0 -g" 'uninitialised' 'valgrind --error-exitcode=9' <<'EOF'
#include <stdlib.h>
#include <stdio.h>
int main(void) { char *p = malloc(8); if (p[3] == 1) puts("one"); free(p); return 0; }
EOF
fi
verdicts_end
