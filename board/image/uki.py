#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins a unified kernel image: uki.py STUB OSREL CMDLINE INITRD KERNEL OUT

The sections are laid behind the stub's own in memory. The kernel comes last: it unpacks itself in place and may write over
what lies behind it.
"""
import subprocess
import sys
from pathlib import Path

import pe

READ_ONLY_DATA = "data,readonly"
PAGE = 4096  # what the stub hands on as a file or a program begins a page, whatever it asks for itself


def join(stub, parts, out):
    options = []
    image = pe.Image(stub)
    align = max(image.section_align, PAGE)
    address = -(-image.end_of_memory() // align) * align
    (base,) = image.unpack("<Q", image.header + 24 + 24)
    for name, path in parts:
        size = Path(path).stat().st_size
        if not size:
            raise SystemExit(f"uki.py: {path} is empty")
        options += ["--add-section", f"{name}={path}", "--set-section-flags", f"{name}={READ_ONLY_DATA}",
                    "--change-section-vma", f"{name}={base + address:#x}"]
        address += -(-size // align) * align
    subprocess.run(["objcopy", *options, stub, out], check=True)
    image = pe.Image(out)
    for name, path in parts:
        if image.content(name) != Path(path).read_bytes():
            raise SystemExit(f"uki.py: {name} came out as something else than {path}")
    image.settle()
    Path(out).write_bytes(image.data)


def main(words):
    if len(words) != 6:
        raise SystemExit(__doc__)
    stub, osrel, cmdline, initrd, kernel, out = words
    join(stub, [(".osrel", osrel), (".cmdline", cmdline), (".initrd", initrd), (".linux", kernel)], out)


if __name__ == "__main__":
    main(sys.argv[1:])
