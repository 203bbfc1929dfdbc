#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the signed policy of an image: what the TPM of a box must have measured for the root key to come out.

policy.py --key KEY --board NAME --version TEXT --security N --pcr11 HEX... [-o FILE]

The format stands in crypto/image_policy.h, whose reader refuses whatever this program would not write. KEY is a file or
a PKCS#11 URI, as signing.py takes it; the same policy signed by the same file is the same bytes each time.
"""
import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import signing  # noqa: E402

PCRS_MAX = 8


def pattern(text):
    form = re.compile(text)

    def check(value):
        if not form.fullmatch(value):
            raise argparse.ArgumentTypeError(f"{value!r} is not of the form {text}")
        return value

    return check


def options(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--key", required=True)
    parser.add_argument("--board", required=True, type=pattern("[a-z0-9_-]{1,31}"))
    parser.add_argument("--version", required=True, type=pattern("[A-Za-z0-9._+~-]{1,63}"))
    parser.add_argument("--security", required=True, type=pattern("[1-9][0-9]{0,4}"))
    parser.add_argument("--pcr11", required=True, nargs="+", type=pattern("[0-9a-f]{64}"))
    parser.add_argument("-o", "--output", type=Path)
    chosen = parser.parse_args(words)
    if int(chosen.security) > 65535:
        parser.error("a security version is at most 65535")
    if len(chosen.pcr11) > PCRS_MAX or len(set(chosen.pcr11)) != len(chosen.pcr11):
        parser.error(f"at most {PCRS_MAX} values of PCR 11, each once")
    return chosen


def policy(key, board, version, security, pcr11):
    lines = ["rowlock-policy 1", f"board {board}", f"version {version}", f"security {security}"]
    return signing.signed_text(key, lines + [f"pcr11 {value}" for value in pcr11])


def main(words):
    chosen = options(words)
    made = policy(chosen.key, chosen.board, chosen.version, chosen.security, chosen.pcr11)
    if chosen.output:
        chosen.output.write_bytes(made)
    else:
        sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main(sys.argv[1:])
