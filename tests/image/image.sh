#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Takes an image apart and holds it to what `make image` promises: image.sh <what build.sh was given> <image that it made of it>
# <folder for trials>. Prints TAP. Nothing is booted here.
set -u

# shellcheck source=tests/image/image.inc.sh
. "$(dirname -- "$0")/image.inc.sh"

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
section() { awk -v title="$1" 'index($0, title) == 1 { on = 1; next } /^$/ { on = 0 } on' "$image/report.txt"; }
for part in 'root file system' initramfs; do
    section "$part" | awk '{ print $2, $3, $1 }' | sed "s|$release|RELEASE|" | sort -k3 >"$trials/found"
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
    END { exit bad }' "$trials/order" "$debian"/linux-image-*/lib/modules/"$release/modules.dep"
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

{ cat "$image/rowlock.efi" "$image/root.img" "$image/policy"; } >"$trials/parts"
tail -c "$(stat -c %s "$trials/parts")" "$image/rowlock.update" | cmp -s - "$trials/parts"
verdict $? "the update file carries kernel image, root and policy"

# --- PCR 11 ---------------------------------------------------------------------------------------------------------------

# A second reading of the stub's measurements, by objcopy and sha256sum.
extend() { # register, file: the register with the hash of the file
    { echo "$1" && sha256sum <"$2" | cut -d' ' -f1; } | tr -d '\n' | xxd -r -p | sha256sum | cut -d' ' -f1
}
register=$(printf '%064d' 0)
for name in .linux .osrel .cmdline .initrd; do
    "$machine-linux-gnu-objcopy" --dump-section $name="$trials/section" "$image/rowlock.efi" "$trials/copy.efi" 2>/dev/null
    printf '%s\0' $name >"$trials/name"
    register=$(extend "$(extend "$register" "$trials/name")" "$trials/section")
done
pcr11() { "$tools/pcr11.py" "$1"; }
[ "$(pcr11 "$image/rowlock.efi")" = "$register" ] && grep -qx "pcr11 $register" "$image/policy" && grep -qx "PCR 11: $register" "$image/report.txt"
verdict $? "policy and report name the PCR 11 that the stub's rules give"
[ "$("$tools/pcr11.py" --direct)" = "$(printf '%064d' 0)" ]
verdict $? "a kernel without the stub is measured by nobody"

stub=$(echo "$debian"/systemd-boot-efi/usr/lib/systemd/boot/efi/linux*.efi.stub)
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

# As a box with these keys in its firmware (EDK2 2022.11) has logged it; the second with db's certificate as KEK, too.
trial=$trials/other-kek
cp -r "$tree/board/keys/qemu" "$trial" && cp "$trial/db.crt" "$trial/kek.crt"
[ "$("$tools/pcr7.py" "$tree/board/keys/qemu")" = 28521f7d088abd3cfed7cee924603188037fc3506892949975eb6a3040c5486e ] &&
    [ "$("$tools/pcr7.py" "$trial")" = 6c3a93667bec9533ca712c25c6f2dbd8ca91fe76144165511fd55ece7c0aa0cc ]
verdict $? "PCR 7 after a change of Secure Boot is said as a box measures it"
value=$("$tools/pcr7.py" "$tree/board/keys/qemu")
plan() { "$tools/plan.py" --key "$tree/board/keys/qemu/policy.key" --board "$BOARD" --serial "$1" --security "$2" --pcr7 "$3"; }
plan 2026112401 1 "$value" >"$trials/plan" && plan 2026112401 1 "$value" | cmp -s - "$trials/plan" &&
    [ "$(sed -n 4,5p "$trials/plan" | tr '\n' ' ')" = "security 1 pcr7 $value " ] && [ "$(wc -l <"$trials/plan")" = 6 ]
verdict $? "a plan of a change of Secure Boot says that value, and is the same each time"
! plan 0 1 "$value" >/dev/null 2>&1 && ! plan 4294967296 1 "$value" >/dev/null 2>&1 && ! plan 1 65536 "$value" >/dev/null 2>&1 &&
    ! plan 1 1 "${value}0" >/dev/null 2>&1 && ! plan 1 1 "$(echo "$value" | tr a-f A-F)" >/dev/null 2>&1
verdict $? "and is not made of what no box would take"
for name in osrel cmdline initrd linux; do
    fresh
    printf 'X' | dd of="$trials/$name" bs=1 seek=60 conv=notrunc status=none
    join && other=$(pcr11 "$trials/joined.efi") && [ ${#other} = 64 ] && [ "$other" != "$register" ]
    verdict $? "a byte changed in $name gives another PCR 11"
done

# --- parts ----------------------------------------------------------------------------------------------------------------

libc=libc6-dev
kernel=$(sed -n "s/^+$(sed -n 's/^BOARD_KERNEL=//p' "board/$BOARD/image.conf") //p" "$debian/asked") # other boards have taken theirs
[ "$machine" = "$(uname -m)" ] || libc="libc6-dev-${debian##*-}-cross"
/usr/bin/python3 - "$image" "$debian/taken" "$VERSION" "$BOARD" "$FLAVOR" "$libc" "$kernel" <<'END'
import json, sys
from pathlib import Path
image, taken, version, board, flavour, libc, kernel = sys.argv[1:]
sbom = json.loads(Path(image, "sbom.json").read_text())
parts = {part["name"]: part for part in sbom["components"]}
assert sbom["bomFormat"] == "CycloneDX" and sbom["metadata"]["component"]["version"] == version
used = 0
for name, number, sha256, _ in (line.split() for line in Path(taken).read_text().splitlines()):
    if name in (kernel, "systemd-boot-efi"):
        assert parts[name]["version"] == number and parts[name]["hashes"][0]["content"] == sha256, name
        used += 1
assert used == 2 and "busybox-static" not in parts and [name for name in parts if name.startswith("linux-")] == [kernel]
for record in Path("board/deps").glob("*.dep"):
    assert len(parts[record.stem]["hashes"][0]["content"]) == 64, record
assert parts[libc]["version"]
told = json.loads(Path(image, "version.json").read_text())
assert (told["version"], told["board"], told["flavour"]) == (version, board, flavour)
assert told["parts"] == [{"name": part["name"], "version": part["version"]} for part in sbom["components"]]
END
verdict $? "sbom.json names us, every source and every package with version and hash"
cmp -s "$image/sbom.json" "$trials/root/usr/share/rowlock/sbom.json" && cmp -s "$image/version.json" "$trials/root/usr/share/rowlock/version.json"
verdict $? "and lies in the image with version.json"

rm -rf "$trials"
verdicts_end
