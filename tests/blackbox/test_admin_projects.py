# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a project while the power fails: all of it is there, or nothing. What it leaves otherwise:
tests/unit/api_projects_test.c."""

import http.client
import random
import threading
import time

from app import Client, error

OPERATOR = {"email": "root@example.com", "password": "Correct-horse-battery-7"}
TABLES = 8
CUTS = 2


class Operator:
    """Signs in anew with each start: a kept connection does not outlive a power cut."""

    def __init__(self, box):
        self.client = Client(box)
        self.header = {"Authorization": f"Bearer {self.client.post('/v1/admin/auth/signin', OPERATOR).json['accessToken']}"}

    def ask(self, method, path, body=None):
        return self.client.request(method, f"/v1/admin/{path}", body, headers=self.header)


def made(answer):
    assert answer.status == 201, answer
    return answer.json


def make_shop(operator):
    """(id, secret key) of a project with some tables and a user."""
    project = made(operator.ask("POST", "projects", {"slug": "shop", "name": "Shop"}))["id"]
    place = {"projectId": project, "environment": "dev"}
    key = made(operator.ask("POST", "api-keys", {**place, "name": "k", "type": "secret"}))["value"]
    for number in range(TABLES):
        made(operator.ask("POST", "tables", {**place, "tableName": f"t{number}", "schema": {}}))
    client = Client(operator.client.box, key)
    for number in range(TABLES):
        made(client.post(f"/v1/data/t{number}", {"text": "gone"}))
    made(client.post("/v1/users", {"email": "ada@example.com", "name": "Ada"}))
    return project, key


def try_to_delete(operator, project, answers):
    try:
        answers.append(operator.ask("DELETE", f"projects/{project}", {"confirmName": "Shop"}))
    except (OSError, http.client.HTTPException):
        pass


def is_there(box, operator, project, key):
    """Whether the project is there, all of it; fails if it is there in part."""
    there = operator.ask("GET", f"projects/{project}").status == 200
    client = Client(box, key)
    if not there:
        assert error(client.get("/v1/data/t0")) == (404, "data/project-not-found")
        assert operator.ask("GET", "environments").json["pagination"]["total"] == 1
        return False
    assert client.get("/v1/admin/tables").json["pagination"]["total"] == TABLES
    assert [client.get(f"/v1/data/t{number}").json["pagination"]["total"] for number in range(TABLES)] == [1] * TABLES
    assert client.get("/v1/users").json["pagination"]["total"] == 1
    return True


def test_a_power_cut_leaves_all_of_a_project_or_nothing(make_box):
    box = make_box()
    made(box.post("/v1/admin/auth/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OPERATOR}))
    operator = Operator(box)
    shop = make_shop(operator)
    outcomes = []

    for number in range(CUTS):
        answers = []
        thread = threading.Thread(target=try_to_delete, args=(operator, shop[0], answers))
        thread.start()
        time.sleep(random.uniform(0, 0.02 * (number + 1)))  # anywhere; both outcomes are right
        box.kill_all()
        thread.join()
        box.start()
        operator = Operator(box)
        outcomes.append(is_there(box, operator, *shop))
        assert not (outcomes[-1] and [answer for answer in answers if answer.status == 200]), "deleted, and there again"
        if not outcomes[-1]:
            shop = make_shop(operator)

    assert operator.ask("DELETE", f"projects/{shop[0]}", {"confirmName": "Shop"}).status == 200
    assert not is_there(box, operator, *shop)
    assert box.stop() == 0, box.log_text()
    status, report, _ = box.fsck()
    assert status == 0, report
