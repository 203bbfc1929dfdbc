# SPDX-License-Identifier: GPL-3.0-or-later
"""What a requester may not read changes no answer: two boxes that differ in it alone answer a random stream of requests
with the same bytes. streams.py says what is declared to differ. Under the preset `hardened` there are three exceptions; each
has its test below, and saving such a policy warns:

- a unique index over a column that the requester may write but not read: a value that a hidden cell has gives 409
- a unique index over a column that the requester may write: so does a value that a hidden row has. In the streams hidden
  rows have none in the unique column
- maxRowsPerOwner: an own row that row filters hide counts, too

The rows of the streams stay far below the 3 MiB that a row holds, hidden columns included: firmware/README.md.

`compat` leaks by the contract whether there is a row of an id, and the row to who has the right to read it, although no
list shows it; that and nothing more.

ROWLOCK_STREAM_REQUESTS: how many requests all streams together send to each box. ROWLOCK_SEED: other streams."""

import json
import os
import pathlib
import random

import pytest
import streams
from app import DENIED, App, error
from conftest import SHARED_REQUESTS_PER_MINUTE, Box
from people import people_of

REQUESTS = int(os.environ.get("ROWLOCK_STREAM_REQUESTS", "5000"))
SEED = os.environ.get("ROWLOCK_SEED", "1")
PIPELINED = 16  # requests that are sent at once, at most
STREAM = 250  # requests of one stream, before the next has other rows and policies
POLICY_EVERY, ROW_EVERY = 40, 45
# Who asks, by number: the guest, then the users of people.py. Each with its share of the requests.
KINDS = {"a guest": ([0], 4), "a user": ([1], 3), "a user with roles": ([2], 3), "a guest with an id": ([3], 2),
         "everybody in turn": ([0, 1, 2, 3, 4], 8)}
SHARES = sum(share for _, share in KINDS.values())

policy = streams.policy


def start_pair(tmp_path_factory, program=None):
    made = []
    for word in ("one", "other"):
        box = Box(tmp_path_factory.mktemp(word))
        box.program = program or box.program
        made.append(App(box.start(), SHARED_REQUESTS_PER_MINUTE))
    return [streams.Side(app, people_of(app)) for app in made]


def stop_pair(sides):
    for side in sides:
        side.close()
        assert side.app.box.stop() == 0, side.app.box.log_text()


# With the check of columns to sort by switched off, see the Makefile.
LEAKY = str(pathlib.Path(os.environ.get("ROWLOCK_BUILD", "build/host")) / "asan/rowlock-leaky")


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    made = start_pair(tmp_path_factory)
    yield made
    stop_pair(made)


def told(seed, pair, request, raw):
    """What there is to know of a difference."""
    who = "nobody" if request[3] is None else json.dumps(pair.requester(request[3]))
    asked = pair.sides[0].bytes_of(request, pair.number)[:2000]
    return "\n".join((f"ROWLOCK_SEED={SEED}, stream {seed}, request {pair.number}: {asked!r}",
                      f"by {who} under {json.dumps(pair.policy)}",
                      *(f"{status}: {body[:3000]!r}" for status, _, body in raw)))


def make_pair(sides, seed, who, differ, preset):
    dice = random.Random(f"{SEED}/{seed}")
    for side in sides:
        side.app.settings(securityPreset=preset)
    pair = streams.Pair(dice, sides, who, differ, preset)
    pair.prepare(sides[0].app.name("t"), 28)
    return dice, pair


def administered(number):
    """Does the administrator change something before this request?"""
    return number % POLICY_EVERY == POLICY_EVERY - 1 or number % ROW_EVERY == ROW_EVERY - 1


def next_request(dice, pair, number):
    if number % POLICY_EVERY == POLICY_EVERY - 1:
        pair.change_policy()
    if number % ROW_EVERY == ROW_EVERY - 1:
        pair.add_common()
    return streams.any_request(dice, pair)


def next_requests(dice, pair, first, end):
    """Some that are sent without waiting for answers: reads, and the one behind them. What is asked is the same as one by
    one: the answer of a read decides nothing that follows."""
    asked = [next_request(dice, pair, first)]
    while asked[-1][0] == "GET" and len(asked) < PIPELINED and first + len(asked) < end and \
            not administered(first + len(asked)):
        asked.append(streams.any_request(dice, pair))
    return asked


def run_stream(sides, seed, who, differ, requests=STREAM):
    """One stream; the numbers of cells and of rows that differed. Fails at the first answer that is not the same."""
    dice, pair = make_pair(sides, seed, who, differ, "hardened")
    while pair.number < requests:
        asked = next_requests(dice, pair, pair.number, requests)
        for request, (seen, raw) in zip(asked, pair.exchange_all(asked)):
            assert seen[0] == seen[1], told(seed, pair, request, raw)
    return pair.cells, pair.lone_rows


