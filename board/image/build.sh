#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds the image of a board: build.sh <output folder>. Called by `make image`, which says by the environment what to take:
#   BOARD KEYS FLAVOR VERSION CONFIG_H PROGRAM STAGE1 LIBS DEPS SOURCE_DATE_EPOCH COMMIT
# What comes out, and why it is made this way: README.md beside this file. No root, no loop device, no clock, no chance.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=$1
umask 022
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH PATH="$PATH:/usr/sbin:/sbin" # a user has no sbin
unset POSIXLY_CORRECT MTOOLSRC

say() { echo "image: $*"; }
die() { echo "image: $*" >&2; exit 1; }
tool() { name=$1; shift; /usr/bin/python3 -B "$here/$name" "$@"; }
bytes() { stat -c %s "$1"; }

# What this board is; every line is needed (board/<name>/image.conf).
# shellcheck source=/dev/null
. "$here/../$BOARD/image.conf"
for name in ARCH KERNEL CONSOLE MODULES_STAGE1 MODULES ESP_MIB ROOT_MIB STATE_MIB DATA_MIB TEST_KEYS DIRECT_KERNEL; do
    eval "value=\${BOARD_$name-}"
    [ -n "$value" ] || die "board/$BOARD/image.conf does not say BOARD_$name"
done
case $BOARD_ARCH in
x86_64) arch=amd64 efi=x64 strip=x86_64-linux-gnu-strip ;;
aarch64) arch=arm64 efi=aa64 strip=aarch64-linux-gnu-strip ;;
*) die "no image for BOARD_ARCH=$BOARD_ARCH" ;;
esac
case $VERSION in '' | [!0-9A-Za-z]* | *[!0-9A-Za-z._~-]*) die "VERSION=$VERSION cannot be part of a file name" ;; esac
case $FLAVOR in release | debug) ;; *) die "FLAVOR=$FLAVOR is neither release nor debug" ;; esac

security=$(sed -n 's/^#define CONFIG_FIRMWARE_SECURITY_VERSION //p' "$CONFIG_H")
# An oops ends the box, which starts again. Neither root nor a module of somebody else's changes the kernel or reads it out.
hardening="quiet panic=-1 oops=panic lockdown=confidentiality module.sig_enforce=1 slab_nomerge init_on_alloc=1"
hardening="$hardening page_alloc.shuffle=1 randomize_kstack_offset=on vsyscall=none debugfs=off"
limit_mib=40 # compressed: what an update moves and a slot holds
debian=$DEPS/debian-$arch
work=$out/work

check_keys() {
    say "checking the keys in $KEYS"
    tool signing.py check "$KEYS"
    if [ "$BOARD_TEST_KEYS" = no ]; then
        ! tool signing.py test-only "$KEYS" ||
            die "$BOARD is a board for boxes, and $KEYS holds TEST keys, which anybody has: make keys KEYS=<folder>"
        [ "$BOARD_DIRECT_KERNEL" = no ] || die "$BOARD: a policy of a box must not allow a kernel that nothing measured"
    fi
}

# --- parts ----------------------------------------------------------------------------------------------------------------

