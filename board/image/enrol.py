#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the keys of a vendor into a virtual machine's firmware: enrol.py VARIABLES KEYS OUT

VARIABLES is an empty variable store of EDK2, as Debian ships it (OVMF_VARS_4M.fd). With a platform key in it Secure Boot is on from
the first start. PK, KEK and db get one certificate each, and dbx the hashes that are asked for, or nothing. A real box is given its
keys through its firmware's setup.
Spec: UEFI 2.10 section 32.4.1 (EFI_SIGNATURE_LIST); EDK2, MdeModulePkg/Include/Guid/VariableFormat.h.
"""
import struct
import sys
import uuid
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")  # with authenticated variables
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
SHA256 = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328")
OWNER = uuid.UUID("524f574c-0002-4000-8000-000000000001")
STORE_HEADER_BYTES = 28
HEADER_BYTES = 60
BEGINS, ADDED = 0x55AA, 0x3F
ATTRIBUTES = 0x27  # non-volatile, boot and run time, authenticated by time
WRITTEN = struct.pack("<HBBBBBBIhBB", 2026, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)  # an update must be later than this
VARIABLES = (("PK", GLOBAL, "pk"), ("KEK", GLOBAL, "kek"), ("db", SECURITY, "db"))


def signature_list(certificate):
    der = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).public_bytes(Encoding.DER)
    return X509.bytes_le + struct.pack("<3I", 28 + 16 + len(der), 0, 16 + len(der)) + OWNER.bytes_le + der


def hash_list(hashes):
    each = 16 + 32
    body = b"".join(OWNER.bytes_le + one for one in hashes)
    return SHA256.bytes_le + struct.pack("<3I", 28 + len(body), 0, each) + body


def variable(name, vendor, data):
    text = (name + "\0").encode("utf-16-le")
    head = struct.pack("<HBBIQ", BEGINS, ADDED, 0, ATTRIBUTES, 0) + WRITTEN + struct.pack("<3I", 0, len(text), len(data))
    written = head + vendor.bytes_le + text + data
    return written + b"\xff" * (-len(written) % 4)


def bounds(store):
    """Where the variables begin and where their room ends."""
    (at,) = struct.unpack_from("<H", store, 48)  # the length of the volume's header
    if store[at:at + 16] != STORE.bytes_le:
        raise SystemExit("enrol.py: this is no store of authenticated variables")
    (size,) = struct.unpack_from("<I", store, at + 16)
    return at + STORE_HEADER_BYTES, at + size


def empty(store):
    """Of a store with keys of others. Debian's empty one for 64-bit ARM has not even a header."""
    at, end = bounds(store)
    store[at:end] = b"\xff" * (end - at)


def enrol(store, keys, forbidden=()):
    at, end = bounds(store)
    if store[at:at + HEADER_BYTES] != b"\xff" * HEADER_BYTES:
        raise SystemExit("enrol.py: the store is not empty")
    made = [variable(name, vendor, signature_list(Path(keys, key + ".crt"))) for name, vendor, key in VARIABLES]
    if forbidden:
        made.append(variable("dbx", SECURITY, hash_list(forbidden)))
    for written in made:
        if at + len(written) > end:
            raise SystemExit("enrol.py: the store is too small")
        store[at:at + len(written)] = written
        at += len(written)


def main(words):
    if len(words) != 3:
        raise SystemExit(__doc__)
    source, keys, out = words
    store = bytearray(Path(source).read_bytes())
    enrol(store, keys)
    Path(out).write_bytes(store)


if __name__ == "__main__":
    main(sys.argv[1:])
