#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of an image: reads, checks and signs with them. A signature of a key file is the same each time it is made.

signing.py p256 KEY <DATA >SIGNATURE    P-256, SHA-256: r and s, 32 bytes each
signing.py rsa KEY <DATA >SIGNATURE     RSA PKCS#1 v1.5, SHA-256
signing.py point KEY                    the public point of a P-256 key as 130 hex digits
signing.py header DIR >FILE             the public keys of a key folder as C, for the firmware
signing.py check DIR                    every key is there, of its kind, and the key of its certificate
signing.py test-only DIR                ends with 0 if one of these keys is one of board/keys/qemu, with 1 if none is

KEY is a PEM file, public or private, or a file whose only line is a PKCS#11 URI, or the URI itself. Behind a URI the
token signs, by openssl and its engine pkcs11; a P-256 signature is then another one each time.
"""
import hashlib
import hmac
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TEST_KEYS = Path(__file__).resolve().parent.parent / "keys" / "qemu"
CERTIFIED = ("pk", "kek", "db")
BARE = ("policy", "update")
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def fail(text):
    raise SystemExit(f"keys: {text}")


def uri_of(path):
    """The PKCS#11 URI that this stands for, or None."""
    text = str(path)
    if not text.startswith("pkcs11:"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except UnicodeDecodeError:
            fail(f"{path} is neither PEM nor a PKCS#11 URI")
        except OSError as error:
            fail(f"{path}: {error.strerror}")
    return text if text.startswith("pkcs11:") and "\n" not in text else None


def openssl(*words, data=b""):
    done = subprocess.run(("openssl", *words), input=data, capture_output=True, check=False)
    if done.returncode:
        fail(f"openssl {words[0]}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout


def load(path):
    """A key of a PEM file: private, public or of a certificate."""
    pem = Path(path).read_bytes()
    try:
        if b"PRIVATE KEY" in pem:
            return serialization.load_pem_private_key(pem, None)
        if b"BEGIN CERTIFICATE" in pem:
            return x509.load_pem_x509_certificate(pem).public_key()
        return serialization.load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        fail(f"{path}: {error}")


def public_of(path):
    uri = uri_of(path)
    if uri:
        pem = openssl("pkey", "-engine", "pkcs11", "-inform", "engine", "-in", uri, "-pubout")
        return serialization.load_pem_public_key(pem)
    key = load(path)
    return key.public_key() if hasattr(key, "private_bytes") else key


def of_kind(key, kind, path):
    if kind == "rsa" and isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)) and key.key_size >= 2048:
        return key
    if kind == "p256" and isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) and key.curve.name == "secp256r1":
        return key
    fail(f"{path} is not {'RSA of 2048 bits or more' if kind == 'rsa' else 'on P-256'}")


def token_signature(uri, digest, *options):
    with tempfile.NamedTemporaryFile() as file:
        file.write(digest)
        file.flush()
        return openssl("pkeyutl", "-sign", "-engine", "pkcs11", "-keyform", "engine", "-inkey", uri, "-in", file.name,
                       "-pkeyopt", "digest:sha256", *options)


def rsa_sign(path, data):
    uri = uri_of(path)
    if uri:
        return token_signature(uri, hashlib.sha256(data).digest(), "-pkeyopt", "rsa_padding_mode:pkcs1")
    return of_kind(load(path), "rsa", path).sign(data, padding.PKCS1v15(), SHA256())


def nonces(secret, digest):
    """RFC 6979 section 3.2: the candidates for k, from the key and what is signed alone."""
    seed = secret.to_bytes(32, "big") + (int.from_bytes(digest, "big") % P256_ORDER).to_bytes(32, "big")
    key, value = bytes(32), b"\x01" * 32
    for mark in (b"\x00", b"\x01"):
        key = hmac.digest(key, value + mark + seed, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        if 0 < int.from_bytes(value, "big") < P256_ORDER:
            yield int.from_bytes(value, "big")
        key = hmac.digest(key, value + b"\x00", "sha256")
        value = hmac.digest(key, value, "sha256")


def p256_sign(path, data):
    """r and s. The library's own signing draws k, and an image could not be made twice."""
    digest = hashlib.sha256(data).digest()
    uri = uri_of(path)
    if uri:
        return utils.decode_dss_signature(token_signature(uri, digest))
    secret = of_kind(load(path), "p256", path).private_numbers().private_value
    for k in nonces(secret, digest):
        r = ec.derive_private_key(k, ec.SECP256R1()).public_key().public_numbers().x % P256_ORDER
        s = pow(k, -1, P256_ORDER) * (int.from_bytes(digest, "big") + r * secret) % P256_ORDER
        if r and s:
            return r, s
    raise AssertionError


def signed_text(path, lines):
    """A text of crypto/vendor_text.h: the lines, and the signature over them as the last."""
    body = "".join(f"{line}\n" for line in lines).encode("ascii")
    r, s = p256_sign(path, body)
    s = min(s, P256_ORDER - s)  # of the two right ones the lower, so that a text has one form
    return body + b"signature %064x%064x\n" % (r, s)


def p256_point(path):
    key = of_kind(public_of(path), "p256", path)
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def header(folder):
    lines = ["/* Generated from a key folder by board/image/signing.py: uncompressed points on P-256. */",
             "#ifndef GENERATED_VENDOR_KEYS_H", "#define GENERATED_VENDOR_KEYS_H"]
    for name in BARE:
        point = p256_point(Path(folder, name + ".pub"))
        lines.append(f"#define VENDOR_{name.upper()}_KEY {{{', '.join(f'0x{byte:02x}' for byte in point)}}}")
    return "\n".join(lines + ["#endif", ""])


def public_parts(folder):
    for name in CERTIFIED:
        yield name, "rsa", Path(folder, name + ".crt")
    for name in BARE:
        yield name, "p256", Path(folder, name + ".pub")


def check(folder):
    for name, kind, path in public_parts(folder):
        if not path.is_file():
            fail(f"{path} is missing")
        public = of_kind(public_of(path), kind, path)
        private = Path(folder, name + ".key")
        if not private.is_file():
            fail(f"{private} is missing")
        if public_of(private).public_bytes(*SPKI) != public.public_bytes(*SPKI):
            fail(f"{private} is not the key of {path.name}")


def is_test_only(folder):
    """By the keys themselves: a copy under another name is as public as they are."""
    known = {public_of(path).public_bytes(*SPKI) for _, _, path in public_parts(TEST_KEYS)}
    return any(public_of(path).public_bytes(*SPKI) in known for _, _, path in public_parts(folder))


def main(words):
    if len(words) != 2 or words[0] not in ("p256", "rsa", "point", "header", "check", "test-only"):
        raise SystemExit(__doc__)
    what, subject = words
    if what == "p256":
        r, s = p256_sign(subject, sys.stdin.buffer.read())
        sys.stdout.buffer.write(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    elif what == "rsa":
        sys.stdout.buffer.write(rsa_sign(subject, sys.stdin.buffer.read()))
    elif what == "point":
        print(p256_point(subject).hex())
    elif what == "header":
        sys.stdout.write(header(subject))
    elif what == "check":
        check(subject)
    else:
        raise SystemExit(0 if is_test_only(subject) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
