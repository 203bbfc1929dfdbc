#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest way to an answer: the kernel handed over by QEMU, so without firmware and measurements. `make check` runs it."""
import re
import sys
import time

from lab import DIRECT_S, ask, ensure, main, report_of


def operational(machine):
    began = time.monotonic()
    machine.start(direct=True)
    report = report_of(machine, DIRECT_S)
    ensure(report.state == "operational", f"it is {report}")
    ensure(report.values["url"] == "https://10.0.2.15:443", f"it tells {report.values['url']}, before DHCP has told it")
    state = ask(machine, report, "GET", "/v1/system/state")
    ensure((state.status, state.body["state"]) == (200, "operational"), f"state: {state.status} {state.body}")
    taken_s = time.monotonic() - began
    users = sorted(re.findall(r'"event":"user-changed","uid":(\d+)', machine.console.text))
    ensure(users == ["100", "101", "102", "103"], f"users: {users}")
    return report, taken_s


def a_new_box_answers_and_keeps_its_rows_over_a_power_cut(lab):
    machine = lab.machine()
    report, first_s = operational(machine)
    key = report.values["secretKey"]
    made = ask(machine, report, "POST", "/v1/admin/tables", {"tableName": "notes", "schema": {"text": {"type": "string"}}}, key)
    ensure(made.status == 201, f"no table: {made.status} {made.body}")
    row = ask(machine, report, "POST", "/v1/data/notes", {"text": "kept"}, key)
    ensure(row.status == 201, f"no row: {row.status} {row.body}")
    machine.cut()
    again, second_s = operational(machine)
    ensure("recoveryKey" not in again.values and again.ca == report.ca, "it provisioned itself again")
    got = ask(machine, again, "GET", f"/v1/data/notes/{row.body['id']}", key=key)
    ensure(got.status == 200 and got.body["text"] == "kept", f"the row: {got.status} {got.body}")
    return f"{report} {first_s:.1f} s after power-on, again after {second_s:.1f} s, the row is there"


if __name__ == "__main__":
    sys.exit(main([a_new_box_answers_and_keeps_its_rows_over_a_power_cut]))
