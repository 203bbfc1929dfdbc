#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an initramfs: cpio.py <LIST >ARCHIVE

The list has a line for each entry, in the order of the archive; all belong to root:
  dir PATH MODE          file PATH MODE FROM          char PATH MODE MAJOR MINOR
Times are zero and inodes are counted, so the same list gives the same bytes. The usual tool makes no device without root.
Spec: Linux, Documentation/driver-api/early-userspace/buffer-format.rst ("newc").
"""
import sys
from pathlib import Path

KINDS = {"dir": 0o040000, "file": 0o100000, "char": 0o020000}
TRAILER = "TRAILER!!!"


def entry(inode, name, mode=0, data=b"", major=0, minor=0):
    links = 2 if mode & 0o170000 == KINDS["dir"] else 1
    text = name.encode("ascii") + b"\0"
    numbers = (inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(text), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + text
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(lines):
    inode = 0
    for inode, line in enumerate(lines, 1):
        kind, path, mode, *more = line.split()
        data = Path(more[0]).read_bytes() if kind == "file" else b""
        device = (int(more[0]), int(more[1])) if kind == "char" else (0, 0)
        yield entry(inode, path.lstrip("/"), KINDS[kind] | int(mode, 8), data, *device)
    yield entry(inode + 1, TRAILER)


if __name__ == "__main__":
    sys.stdout.buffer.write(b"".join(archive(sys.stdin.read().splitlines())))
