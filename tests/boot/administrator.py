#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second network card: the administrator is served there, and nowhere else."""
import sys

from boxes import add_row, ask_for_table
from lab import DIRECT_S, ensure, main, report_of

ADMIN = 9443


def the_administrator_is_served_on_the_second_card_alone(lab):
    machine = lab.machine()
    machine.has_admin = True
    machine.start(direct=True)
    report = report_of(machine, DIRECT_S)
    ensure(report.values.get("adminUrl") == f"https://192.168.77.1:{ADMIN}", f"it tells {report.values}")
    refused = ask_for_table(machine, report)
    ensure(refused.status == 404, f"over the card of the data: {refused.status} {refused.body}")
    made = ask_for_table(machine, report, ADMIN)
    ensure(made.status == 201, f"over his: {made.status} {made.body}")
    add_row(machine, report)
    return f"{report}, /v1/admin answers {made.status} on his card and {refused.status} on the other"


if __name__ == "__main__":
    sys.exit(main([the_administrator_is_served_on_the_second_card_alone]))
