#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs an EFI program for Secure Boot: authenticode.py KEY CERTIFICATE UNSIGNED SIGNED

The usual tool writes the time of signing into the signature, and no two of its results are equal. UEFI neither asks for that
attribute nor looks at it, so this one leaves it out: the same key and program give the same bytes. KEY as signing.py takes it.

What is written is a PKCS#7 SignedData over an SpcIndirectDataContent that holds the hash of the program (pe.py), with
content type and digest as the only signed attributes, one signer, and the certificate.
"""
import hashlib
import struct
import sys
from pathlib import Path

import pe
import signing
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

SEQUENCE, SET, OCTETS, NULL = 0x30, 0x31, 0x04, b"\x05\x00"
PKCS_SIGNED_DATA = 2  # WIN_CERT_TYPE_PKCS_SIGNED_DATA
REVISION = 0x0200


def der(tag, *parts):
    content = b"".join(parts)
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(size))) + size + content


def oid(text):
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytes((40 * first + second,))
    for number in rest:
        groups = [number & 127]
        while number := number >> 7:
            groups.append(128 | number & 127)
        content += bytes(reversed(groups))
    return der(0x06, content)


def number(value):
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


SHA256 = der(SEQUENCE, oid("2.16.840.1.101.3.4.2.1"), NULL)
RSA = der(SEQUENCE, oid("1.2.840.113549.1.1.1"), NULL)
INDIRECT_DATA = oid("1.3.6.1.4.1.311.2.1.4")


def indirect_data(digest):
    """The link is the text that every such signature carries since it says nothing: a program that is no cabinet."""
    link = der(0xA0, der(0xA2, der(0x80, "<<<Obsolete>>>".encode("utf-16-be"))))
    kind = der(SEQUENCE, oid("1.3.6.1.4.1.311.2.1.15"), der(SEQUENCE, der(0x03, b"\0"), link))
    return der(SEQUENCE, kind, der(SEQUENCE, SHA256, der(OCTETS, digest)))


def signed_data(digest, key, certificate):
    content = indirect_data(digest)
    # RFC 2315 section 9.3: over the content without its tag and length.
    inner = content[2 + (content[1] & 127 if content[1] & 128 else 0):]
    attributes = b"".join(sorted((
        der(SEQUENCE, oid("1.2.840.113549.1.9.3"), der(SET, INDIRECT_DATA)),
        der(SEQUENCE, oid("1.2.840.113549.1.9.4"), der(SET, der(OCTETS, hashlib.sha256(inner).digest()))))))
    signature = signing.rsa_sign(key, der(SET, attributes))  # signed as a SET, sent as [0]
    issuer = der(SEQUENCE, certificate.issuer.public_bytes(), number(certificate.serial_number))
    signer = der(SEQUENCE, number(1), issuer, SHA256, der(0xA0, attributes), RSA, der(OCTETS, signature))
    body = der(SEQUENCE, number(1), der(SET, SHA256), der(SEQUENCE, INDIRECT_DATA, der(0xA0, content)),
               der(0xA0, certificate.public_bytes(Encoding.DER)), der(SET, signer))
    return der(SEQUENCE, oid("1.2.840.113549.1.7.2"), der(0xA0, body))


def sign(image, key, certificate):
    image.settle()
    image.unsign()
    entry = signed_data(image.digest(), key, certificate)
    entry = struct.pack("<IHH", 8 + len(entry), REVISION, PKCS_SIGNED_DATA) + entry
    entry += bytes(-len(entry) % 8)
    struct.pack_into("<2I", image.data, image.header + pe.DIRECTORY + 8 * pe.CERTIFICATES, len(image.data), len(entry))
    image.data += entry


def main(words):
    if len(words) != 4:
        raise SystemExit(__doc__)
    key, certificate, unsigned, signed = words
    image = pe.Image(unsigned)
    sign(image, key, x509.load_pem_x509_certificate(Path(certificate).read_bytes()))
    Path(signed).write_bytes(image.data)


if __name__ == "__main__":
    main(sys.argv[1:])
