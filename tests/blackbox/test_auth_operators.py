# SPDX-License-Identifier: GPL-3.0-or-later
"""The first operator of a box, from the setup code of its report to a session that outlives a restart."""

import json

from conftest import BASIC, SETUP, wait_until

ADMIN = "/v1/admin/auth"
OWNER = {"email": "root@example.com", "password": "Correct-horse-battery-7"}


def test_the_setup_code_of_the_report_makes_an_owner_and_later_starts_have_none(make_box):
    box = make_box()
    code = box.report["setupCode"]

    made = box.post(f"{ADMIN}/setup", {"setupCode": code, "name": "Root", **OWNER})

    assert made.status == 201 and made.json["role"] == "owner"
    pair = box.post(f"{ADMIN}/signin", OWNER).json
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    assert box.get(f"{ADMIN}/me", headers=bearer).json["email"] == OWNER["email"]
    assert all(code not in line for line in box.raw)
    box.restart()
    assert not SETUP & set(box.report) and BASIC <= set(box.report)
    assert box.get(f"{ADMIN}/me", headers=bearer).status == 200
    assert box.post(f"{ADMIN}/setup", {"setupCode": code, "name": "Root", **OWNER}).status == 401


def test_a_setup_code_of_an_earlier_start_is_nothing(make_box):
    box = make_box()
    code = box.report["setupCode"]
    box.restart()

    assert box.post(f"{ADMIN}/setup", {"setupCode": code, "name": "Root", **OWNER}).status == 401


def test_a_worker_that_takes_anothers_place_tells_a_code_that_works(make_box):
    box = make_box()
    box.wait_for_new("worker", box.kill("worker"))

    report = json.loads(wait_until(lambda: box.output[1:], "the report of the second worker")[0])

    assert set(report) == BASIC | SETUP and report["setupCode"] != box.report["setupCode"]
    assert box.post(f"{ADMIN}/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OWNER}).status == 401
    wait_until(lambda: box.post(f"{ADMIN}/setup", {"setupCode": report["setupCode"], "name": "Root", **OWNER}).status == 201,
               "the setup, which is tried once a second")
    box.wait_for_new("worker", box.kill("worker"))
    assert all(report["setupCode"] not in line for line in box.raw)
    assert len(box.output) == 2