@pytest.mark.parametrize("kind", KINDS)
def test_attack_01_02_hidden_cells_and_rows_change_no_answer(sides, kind):
    who, share = KINDS[kind]
    cells = rows = 0

    for turn in range(max(3, REQUESTS * share // SHARES // STREAM)):
        found = run_stream(sides, f"{kind}/{turn}", who, ("both", "cells", "rows")[turn % 3])
        cells, rows = cells + found[0], rows + found[1]

    assert cells and rows
    print(f"{cells} cells and {rows} rows differed")


# --- what compat tells ---

def predicted(pair, request, at):
    """(status, code) of both boxes for a request about a row that only one of them has."""
    table, who = pair.table_of(pair.policy), pair.requester(request[3])
    calls = {"GET": lambda row: policy.outcome(policy.read, table, who, row),
             "PATCH": lambda row: policy.outcome(policy.update, table, who, row, json.loads(request[2])),
             "DELETE": lambda row: policy.outcome(policy.delete, table, who, row)}
    answers = [calls[request[0]](row and {**streams.SYSTEM, **row}) for row in pair.rows[at]]
    return [(status, None if status == 200 else told) for status, told in answers]


def answered(raw):
    return [(status, None if status == 200 else json.loads(body)["error"]["code"]) for status, _, body in raw]


@pytest.mark.parametrize("kind", ["a guest", "everybody in turn"])
def test_compat_tells_of_rows_by_their_id_and_of_nothing_else(sides, kind):
    told_of = 0

    for turn in range(max(2, REQUESTS // 10 // STREAM)):
        dice, pair = make_pair(sides, f"compat/{kind}/{turn}", KINDS[kind][0], "both", "compat")
        for number in range(STREAM):
            request = next_request(dice, pair, number)
            at = pair.lone(request)
            if at is not None and request[0] == "PATCH":
                request = (*request[:2], '{"title":"yak"}', *request[3:])
            if at is not None and (request[0] not in ("GET", "PATCH", "DELETE") or request[3] is None):
                continue
            wanted = at is not None and predicted(pair, request, at)
            seen, raw = pair.exchange(request)
            if wanted and wanted[0] != wanted[1]:
                assert answered(raw) == wanted, told(turn, pair, request, raw)
                told_of += 1
                if request[0] == "DELETE" and 200 in (status for status, _, _ in raw):
                    pair.rows[at] = (None, None)
            else:
                assert seen[0] == seen[1], told(turn, pair, request, raw)

    assert told_of


# --- the exceptions under hardened ---

def test_exception_a_unique_column_that_may_be_written_and_not_read_tells_its_values(sides):
    app = sides[0].app
    app.settings(securityPreset="hardened")
    members = {"permissions": {"guest": {"create": True, "read": True}}, "security": {"guestAccess": "policy"},
               "columnPermissions": {"code": {"read": "admin", "write": "guest"}}}
    table = app.table({"title": {"bsonType": "string"}, "code": {"bsonType": "string", "unique": True}},
                      permissions=members["permissions"])

    saved = table.policy(**members)
    table.add({"title": "there", "code": "taken"})
    taken, free = (table.create({"title": "new", "code": code}, app.pk) for code in ("taken", "free"))

    assert [warning for warning in saved.json["warnings"] if warning.startswith("unique-column-hidden:")]
    assert error(taken) == (409, "data/duplicate-value")
    assert "code" not in taken.json["message"] and "taken" not in taken.json["message"]
    assert (free.status, "code" in free.json) == (201, False)


def test_exception_a_unique_column_that_may_be_written_tells_values_of_hidden_rows(sides):
    app, person = sides[0].app, sides[0].people[1]
    app.settings(securityPreset="hardened")
    members = {"permissions": {"user": {"create": True}, "self": {"read": True, "list": True}}}
    table = app.table({"code": {"bsonType": "string", "unique": True}}, permissions=members["permissions"])

    saved = table.policy(**members)
    row = table.add({"code": "taken"})
    taken, free = (app.pk.post(table.path, {"code": code}, headers=person.headers()) for code in ("taken", "free"))
    listed = app.pk.get(table.path, headers=person.headers())

    assert [warning for warning in saved.json["warnings"] if warning.startswith("unique-row-hidden:")]
    assert error(taken) == (409, "data/duplicate-value")
    assert row["id"] not in json.dumps(taken.json) and "taken" not in taken.json["message"]
    assert (free.status, listed.json["pagination"]["total"]) == (201, 1)


def test_exception_hidden_rows_of_ones_own_count_against_the_limit(sides):
    app, person = sides[0].app, sides[0].people[1]
    app.settings(securityPreset="hardened")
    members = {"permissions": {"user": {"create": True, "read": True}},
               "rowFilters": [{"expression": "user", "filter": {"status": "published"}}],
               "security": {"maxRowsPerOwner": 2}}
    table = app.table({"status": {"bsonType": "string"}}, permissions=members["permissions"])
    saved = table.policy(**members)

    answers = [app.pk.post(table.path, {"status": status}, headers=person.headers())
               for status in ("draft", "published", "published")]
    listed = app.pk.get(table.path, headers=person.headers())

    assert [warning for warning in saved.json["warnings"] if warning.startswith("owner-limit-visible:")]
    assert [error(answer) for answer in answers] == [(201, None), (201, None), DENIED]
    assert listed.json["pagination"]["total"] == 1


# --- the planted defect ---

def first_difference(sides, streams_at_most):
    """The request that was not answered alike, or None."""
    for turn in range(streams_at_most):
        dice, pair = make_pair(sides, f"planted/{turn}", KINDS["everybody in turn"][0], "cells", "hardened")
        for number in range(STREAM):
            request = next_request(dice, pair, number)
            seen, _ = pair.exchange(request)
            if seen[0] != seen[1]:
                return request
    return None


def test_a_box_that_sorts_by_hidden_columns_is_found_out(tmp_path_factory):
    leaky = start_pair(tmp_path_factory, LEAKY)

    request = first_difference(leaky, 8)
    stop_pair(leaky)

    assert request and "sortBy" in request[1]
