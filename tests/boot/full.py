#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box whose data volume is full, at its start and while an update arrives: it says so to whoever writes, loses nothing, and takes the
update, which lies elsewhere."""
import re
import subprocess
import sys

from boxes import NEXT, Owner, ensure_row, make_row, next_image, operational
from lab import DIRECT_S, USER_SPACE_S, Connection, ensure, main, partition, report_of, seen

DATA_MIB = 24  # as small as the first file system in it allows, so that it is full soon
DATA_PARTITION = 5
STEPS = (1 << 19, 1 << 16, 1 << 12, 16)  # bytes of a row: large ones first, until not one more of the smallest fits


def shrink(machine):
    """The partition of a box that was never started."""
    subprocess.run(["sfdisk", "-q", "--no-reread", "--no-tell-kernel", "-N", str(DATA_PARTITION), str(machine.disk)],
                   input=f",{DATA_MIB}M\n", text=True, check=True)
    ensure(partition(machine.disk, "data")[1] == DATA_MIB << 20, "the partition is as it was")


def is_full(answer):
    return answer.status == 507 and answer.body["error"]["code"] == "common/insufficient-storage"


def fill(connection):
    """How many rows have been answered as kept."""
    rows = 0
    for size in STEPS:
        while True:
            answer = connection.ask("POST", "/v1/data/notes", {"text": "x" * size})
            if answer.status != 201:
                ensure(is_full(answer), f"a row of {size} bytes: {answer.status} {answer.body}")
                break
            rows += 1
    return rows


def ensure_all(connection, rows):
    got = connection.ask("GET", "/v1/data/notes?limit=1")
    ensure(got.status == 200 and got.body["pagination"]["total"] == rows, f"of {rows} rows: {got.status} {got.body}")


def a_full_data_volume_loses_nothing_and_takes_an_update(lab):
    machine = lab.machine()
    shrink(machine)
    report = operational(machine, restarts=True)
    key = report.values["secretKey"]
    first = (machine, report, make_row(machine, report))
    owner = Owner(machine, report)
    connection = Connection(machine, report, key)
    rows = 1 + fill(connection)
    ensure_all(connection, rows)
    machine.cut()

    again = operational(machine, restarts=True)
    connection = Connection(machine, again, key)
    ensure_row(machine, again, first)
    ensure_all(connection, rows)
    refused = connection.ask("POST", "/v1/data/notes", {"text": "x" * STEPS[0]})
    ensure(is_full(refused), f"after a start: {refused.status} {refused.body}")

    owner.reconnect(machine, again)
    owner.send((next_image(lab) / "rowlock.update").read_bytes())
    owner.install()
    machine.expect(rf"rowlock: version {re.escape(NEXT)} starts", USER_SPACE_S)
    updated = report_of(machine, USER_SPACE_S)
    ensure(updated.state == "operational", f"on trial it is {updated}")
    seen(machine, rf'"process":"updater","event":"image_blessed","version":"{re.escape(NEXT)}"', DIRECT_S)
    connection = Connection(machine, updated, key)
    ensure_row(machine, updated, first)
    ensure_all(connection, rows)

    removed = connection.ask("DELETE", f"/v1/data/notes/{first[2]}")
    ensure(removed.status == 200, f"no room can be made: {removed.status} {removed.body}")
    return f"{rows} rows, then {refused.status} {refused.body['error']['message']}; after a power cut, and after an update to {NEXT}, they " \
           "are there; a row can be removed"


if __name__ == "__main__":
    sys.exit(main([], [a_full_data_volume_loses_nothing_and_takes_an_update]))
