#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what PCR 7 (SHA-256) of a box will hold after a change of Secure Boot: pcr7.py [options] KEYS

KEYS is the folder of the vendor's UEFI certificates, as enrol.py takes it. A box that is brought a signed plan of this
value (plan.py) while it is open seals its root key for it as well, and opens after the change without a person.

  --dbx FILE     the forbidden list after the change (EFI_SIGNATURE_LISTs, as the variable holds them); none: empty
  --db FILE      the allowed list, --kek FILE, --pk FILE: the same for the other variables; none: the one certificate of KEYS
  --off          Secure Boot is turned off: no image's certificate is measured

What is measured: the state, the four variables, a separator, and the certificate of db by which the image was let in, which is
that of KEYS. For EDK2; firmware that measures more than the standard asks for (driver or debug events) holds another value,
which the log of a box shows (event "measured").
Spec: TCG PC Client Platform Firmware Profile 1.05, 3.3.4.8 (PCR 7); UEFI 2.10, 32.4.1.
"""
import argparse
import hashlib
import struct
import sys
from pathlib import Path

import enrol

NAMES = (("PK", enrol.GLOBAL, "pk"), ("KEK", enrol.GLOBAL, "kek"), ("db", enrol.SECURITY, "db"), ("dbx", enrol.SECURITY, "dbx"))
SEPARATOR = bytes(4)
LIST_HEADER_BYTES = 28


def extend(register, data):
    return hashlib.sha256(register + hashlib.sha256(data).digest()).digest()


def variable_data(name, vendor, content):
    """UEFI_VARIABLE_DATA: the length of the name is in characters, without an end."""
    return vendor.bytes_le + struct.pack("<2Q", len(name), len(content)) + name.encode("utf-16-le") + content


def content_of(key, options):
    chosen = getattr(options, key)
    if chosen is not None:
        return Path(chosen).read_bytes()
    return b"" if key == "dbx" else enrol.signature_list(Path(options.keys, key + ".crt"))


def predict(options):
    register = extend(bytes(32), variable_data("SecureBoot", enrol.GLOBAL, b"\0" if options.off else b"\1"))
    for name, vendor, key in NAMES:
        register = extend(register, variable_data(name, vendor, content_of(key, options)))
    register = extend(register, SEPARATOR)
    if not options.off:
        entry = enrol.signature_list(Path(options.keys, "db.crt"))[LIST_HEADER_BYTES:]
        register = extend(register, variable_data("db", enrol.SECURITY, entry))
    return register


def main(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("keys")
    for _, _, key in NAMES:
        parser.add_argument("--" + key)
    parser.add_argument("--off", action="store_true")
    print(predict(parser.parse_args(words)).hex())


if __name__ == "__main__":
    main(sys.argv[1:])
