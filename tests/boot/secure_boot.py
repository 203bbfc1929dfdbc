#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firmware starts: systemd-boot and the kernel image as the vendor signed them, and nothing else."""
import sys

from lab import LOADER, ROOT_CHECKED, USER_SPACE_S, Failed, MachineError, ensure, esp_put, main, partition, pe, read_at, signed, unsigned, write_at

STARTED = "rowlock: version"
# systemd-boot's words and the firmware's.
REFUSED = r"Security [Vv]iolation|Access [Dd]enied"


def refusal(machine):
    machine.start()
    said = machine.expect(rf"{REFUSED}|{STARTED}", USER_SPACE_S).group()
    ensure(said != STARTED, "it was started")
    return said


def the_signed_image_starts(lab):
    machine = lab.machine()
    machine.start()
    return machine.expect(rf"root file system in root-a, {ROOT_CHECKED}", USER_SPACE_S).group()


def an_unsigned_kernel_image_is_refused(lab):
    machine = lab.machine()
    esp_put(machine.disk, unsigned(lab.image / "rowlock.efi", lab.place("unsigned")), lab.kernel_image)
    return refusal(machine)


def a_kernel_image_that_a_stranger_signed_is_refused(lab):
    machine = lab.machine()
    esp_put(machine.disk, signed(lab.image / "rowlock.efi", lab.strangers(), lab.place("foreign")), lab.kernel_image)
    return refusal(machine)


def a_kernel_image_with_another_command_line_is_refused(lab):
    """One letter: `lockdown` becomes `lockdowm`, which the kernel would pass over."""
    machine = lab.machine()
    data = bytearray((lab.image / "rowlock.efi").read_bytes())
    section = next(one for one in pe.Image(lab.image / "rowlock.efi").sections if one.name == ".cmdline")
    at = data.index(b"lockdown=", section.offset, section.offset + section.file_bytes)
    data[at + 7:at + 8] = b"m"
    changed = lab.place("changed")
    changed.write_bytes(data)
    esp_put(machine.disk, changed, lab.kernel_image)
    return refusal(machine)


def one_bit(lab, section):
    """The vendor's image with one bit changed in the middle of a section, at the place of the right one."""
    machine = lab.machine()
    image = pe.Image(lab.image / "rowlock.efi")
    data = bytearray(image.data)
    found = next(one for one in image.sections if one.name == section)
    data[found.offset + found.file_bytes // 2] ^= 1
    changed = lab.place("changed")
    changed.write_bytes(data)
    esp_put(machine.disk, changed, lab.kernel_image)
    return refusal(machine)


def one_bit_of_the_kernel_is_refused(lab):
    return one_bit(lab, ".linux")


def one_bit_of_the_initramfs_is_refused(lab):
    return one_bit(lab, ".initrd")


def an_image_on_the_list_of_forbidden_ones_is_refused(lab):
    """By its hash, in dbx: its signature is right as before."""
    machine = lab.machine()
    machine.set_keys(lab.keys, [pe.Image(lab.image / "rowlock.efi").digest()])
    return refusal(machine)


def a_loader_that_a_stranger_signed_is_refused(lab):
    machine = lab.machine()
    esp_put(machine.disk, signed(lab.image / "boot.efi", lab.strangers(), lab.place("foreign")), LOADER)
    return refusal(machine)


def without_secure_boot_the_unsigned_one_starts(lab):
    """So it is the signature that was missed above."""
    machine = lab.machine(keys=None)
    esp_put(machine.disk, unsigned(lab.image / "rowlock.efi", lab.place("unsigned")), lab.kernel_image)
    machine.start()
    return machine.expect(ROOT_CHECKED, USER_SPACE_S).group()


if __name__ == "__main__":
    sys.exit(main([the_signed_image_starts, an_unsigned_kernel_image_is_refused, a_kernel_image_that_a_stranger_signed_is_refused,
                   a_kernel_image_with_another_command_line_is_refused, one_bit_of_the_kernel_is_refused,
                   an_image_on_the_list_of_forbidden_ones_is_refused, a_loader_that_a_stranger_signed_is_refused,
                   without_secure_boot_the_unsigned_one_starts], [one_bit_of_the_initramfs_is_refused]))
