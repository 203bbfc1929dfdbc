# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that changes while connections are open (class 3 of the attacks): the next request on every reactor is under
the new policy, and no answer is under half of each. Connections are spread over the reactors by the kernel, so there are
many more of them than reactors."""

import json
import threading

import pytest
from app import DENIED, Client, error
from wire import Wire

CONNECTIONS = 16
CHANGES = 12
PIPELINED = 8
SEE = {"guest": {"read": True, "list": True}}
ROWS = 6

# Each shows one column and one half of the rows; an answer that mixes them is told by what it holds.
POLICIES = {
    "odd": {"permissions": SEE, "columnPermissions": {"b": {"read": "admin"}}, "security": {"rowFilterScope": "read"},
            "rowFilters": [{"expression": "public", "filter": {"half": 1}}]},
    "even": {"permissions": SEE, "columnPermissions": {"a": {"read": "admin"}}, "security": {"rowFilterScope": "read"},
             "rowFilters": [{"expression": "public", "filter": {"half": 0}}]},
}
COLUMN = {"odd": "a", "even": "b"}


@pytest.fixture
def halves(app):
    table = app.table({"a": {"type": "string"}, "b": {"type": "string"}, "half": {"type": "int"}}, **POLICIES["odd"])
    table.rows = [table.add({"a": "a", "b": "b", "half": n % 2}) for n in range(ROWS)]
    return table


def policy_of(body):
    """Under which policy a list was answered; fails if it is neither."""
    half = {item["half"] for item in body["items"]}
    columns = {name for item in body["items"] for name in item} & {"a", "b"}
    total = body["pagination"]["total"]
    seen = ("odd" if half == {1} else "even" if half == {0} else "?", columns, total)
    assert seen in (("odd", {"a"}, ROWS // 2), ("even", {"b"}, ROWS // 2)), seen
    return seen[0]


def test_attack_03_the_next_request_of_every_connection_is_under_the_new_policy(app, halves):
    clients = [Client(app.box, app.box.pk) for _ in range(CONNECTIONS)]
    row = {n % 2: row["id"] for n, row in enumerate(halves.rows)}
    for client in clients:
        assert policy_of(halves.list(client).json) == "odd"
    connections = [client.connection for client in clients]

    for change in range(CHANGES):
        name = "even" if change % 2 == 0 else "odd"
        assert halves.policy(**POLICIES[name]).status == 200
        for client in clients:
            assert policy_of(halves.list(client).json) == name
            assert error(halves.read(row[0], client)) == ((200, None) if name == "even" else DENIED)
            assert set(halves.read(row[int(name == "odd")], client).json) >= {COLUMN[name]}

    assert [client.connection for client in clients] == connections  # none was opened anew
    assert halves.policy(permissions={}).status == 200
    assert {error(halves.list(client)) for client in clients} == {DENIED}


def pipelined(table, key):
    one = f"GET {table.path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode()
    return one * PIPELINED


def ask_until(stop, box, table, seen, failures):
    try:
        with Wire(box) as wire:
            while not stop.is_set():
                wire.send(pipelined(table, box.pk))
                for _ in range(PIPELINED):
                    status, _, body = wire.answer()
                    assert status == 200, body
                    seen.append(policy_of(json.loads(body)))
    except Exception as failure:  # told by the main thread
        failures.append(failure)


def test_attack_03_no_pipelined_request_is_answered_under_half_of_each_policy(app, halves):
    stop, failures = threading.Event(), []
    seen = [[] for _ in range(4)]
    askers = [threading.Thread(target=ask_until, args=(stop, app.box, halves, each, failures), daemon=True) for each in seen]
    for asker in askers:
        asker.start()

    for change in range(4 * CHANGES):
        assert halves.policy(**POLICIES["even" if change % 2 == 0 else "odd"]).status == 200
    stop.set()
    for asker in askers:
        asker.join(60)

    assert failures == []
    assert {name for each in seen for name in each} == {"odd", "even"}


def test_attack_03_a_change_and_a_question_on_one_connection_keep_their_order(app, halves):
    """Sent in one piece on one connection: change, list, change, list. Each list is under the change before it."""
    def put(name):
        body = json.dumps(POLICIES[name]).encode()
        return (f"PUT {halves.admin}/policy HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {app.box.sk}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    get = f"GET {halves.path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {app.box.pk}\r\n\r\n".encode()

    with Wire(app.box) as wire:
        wire.send(put("even") + get + put("odd") + get + put("even") + get)
        answers = [wire.answer() for _ in range(6)]

    assert [status for status, _, _ in answers] == [200] * 6
    assert [policy_of(json.loads(body)) for _, _, body in answers[1::2]] == ["even", "odd", "even"]


def test_attack_03_what_one_key_may_see_is_not_what_the_next_on_the_connection_sees(app, halves):
    def get(key):
        return f"GET {halves.path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode()

    with Wire(app.box) as wire:
        wire.send((get(app.box.pk) + get(app.box.sk)) * 4)
        bodies = [json.loads(wire.answer()[2]) for _ in range(8)]

    assert [body["pagination"]["total"] for body in bodies] == [ROWS // 2, ROWS] * 4
    for guest in bodies[::2]:
        assert policy_of(guest) == "odd"
    for admin in bodies[1::2]:
        assert all({"a", "b"} <= set(item) for item in admin["items"])
