#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box whose firmware has Secure Boot off, now as when it was provisioned, so that it starts whatever lies on the disk: PCR 7 is as
before, and what is left is PCR 11."""
import sys

from boxes import locked, make_row, operational, unlocked, unlocked_and_sealed_again
from lab import ensure, esp_put, main, partition, pe, write_at

MEASURED = r'"event":"measured","pcr7":"([0-9a-f]{64})","pcr11":"([0-9a-f]{64})"'
_first = []


def first_box(lab):
    """(machine, which is stopped, its report, the id of its row)"""
    if not _first:
        machine = lab.machine(keys=None, kept=True)
        report = operational(machine)
        row = make_row(machine, report)
        machine.cut()
        _first.append((machine, report, row))
    return _first[0]


def locked_as_changed(machine, first):
    """(report, words): it is started, and what was measured differs in the image alone."""
    report = locked(machine, "image-changed")
    before, now = (one.console.find(MEASURED) for one in (first[0], machine))
    ensure(before[1] == now[1], "PCR 7 is another")
    ensure(before[2] != now[2], "PCR 11 is the same")
    return report, f"PCR 11 {now[2][:8]} for {before[2][:8]}: {report}"


def another_command_line_locks(lab):
    """One letter: `lockdown` becomes `lockdowm`, which the kernel passes over."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    image = pe.Image(lab.image / "rowlock.efi")
    section = next(one for one in image.sections if one.name == ".cmdline")
    at = image.data.index(b"lockdown=", section.offset, section.offset + section.file_bytes)
    image.data[at + 7:at + 8] = b"m"
    changed = lab.place("changed")
    changed.write_bytes(image.data)
    esp_put(machine.disk, changed, lab.kernel_image)
    report, words = locked_as_changed(machine, first)
    unlocked_and_sealed_again(machine, report, first)
    return f"{words}; the recovery key opened it, and the next start opened by itself"


def another_root_with_a_shell_in_it_locks(lab):
    """The same program, and a shell for whoever sits at the console; the command line names the hash of that root, and all of it is
    signed by a stranger."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    other = lab.build("shell", FLAVOR="debug", KEYS=str(lab.strangers()))
    esp_put(machine.disk, other / "rowlock.efi", lab.kernel_image)
    esp_put(machine.disk, other / "policy", lab.kernel_image.replace(".efi", ".policy"))
    write_at(machine.disk, partition(machine.disk, "root-a")[0], (other / "root.img").read_bytes())
    report, words = locked_as_changed(machine, first)
    ensure(machine.console.find("there is a shell on this console"), "it is another image that was started")
    ensure(machine.console.find('"event":"image_policy_refused"'), "the stranger's policy was not refused")
    unlocked(machine, report, first)
    machine.cut()
    return f"{words}; the recovery key opened it"


if __name__ == "__main__":
    sys.exit(main([], [another_command_line_locks, another_root_with_a_shell_in_it_locks]))
