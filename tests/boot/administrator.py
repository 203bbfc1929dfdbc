#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second network card: the administrator is served there, and nowhere else."""
import sys

from lab import DIRECT_S, ask, ensure, main, report_of

ADMIN = 9443


def the_administrator_is_served_on_the_second_card_alone(lab):
    machine = lab.machine()
    machine.has_admin = True
    machine.start(direct=True)
    report = report_of(machine, DIRECT_S)
    ensure(report.values.get("adminUrl") == f"https://192.168.77.1:{ADMIN}", f"it tells {report.values}")
    key = report.values["secretKey"]
    table = {"tableName": "notes", "schema": {"text": {"type": "string"}}}
    refused = ask(machine, report, "POST", "/v1/admin/tables", table, key)
    ensure(refused.status == 404, f"over the card of the data: {refused.status} {refused.body}")
    made = ask(machine, report, "POST", "/v1/admin/tables", table, key, port=ADMIN)
    ensure(made.status == 201, f"over his: {made.status} {made.body}")
    row = ask(machine, report, "POST", "/v1/data/notes", {"text": "kept"}, key)
    ensure(row.status == 201, f"no row: {row.status} {row.body}")
    return f"{report}, /v1/admin answers {made.status} on his card and {refused.status} on the other"


if __name__ == "__main__":
    sys.exit(main([the_administrator_is_served_on_the_second_card_alone]))
