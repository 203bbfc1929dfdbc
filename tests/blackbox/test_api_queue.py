# SPDX-License-Identifier: GPL-3.0-or-later
"""A write decides in its own transaction, on its key and on the row: between the check and the act there is nothing."""

import json
import threading
import time

import pytest
from app import Client, DUPLICATE, error, Unexpected
from conftest import at_once
from wire import Wire, write_request

WRITERS = 16
PIPELINED = 3
ROUNDS = 5  # what waits at the moment of a revocation is chance; refusals of a box stay below the limit of its address


class Writer(threading.Thread):
    """Writes rows numbered in its own range on one connection, several on their way at once, until one is refused.
    Keeps (number, status, code, when its batch was sent)."""

    def __init__(self, app, path, key, first, stop):
        super().__init__(daemon=True)
        self.app, self.path, self.key, self.first, self.stop = app, path, key, first, stop
        self.outcomes, self.started = [], threading.Event()

    def request(self, number):
        return write_request(self.path, self.key, b'{"n":%d}' % number)

    def run(self):
        number = self.first
        with Wire(self.app.box) as wire:
            while not self.stop.is_set() and not (self.outcomes and self.outcomes[-1][1] != 201):
                batch = range(number, number + PIPELINED)
                sent = time.monotonic()
                wire.send(b"".join(self.request(n) for n in batch))
                for n in batch:
                    status, _, body = wire.answer()
                    self.outcomes.append((n, status, json.loads(body).get("error", {}).get("code"), sent))
                self.started.set()
                number += PIPELINED


def write_until(app, table, key, act):
    """Writes with the key from all sides, calls act() in the middle of it, and waits until every writer was refused.
    Gives (outcomes, act's answer, when it came, the number of rows right after it)."""
    stop = threading.Event()
    writers = [Writer(app, table.path, key, at * 1000000, stop) for at in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        if not writer.started.wait(60):
            raise Unexpected("a writer that gets no answer")
    answer = act()
    answered = time.monotonic()
    total = table.list().json["pagination"]["total"]
    for writer in writers:
        writer.join(60)
    stop.set()
    return [outcome for writer in writers for outcome in writer.outcomes], answer, answered, total


def numbers_of(table):
    stored, total = [], table.list().json["pagination"]["total"]
    for page in range(1, total // 100 + 2):
        stored += [row["n"] for row in table.list(limit="100", page=str(page)).json["items"]]
    return stored


@pytest.mark.parametrize("end", ["revoke", "delete"])
def test_attack_03_a_key_revoked_while_its_writes_wait_writes_nothing_more(make_app, end):
    app = make_app()
    for _ in range(ROUNDS):
        table = app.table({"n": {"bsonType": "int"}})
        key = app.make_key("secret", name="short-lived")
        path = f"/v1/admin/api-keys/{key['id']}"
        revoke = {"revoke": lambda: app.sk.post(f"{path}/revoke"),
                  "delete": lambda: app.sk.delete(path, {"confirmName": "short-lived"})}[end]

        outcomes, revoked, answered, total = write_until(app, table, key["value"], revoke)

        assert revoked.status == 200
        written = [n for n, status, _, _ in outcomes if status == 201]
        refused = [n for n, status, code, _ in outcomes if (status, code) == (401, "auth/token-revoked")]
        assert written and len(refused) >= WRITERS
        assert len(written) + len(refused) == len(outcomes)
        assert not [n for n, status, _, sent in outcomes if status == 201 and sent > answered]
        assert total == len(written)  # nothing came after the answer
        assert sorted(numbers_of(table)) == sorted(written)
        assert error(app.nobody.get(table.path, headers={"X-API-Key": key["value"]})) == (401, "auth/token-revoked")


def test_attack_03_a_table_closed_while_writes_wait_takes_no_more(app):
    for _ in range(ROUNDS):
        table = app.table({"n": {"bsonType": "int"}}, permissions={"guest": {"create": True}})
        key = app.make_key()["value"]

        outcomes, closed, answered, total = write_until(app, table, key, lambda: table.policy(permissions={}))

        assert closed.status == 200
        assert {(status, code) for _, status, code, _ in outcomes} == {(201, None), (403, "data/permission-denied")}
        written = [n for n, status, _, _ in outcomes if status == 201]
        assert not [n for n, status, _, sent in outcomes if status == 201 and sent > answered]
        assert total == len(written)
        assert sorted(numbers_of(table)) == sorted(written)


def test_of_many_rows_with_one_unique_value_one_is_written(app):
    table = app.table({"v": {"bsonType": "int", "unique": True}})
    clients = [Client(app.box, app.box.sk) for _ in range(WRITERS)]

    for value in range(10):
        answers = at_once(WRITERS, lambda number, value=value: table.create({"v": value}, clients[number]))
        assert sorted(error(answer) for answer in answers) == [(201, None)] + [DUPLICATE] * (WRITERS - 1)
    assert table.list(limit="100").json["pagination"]["total"] == 10


def test_updates_of_one_row_at_once_are_all_kept_and_each_later_than_the_one_before(app):
    table = app.table()
    row = table.add({})
    clients = [Client(app.box, app.box.sk) for _ in range(WRITERS)]

    for turn in range(5):
        answers = at_once(WRITERS, lambda number, turn=turn: table.update(row["id"], {f"f{number}": turn},
                                                                          clients[number]))
        assert [answer.status for answer in answers] == [200] * WRITERS
        assert len({answer.json["updatedAt"] for answer in answers}) == WRITERS
        last = max((answer.json for answer in answers), key=lambda each: each["updatedAt"])
        assert table.read(row["id"]).json == last
        assert {last[f"f{number}"] for number in range(WRITERS)} == {turn}


def test_of_many_deletions_of_one_row_one_succeeds(app):
    table = app.table()
    clients = [Client(app.box, app.box.sk) for _ in range(WRITERS)]
    row = table.add({})

    answers = at_once(WRITERS, lambda number: table.delete(row["id"], clients[number]))

    assert sorted(answer.status for answer in answers) == [200] + [404] * (WRITERS - 1)
    assert table.list().json["pagination"]["total"] == 0


def test_of_many_tables_with_one_name_one_is_made(app):
    name = app.name("race")
    clients = [Client(app.box, app.box.sk) for _ in range(WRITERS)]

    answers = at_once(WRITERS, lambda number: clients[number].post("/v1/admin/tables", {"tableName": name,
                                                                                        "schema": {}}))

    assert sorted(error(answer) for answer in answers) == [(201, None)] + [(409, "common/conflict")] * (WRITERS - 1)
