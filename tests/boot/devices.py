#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power button, and a disk that somebody wrote on; without firmware, which has no part in them."""
import sys
import time

from boxes import ensure_row, make_row, operational
from lab import DIRECT_S, ask, ensure, main, partition, read_at, report_of, write_at

MIB = 1 << 20


def new_box(lab):
    """(machine, what ensure_row takes): it runs, and has a row."""
    machine = lab.machine()
    report = operational(machine, direct=True)
    return machine, (machine, report, make_row(machine, report))


def the_power_button_ends_the_box_in_order(lab):
    machine, first = new_box(lab)
    began = time.monotonic()
    machine.press_power_button()
    machine.expect(r"power button: the box ends", DIRECT_S)
    machine.expect(r"rowlock: off", DIRECT_S)
    machine.wait_end(DIRECT_S)
    took = time.monotonic() - began
    ensure(not machine.console.find(r"audit: type=1326|Kernel panic|SIGSYS|_failed\""), "something failed on the way")
    ensure_row(machine, operational(machine, direct=True), first)
    return f"off after {took:.1f} s, and at the next start the row is there"


def a_data_volume_that_somebody_wrote_on_serves_nothing_false(lab):
    """A bit in each of its sectors: whichever of them is read, its tag is wrong."""
    machine, first = new_box(lab)
    machine.cut()
    offset, size = partition(machine.disk, "data")
    for at in range(offset + MIB, offset + size, MIB):  # what integrity says of itself is in front
        data = read_at(machine.disk, at, MIB)
        if data.strip(b"\0"):
            write_at(machine.disk, at, bytes(byte ^ 1 for byte in data))
    machine.start(direct=True)
    report = report_of(machine, DIRECT_S)
    ensure((report.state, report.reason) == ("failed", "storage-damaged"), f"it is {report}")
    got = ask(machine, report, "GET", f"/v1/data/notes/{first[2]}", key=first[1].values["secretKey"])
    ensure(got.status == 503, f"the row: {got.status} {got.body}")
    return f"{report}; the row: {got.status}"


if __name__ == "__main__":
    sys.exit(main([the_power_button_ends_the_box_in_order, a_data_volume_that_somebody_wrote_on_serves_nothing_false]))
