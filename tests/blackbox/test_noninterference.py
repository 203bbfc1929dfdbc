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
PART = 100  # streams of one test: more are several tests, which run side by side
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
        box.keeps_access = False  # a million lines
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


def smallest(pair, request):
    """With as few of its parameters as still bring different answers."""
    path, _, asked = request[1].partition("?")
    if request[0] != "GET" or not asked:
        return request  # a write asked again meets other rows
    for side in pair.sides:
        side.close()  # answers to what was sent behind it are under way
    kept = asked.split("&")
    for each in list(kept):
        fewer = [one for one in kept if one is not each]
        [(alike, _)] = pair.exchange([("GET", f"{path}?{'&'.join(fewer)}", *request[2:])])
        kept = kept if alike else fewer
    return ("GET", f"{path}?{'&'.join(kept)}", *request[2:])


def told(seed, pair, request, raw):
    """What there is to know of a difference."""
    who = "nobody" if request[3] is None else json.dumps(pair.requester(request[3]))
    number, asked = pair.number, pair.sides[0].bytes_of(request, pair.number)[:2000]
    return "\n".join((f"ROWLOCK_SEED={SEED}, stream {seed}, request {number}: {asked!r}",
                      f"by {who} under {json.dumps(pair.policy)}, or as short as {smallest(pair, request)[:3]}",
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


def batches(dice, pair, requests, chosen=lambda request: request):
    """All requests of a stream, in pieces that are sent without waiting for answers. What is asked is the same as one by
    one: nothing is drawn behind a request that may make or delete a row before that was answered, no piece has two writes,
    and the administrator changes nothing while one is under way. chosen: what is sent instead, or None."""
    asked = []
    for number in range(requests):
        if asked and (administered(number) or asked[-1][0] in ("POST", "DELETE") or len(asked) == PIPELINED):
            yield asked
            asked = []
        request = chosen(next_request(dice, pair, number))
        if request and streams.may_write(request) and any(map(streams.may_write, asked)):
            yield asked
            asked = []
        asked += [request] if request else []
    if asked:
        yield asked


def run_stream(sides, seed, who, differ, requests=STREAM):
    """One stream; the numbers of cells and of rows that differed. Fails at the first answer that is not the same."""
    dice, pair = make_pair(sides, seed, who, differ, "hardened")
    for asked in batches(dice, pair, requests):
        for request, (alike, raw) in zip(asked, pair.exchange(asked)):
            assert alike, told(seed, pair, request, raw)
    pair.drop()
    return pair.cells, pair.lone_rows


def parts(kinds, turns_of):
    """(kind, the first turn, the end) of each test: the streams of a kind in equal parts."""
    for kind in kinds:
        turns = turns_of(kind)
        count = max(1, turns // PART)
        for part in range(count):
            first, end = turns * part // count, turns * (part + 1) // count
            yield pytest.param(kind, first, end, id=kind if count == 1 else f"{kind}, streams {first} to {end - 1}")


@pytest.mark.parametrize("kind,first,end", parts(KINDS, lambda kind: max(3, REQUESTS * KINDS[kind][1] // SHARES // STREAM)))
def test_attack_01_02_hidden_cells_and_rows_change_no_answer(sides, kind, first, end):
    cells = rows = 0

    for turn in range(first, end):
        found = run_stream(sides, f"{kind}/{turn}", KINDS[kind][0], ("both", "cells", "rows")[turn % 3])
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


def asked_of_compat(pair, request):
    """The request, if it is one whose answers can be foretold; a change as one that every row takes."""
    if pair.lone(request) is None:
        return request
    if request[0] not in ("GET", "PATCH", "DELETE") or request[3] is None:
        return None
    return request if request[0] != "PATCH" else (*request[:2], '{"title":"yak"}', *request[3:])


def compat_tells(sides, seed, who):
    """One stream; how many answers told of a row that the other box lacks."""
    told_of = 0
    dice, pair = make_pair(sides, seed, who, "both", "compat")
    for asked in batches(dice, pair, STREAM, lambda request: asked_of_compat(pair, request)):
        for request, (alike, raw) in zip(asked, pair.exchange(asked)):
            at = pair.lone(request)
            wanted = at is not None and predicted(pair, request, at)
            if wanted and wanted[0] != wanted[1]:
                assert answered(raw) == wanted, told(seed, pair, request, raw)
                told_of += 1
                if request[0] == "DELETE" and 200 in (status for status, _, _ in raw):
                    pair.rows[at] = (None, None)
            else:
                assert alike, told(seed, pair, request, raw)
    pair.drop()
    return told_of


@pytest.mark.parametrize("kind,first,end", parts(["a guest", "everybody in turn"],
                                                 lambda _: max(2, REQUESTS // 10 // STREAM)))
def test_compat_tells_of_rows_by_their_id_and_of_nothing_else(sides, kind, first, end):
    told_of = sum(compat_tells(sides, f"compat/{kind}/{turn}", KINDS[kind][0]) for turn in range(first, end))

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
    """The request that was not answered alike, as short as it can be, or None."""
    for turn in range(streams_at_most):
        dice, pair = make_pair(sides, f"planted/{turn}", KINDS["everybody in turn"][0], "cells", "hardened")
        for asked in batches(dice, pair, STREAM):
            for request, (alike, _) in zip(asked, pair.exchange(asked)):
                if not alike:
                    return smallest(pair, request)
    return None


def test_a_box_that_sorts_by_hidden_columns_is_found_out(tmp_path_factory):
    leaky = start_pair(tmp_path_factory, LEAKY)

    request = first_difference(leaky, 8)
    stop_pair(leaky)

    assert request and "sortBy" in request[1]
