#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins a unified kernel image: uki.py STUB OSREL CMDLINE INITRD KERNEL OUT

The sections are laid behind the stub's own in memory. The kernel comes last: it unpacks itself in place and may write over
what lies behind it.
"""
import sys
from pathlib import Path

import pe

PAGE = 4096  # what the stub hands on as a file or a program begins a page, whatever it asks for itself


def join(stub, parts):
    image = pe.Image(stub)
    image.cut_symbols()
    for name, path in parts:
        content = Path(path).read_bytes()
        if not content:
            raise SystemExit(f"uki.py: {path} is empty")
        image.add(name, content, max(image.section_align, PAGE))
    image.settle()
    return image.data


def main(words):
    if len(words) != 6:
        raise SystemExit(__doc__)
    stub, osrel, cmdline, initrd, kernel, out = words
    Path(out).write_bytes(join(stub, [(".osrel", osrel), (".cmdline", cmdline), (".initrd", initrd), (".linux", kernel)]))


if __name__ == "__main__":
    main(sys.argv[1:])
