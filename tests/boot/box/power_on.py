#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The board for boxes on a machine made of what a PC is made of: SATA and then NVMe, an Intel network card, the chipset's watchdog, a
TPM by TIS, the light of a keyboard. Its image is signed with keys that were made for this run. It shows that the drivers of the image
are there, in the right order, and that the table of the board names what they make of the devices; and that the chipset's watchdog
starts the machine again."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import USER_SPACE_S, ask, ensure, main, report_of  # noqa: E402
from watchdog import WATCHDOG, a_supervisor_that_hangs_starts_the_box_again  # noqa: E402

LIGHT = r'"event":"light-found","led":"([^"]*)"'


def powered_on(machine, disk):
    machine.table["MACHINE_DISK"] = disk
    began = time.monotonic()
    machine.start()
    report = report_of(machine, USER_SPACE_S)
    ensure(report.state == "operational", f"it is {report}")
    state = ask(machine, report, "GET", "/v1/system/state")
    ensure((state.status, state.body["state"]) == (200, "operational"), f"state: {state.status} {state.body}")
    return report, time.monotonic() - began


def a_box_finds_its_devices_and_opens_its_key_on_either_disk(lab):
    machine = lab.machine()
    report, first_s = powered_on(machine, "ide-hd")
    watchdog, light = machine.console.find(WATCHDOG), machine.console.find(LIGHT)
    ensure(watchdog and watchdog[1] == "iTCO_wdt", f"watchdog: {watchdog and watchdog[1]}")
    ensure(light and light[1].endswith("::scrolllock"), f"light: {light and light[1]}")
    ensure(machine.console.find("power button found"), "no power button")
    ensure(not machine.console.find('"event":"no_light"|light-not-set'), "the light does not work")
    machine.stop()
    again, second_s = powered_on(machine, "nvme,serial=rowlock")
    ensure("recoveryKey" in report.values and "recoveryKey" not in again.values and again.ca == report.ca, "it is another box")
    machine.cut()
    return f"{report} from SATA after {first_s:.0f} s with {watchdog[1]} and {light[1]}, from NVMe after {second_s:.0f} s"


if __name__ == "__main__":
    sys.exit(main([a_box_finds_its_devices_and_opens_its_key_on_either_disk, a_supervisor_that_hangs_starts_the_box_again]))
