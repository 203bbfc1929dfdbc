#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes images again, with other keys, for other boards, of other sizes, elsewhere: again.sh <what build.sh was given> <image that it
# made of it> <folder for trials>. Prints TAP.
set -u

# shellcheck source=tests/image/image.inc.sh
. "$(dirname -- "$0")/image.inc.sh"

build() { quietly "$tools/build.sh" "$1"; }
says() { grep -q -- "$1" "$log" || { sed 's/^/# /' "$log"; return 1; }; }

# --- keys -----------------------------------------------------------------------------------------------------------------

# A tree of its own with a board for boxes: the scripts take boards and published keys from beside themselves.
box=$trials/tree
mkdir -p "$box/board/box"
cp -r board/image board/deps board/keys "$box/board"
sed -e 's/^BOARD_TEST_KEYS=.*/BOARD_TEST_KEYS=no/' -e 's/^BOARD_DIRECT_KERNEL=.*/BOARD_DIRECT_KERNEL=no/' \
    "board/$BOARD/image.conf" >"$box/board/box/image.conf"
build_box() { (export BOARD=box KEYS="$1" && quietly "$box/board/image/build.sh" "$trials/boxed"); }

! build_box "$keys" && says 'holds TEST keys' && [ ! -e "$trials/boxed" ]
verdict $? "a board for boxes refuses the published keys"
cp -r "$keys" "$trials/renamed"
! build_box "$trials/renamed" && says 'holds TEST keys'
verdict $? "also as a copy in another folder"
quietly "$tools/keys.sh" "$trials/own"
verdict $? "make keys makes keys"
for name in pk kek db policy update; do
    cp -r "$trials/own" "$trials/mixed"
    cp "$keys/$name".* "$trials/mixed/"
    ! build_box "$trials/mixed" && says 'holds TEST keys'
    verdict $? "also when only $name is one of them"
    rm -rf "$trials/mixed"
