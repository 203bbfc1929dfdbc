# SPDX-License-Identifier: GPL-3.0-or-later
"""The first operator of a box, from the setup code of its report to a session that outlives a restart."""

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


def test_a_worker_that_takes_anothers_place_adds_no_line_to_the_one_of_json(make_box):
    box = make_box()
    box.wait_for_new("worker", box.kill("worker"))

    wait_until(lambda: any(line.get("event") == "report_not_written" for line in box.lines), "what became of the second code")

    assert len(box.output) == 1
    assert box.post(f"{ADMIN}/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OWNER}).status == 401
    box.restart()
    assert box.post(f"{ADMIN}/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OWNER}).status == 201
