#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the firmware's keys that the vendor has planned, and those that nobody planned, or somebody else."""
import subprocess
import sys
import time

from boxes import Owner, ensure_row, first_box, locked, operational
from lab import DIRECT_S, TOOLS, ensure, main

import enrol

PATH = "/v1/admin/secure-boot/plan"
BUSY_S = 6  # the keeper looks at a plan every five
FORBIDDEN = [bytes(range(32))]  # in dbx after the change: a program that has nothing to do with the box


def pcr7(lab, forbidden):
    """As a vendor has it said before the change."""
    dbx = lab.place("dbx")
    dbx.write_bytes(enrol.hash_list(forbidden) if forbidden else b"")
    return subprocess.run([TOOLS / "pcr7.py", "--dbx", dbx, lab.keys], check=True, capture_output=True, text=True).stdout.strip()


def plan(lab, forbidden, serial, keys=None, board=None):
    return subprocess.run([TOOLS / "plan.py", "--key", (keys or lab.keys) / "policy.key", "--board", board or lab.board, "--serial", str(serial),
                           "--security", "1", "--pcr7", pcr7(lab, forbidden)], check=True, capture_output=True, text=True).stdout


class Open:
    """A copy of the first box that is open, with its owner signed in."""

    def __init__(self, lab):
        self.first = first_box(lab)
        self.machine = lab.copy_of(self.first[0])
        self.report = operational(self.machine)
        self.owner = Owner(self.machine, self.report)

    def bring(self, text, status):
        """The answer's message; one that comes too soon after another is brought again."""
        got, body = self.owner.ask("POST", PATH, {"plan": text})
        for _ in range(2):
            if got != 503:
                break
            time.sleep(BUSY_S)
            got, body = self.owner.ask("POST", PATH, {"plan": text})
        ensure(got == status, f"{got} {body}")
        return body.get("message")

    def cut_off_with(self, lab, forbidden):
        """The power goes, and comes back with other keys in the firmware."""
        self.owner.close()
        self.machine.cut()
        self.machine.set_keys(lab.keys, forbidden)
        return self.machine


def a_planned_change_opens_by_itself(lab):
    box = Open(lab)
    box.bring(plan(lab, FORBIDDEN, 2), 200)
    box.machine.expect(r'"event":"secure_boot_change_planned","serial":2,"pcr7":"' + pcr7(lab, FORBIDDEN), DIRECT_S)
    machine = box.cut_off_with(lab, FORBIDDEN)
    report = operational(machine)
    ensure_row(machine, report, box.first)
    changed = machine.console.find(r'"event":"secure_boot_changed","as":"planned"')
    ensure(changed is not None, "it opened, and says nothing of the plan")
    owner = Owner(machine, report)
    status, body = owner.ask("POST", PATH, {"plan": plan(lab, [], 1)})
    ensure(status == 409 and "older" in body["message"], f"an older plan: {status} {body}")
    owner.close()
    machine.cut()
    machine.set_keys(lab.keys)
    back = locked(machine, "secure-boot-changed")
    return f"{report} after the change; an older plan: {body['message']}; the state before: {back}"


def the_same_change_without_a_plan_locks(lab):
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    machine.set_keys(lab.keys, FORBIDDEN)
    return str(locked(machine, "secure-boot-changed"))


def a_plan_that_the_vendor_did_not_sign_changes_nothing(lab):
    box = Open(lab)
    said = [box.bring(plan(lab, FORBIDDEN, 1, keys=lab.strangers()), 400),
            box.bring(plan(lab, FORBIDDEN, 1).replace("serial 1", "serial 2"), 400),
            box.bring(plan(lab, FORBIDDEN, 1, board="box-x86_64"), 409), box.bring(pcr7(lab, FORBIDDEN), 400)]
    ensure(box.machine.console.find(r'"event":"secure_boot_change_planned"') is None, "it has sealed for it")
    report = locked(box.cut_off_with(lab, FORBIDDEN), "secure-boot-changed")
    return f"{'; '.join(said)}: {report}"


if __name__ == "__main__":
    sys.exit(main([a_planned_change_opens_by_itself, the_same_change_without_a_plan_locks, a_plan_that_the_vendor_did_not_sign_changes_nothing]))
