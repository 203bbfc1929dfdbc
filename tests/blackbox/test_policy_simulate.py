# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /v1/admin/simulate: what it says would change is what changes, found by asking the API as everybody under the one
policy and the other. Nothing is stored by it."""

import pytest
from app import BAD_PARAMETERS, INVALID, NOT_FOUND, error

ROW_OPS = ("read", "update", "delete", "list")
SCHEMA = {"title": {"type": "string"}, "state": {"type": "string"}, "mail": {"type": "string"}, "note": {"type": "string"}}
OLD = {"permissions": {"guest": {"read": True}, "user": {"create": True, "read": True, "update": True}, "self": {"delete": True}},
       "columnPermissions": {"mail": {"read": "self"}, "note": {"write": "role:editor"}}}
NEW = {"expressionPermissions": {"read": "user", "update": "self | role:editor", "delete": "role:boss & self", "create": "public", "list": "public"},
       "columnPermissions": {"mail": {"read": "user"}, "title": {"write": "admin"}},
       "rowFilters": [{"expression": "user", "filter": {"state": "open"}}, {"expression": "self", "filter": {}},
                      {"expression": "public", "filter": {"state": "all"}}],
       "security": {"rowFilterScope": "all", "forbiddenRows": "404"}}
HIDDEN = {"expressionPermissions": {"read": "role:* | self"}, "security": {"guestAccess": "off"}}


def simulate(app, table, policy, **more):
    return app.sk.post("/v1/admin/simulate", {"tableId": table.id, "policy": policy} | more)


@pytest.fixture(scope="module")
def owners(app):
    return [app.user(), app.user(roles=("editor",)), app.user(roles=("boss",))]


@pytest.fixture
def table(app, owners):
    made = app.table(SCHEMA, **OLD)
    made.rows = []
    for at in range(12):
        owner = owners[at % 4].id if at % 4 < 3 else None
        headers = {"X-On-Behalf-Of": owner} if owner else None
        answer = app.sk.post(made.path, {"title": str(at), "state": ("open", "shut", "all")[at % 3]}, headers=headers)
        assert answer.status == 201, answer
        made.rows.append(answer.json)
    return made


def who_asks(app, rows):
    """(kind, row): each kind of the answer, with who it is for a row."""
    stranger = app.user()
    kinds = [("guest", None, False)] + [("user", role, owner) for role in (None, "editor", "boss", "any-other-role") for owner in (False, True)]
    for kind in kinds:
        group, role, owner = kind
        for row in rows:
            if not owner or row["createdBy"]:
                requester = {"group": group, "roles": [role] if role else []}
                if group == "user":
                    requester["userId"] = row["createdBy"] if owner else stranger.id
                yield kind, row["id"], requester


def by_explaining(app, table):
    """The operations that are allowed: {(kind, op): row ids}. What explain says is held against real requests elsewhere."""
    allowed = {}
    for kind, row, requester in who_asks(app, table.rows):
        for op in ROW_OPS:
            told = app.sk.post("/v1/admin/explain", {"tableId": table.id, "op": op, "requester": requester, "rowId": row}).json
            passes = told["outcome"]["status"] == 200 and (op != "list" or told.get("row", {}).get("fate") == "passes")
            allowed.setdefault((kind, op), set()).update([row] if passes else [])
    return allowed


def as_guest(app, table):
    """The same of guests alone, by what they are answered."""
    listed = {item["id"] for item in (table.list(app.pk, limit=100).json.get("items") or [])}
    ids = [row["id"] for row in table.rows]
    return {"list": listed, "read": {row for row in ids if table.read(row, app.pk).status == 200},
            "update": {row for row in ids if table.update(row, {}, app.pk).status == 200}}


def kind_of(entry):
    return entry["group"], entry["role"], entry["owner"]


@pytest.mark.parametrize("policy", [NEW, HIDDEN, {}, OLD], ids=["new", "hidden", "none", "same"])
def test_what_would_change_is_what_changes(app, table, policy):
    told = simulate(app, table, policy)
    before, guest_before = by_explaining(app, table), as_guest(app, table)
    assert table.policy(**policy).status == 200
    after, guest_after = by_explaining(app, table), as_guest(app, table)

    assert told.status == 200, told
    assert told.json["sample"] == {"rows": 12, "of": 12, "order": "newest first, by id"}
    for op in guest_before:
        assert (guest_before[op], guest_after[op]) == (before[("guest", None, False), op], after[("guest", None, False), op])
    entries = {kind_of(entry): entry for entry in told.json["requesters"]}
    for (kind, op), rows in before.items():
        if kind not in entries:
            continue  # neither policy names the role
        change, now = entries[kind][op], after[kind, op]
        assert (change["before"], change["after"]) == (len(rows), len(now)), (kind, op)
        for name, moved in (("newlyAllowed", now - rows), ("newlyDenied", rows - now)):
            assert change[name]["rows"] == len(moved), (kind, op)
            newest = sorted(moved, reverse=True)[:10]
            assert change[name]["ids"] == newest, (kind, op)
    named = {role for role in ("editor", "boss") if f"role:{role}" in str(OLD) + str(policy)}
    assert {kind for kind in entries} == {("guest", None, False), *((("user", role, owner)) for role in (None, "any-other-role", *named) for owner in (False, True))}


def test_who_may_create_and_what_becomes_of_columns_is_told(app, table):
    told = simulate(app, table, NEW).json
    entries = {kind_of(entry): entry for entry in told["requesters"]}

    assert entries["guest", None, False]["create"] == {"before": False, "after": True}
    assert entries["user", None, False]["create"] == {"before": True, "after": True}
    assert entries["guest", None, False]["columns"] == {"newlyReadable": [], "newlyHidden": [], "newlyWritable": ["note"], "newlyRefused": ["title"]}
    assert entries["user", None, False]["columns"]["newlyReadable"] == ["mail"]
    assert entries["user", None, True]["columns"]["newlyReadable"] == []
    assert entries["user", "editor", False]["columns"]["newlyWritable"] == []


def test_only_the_newest_rows_are_sampled_and_the_answer_says_so(app, table):
    told = simulate(app, table, {}, sample=5).json
    denied = simulate(app, table, {"permissions": {}}, sample=5).json["requesters"][0]["read"]["newlyDenied"]

    assert told["sample"]["rows"] == 5 and told["sample"]["of"] == 12
    assert denied == {"rows": 5, "ids": [row["id"] for row in reversed(table.rows[-5:])]}
    many = simulate(app, table, {"permissions": {}}).json["requesters"][0]["read"]["newlyDenied"]
    assert many["rows"] == 12 and many["ids"] == [row["id"] for row in reversed(table.rows[-10:])]


def test_nothing_is_stored(app, table):
    before = app.sk.get(table.admin).json

    assert simulate(app, table, NEW).status == 200

    assert app.sk.get(table.admin).json == before
    assert app.pk.get(table.path).json["pagination"]["total"] == 12


def test_warnings_and_failing_tests_of_the_proposal_are_part_of_the_answer(app, table):
    holds = {"as": "guest", "op": "read", "row": {}, "expect": "allow"}
    policy = {"permissions": {"guest": {"read": True, "delete": True}}, "tests": [holds, dict(holds, expect="deny", name="closed to guests")]}

    told = simulate(app, table, policy).json
    saved = table.policy(**dict(policy, tests=[holds])).json

    assert told["warnings"] == saved["warnings"] and any(text.startswith("guest-writes: ") for text in told["warnings"])
    assert told["failedTests"] == [{"test": "tests.1", "reason": "is allow where deny is expected: closed to guests"}]


@pytest.mark.parametrize("policy", [{"permissions": {"boss": {}}}, {"expressionPermissions": {}}, {"rowFilters": [{"expression": "user", "filter": {"$or": 1}}]},
                                    {"tests": [{"as": "guest", "op": "read", "expect": "deny"}, {"as": "nobody"}]}, {"unknown": 1}])
def test_a_policy_that_could_not_be_saved_is_refused_as_when_it_is_saved(app, table, policy):
    refused = simulate(app, table, policy)

    assert error(refused) == error(table.policy(**policy)) == INVALID
    assert refused.json["message"] == table.policy(**policy).json["message"]


@pytest.mark.parametrize("change", [{"sample": 0}, {"sample": 1001}, {"sample": "5"}, {"sample": 1.5}, {"policy": None}, {"policy": []}, {"tableId": 1}, {"extra": 1}])
def test_what_is_no_question_is_refused(app, change):
    body = {"tableId": app.table().id, "policy": {}} | change

    assert error(app.sk.post("/v1/admin/simulate", body)) == BAD_PARAMETERS


def test_more_work_than_one_simulation_may_do_is_refused(app):
    names = [f"r{at}" for at in range(120)]
    policy = {"expressionPermissions": {op: "|".join(f"role:{name}" for name in names[at::3]) for at, op in enumerate(("read", "list", "update"))}}
    table = app.table()

    assert error(simulate(app, table, policy, sample=1000)) == BAD_PARAMETERS
    assert len(simulate(app, table, policy, sample=10).json["requesters"]) == 3 + 2 * 121


def test_an_empty_table_and_one_that_is_not_there(app):
    told = simulate(app, app.table(), {"permissions": {}}).json

    assert told["sample"]["rows"] == 0 and told["requesters"][0]["read"]["before"] == 0
    assert error(app.sk.post("/v1/admin/simulate", {"tableId": "00000000-0000-4000-8000-000000000000", "policy": {}})) == NOT_FOUND


def test_each_simulation_leaves_a_line_in_the_log(app, table):
    before = len(app.box.events("policy_simulated"))

    simulate(app, table, NEW, sample=7)

    app.box.wait_for_event("policy_simulated", before + 1)
    line = app.box.events("policy_simulated")[-1]
    assert (line["table"], line["sample"]) == (table.name, 7) and line["key"]
