#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box that hangs starts again by itself. In an image for debugging, whose shell stops processes as a defect would: with SIGSTOP they are
there, and do nothing more. Everything else in it is that of a release."""
import re
import sys
import time

from boxes import ensure_row, make_row, operational
from lab import DIRECT_S, USER_SPACE_S, ensure, main, report_of

WATCHDOG = r'"event":"watchdog-armed","device":"([^"]*)","seconds":(\d+)'
SILENCE_S = 30  # CONFIG_SUPERVISOR_SILENCE_S
ORDERLY = r"asks for a new start|Kernel panic|\"event\":\"(?:restart|stopping)\"|rowlock: off"


def box_with_shell(lab):
    """(machine, what ensure_row takes): it runs, and has a row."""
    machine = lab.machine(image=lab.build("debug", FLAVOR="debug"))
    report = operational(machine, restarts=True)
    return machine, (machine, report, make_row(machine, report))


def processes(machine, words):
    """The numbers of those whose command line has these words."""
    began = len(machine.console.text)
    machine.type("ps; echo '<'end'>'\n")
    machine.expect("^<end>", DIRECT_S)
    found = re.findall(rf"^ *(\d+) .*{words}", machine.console.text[began:], re.M)
    ensure(found, f"no process {words}: {machine.console.text[began:]}")
    return found


def starts_again(machine, first, stopped):
    """Stops these processes; the seconds until the machine starts again. Nothing in it may have done that but the watchdog."""
    device, seconds = machine.console.find(WATCHDOG).groups()
    began, so_far = time.monotonic(), len(machine.console.text)
    machine.type(f"kill -STOP {' '.join(stopped)}\n")
    machine.expect(r"rowlock: version \S+ starts", SILENCE_S + int(seconds) + USER_SPACE_S)
    took = time.monotonic() - began
    ensure(took > int(seconds) / 2, f"it started again after {took:.0f} s: that was not the watchdog")
    ensure(not re.search(ORDERLY, machine.console.text[so_far:machine.console.at]), "it started again by itself")
    report = report_of(machine, USER_SPACE_S)
    ensure(report.state == "operational" and report.ca == first[1].ca, f"it is {report}")
    ensure_row(machine, report, first)
    return f"{device} of {seconds} s started it again after {took:.0f} s: {report}, the row is there"


def a_supervisor_that_hangs_starts_the_box_again(lab):
    machine, first = box_with_shell(lab)
    return starts_again(machine, first, processes(machine, "rowlock serve"))


def a_worker_that_hangs_and_cannot_be_replaced_starts_the_box_again(lab):
    """Nor can its starter, which would end it."""
    machine, first = box_with_shell(lab)
    return starts_again(machine, first, processes(machine, "rowlock.* worker"))


if __name__ == "__main__":
    sys.exit(main([a_worker_that_hangs_and_cannot_be_replaced_starts_the_box_again], [a_supervisor_that_hangs_starts_the_box_again]))
