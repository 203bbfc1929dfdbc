#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest way to an answer: the kernel handed over by QEMU, so without firmware and measurements. `make check` runs it."""
import re
import sys
import time

from boxes import ensure_row, make_row, operational
from lab import ask, ensure, main


def timed(machine):
    """The report of a box that has answered, and how long that took."""
    began = time.monotonic()
    report = operational(machine, direct=True)
    ensure(report.values["url"] == "https://10.0.2.15:443", f"it tells {report.values['url']}, before DHCP has told it")
    state = ask(machine, report, "GET", "/v1/system/state")
    ensure((state.status, state.body["state"]) == (200, "operational"), f"state: {state.status} {state.body}")
    taken_s = time.monotonic() - began
    users = sorted(re.findall(r'"event":"user-changed","uid":(\d+)', machine.console.text))
    ensure(users == ["100", "101", "102", "103"], f"users: {users}")
    return report, taken_s


def a_new_box_answers_and_keeps_its_rows_over_a_power_cut(lab):
    machine = lab.machine()
    report, first_s = timed(machine)
    first = (machine, report, make_row(machine, report))
    machine.cut()
    again, second_s = timed(machine)
    ensure("recoveryKey" not in again.values and again.ca == report.ca, "it provisioned itself again")
    ensure_row(machine, again, first)
    return f"{report} {first_s:.1f} s after power-on, again after {second_s:.1f} s, the row is there"


if __name__ == "__main__":
    sys.exit(main([a_new_box_answers_and_keeps_its_rows_over_a_power_cut]))
