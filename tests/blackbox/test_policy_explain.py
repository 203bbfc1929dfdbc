# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /v1/admin/explain: what it says of a request is what the request is answered, for every vector of the contract, and
what it says of rows, columns and filters is so. Nobody but an administrator is told."""

import json

import pytest
from app import BAD_PARAMETERS, FORBIDDEN, NOT_FOUND, NO_ROW, error
from conftest import ROOT

DATA = json.loads((ROOT / "tests/data/policy_vectors.json").read_text())
OPS = ("create", "read", "update", "delete", "list")
# Not those by X-On-Behalf-Of, of which a requester to explain says nothing: there the key decides, and not the user.
VECTORS = [vector for vector in DATA["vectors"]
           if vector["op"] in OPS and vector["row"] != "made" and "on_behalf_of" not in DATA["who"][vector["who"]]]


def explain(app, table, op, requester, row=None, client=None):
    """table: a Table or the name of a built-in one."""
    body = {"tableId": getattr(table, "id", table), "op": op, "requester": requester}
    return (client or app.sk).post("/v1/admin/explain", body | ({"rowId": row} if row else {}))


@pytest.fixture(scope="module")
def cast(app):
    """Who asks: a client and a requester, by the names of the vectors; with uB, whom nobody asks as, to own rows."""
    people = {}

    def get(name):
        if name not in people:
            who = DATA["who"][name]
            requester = {"group": who["group"]}
            client = {"pk": app.pk, "sk": app.sk}[who["key"]]
            if "id" in who:
                user = app.user(who["group"], who.get("roles", ()))
                client, requester["userId"] = user.client(app.box.pk), user.id
            if "roles" in who:
                requester["roles"] = who["roles"]
            people[name] = client, requester
        return people[name]
    return get


def with_ids(value, ids):
    if isinstance(value, dict):
        return {name: with_ids(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [with_ids(each, ids) for each in value]
    return ids.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def tables(app, cast):
    """One table for each policy, data and requester of the vectors, and its rows by label."""
    made = {}
    other = app.user()

    def get(vector):
        key = vector["policy"], vector["table"], vector.get("data", "plain"), vector["who"]
        if key not in made:
            schema = {name: {"type": "string"} for name in DATA["schemas"][key[2]]}
            table = app.table(schema, name=app.name(key[1]), system=key[1].startswith("_"), **DATA["policies"][key[0]])
            own = cast(vector["who"])[1].get("userId", "")
            ids = {"$self": own, "uB": other.id, "uA": cast("A")[1]["userId"]}
            table.rows = {}
            for label, row in DATA["data"][key[2]].items():
                owner = ids.get(row["createdBy"], row["createdBy"])
                fields = {name: with_ids(value, ids) for name, value in row.items() if name != "createdBy"}
                table.rows[label] = add_row(app, table, fields, owner)
            made[key] = table
        return made[key]
    return get


def add_row(app, table, fields, owner):
    headers = {"X-On-Behalf-Of": owner} if owner else None
    answer = app.sk.post(table.path, fields, headers=headers)
    assert answer.status == 201, answer
    return answer.json["id"]


def carry_out(client, path, row, op):
    one = f"{path}/{row}"
    return {"list": lambda: client.get(path + "?limit=100"), "read": lambda: client.get(one), "update": lambda: client.patch(one, {}),
            "delete": lambda: client.delete(one), "create": lambda: client.post(path, {})}[op]()


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{at}_{v['n']}_{v['policy']}_{v['who']}_{v['op']}" for at, v in enumerate(VECTORS)])
def test_what_is_explained_is_what_is_answered(app, cast, tables, vector):
    client, requester = cast(vector["who"])
    table = tables(vector) if vector["table"] != "users" else None
    row = None
    if vector["op"] in ("read", "update", "delete"):
        row = table.rows.get(vector["row"], NO_ROW)

    told = explain(app, table or "users", vector["op"], requester, row)
    answer = carry_out(client, table.path if table else "/v1/data/users", row, vector["op"])

    assert told.status == 200, told
    outcome = told.json["outcome"]
    assert (outcome["status"], outcome["code"]) == error(answer)
    assert (told.json["decision"] == "deny") == (told.json["decidedBy"]["step"] == 9 and answer.status == 403)
    if vector["op"] == "read" and answer.status == 200 and table:
        assert set(table.read(row).json) - set(answer.json) == set(told.json["row"]["hidden"])
    if vector["op"] == "list" and answer.status == 200 and table:
        items = answer.json["items"]
        listed = {item["id"] for item in items}
        for row_id in table.rows.values():
            of_row = explain(app, table, "list", requester, row_id).json
            assert (of_row["row"]["fate"] == "passes") == (row_id in listed)
        if told.json["plan"]["rows"] == "own":
            assert all(item["createdBy"] == requester["userId"] for item in items)
        if told.json["plan"]["rows"] == "none":
            assert items == []
    if vector["op"] == "delete" and answer.status == 200:
        table.rows[vector["row"]] = add_row(app, table, {}, requester.get("userId", "") if vector["row"] == "own" else "")


def asked_columns(vector):
    """The columns that a query filters, searches or sorts by."""
    query = vector.get("query") or {}
    groups = [query.get("andFilters") or {}, query.get("orFilters") or {}]
    narrowed = {name.split(".")[0] for group in groups for each in (group if isinstance(group, list) else [group]) for name in each}
    if query.get("search") and "searchType" in query:
        narrowed.add(query["searchType"])
    return narrowed, {query["sortBy"]} if "sortBy" in query else set()


@pytest.mark.parametrize("vector", [v for v in VECTORS if "query" in v or "body" in v], ids=lambda v: f"{v['n']}_{v['who']}_{v['op']}")
def test_the_columns_that_are_told_are_those_that_refuse(cast, tables, app, vector):
    """A request that the table allows is refused for its columns exactly if they are among those that explain names."""
    requester = cast(vector["who"])[1]
    row = tables(vector).rows.get(vector["row"]) if vector["op"] == "update" else None

    told = explain(app, tables(vector), vector["op"], requester, row).json

    if told["outcome"]["code"] is None and vector["status"] in (200, 201, 403):
        columns = told["columns"]
        body, (narrowed, sorted_by) = set(vector.get("body", ())), asked_columns(vector)
        owns = vector["op"] == "create" and "userId" in requester or told.get("row", {}).get("owned", False)
        refused = body & set(columns["notWritable"] + ([] if owns else columns["writableOnOwnRows"]))
        refused |= (narrowed | sorted_by) & set(columns["notInQueries"]) | sorted_by & set(columns["queriesOfOwnRows"])
        assert bool(refused) == (vector["status"] == 403)


# --- what decided ---

USER = {"group": "user", "userId": "somebody"}


@pytest.mark.parametrize("policy, op, requester, expected", [
    ({}, "read", {"group": "admin"}, {"step": 9, "rule": 1, "by": "group admin"}),
    ({}, "read", {"group": "guest"}, {"step": 9, "rule": 6, "by": "default permissions", "subject": "guest", "op": "read", "right": True}),
    ({"permissions": {}}, "list", USER, {"step": 9, "rule": 6, "by": "permissions", "subject": "user", "op": "read", "right": None}),
    ({"permissions": {"user": {"list": False, "read": True}}}, "list", USER,
     {"step": 9, "rule": 6, "by": "permissions", "subject": "user", "op": "list", "right": False}),
    ({"permissions": {"self": {"read": True}}}, "list", USER,
     {"step": 9, "rule": 6, "by": "permissions", "subject": "self", "op": "read", "right": True}),
    ({"security": {"requireExplicitPolicy": True}}, "read", USER, {"step": 9, "rule": 6, "by": "setting", "setting": "requireExplicitPolicy"}),
    ({"security": {"guestAccess": "off"}}, "read", {"group": "guest"}, {"step": 9, "rule": 4, "by": "setting", "setting": "guestAccess"}),
    ({"expressionPermissions": {"read": "role:editor | self"}}, "list", USER,
     {"step": 9, "rule": 5, "by": "expression", "op": "read", "expression": "role:editor | self", "self": True}),
    ({"expressionPermissions": {"read": "role:editor | self"}}, "read", USER | {"roles": ["editor"]},
     {"step": 9, "rule": 5, "by": "expression", "op": "read", "expression": "role:editor | self", "self": False}),
    ({"expressionPermissions": {"create": "self"}}, "create", USER,
     {"step": 9, "rule": 5, "by": "expression", "op": "create", "expression": "self", "self": True}),
    ({"expressionPermissions": {"read": "user"}}, "delete", USER,
     {"step": 9, "rule": 5, "by": "expression", "op": "delete", "expression": None, "self": False}),
])
def test_the_rule_that_decided_is_named(app, policy, op, requester, expected):
    table = app.table(**policy)

    told = explain(app, table, op, requester).json

    assert told["decidedBy"] == expected
    decide = next(step for step in told["steps"] if step["step"] == 9)
    assert [rule["rule"] for rule in decide["rules"]][-1] == expected["rule"]
    assert [rule["result"] for rule in decide["rules"][:-1]] == ["pass"] * (len(decide["rules"]) - 1)
    assert decide["rules"][-1]["result"] == told["decision"]


def test_columns_predicate_and_index_are_told(app):
    table = app.table({"mail": {"type": "string"}, "note": {"type": "string"}, "state": {"type": "string"}},
                      permissions={"self": {"read": True}},
                      columnPermissions={"mail": {"read": "admin", "write": "self"}, "note": {"read": "self", "write": "admin"}},
                      rowFilters=[{"expression": "user", "filter": {"state": "open"}},
                                  {"expression": "self", "filter": {}}, {"expression": "role:boss", "filter": {"state": "shut"}}],
                      security={"rowFilterScope": "read", "forbiddenRows": "404"})
    row = table.add({"mail": "a@x", "note": "n", "state": "open"})["id"]

    told = explain(app, table, "list", USER).json
    one = explain(app, table, "read", USER, row).json
    absent = explain(app, table, "read", USER, NO_ROW).json
    open_question = explain(app, table, "read", USER).json

    assert told["columns"] == {"hidden": ["mail"], "ownRowsOnly": ["note"], "notWritable": ["note"], "writableOnOwnRows": ["mail"],
                               "notInQueries": ["mail"], "queriesOfOwnRows": ["note"]}
    assert told["predicate"]["createdBy"] == "somebody"
    assert [entry["contributes"] for entry in told["predicate"]["rowFilters"]] == ["filter", "filter AND createdBy", "nothing"]
    assert told["predicate"]["rowFilters"][0]["filter"] == {"state": "open"}
    assert told["plan"] == {"rows": "own", "index": "idx_createdBy", "scan": False}
    assert one["outcome"] == absent["outcome"] == {"status": 404, "code": "data/not-found"}
    assert one["decidedBy"] == {"step": 11, "by": "owner"}
    assert one["row"] == {"id": row, "fate": "held back", "owned": False, "matches": [0], "hidden": ["mail", "note"]}
    assert absent["decidedBy"] == {"step": 10, "by": "absent row"} and absent["row"] == {"id": NO_ROW, "fate": "absent"}
    assert open_question["outcome"]["status"] == 200
    assert open_question["otherRows"] == {"status": 404, "code": "data/not-found"}


def test_a_row_filter_that_holds_a_row_back_is_named(app):
    table = app.table(permissions={"user": {"read": True, "update": True}}, security={"rowFilterScope": "all"},
                      rowFilters=[{"expression": "user", "filter": {"state": "open"}}])
    shut, opened = (table.add({"state": state})["id"] for state in ("shut", "open"))

    held = explain(app, table, "read", USER, shut).json
    listed = explain(app, table, "list", USER, shut).json

    assert held["outcome"]["status"] == 403 and held["decidedBy"] == {"step": 12, "by": "row filters"}
    assert held["row"]["matches"] == [] and explain(app, table, "read", USER, opened).json["row"]["matches"] == [0]
    assert explain(app, table, "update", USER, shut).json["decidedBy"] == {"step": 11, "by": "row filters"}
    assert listed["outcome"]["status"] == 200 and listed["row"]["fate"] == "held back"
    assert listed["plan"] == {"rows": "all that the predicate takes", "index": None, "scan": True}


# --- who is told, and what is no question ---

def test_nobody_but_an_unrestricted_secret_key_is_told(app):
    table = app.table()
    scoped = app.client("secret", scopes=["*:read"])

    for client, refused in ((app.pk, FORBIDDEN), (app.user("admin").pk, FORBIDDEN), (scoped, (403, "data/scope-insufficient"))):
        assert error(explain(app, table, "read", {"group": "guest"}, client=client)) == refused
        assert error(client.post("/v1/admin/simulate", {"tableId": table.id, "policy": {}})) == refused
    assert error(app.nobody.post("/v1/admin/explain", {}))[0] == 401
    assert error(app.sk.get("/v1/admin/explain"))[0] == 405


@pytest.mark.parametrize("change", [
    {"op": "peek"}, {"op": None}, {"tableId": 1}, {"requester": None}, {"requester": {"group": "owner"}}, {"requester": {"group": "self"}},
    {"requester": {"group": "user", "id": "x"}}, {"requester": {"group": "user", "userId": ""}}, {"requester": {"group": "user", "roles": ["Boss"]}},
    {"requester": {"group": "user", "roles": "boss"}}, {"rowId": 1}, {"op": "create", "rowId": NO_ROW}, {"extra": 1}])
def test_what_is_no_question_is_refused(app, change):
    body = {"tableId": app.table().id, "op": "read", "requester": {"group": "guest"}} | change

    assert error(app.sk.post("/v1/admin/explain", body)) == BAD_PARAMETERS


def test_a_table_that_is_not_there_is_not_explained(app):
    assert error(explain(app, "00000000-0000-4000-8000-000000000000", "read", {"group": "guest"})) == NOT_FOUND
    assert error(app.sk.post("/v1/admin/explain", b"{"))[0] == 400
    assert error(app.sk.post("/v1/admin/explain"))[0] == 400


def test_each_explanation_leaves_a_line_in_the_log(app):
    table = app.table()
    row = table.add({"secret": "do not log me"})["id"]
    before = len(app.box.events("policy_explained"))

    explain(app, table, "read", {"group": "guest"}, row)

    app.box.wait_for_event("policy_explained", before + 1)
    line = app.box.events("policy_explained")[-1]
    assert (line["table"], line["op"], line["group"]) == (table.name, "read", "guest") and line["key"]
    assert "do not log me" not in app.box.log_text()
