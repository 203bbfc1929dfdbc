#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the build promises: build.sh <folder for trials> <flags of release> <flags of the sanitizers> <wolfSSL's folder>.
# Targets, what a run of tests says, configuration, flags, dependencies. Prints TAP. Nothing is installed, fetched or compiled: the package client
# is one of ours that writes down what it is asked for.
set -u

trials=$1
release=$2
sanitizers=$3
wolfssl=$4
lint=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=tests/lint/tap.sh
. "$lint/tap.sh"
cd "$lint/../.." || exit 1

rm -rf "$trials"
mkdir -p "$trials"
trials=$(CDPATH='' cd -- "$trials" && pwd)
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES # those of the make that runs this

# --- targets -----------------------------------------------------------------------------------------------------------

make O="$trials/none" help >"$trials/help"
for target in deps config menuconfig build run test check check-all bench proof fuzz cover analyze format lint install clean; do
    grep -q "^$target:" Makefile && grep -qE "(^|[ ;,])$target([ ;,:]|$)" "$trials/help"
    verdict $? "make $target is there, and make help names it"
done

# What make would do, with the make that it would call replaced by one that does nothing. -n prints the commands.
steps() { # target, patterns in the order in which they must come
    make -n O="$trials/none" MAKE=: "$1" >"$trials/steps"
    shift
    for pattern; do grep -nm 1 -e "$pattern" "$trials/steps" | cut -d: -f1; done >"$trials/order"
    [ "$(wc -l <"$trials/order")" = $# ] && sort -n -c "$trials/order" 2>/dev/null
}
steps run board/deps/packages.sh 'third_party.sh wolfssl' '^: build' 'none/host/release/rowlock board/host/run$'
verdict $? "make run takes the dependencies, builds, and starts what it built"
steps check board/deps/packages.sh 'third_party.sh wolfssl' '^: check-built'
verdict $? "make check takes the dependencies before it builds"

# --- what a run says -----------------------------------------------------------------------------------------------------

says() { # lines of a program of tests; the run's own words are in $trials/log
    printf '#!/bin/sh\necho "%s"\n' "$1" >"$trials/program"
    chmod +x "$trials/program"
    /usr/bin/python3 tests/run.py --programs "$trials/program" >"$trials/log" 2>&1
}
says 'ok 1 - a
# left out: no cable
not ok 2 # SKIP b
ok 3 - c # SKIP no disk' && grep -q 'LEFT OUT b: no cable$' "$trials/log" && grep -q 'LEFT OUT c: no disk$' "$trials/log" &&
    grep -q '^2 left out' "$trials/log" && [ "$(tail -n 1 "$trials/log")" = '1 passed, 0 failed' ]
verdict $? "a run tells which tests were left out and why"
! says '# left out: no cable
not ok 1 # SKIP a
not ok 2 # SKIP b' && grep -q 'LEFT OUT b: without a reason' "$trials/log" && [ "$(tail -n 1 "$trials/log")" = '0 passed, 1 failed' ]
verdict $? "a test that is left out without a reason counts as failed"

# --- configuration -----------------------------------------------------------------------------------------------------

box=$trials/config
config=$box/host/config
header=$box/host/include/generated/kconfig.h
quietly() { "$@" >"$trials/log" 2>&1; }
# The stamp goes, because two files of one tick of the clock are as old as each other.
configure() { # line: the whole configuration
    printf '%s\n' "$1" >"$config"
    rm -f "$box/host/config.stamp"
}
is() { grep -q "^#define $1 $2\$" "$header"; }

quietly make O="$box" config && is CONFIG_HAL_TPM_TIMEOUT_MS 10000 && is CONFIG_HAL_LOCKED_MEMORY 1 && [ ! -s "$config" ]
verdict $? "make config takes the defaults and writes down none of them"
for option in $(cat Kconfig ./*/Kconfig board/host/Kconfig | sed -n 's/^config //p'); do
    grep -q "^#define CONFIG_$option " "$header" || echo "# not in the header: $option"
done >"$trials/absent"
cat "$trials/absent"
[ ! -s "$trials/absent" ]
verdict $? "the header has every option"
configure 'CONFIG_HAL_TPM_PCRS=0x10000
# CONFIG_HAL_LOCKED_MEMORY is not set'
quietly make O="$box" config && is CONFIG_HAL_TPM_PCRS 0x10000u && is CONFIG_HAL_LOCKED_MEMORY 0
verdict $? "make config takes what the configuration says"
quietly make O="$box" host_defconfig && is CONFIG_HAL_TPM_PCRS 0x0u && is CONFIG_HAL_LOCKED_MEMORY 1 && [ ! -s "$config" ]
verdict $? "make host_defconfig starts from the board again"

refuses() { # line, what it is
    configure "$1"
    cp "$header" "$trials/header"
    ! quietly make O="$box" config && grep -q 'refused, nothing was written' "$trials/log" &&
        [ "$(cat "$config")" = "$1" ] && cmp -s "$header" "$trials/header"
    verdict $? "make config refuses $2 and leaves it as it is"
}
refuses CONFIG_HAL_TPM_TIMEOUT_MS=7 'a number outside its range'
refuses CONFIG_HAL_TPM_PCRS=0x1000000 'a PCR that no TPM has'
refuses CONFIG_HAL_LOCKED_MEMORI=y 'an option that is none'
refuses CONFIG_HAL_LOCKED_MEMORY=perhaps 'a value that is none'
refuses 'HAL_TPM_PCRS = 16' 'a line that is none'
rm -f "$config"
! quietly make O="$box" menuconfig </dev/null && grep -q 'the menu needs a terminal' "$trials/log" && ! grep -q Traceback "$trials/log"
verdict $? "make menuconfig without a terminal says so"
printf q | TERM=xterm script -qec "make O='$box' menuconfig" /dev/null >"$trials/log" 2>&1
grep -q Hardware "$trials/log" && grep -q 'No changes' "$trials/log" && [ -f "$config" ]
verdict $? "make menuconfig shows the menu in a terminal"

mkdir -p "$box/host/data/db" "$box/host/data.tpm" "$box/host/release" "$box/clang/host/asan" "$box/deps/wolfssl"
quietly make O="$box" clean
[ -d "$box/host/data/db" ] && [ -d "$box/host/data.tpm" ] && [ "$(find "$box/host" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ] &&
    [ ! -e "$box/clang/host" ] && [ -d "$box/deps/wolfssl" ]
verdict $? "make clean removes what was built and keeps the box"

# --- flags -------------------------------------------------------------------------------------------------------------

# Every one of flags.txt, as far as this compiler knows it: (g) marks those that clang lacks, (c) those that gcc lacks.
kind=g
case $("${CC:-gcc}" --version | head -n 1) in *clang*) kind=c ;; esac
lacks() { # file: prints the flags of the list that are not in it, and those that would take one back
    for flag in $(sed -e 's/#.*//' "$lint/flags.txt" | awk -v kind=$kind -v arch="$(uname -m)" \
        'NF && ($2 == "" || $2 == "(" kind ")" || $2 == "(" arch ")") { print $1 }'); do
        tr ' ' '\n' <"$1" | grep -qxF -- "$flag" || echo "# missing: $flag"
    done
    tr ' ' '\n' <"$1" | grep -E '^-(w|Wno-.*|fno-stack-protector|O0|fpermissive)$' | sed 's/^/# against it: /'
}
missing=$(lacks "$release")
[ -z "$missing" ] || printf '%s\n' "$missing"
[ -z "$missing" ]
verdict $? "the release is built with every flag of flags.txt and none that takes one back"
sed 's/ -Wconversion / /' "$release" >"$trials/weak"
sed 's/$/ -Wno-vla/' "$release" >"$trials/taken"
[ "$(lacks "$trials/weak")" = '# missing: -Wconversion' ] && [ "$(lacks "$trials/taken")" = '# against it: -Wno-vla' ]
verdict $? "a flag that is missing or taken back is found"
if [ $kind = g ]; then
    grep -q -- '-ftrivial-auto-var-init=zero' "$release" && grep -q -- '-ftrivial-auto-var-init=pattern' "$sanitizers"
    verdict $? "no test passes thanks to the zeros that a release has"
fi

# --- packages ----------------------------------------------------------------------------------------------------------

# Commands of ours in the place of the system's; each call of the package client is a line of $trials/calls.
fake=$trials/bin
mkdir -p "$fake"
for tool in sh sed awk cat cut dirname env find flock grep head id mkdir mktemp rm sha256sum sort tail tr uname dpkg printf ls; do
    ln -s "$(command -v "$tool")" "$fake/$tool" 2>/dev/null
done
cat >"$fake/dpkg-query" <<'END'
#!/bin/sh
for package; do :; done
case $package in there*) echo installed ;; *) exit 1 ;; esac
END
printf '#!/bin/sh\necho "apt-get $*" >>"%s/calls"\n' "$trials" >"$fake/apt-get"
printf '#!/bin/sh\necho "${fake_uid:-0}"\n' >"$fake/own-id"
rm -f "$fake/id"
mv "$fake/own-id" "$fake/id"
chmod +x "$fake/dpkg-query" "$fake/apt-get" "$fake/id"
packages() { # words of a list
    : >"$trials/calls"
    printf '# a list\n%s\n' "$1" >"$trials/list"
    PATH=$fake board/deps/packages.sh "$trials/list" >"$trials/log" 2>&1
}