done
sed -i 's/^BOARD_DIRECT_KERNEL=.*/BOARD_DIRECT_KERNEL=yes/' "$box/board/box/image.conf"
! build_box "$trials/own" && says 'a kernel that nothing measured'
status=$?
sed -i 's/^BOARD_DIRECT_KERNEL=.*/BOARD_DIRECT_KERNEL=no/' "$box/board/box/image.conf"
verdict $status "and an image.conf that would allow one is refused"
cp -r "$trials/own" "$trials/mixed"
cp "$keys/db.key" "$trials/mixed/db.key"
! build_box "$trials/mixed" && says 'db.key is not the key of db.crt'
verdict $? "a key that is not the one of its certificate is refused"
cp "$trials/own/db.key" "$trials/mixed/db.key"
rm "$trials/mixed/update.pub"
! build_box "$trials/mixed" && says 'update.pub is missing'
verdict $? "a folder that lacks a key is refused"
sum=$(cat "$trials/own"/* | sha256sum)
! quietly "$tools/keys.sh" "$trials/own" && [ "$(cat "$trials/own"/* | sha256sum)" = "$sum" ]
verdict $? "make keys writes over no key"
[ "$(find "$trials/own" -name '*.key' -perm 600 | wc -l)" = 5 ]
verdict $? "the secret keys are for their owner's eyes"

# RFC 6979 section A.2.5, SHA-256, "sample".
/usr/bin/python3 - "$trials/vector.key" <<'END'
import sys
from pathlib import Path
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
Path(sys.argv[1]).write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
END
[ "$(printf sample | "$tools/signing.py" p256 "$trials/vector.key" | xxd -p -c 64)" = \
    efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8 ]
verdict $? "a signature on P-256 is the one of RFC 6979"

# A token in software, with the same keys as the folder `own`.
export SOFTHSM2_CONF="$trials/softhsm2.conf"
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
export PKCS11_MODULE_PATH="$module"
mkdir "$trials/tokens"
echo "directories.tokendir = $trials/tokens" >"$SOFTHSM2_CONF"
quietly softhsm2-util --init-token --free --label vendor --so-pin 0000 --pin 1234
id=1
for name in pk kek db policy update; do
    openssl pkcs8 -topk8 -nocrypt -in "$trials/own/$name.key" -out "$trials/pkcs8" &&
        quietly softhsm2-util --import "$trials/pkcs8" --token vendor --label $name --id 0$id --pin 1234
    id=$((id + 1))
done
cp -r "$trials/own" "$trials/token"
for name in pk kek db policy update; do
    echo "pkcs11:token=vendor;object=$name;type=private?pin-value=1234" >"$trials/token/$name.key"
done
build_box "$trials/token" && is_signed "$trials/boxed/rowlock.efi" "$trials/own/db.crt" &&
    ! is_signed "$trials/boxed/rowlock.efi" "$keys/db.crt"
verdict $? "with keys of its own, behind PKCS#11 URIs, a board for boxes is built, and signed by them"
for name in rowlock boot; do
    quietly "$tools/authenticode.py" "$trials/own/db.key" "$trials/own/db.crt" "$trials/boxed/$name.efi" "$trials/by-file" &&
        cmp -s "$trials/by-file" "$trials/boxed/$name.efi"
    verdict $? "a token and a file with the same key sign the same $name.efi"
done
verifies() { # a text of the vendor's, the public key
    quietly /usr/bin/python3 "$trials/verify.py" "$1" "$2"
}
cat >"$trials/verify.py" <<'END'
import sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
body, _, signature = Path(sys.argv[1]).read_bytes().rpartition(b"signature ")
r, s = int(signature[:64], 16), int(signature[64:128], 16)
serialization.load_pem_public_key(Path(sys.argv[2]).read_bytes()).verify(utils.encode_dss_signature(r, s), body, ec.ECDSA(hashes.SHA256()))
END
verifies "$trials/boxed/policy" "$trials/own/policy.pub"
verdict $? "its policy carries the signature of the policy key"
value=$("$tools/pcr7.py" "$trials/own")
"$tools/plan.py" --key "$trials/token/policy.key" --board box-x86_64 --serial 1 --security 1 --pcr7 "$value" -o "$trials/plan" &&
    verifies "$trials/plan" "$trials/own/policy.pub" && ! verifies "$trials/plan" "$trials/own/update.pub"
verdict $? "a plan of Secure Boot is signed behind the token, by the policy key"
[ "$(grep -c ^pcr11 "$trials/boxed/policy")" = 1 ] && ! grep -q "pcr11 $(printf '%064d' 0)" "$trials/boxed/policy"
verdict $? "its policy allows no kernel that nothing measured"
echo 'pkcs11:token=vendor;object=kek;type=private?pin-value=1234' >"$trials/token/db.key"
! build_box "$trials/token" && says 'db.key is not the key of db.crt'
verdict $? "a URI that leads to another key is refused"

# --- size, flavour, names ------------------------------------------------------------------------------------------------

head -c 30000000 /dev/urandom >"$trials/random"
"$machine-linux-gnu-objcopy" --add-section ballast="$trials/random" "$PROGRAM" "$trials/fat"
! (export PROGRAM="$trials/fat" && build "$trials/large") && says 'larger than 40 MiB'
verdict $? "an image of more than 40 MiB is not made"
! (export PROGRAM=/bin/true && build "$trials/shared") && says 'is not linked statically'
verdict $? "a program that needs shared libraries is refused"
(export FLAVOR=debug && build "$trials/debug") && grep -q '^usr/bin/busybox f 755' "$trials/debug/report.txt" &&
    grep -q '^usr/bin/sh l 777 .*busybox$' "$trials/debug/report.txt" && grep -q '"name": "busybox-static"' "$trials/debug/sbom.json"
verdict $? "the debug flavour has a shell, and says so"
for bad in '../x' 'a b' '1+2' ''; do
    ! (export VERSION="$bad" && build "$trials/bad") && says 'cannot be part of a file name'
    verdict $? "the version '$bad' is refused"
done
sed -i '/^BOARD_CONSOLE=/d' "$box/board/box/image.conf"
! build_box "$trials/own" && says 'does not say BOARD_CONSOLE'
verdict $? "an image.conf that lacks a line is refused"
! quietly make -C "$tree" DEPS="$DEPS" O="$trials/none" BOARD=host MAKE=: image && says 'host has no image'
verdict $? "a board without image.conf has no image, and is told so"

# --- the same bytes -------------------------------------------------------------------------------------------------------

# In a folder elsewhere, with another mask, time zone, language, host name and user.
elsewhere() {
    umask 077 && export TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent
    quietly unshare --user --map-root-user --uts sh -c 'hostname elsewhere && exec "$@"' sh "$tools/build.sh" "$trials/some/where/else" ||
        build "$trials/some/where/else" # where a user may not have namespaces
}
(elsewhere)
verdict $? "the image is built again elsewhere"
for file in "$image"/*; do
    cmp -s "$file" "$trials/some/where/else/$(basename "$file")"
    verdict $? "$(basename "$file") is the same bytes"
done
rm -rf "$trials"
verdicts_end
