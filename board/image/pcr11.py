#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what PCR 11 (SHA-256) of a box will hold when user space begins.

pcr11.py UKI        of a unified kernel image, signed or not: 64 hex digits
pcr11.py --direct   of a kernel that was started without its stub, which then measures nothing: zeros

systemd's stub (252, src/boot/efi/stub.c and measure.c) extends the register once with the name of each section that it uses,
with the zero that ends it, and once with what the section holds, in the order below. The padding of a section in the file is
not measured, nor are the signature and sections of other names.
"""
import hashlib
import sys

import pe

MEASURED = (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb")


def extend(register, data):
    return hashlib.sha256(register + hashlib.sha256(data).digest()).digest()


def predict(image):
    register = bytes(32)
    for name in MEASURED:
        content = image.content(name)
        if content is not None:
            register = extend(extend(register, name.encode("ascii") + b"\0"), content)
    return register


def main(words):
    if len(words) != 1:
        raise SystemExit(__doc__)
    print((bytes(32) if words[0] == "--direct" else predict(pe.Image(words[0]))).hex())


if __name__ == "__main__":
    main(sys.argv[1:])
