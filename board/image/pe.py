# SPDX-License-Identifier: GPL-3.0-or-later
"""A PE32+ file as UEFI loads it: its sections, and the bytes that its signature is over. Spec: Microsoft PE/COFF and
Windows Authenticode Portable Executable Signature Format."""
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

PE32_PLUS = 0x20B
SECTION_BYTES = 40
CERTIFICATES = 4  # the entry of the data directory
STAMP, SYMBOLS, IMAGE_BYTES, CHECKSUM = 8, 12, 24 + 56, 24 + 64  # from the PE header on
READ_ONLY_DATA = 0x40000040
DIRECTORY = 24 + 112


class Malformed(Exception):
    pass


@dataclass(frozen=True)
class Section:
    name: str
    memory_bytes: int
    address: int
    file_bytes: int
    offset: int


class Image:
    def __init__(self, path):
        self.data = bytearray(Path(path).read_bytes())
        if self.data[:2] != b"MZ":
            raise Malformed("no MZ")
        (self.header,) = self.unpack("<I", 0x3C)
        if self.data[self.header:self.header + 4] != b"PE\0\0":
            raise Malformed("no PE header")
        (magic,) = self.unpack("<H", self.header + 24)
        if magic != PE32_PLUS:
            raise Malformed("not PE32+")
        self.section_align, self.file_align = self.unpack("<2I", self.header + 24 + 32)
        (self.header_bytes,) = self.unpack("<I", self.header + 24 + 60)
        self.sections = list(self.read_sections())

    def unpack(self, form, at):
        if at + struct.calcsize(form) > len(self.data):
            raise Malformed("cut short")
        return struct.unpack_from(form, self.data, at)

    def read_sections(self):
        (count,) = self.unpack("<H", self.header + 6)
        (optional_bytes,) = self.unpack("<H", self.header + 20)
        for index in range(count):
            at = self.header + 24 + optional_bytes + index * SECTION_BYTES
            name, *numbers = self.unpack("<8s4I", at)
            section = Section(name.rstrip(b"\0").decode("ascii"), *numbers)
            if section.offset + section.file_bytes > len(self.data):
                raise Malformed(f"section {section.name} lies outside the file")
            yield section

    def content(self, name):
        """What of a section is loaded, or None: its memory size counts, the rest of the file's is padding."""
        for section in self.sections:
            if section.name == name:
                held = bytes(self.data[section.offset:section.offset + min(section.memory_bytes, section.file_bytes)])
                return held.ljust(section.memory_bytes, b"\0")
        return None

    def cut_symbols(self):
        """Ends the file behind the last section: what follows there is a debugger's."""
        del self.data[max(section.offset + section.file_bytes for section in self.sections):]
        struct.pack_into("<2I", self.data, self.header + SYMBOLS, 0, 0)

    def add(self, name, content, align):
        """A section of read-only data behind the others."""
        (optional_bytes,) = self.unpack("<H", self.header + 20)
        at = self.header + 24 + optional_bytes + len(self.sections) * SECTION_BYTES
        if at + SECTION_BYTES > min(self.header_bytes, *(section.offset for section in self.sections)):
            raise Malformed(f"no room for a header of {name}")
        address = -(-self.end_of_memory() // align) * align
        padded = -(-len(content) // self.file_align) * self.file_align
        section = Section(name, len(content), address, padded, len(self.data))
        self.sections.append(section)
        struct.pack_into("<8s4I12xI", self.data, at, name.encode("ascii"), len(content), address, padded, len(self.data), READ_ONLY_DATA)
        struct.pack_into("<H", self.data, self.header + 6, len(self.sections))
        image_bytes = -(-self.end_of_memory() // self.section_align) * self.section_align
        struct.pack_into("<I", self.data, self.header + IMAGE_BYTES, image_bytes)
        self.data += content.ljust(padded, b"\0")

    def end_of_memory(self):
        """Behind the last section."""
        return max(section.address + section.memory_bytes for section in self.sections)

    def settle(self):
        """Takes out what tells one build from another: the time stamp, and a checksum that nobody reads."""
        struct.pack_into("<I", self.data, self.header + STAMP, 0)
        struct.pack_into("<I", self.data, self.header + CHECKSUM, 0)

    def certificates(self):
        """Offset and size of the signatures, or zeros."""
        return self.unpack("<2I", self.header + DIRECTORY + 8 * CERTIFICATES)

    def unsign(self):
        offset, size = self.certificates()
        if offset:
            if offset + size != len(self.data):
                raise Malformed("the signatures are not at the end")
            del self.data[offset:]
            struct.pack_into("<2I", self.data, self.header + DIRECTORY + 8 * CERTIFICATES, 0, 0)
        self.data += bytes(-len(self.data) % 8)

    def digest(self):
        """The Authenticode hash: headers without checksum and place of the signatures, sections by offset, what follows."""
        place = self.header + DIRECTORY + 8 * CERTIFICATES
        digest = hashlib.sha256(self.data[:self.header + CHECKSUM])
        digest.update(self.data[self.header + CHECKSUM + 4:place])
        digest.update(self.data[place + 8:self.header_bytes])
        hashed = self.header_bytes
        for section in sorted(self.sections, key=lambda one: one.offset):
            if section.file_bytes:
                digest.update(self.data[section.offset:section.offset + section.file_bytes])
                hashed += section.file_bytes
        offset, _ = self.certificates()
        digest.update(self.data[hashed:offset or len(self.data)])
        return digest.digest()
