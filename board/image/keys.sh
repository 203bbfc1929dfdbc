#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the keys of a vendor of images: keys.sh <folder that is not there yet>. What each is for: board/keys/qemu/README.md.
set -eu

folder=${1:?keys.sh FOLDER}
years=30 # a box cannot be given other Secure Boot keys without a hand on it
[ ! -e "$folder" ] || { echo "keys: $folder is there already; keys are never written over" >&2; exit 1; }
umask 077
new=$folder.new.$$
mkdir -p "$new"
trap 'rm -rf "$new"' EXIT

certified() { # name, what it is called
    openssl req -quiet -x509 -newkey rsa:2048 -noenc -sha256 -days $((years * 365)) -keyout "$new/$1.key" -out "$new/$1.crt" \
        -subj "/CN=Rowlock ${ROWLOCK_KEYS_LABEL:+$ROWLOCK_KEYS_LABEL }$2/" -addext basicConstraints=critical,CA:TRUE 2>"$new/log" ||
        { cat "$new/log" >&2; exit 1; }
}

bare() { # name
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$new/$1.key" 2>"$new/log" ||
        { cat "$new/log" >&2; exit 1; }
    openssl pkey -in "$new/$1.key" -pubout -out "$new/$1.pub"
}

echo "keys: making the Secure Boot keys (RSA-2048: pk, kek, db)"
certified pk 'platform key'
certified kek 'key exchange key'
certified db 'image signing key'
echo "keys: making the keys that sign policies and updates (P-256: policy, update)"
bare policy
bare update
chmod 0644 "$new"/*.crt "$new"/*.pub
rm -f "$new/log"
mv -T "$new" "$folder"
trap - EXIT
echo "keys: in $folder; the .key files are secret, build with: make image BOARD=<board> KEYS=$folder"
