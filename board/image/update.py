#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a signed update file of an image; the format stands in firmware/update/update.c.

update.py --key KEY --board NAME --version TEXT --security N --uki FILE --root FILE --policy FILE --out FILE

KEY is a file or a PKCS#11 URI, as signing.py takes it; the same parts signed by the same file are the same bytes each time.
"""
import argparse
import hashlib
import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import signing  # noqa: E402

CHUNK = 1 << 20
NAME = 32
LIMITS = (64 << 20, 256 << 20, 65536)  # of the kernel image, the root slot, the policy


def name(text):
    if not re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,%d}" % (NAME - 1), text):
        raise SystemExit(f"update.py: not a name: {text!r}")
    return text.encode().ljust(NAME, b"\0")


def header(board, version, security, parts):
    for part, limit in zip(parts, LIMITS, strict=True):
        if not 0 < len(part) <= limit:
            raise SystemExit(f"update.py: a part of {len(part)} bytes, where 1 to {limit} are allowed")
    body = struct.pack(">8sI", b"RLUPDATE", 1) + name(board) + name(version)
    body += struct.pack(">4I", security, *(len(part) for part in parts))
    for part in parts:
        for at in range(0, len(part), CHUNK):
            body += hashlib.sha256(part[at:at + CHUNK]).digest()
    return body


def signed(key, body):
    r, s = signing.p256_sign(key, body)
    return body + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def main():
    ask = argparse.ArgumentParser(description="Makes a signed update file.")
    for option in ("key", "board", "version", "uki", "root", "policy", "out"):
        ask.add_argument("--" + option, required=True)
    ask.add_argument("--security", required=True, type=int)
    given = ask.parse_args()
    if not 1 <= given.security <= 65535:
        raise SystemExit("update.py: a security version is 1 to 65535")
    parts = [Path(path).read_bytes() for path in (given.uki, given.root, given.policy)]
    text = signed(given.key, header(given.board, given.version, given.security, parts)) + b"".join(parts)
    Path(given.out).write_bytes(text)


if __name__ == "__main__":
    main()