packages 'there-1
there-2 # for a reason' && [ ! -s "$trials/calls" ]
verdict $? "with every package installed the package client is not even asked"
packages 'there-1
lacking' && grep -q 'install .* lacking$' "$trials/calls" && ! grep -q there- "$trials/calls"
verdict $? "only the package that is missing is installed"
export fake_uid=1000
! packages lacking && grep -q 'missing and no sudo to install them: lacking' "$trials/log" && [ ! -s "$trials/calls" ]
verdict $? "a user without sudo is told what is missing"
packages there-1
verdict $? "and needs none when nothing is"
printf '#!/bin/sh\nexec "$@"\n' >"$fake/sudo"
chmod +x "$fake/sudo"
packages lacking && grep -q 'install .* lacking$' "$trials/calls"
verdict $? "a user with sudo installs by it"

# --- wolfSSL -----------------------------------------------------------------------------------------------------------

# A suite that offers $offer, and hands out a tarball that is not the recorded one.
cat >"$fake/apt-get" <<'END'
#!/bin/sh
for word; do
    case $word in
    indextargets) echo "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) http://mirror.invalid" ;;
    source) cat "${fake_tarball:-/dev/null}" >"wolfssl_${fake_offer%-*}.orig.tar.gz" ;;
    esac
done
END
printf '#!/bin/sh\necho "Version: %s"\n' '$fake_offer' | sed "s/'//g" >"$fake/apt-cache"
chmod +x "$fake/apt-get" "$fake/apt-cache"
third_party() { # version on offer
    rm -rf "$trials/deps"
    fake_offer=$1 PATH=$fake board/deps/third_party.sh wolfssl "$trials/deps" >"$trials/log" 2>&1
}
floor=$(sed -n 's/^floor=//p' board/deps/wolfssl.dep)
recorded=$(sed -n 's/^version=//p' board/deps/wolfssl.dep)

