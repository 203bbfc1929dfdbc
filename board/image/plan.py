#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the signed plan of a change of Secure Boot: what PCR 7 will be, so that boxes open after it without a person.

plan.py --key KEY --board NAME --serial N --security N --pcr7 HEX [-o FILE]

pcr7.py says the value. serial: above that of every plan before, for instance the date and two digits (2026112401). security: the
security version of the images of today; boxes that have seen a higher one do not take the plan.

Whoever can start something else under that state of Secure Boot gets at what the boxes keep: sign no plan for a state in which
Secure Boot is off, or that lets a program start which the state of today does not, unless you trust it as much as an image.

The format stands in crypto/boot_plan.h, whose reader refuses whatever this program would not write. KEY is the policy key, a file or
a PKCS#11 URI, as signing.py takes it; the same plan signed by the same file is the same bytes each time.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import signing  # noqa: E402
from policy import pattern  # noqa: E402

SERIAL_MAX = 0xFFFFFFFF
SECURITY_MAX = 65535


def options(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--key", required=True)
    parser.add_argument("--board", required=True, type=pattern("[a-z0-9_-]{1,31}"))
    parser.add_argument("--serial", required=True, type=pattern("[1-9][0-9]{0,9}"))
    parser.add_argument("--security", required=True, type=pattern("[1-9][0-9]{0,4}"))
    parser.add_argument("--pcr7", required=True, type=pattern("[0-9a-f]{64}"))
    parser.add_argument("-o", "--output", type=Path)
    chosen = parser.parse_args(words)
    if int(chosen.serial) > SERIAL_MAX:
        parser.error(f"a serial is at most {SERIAL_MAX}")
    if int(chosen.security) > SECURITY_MAX:
        parser.error(f"a security version is at most {SECURITY_MAX}")
    return chosen


def plan(key, board, serial, security, pcr7):
    lines = ["rowlock-secure-boot-plan 1", f"board {board}", f"serial {serial}", f"security {security}", f"pcr7 {pcr7}"]
    return signing.signed_text(key, lines)


def main(words):
    chosen = options(words)
    made = plan(chosen.key, chosen.board, chosen.serial, chosen.security, chosen.pcr7)
    if chosen.output:
        chosen.output.write_bytes(made)
    else:
        sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main(sys.argv[1:])