fetch() {
    packages="+$BOARD_KERNEL systemd-boot-efi"
    [ "$FLAVOR" = release ] || packages="$packages busybox-static"
    # shellcheck disable=SC2086
    "$here/debian.sh" "$DEPS" "$arch" $packages
    kernel_package=$(sed -n "s/^+$BOARD_KERNEL //p" "$debian/asked")
    kernel_version=$(sed -n "s/^$kernel_package \\([^ ]*\\) .*/\\1/p" "$debian/taken")
    used="$kernel_package ${packages#* }"
    release=$(basename "$debian/$kernel_package/lib/modules"/*)
    modules=$debian/$kernel_package/lib/modules/$release
    efi_files=$debian/systemd-boot-efi/usr/lib/systemd/boot/efi
    for package in $used; do say "taking $(sed -n "s/^$package \([^ ]*\) .*/$package \1/p" "$debian/taken")"; done
    tool modules.py "$modules" "$BOARD_MODULES_STAGE1" >"$work/modules.stage1"
    tool modules.py "$modules" "$BOARD_MODULES" --without "$BOARD_MODULES_STAGE1" >"$work/modules.root"
}

describe() {
    say "writing the list of parts and the version"
    # shellcheck disable=SC2086
    tool sbom.py --version "$VERSION" --board "$BOARD" --flavour "$FLAVOR" --security "$security" --kernel "$kernel_version" \
        --epoch "$SOURCE_DATE_EPOCH" --commit "${COMMIT-}" --machine "$BOARD_ARCH" --arch "$arch" --deps "$DEPS" --taken "$debian/taken" --used $used --libs "$LIBS" --out "$out"
    printf 'ID=rowlock\nNAME=Rowlock\nPRETTY_NAME="Rowlock %s"\nVERSION_ID=%s\nIMAGE_ID=rowlock\nIMAGE_VERSION=%s\nVARIANT_ID=%s\n' \
        "$VERSION" "$VERSION" "$VERSION" "$BOARD-$FLAVOR" >"$work/os-release"
}

# --- root file system -----------------------------------------------------------------------------------------------------

put() { install -D -m "$1" "$2" "$root/$3"; }

root_tree() {
    root=$work/root
    say "laying out the root file system ($FLAVOR)"
    # Mount points, and what PID 1 makes folders in: all else is read-only.
    for folder in dev proc sys run tmp boot etc usr/bin var/lib/rowlock; do mkdir -p "$root/$folder"; done
    ! readelf -lW "$PROGRAM" | grep -q INTERP || die "$PROGRAM is not linked statically; the root has no libraries"
    put 0755 "$PROGRAM" usr/bin/rowlock
    "$strip" --strip-all "$root/usr/bin/rowlock"
    while read -r module; do put 0644 "$modules/$module" "usr/lib/modules/$release/$module"; done <"$work/modules.root"
    sed "s|^|/usr/lib/modules/$release/|" "$work/modules.root" >"$root/etc/modules"
    put 0644 "$work/os-release" etc/os-release
    say "making the empty file system that the first boot puts into the data volume, and lets grow"
    # To 1 TiB without moving anything; the first user that mounts it is given it. Small, because all of it is encrypted at the first
    # boot; a database is a handful of files. Without checksums of its own: with them the kernel reads, as it grows, blocks that
    # were never written, which the tags of the encrypted device below do not let it, and which are checksums enough.
    ext4 "$work/data" 10 data 2 "root_owner=100:100,resize=$((1 << 28))" -b 4096 -J size=4 -N 64 -O ^metadata_csum
    put 0644 "$work/data" usr/share/rowlock/data.ext4
    put 0644 "$out/sbom.json" usr/share/rowlock/sbom.json
    put 0644 "$out/version.json" usr/share/rowlock/version.json
    [ "$FLAVOR" = release ] || debug_shell
}

debug_shell() {
    put 0755 "$debian/busybox-static/bin/busybox" usr/bin/busybox
    for applet in sh ls cat mount umount ps kill dmesg ip hexdump vi; do ln -s busybox "$root/usr/bin/$applet"; done
    ln -s usr/bin "$root/bin"
}

root_image() {
    say "packing it (squashfs, zstd)"
    # Its own reading of SOURCE_DATE_EPOCH leaves older times as they are.
    env -u SOURCE_DATE_EPOCH mksquashfs "$work/root" "$work/root.squashfs" -mkfs-time "$SOURCE_DATE_EPOCH" \
        -all-time "$SOURCE_DATE_EPOCH" -all-root -noappend -no-xattrs -no-exports -no-progress -quiet \
        -comp zstd -Xcompression-level 15 -b 131072 -processors 2 >"$work/mksquashfs.log"
    # mksquashfs pads to 4096.
    blocks=$(($(bytes "$work/root.squashfs") / 4096))
    [ $((blocks * 4096)) = "$(bytes "$work/root.squashfs")" ] || die "the root file system is not padded to 4096 bytes"
    say "adding the tree of hashes (dm-verity)"
    # A salt from the content: the same bytes give the same root hash, others share no block of the tree.
    salt=$(sha256sum <"$work/root.squashfs" | cut -d' ' -f1)
    root_hash=$(veritysetup format --no-superblock --hash sha256 --salt "$salt" "$work/root.squashfs" "$work/root.verity" |
        sed -n 's/^Root hash:[[:space:]]*//p')
    [ ${#root_hash} = 64 ] || die "veritysetup named no root hash"
    cat "$work/root.squashfs" "$work/root.verity" >"$out/root.img"
    [ "$(bytes "$out/root.img")" -le $((BOARD_ROOT_MIB << 20)) ] || die "root.img does not fit into a slot of $BOARD_ROOT_MIB MiB"
}

# --- kernel image ---------------------------------------------------------------------------------------------------------

initramfs() {
    say "packing the initramfs"
    {
        for folder in dev proc sys etc modules root; do echo "dir /$folder 755"; done
        echo 'char /dev/console 600 5 1'
        echo "file /init 755 $work/stage1"
        echo "file /etc/modules 644 $work/modules.list"
        while read -r module; do echo "file /modules/$(basename "$module") 644 $modules/$module"; done <"$work/modules.stage1"
    } >"$work/initramfs.list"
    sed 's|.*/|/modules/|' "$work/modules.stage1" >"$work/modules.list"
    "$strip" --strip-all -o "$work/stage1" "$STAGE1"
    tool cpio.py <"$work/initramfs.list" | zstd -q -19 -T1 -c >"$out/initramfs.cpio"
}

kernel_image() {
    say "joining and signing the kernel image"
    cp "$debian/$kernel_package/boot/vmlinuz-$release" "$out/vmlinuz"
    printf 'rowlock.verity=%s rowlock.blocks=%s rowlock.salt=%s rowlock.version=%s console=%s %s' "$root_hash" "$blocks" "$salt" \
        "$VERSION" "$BOARD_CONSOLE" "$hardening" >"$out/cmdline"
    tool uki.py "$efi_files/linux$efi.efi.stub" "$work/os-release" "$out/cmdline" \
        "$out/initramfs.cpio" "$out/vmlinuz" "$work/rowlock.efi"
    tool authenticode.py "$KEYS/db.key" "$KEYS/db.crt" "$work/rowlock.efi" "$out/rowlock.efi"
    tool authenticode.py "$KEYS/db.key" "$KEYS/db.crt" "$efi_files/systemd-boot$efi.efi" "$out/boot.efi"
}

policy() {
    say "signing the policy of what is measured"
    pcr11=$(tool pcr11.py "$out/rowlock.efi")
    [ "$BOARD_DIRECT_KERNEL" = no ] || pcr11="$pcr11 $(tool pcr11.py --direct)"
    # shellcheck disable=SC2086
    tool policy.py --key "$KEYS/policy.key" --board "$BOARD" --version "$VERSION" --security "$security" --pcr11 $pcr11 -o "$out/policy"
}

update() {
    say "signing the update file"
    tool update.py --key "$KEYS/update.key" --board "$BOARD" --version "$VERSION" --security "$security" --uki "$out/rowlock.efi" \
        --root "$out/root.img" --policy "$out/policy" --out "$out/rowlock.update"
}

# --- disk -----------------------------------------------------------------------------------------------------------------

esp() {
    say "filling the EFI system partition"
    printf 'timeout 0\neditor no\nauto-entries no\nauto-firmware no\n' >"$work/loader.conf"
    truncate -s "${BOARD_ESP_MIB}M" "$work/esp"
    mkfs.vfat -F 32 -n ROWLOCK -i 524f574c "$work/esp" >/dev/null
    mmd -i "$work/esp" ::/EFI ::/EFI/BOOT ::/EFI/Linux ::/loader
    boot=$(echo "boot$efi.efi" | tr a-z A-Z)
    esp_put "$out/boot.efi" "::/EFI/BOOT/$boot"
    esp_put "$work/loader.conf" ::/loader/loader.conf
    esp_put "$out/rowlock.efi" "::/EFI/Linux/rowlock-$VERSION.efi"
    esp_put "$out/policy" "::/EFI/Linux/rowlock-$VERSION.policy"
    tool fat_times.py "$work/esp" "$SOURCE_DATE_EPOCH"
}

ext4() { # file, MiB, label, the last digit of its id, extended options, more for mke2fs
    truncate -s "$2M" "$1"
    file=$1 label=$3 id=524f574c-0001-4000-8000-00000000000$4 extended=$5
    shift 5
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L "$label" -m 0 -U "$id" \
        -E "hash_seed=$id,lazy_itable_init=0,lazy_journal_init=0,nodiscard,$extended" "$@" "$file"
}

esp_put() { mcopy -i "$work/esp" "$1" "$2"; }

state() {
    say "making the state partition"
    ext4 "$work/state" "$BOARD_STATE_MIB" state 4 root_owner=0:0
}

disk() {
    say "writing the disk"
    # Type ids: the EFI system partition; Linux data for the others, which are found by their names.
    linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
    {
        printf 'label: gpt\nlabel-id: 524F574C-0000-4000-8000-000000000000\nunit: sectors\nfirst-lba: 2048\n'
        start=2048 part=1
        for each in "esp $BOARD_ESP_MIB C12A7328-F81F-11D2-BA4B-00A0C93EC93B" "root-a $BOARD_ROOT_MIB $linux" \
            "root-b $BOARD_ROOT_MIB $linux" "state $BOARD_STATE_MIB $linux" "data $BOARD_DATA_MIB $linux"; do
            # shellcheck disable=SC2086
            set -- $each
            printf 'start=%s, size=%s, type=%s, name="%s", uuid=524F574C-0000-4000-8000-00000000000%s\n' \
                "$start" $(($2 * 2048)) "$3" "$1" "$part"
            start=$((start + $2 * 2048)) part=$((part + 1))
        done
    } >"$work/table"
    rm -f "$out/disk.img"
    truncate -s $(((1 + BOARD_ESP_MIB + 2 * BOARD_ROOT_MIB + BOARD_STATE_MIB + BOARD_DATA_MIB + 1) << 20)) "$out/disk.img"
    sfdisk -q --no-reread --no-tell-kernel "$out/disk.img" <"$work/table"
    at=1
    place "$work/esp"
    at=$((at + BOARD_ESP_MIB))
    place "$out/root.img"
    at=$((at + 2 * BOARD_ROOT_MIB))
    place "$work/state"
}

place() { dd if="$1" of="$out/disk.img" bs=1M seek="$at" conv=notrunc,sparse status=none; }

# --- report ---------------------------------------------------------------------------------------------------------------

listing() { (cd "$1" && find . -mindepth 1 -printf '%P %y %m %s %l\n' | sort | sed 's/ *$//'); }

report() {
    say "writing report.txt"
    total=$(($(bytes "$out/rowlock.efi") + $(bytes "$out/root.img")))
    {
        echo "Rowlock $VERSION for $BOARD, $FLAVOR, Linux $kernel_version"
        echo "compressed: $total bytes: rowlock.efi $(bytes "$out/rowlock.efi"), root.img $(bytes "$out/root.img"); allowed: $((limit_mib << 20))"
        echo "PCR 11: $(tool pcr11.py "$out/rowlock.efi")"
        echo
        echo "root file system: path, kind, mode, bytes"
        listing "$work/root" | awk '$2 == "d" { print $1, $2, $3; next } { print }'
        echo
        echo "initramfs: path, kind, mode, bytes"
        while read -r kind path mode from _; do
            if [ "$kind" = file ]; then echo "${path#/} f $mode $(bytes "$from")"; else echo "${path#/} $(echo "$kind" | cut -c1) $mode"; fi
        done <"$work/initramfs.list"
    } >"$out/report.txt"
    sed -n 2p "$out/report.txt"
    [ "$total" -le $((limit_mib << 20)) ] || die "the image is larger than $limit_mib MiB"
}

check_keys
rm -rf "$out"
mkdir -p "$work"
fetch
describe
root_tree
root_image
initramfs
kernel_image
policy
update
esp
state
disk
report
rm -rf "$work"
say "$out/disk.img"