[ "$floor" = 5.9.1 ] && dpkg --compare-versions "$recorded" ge "$floor" &&
    dpkg --compare-versions "$(sed -n 's/^version=//p' "$wolfssl/taken")" ge "$floor"
verdict $? "the wolfSSL that was taken is not older than the floor, 5.9.1"
! third_party 5.9.0-3 && grep -q 'offers 5.9.0' "$trials/log" && [ ! -e "$trials/deps/wolfssl" ]
verdict $? "a wolfSSL older than the floor is not taken, even from a signed index"
! third_party "$recorded-1" && grep -q 'has SHA-256 .* records' "$trials/log" && [ ! -e "$trials/deps/wolfssl" ]
verdict $? "the recorded version with other bytes is not taken"

# A newer one: its "source" configures and installs nothing but what third_party.sh looks for, so all of it is gone through.
for tool in tar make cp mv; do ln -s "$(command -v "$tool")" "$fake/$tool"; done
newer=$trials/wolfssl-99.0.0
mkdir -p "$newer/wolfssl"
: >"$newer/wolfssl/internal.h"
cat >"$newer/configure" <<'END'
#!/bin/sh
for word; do case $word in --prefix=*) prefix=${word#--prefix=} ;; esac; done
printf 'all:\ninstall:\n\tmkdir -p %s/include/wolfssl\n\techo "#define WOLFSSL_PQC_HYBRIDS" >%s/include/wolfssl/options.h\n' \
    "$prefix" "$prefix" >Makefile
END
chmod +x "$newer/configure"
export fake_tarball="$trials/newer.tar"
tar -cf "$fake_tarball" -C "$trials" wolfssl-99.0.0
third_party 99.0.0-1 && grep -qF "$(printf '*** deps: took wolfssl 99.0.0 from the signed index of sid; wolfssl.dep records %s. SHA-256 %s' \
    "$recorded" "$(sha256sum <"$fake_tarball" | cut -d' ' -f1)")" "$trials/log"
verdict $? "a newer wolfSSL of the signed index is taken, and said so loudly"
grep -qx 'version=99.0.0' "$trials/deps/wolfssl/taken" && grep -qx 'verified=signed index of sid' "$trials/deps/wolfssl/taken" &&
    grep -qF 'WOLFSSL_TAKEN_VERSION "99.0.0"' "$trials/deps/wolfssl/include/generated/wolfssl_taken.h"
verdict $? "and the program is told which one it was"

older=$trials/older
mkdir -p "$older/wolfssl"
sed 's/^\(#define LIBWOLFSSL_VERSION_HEX\) .*/\1 0x05009000/' "$wolfssl/include/wolfssl/version.h" >"$older/wolfssl/version.h"
quietly make O="$trials/floor" config
compiles() { # more words for the compiler
    "${CC:-gcc}" -std=c17 -D_POSIX_C_SOURCE=200809L -fsyntax-only "$@" -I. -I"$trials/floor/host/include" \
        -isystem "$wolfssl/include" crypto/wolf_start.c >"$trials/log" 2>&1
}
compiles && ! compiles "-I$older" && grep -q 'wolfSSL is older than its floor' "$trials/log"
verdict $? "headers of a wolfSSL older than the floor do not compile"

options=$wolfssl/include/wolfssl/options.h
has() { for option; do grep -qE "^#define $option( |\$)" "$options" || { echo "# off: $option"; return 1; }; done; }
has_not() { for option; do ! grep -qE "^#define $option( |\$)" "$options" || { echo "# on: $option"; return 1; }; done; }
has WOLFSSL_TLS13 NO_OLD_TLS WOLFSSL_HARDEN_TLS && has_not WOLFSSL_ALLOW_TLSV10 WOLFSSL_ALLOW_SSLV3 WOLFSSL_NO_TLS12 WOLFSSL_DTLS
verdict $? "wolfSSL speaks TLS 1.3 and 1.2 only"
has WOLFSSL_HAVE_MLKEM WOLFSSL_PQC_HYBRIDS HAVE_CURVE25519 HAVE_ECC384 && has WOLFSSL_ASYNC_CRYPT HAVE_PK_CALLBACKS && has HAVE_HPKE HAVE_HKDF
verdict $? "wolfSSL has the ML-KEM hybrids, asynchronous signing and HPKE"
has_not WOLFSSL_EARLY_DATA HAVE_SECURE_RENEGOTIATION
verdict $? "wolfSSL takes no early data and does not renegotiate"
has_not OPENSSL_EXTRA OPENSSL_EXTRA_X509_SMALL OPENSSL_ALL WOLFSSL_SYS_CA_CERTS && has NO_MD4 NO_MD5 NO_RC4 NO_DES3 NO_DSA NO_DH
verdict $? "wolfSSL has no OpenSSL layer and no old primitives"
[ "$(uname -m)" != x86_64 ] || has WOLFSSL_AESNI USE_INTEL_SPEEDUP WOLFSSL_SP_X86_64_ASM
verdict $? "wolfSSL has the assembly that it chooses at run time"
[ -f "$wolfssl/lib/libwolfssl.a" ] && [ -z "$(find "$wolfssl/lib" -name '*.so*')" ]
verdict $? "wolfSSL is there to be linked statically and in no other way"
verdicts_end
