#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives every file and folder of a FAT32 image one time: fat_times.py IMAGE SECONDS

mtools writes the clock into folders, and two images of the same files would differ.
Spec: Microsoft FAT32 File System Specification, 1.03.
"""
import struct
import sys
import time
from pathlib import Path

ENTRY_BYTES = 32
LONG_NAME = 0x0F
FOLDER, LABEL = 0x10, 0x08
LAST_CLUSTER = 0x0FFFFFF8


class Fat32:
    def __init__(self, data):
        self.data = data
        sector, per_cluster, reserved, tables = struct.unpack_from("<HBHB", data, 11)
        self.table_sectors, self.root = struct.unpack_from("<I4xI", data, 36)
        self.cluster_bytes = sector * per_cluster
        self.table = sector * reserved
        self.clusters = self.table + sector * tables * self.table_sectors

    def places(self, cluster):
        """Of each entry of the folder that begins there."""
        while 2 <= cluster < LAST_CLUSTER:
            begin = self.clusters + (cluster - 2) * self.cluster_bytes
            yield from range(begin, begin + self.cluster_bytes, ENTRY_BYTES)
            cluster = struct.unpack_from("<I", self.data, self.table + 4 * cluster)[0] & 0x0FFFFFFF

    def set_times(self, date, clock):
        folders = [self.root]
        while folders:
            for at in self.places(folders.pop()):
                first, kind = self.data[at], self.data[at + 11]
                if first == 0:
                    break
                if first == 0xE5 or kind == LONG_NAME:
                    continue
                struct.pack_into("<BHHH", self.data, at + 13, 0, clock, date, date)
                struct.pack_into("<HH", self.data, at + 22, clock, date)
                if kind & FOLDER and not kind & LABEL and first != ord("."):
                    high, low = struct.unpack_from("<H4xH", self.data, at + 20)
                    folders.append(high << 16 | low)


def main(words):
    if len(words) != 2:
        raise SystemExit(__doc__)
    now = time.gmtime(int(words[1]))
    date = max(now.tm_year - 1980, 0) << 9 | now.tm_mon << 5 | now.tm_mday
    clock = now.tm_hour << 11 | now.tm_min << 5 | now.tm_sec // 2
    data = bytearray(Path(words[0]).read_bytes())
    Fat32(data).set_times(date, clock)
    Path(words[0]).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
