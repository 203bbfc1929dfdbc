#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What `make image` promises: image.sh <what build.sh was given> <image that it made of it> <folder for trials>. Prints TAP. Nothing
# is booted here. Images of other keys, boards and sizes are built for the trials, each in some seconds.
set -u

image=$2
trials=$3
tests=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tree=$(CDPATH='' cd -- "$tests/../.." && pwd)
# shellcheck source=tests/lint/tap.sh
. "$tests/../lint/tap.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES # those of the make that runs this
set -a
# shellcheck source=/dev/null
. "$(realpath "$1")" || exit 1
set +a

rm -rf "$trials"
mkdir -p "$trials"
image=$(CDPATH='' cd -- "$image" && pwd)
trials=$(CDPATH='' cd -- "$trials" && pwd)
cd "$tree" || exit 1
tools=$tree/board/image
debian=$DEPS/debian-amd64
keys=$(realpath "$KEYS")
log=$trials/log

quietly() { "$@" >"$log" 2>&1; }
build() { quietly "$tools/build.sh" "$1"; }
says() { grep -q -- "$1" "$log" || { sed 's/^/# /' "$log"; return 1; }; }
word() { tr ' ' '\n' <"$image/cmdline" | sed -n "s/^$1=//p"; }
part() { sfdisk -J "$image/disk.img" | /usr/bin/python3 -c '
import json, sys
for part in json.load(sys.stdin)["partitiontable"]["partitions"]:
    if part["name"] == sys.argv[1]:
        print(part["start"] // 2048, part["size"] // 2048)' "$1"; }
cut_out() { # partition, file
    # shellcheck disable=SC2046
    set -- "$1" "$2" $(part "$1")
    dd if="$image/disk.img" of="$2" bs=1M skip="$3" count="$4" conv=sparse status=none
}

# --- what is in it --------------------------------------------------------------------------------------------------------

release=$(sed -n 's|^usr/lib/modules/\([^/ ]*\) d .*|\1|p' "$image/report.txt")
# Of a program that is linked shared, what it is linked with is no decision of an image.
shared='^$'
! readelf -lW "$PROGRAM" | grep -q INTERP || shared=' lib\(64\)\?\(/\|$\)'
section() { awk -v title="$1" 'index($0, title) == 1 { on = 1; next } /^$/ { on = 0 } on' "$image/report.txt"; }
for part in 'root file system' initramfs; do
    section "$part" | awk '{ print $2, $3, $1 }' | sed "s|$release|RELEASE|" | grep -v "$shared" | sort -k3 >"$trials/found"
    sed -n "/^# $part/,/^\$/p" "$tests/$BOARD.txt" | grep -v -e '^#' -e '^$' | sort -k3 >"$trials/wanted"
    diff "$trials/wanted" "$trials/found" | sed 's/^/# /' >"$log"
    cat "$log"
    [ -s "$trials/found" ] && [ ! -s "$log" ]
    verdict $? "the $part has the files of $BOARD.txt, with these modes, and no other"
done

unsquashfs -q -n -lls "$image/root.img" | awk '/^[-dlcb]/ { print substr($1, 1, 1), $2, $3, $NF }' |
    sed -n 's|^\(.\) root/root \([0-9]*\) squashfs-root/|\1 \2 |p' >"$trials/listed"
awk '$1 == "d" { print $3, $1; next } { print $3, "f", $2 }' "$trials/listed" | sort >"$trials/inside"
section 'root file system' | awk '$2 == "d" { print $1, $2; next } { print $1, $2, $4 }' | sort >"$trials/told"
[ -s "$trials/inside" ] && cmp -s "$trials/inside" "$trials/told"
verdict $? "what report.txt tells of the root is what lies in root.img, and all of it is root's"
zstd -dcq "$image/initramfs.cpio" | cpio -itv 2>/dev/null | awk '{ print $NF }' | sort >"$trials/inside"
section initramfs | awk '{ print $1 }' | sort >"$trials/told"
[ -s "$trials/inside" ] && cmp -s "$trials/inside" "$trials/told"
verdict $? "what report.txt tells of the initramfs is what lies in it"
! grep -qE '(^|/)(sh|bash|dash|busybox)( |$)' "$trials/listed" "$trials/inside"
verdict $? "the release flavour has no shell"

# Each module behind what it needs, across both lists: no loader on the box puts them in order.
mkdir "$trials/kernel"
dpkg-deb -x "$debian/$(sed -n "s/^linux-image-[^ ]* [^ ]* [^ ]* //p" "$debian/taken")" "$trials/kernel"
depmod -b "$trials/kernel" "$release"
unsquashfs -q -n -d "$trials/root" "$image/root.img" >/dev/null
mkdir "$trials/initramfs"
(cd "$trials/initramfs" && zstd -dcq "$image/initramfs.cpio" | cpio -idm --quiet --no-absolute-filenames etc/modules 'modules/*' init)
cat "$trials/initramfs/etc/modules" "$trials/root/etc/modules" | sed 's|.*/||' >"$trials/order"
awk -F: 'NR == FNR { place[$1] = NR; next }
    { name = $1; sub(/.*\//, "", name)
      if (!(name in place)) next
      count = split($2, needs, " ")
      for (i = 1; i <= count; i++) { sub(/.*\//, "", needs[i])
          if (!(needs[i] in place) || place[needs[i]] > place[name]) { print "# " name " comes before " needs[i]; bad = 1 } } }
    END { exit bad }' "$trials/order" "$trials/kernel/lib/modules/$release/modules.dep"
verdict $? "each module stands behind those that it needs"
while read -r file; do [ -f "$trials/root$file" ] || echo "# $file"; done <"$trials/root/etc/modules" >"$log"
while read -r file; do [ -f "$trials/initramfs$file" ] || echo "# $file"; done <"$trials/initramfs/etc/modules" >>"$log"
cat "$log"
[ ! -s "$log" ]
verdict $? "each module of /etc/modules is there"

# --- disk -----------------------------------------------------------------------------------------------------------------

[ "$(for name in esp root-a root-b state data; do part $name; done | cut -d' ' -f2 | tr '\n' ' ')" = \
    "$(sed -n 's/^BOARD_\(ESP\|ROOT\|STATE\|DATA\)_MIB=//p' "board/$BOARD/image.conf" |
        awk '{ print } NR == 2 { print }' | tr '\n' ' ')" ]
verdict $? "the disk has the five partitions in the sizes of image.conf"
cut_out esp "$trials/esp"
cut_out root-a "$trials/root-a"
cut_out state "$trials/state"
quietly fsck.fat -n "$trials/esp" && quietly e2fsck -fn "$trials/state"
verdict $? "the file systems on it have no fault"
cmp -s -n "$(stat -c %s "$image/root.img")" "$trials/root-a" "$image/root.img" &&
    mtype -i "$trials/esp" "::/EFI/Linux/rowlock-$VERSION.efi" | cmp -s - "$image/rowlock.efi" &&
    mtype -i "$trials/esp" "::/EFI/Linux/rowlock-$VERSION.policy" | cmp -s - "$image/policy"
verdict $? "slot a has the root; the ESP has the kernel image and the policy of this version"
for name in root-b data; do
    cut_out $name "$trials/$name"
    cmp -n "$(stat -c %s "$trials/$name")" "$trials/$name" /dev/zero >/dev/null
    verdict $? "$name is empty"
done

# --- verity ---------------------------------------------------------------------------------------------------------------

is_whole() { # a root
    quietly veritysetup verify --no-superblock --salt "$(word rowlock.salt)" --data-blocks "$(word rowlock.blocks)" \
        --hash-offset $(($(word rowlock.blocks) * 4096)) "$1" "$1" "$(word rowlock.verity)"
}
is_whole "$image/root.img"
verdict $? "the command line names the root hash of root.img"
for wanted in rowlock.version="$VERSION" lockdown=confidentiality module.sig_enforce=1 oops=panic panic=-1; do
    tr ' ' '\n' <"$image/cmdline" | grep -qxF "$wanted" || echo "# $wanted"
done >"$log"
cat "$log"
[ ! -s "$log" ]
verdict $? "it names the version, locks the kernel, and lets no oops pass"
cp "$image/root.img" "$trials/flipped"
printf '\377' | dd of="$trials/flipped" bs=1 seek=70000 conv=notrunc status=none
! is_whole "$trials/flipped"
verdict $? "a byte changed in it does not agree with that hash"

# --- signatures -----------------------------------------------------------------------------------------------------------

is_signed() { quietly sbverify --cert "$2" "$1"; }
is_signed "$image/rowlock.efi" "$keys/db.crt" && is_signed "$image/boot.efi" "$keys/db.crt"
verdict $? "kernel image and boot loader carry the signature of db"
! is_signed "$image/rowlock.efi" "$keys/kek.crt"
verdict $? "and of no other key"
for at in 300 5000 5000000 14000000; do
    cp "$image/rowlock.efi" "$trials/changed.efi"
    printf 'X' | dd of="$trials/changed.efi" bs=1 seek=$at conv=notrunc status=none
    ! is_signed "$trials/changed.efi" "$keys/db.crt"
    verdict $? "with byte $at changed the signature does not hold"
done

# --- PCR 11 ---------------------------------------------------------------------------------------------------------------

# A second reading of the stub's measurements, by objcopy and sha256sum.
extend() { # register, file: the register with the hash of the file
    { echo "$1" && sha256sum <"$2" | cut -d' ' -f1; } | tr -d '\n' | xxd -r -p | sha256sum | cut -d' ' -f1
}
register=$(printf '%064d' 0)
for name in .linux .osrel .cmdline .initrd; do
    objcopy --dump-section $name="$trials/section" "$image/rowlock.efi" "$trials/copy.efi" 2>/dev/null
    printf '%s\0' $name >"$trials/name"
    register=$(extend "$(extend "$register" "$trials/name")" "$trials/section")
done
pcr11() { "$tools/pcr11.py" "$1"; }
[ "$(pcr11 "$image/rowlock.efi")" = "$register" ] && grep -qx "pcr11 $register" "$image/policy" && grep -qx "PCR 11: $register" "$image/report.txt"
verdict $? "policy and report name the PCR 11 that the stub's rules give"
[ "$("$tools/pcr11.py" --direct)" = "$(printf '%064d' 0)" ]
verdict $? "a kernel without the stub is measured by nobody"

dpkg-deb -x "$debian/$(sed -n "s/^systemd-boot-efi [^ ]* [^ ]* //p" "$debian/taken")" "$trials/kernel"
stub=$trials/kernel/usr/lib/systemd/boot/efi/linuxx64.efi.stub
join() { "$tools/uki.py" "$stub" "$trials/osrel" "$trials/cmdline" "$trials/initrd" "$trials/linux" "$trials/joined.efi"; }
fresh() {
    cp "$trials/root/etc/os-release" "$trials/osrel"
    cp "$image/cmdline" "$trials/cmdline"
    cp "$image/initramfs.cpio" "$trials/initrd"
    cp "$image/vmlinuz" "$trials/linux"
}
fresh
join && [ "$(pcr11 "$trials/joined.efi")" = "$register" ]
verdict $? "the same parts give the same PCR 11, signed or not"
for name in osrel cmdline initrd linux; do
    fresh
    printf 'X' | dd of="$trials/$name" bs=1 seek=60 conv=notrunc status=none
    join && other=$(pcr11 "$trials/joined.efi") && [ ${#other} = 64 ] && [ "$other" != "$register" ]
    verdict $? "a byte changed in $name gives another PCR 11"
done

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
build_box "$trials/own" && is_signed "$trials/boxed/rowlock.efi" "$trials/own/db.crt" && ! is_signed "$trials/boxed/rowlock.efi" "$keys/db.crt"
verdict $? "with keys of its own a board for boxes is built, and signed by them"
[ "$(grep -c ^pcr11 "$trials/boxed/policy")" = 1 ] && ! grep -q "pcr11 $(printf '%064d' 0)" "$trials/boxed/policy"
verdict $? "its policy allows no kernel that nothing measured"
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
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)
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
mv "$trials/boxed" "$trials/by-file" && build_box "$trials/token" &&
    cmp -s "$trials/by-file/rowlock.efi" "$trials/boxed/rowlock.efi" && cmp -s "$trials/by-file/boot.efi" "$trials/boxed/boot.efi"
verdict $? "a token behind PKCS#11 URIs signs the same image"
/usr/bin/python3 - "$trials/boxed/policy" "$trials/own/policy.pub" <<'END'
import sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
body, _, signature = Path(sys.argv[1]).read_bytes().rpartition(b"signature ")
r, s = int(signature[:64], 16), int(signature[64:128], 16)
serialization.load_pem_public_key(Path(sys.argv[2]).read_bytes()).verify(utils.encode_dss_signature(r, s), body, ec.ECDSA(hashes.SHA256()))
END
verdict $? "and the same policy"
echo 'pkcs11:token=vendor;object=kek;type=private?pin-value=1234' >"$trials/token/db.key"
! build_box "$trials/token" && says 'db.key is not the key of db.crt'
verdict $? "a URI that leads to another key is refused"

# --- size, flavour, names ------------------------------------------------------------------------------------------------

head -c 30000000 /dev/urandom >"$trials/random"
objcopy --add-section ballast="$trials/random" "$PROGRAM" "$trials/fat"
! (export PROGRAM="$trials/fat" && build "$trials/large") && says 'larger than 40 MiB'
verdict $? "an image of more than 40 MiB is not made"
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

# --- parts ----------------------------------------------------------------------------------------------------------------

/usr/bin/python3 - "$image" "$debian/taken" "$VERSION" "$BOARD" "$FLAVOR" <<'END'
import json, sys
from pathlib import Path
image, taken, version, board, flavour = sys.argv[1:]
sbom = json.loads(Path(image, "sbom.json").read_text())
parts = {part["name"]: part for part in sbom["components"]}
assert sbom["bomFormat"] == "CycloneDX" and sbom["metadata"]["component"]["version"] == version
used = 0
for name, number, sha256, _ in (line.split() for line in Path(taken).read_text().splitlines()):
    if name.startswith("linux-image-") or name == "systemd-boot-efi":
        assert parts[name]["version"] == number and parts[name]["hashes"][0]["content"] == sha256, name
        used += 1
assert used == 2 and "busybox-static" not in parts
for record in Path("board/deps").glob("*.dep"):
    assert len(parts[record.stem]["hashes"][0]["content"]) == 64, record
assert parts["libc6-dev"]["version"]
told = json.loads(Path(image, "version.json").read_text())
assert (told["version"], told["board"], told["flavour"]) == (version, board, flavour)
END
verdict $? "sbom.json names us, every source and every package with version and hash"
cmp -s "$image/sbom.json" "$trials/root/usr/share/rowlock/sbom.json" && cmp -s "$image/version.json" "$trials/root/usr/share/rowlock/version.json"
verdict $? "and lies in the image with version.json"

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
