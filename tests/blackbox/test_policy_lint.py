# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about a policy, and the tests that a policy carries: what is told when it is saved, and what refuses it."""

import pytest
from app import INVALID, error, rules

ALL = {op: True for op in ("create", "read", "update", "delete", "list")}
SEE = {"read": True, "list": True}
SCHEMA = {"title": {"type": "string"}, "status": {"type": "string"}, "mail": {"type": "string"}, "at": {"type": "date"}}


def codes(answer):
    """[(code, the rest)...] of the warnings."""
    assert answer.status in (200, 201), answer
    return [tuple(warning.split(": ", 1)) for warning in answer.json["warnings"]]


def names(answer):
    return [code for code, _ in codes(answer)]


CASES = {
    "nothing": ({"permissions": {"guest": SEE, "user": SEE}}, []),
    "empty": ({"permissions": {}}, []),
    "unset": ({}, ["unconfigured"]),
    "unset_explicit": ({"security": {"requireExplicitPolicy": True}}, []),
    "guest_broader": ({"permissions": {"guest": {"read": True}}}, ["guest-broader"]),
    "guest_writes": ({"permissions": {"guest": dict(SEE, create=True), "user": dict(SEE, create=True)}}, ["guest-writes"]),
    "guest_off": ({"permissions": {"guest": ALL}, "security": {"guestAccess": "off"}}, []),
    "expression_writes": ({"expressionPermissions": {"read": "user", "delete": "guest"}}, ["guest-writes"]),
    "expression_self": ({"expressionPermissions": {"read": "user", "delete": "self"}}, []),
    "filter_list": ({"permissions": {"user": SEE}, "rowFilters": [{"expression": "user", "filter": {}}]},
                    ["filter-list-only"]),
    "filter_read": ({"permissions": {"user": SEE}, "rowFilters": [{"expression": "user", "filter": {}}],
                     "security": {"rowFilterScope": "read"}}, []),
    "filter_slow": ({"permissions": {"user": SEE}, "security": {"rowFilterScope": "all"}, "rowFilters": [
        {"expression": "user", "filter": {"status": "x", "title": 1, "createdBy": "$userId"}},
        {"expression": "guest", "filter": {"status": {"$gt": "a", "$lt": "b"}}}]}, ["rule-not-indexed"]),
    "filter_unknown": ({"permissions": {"user": SEE}, "security": {"rowFilterScope": "all"}, "rowFilters": [
        {"expression": "user", "filter": {"nosuch.deep": "x"}}]}, ["column-unknown"]),
    "column_unknown": ({"permissions": {"user": SEE}, "columnPermissions": {"nosuch": {"read": "admin"}}},
                       ["column-unknown"]),
    "column_slow": ({"permissions": {"user": SEE}, "columnPermissions": {"status": {"read": "admin"}, "title": {}}},
                    ["rule-not-indexed"]),
    "unique_hidden": ({"permissions": {"user": ALL}, "columnPermissions": {"mail": {"read": "admin"}}},
                      ["unique-column-hidden"]),
    "unique_own": ({"permissions": {"user": ALL}, "columnPermissions": {"mail": {"read": "self"}}},
                   ["unique-column-hidden"]),
    "unique_role": ({"permissions": {"user": ALL}, "columnPermissions": {"mail": {"read": "admin", "write": "role:x"}}},
                    ["unique-column-hidden"]),
    "unique_role_creates": ({"expressionPermissions": {"read": "user", "create": "role:x"},
                             "columnPermissions": {"mail": {"read": "admin"}}},
                            ["unique-column-hidden", "unique-row-hidden"]),  # a guest with that role reads no row
    "unique_role_reads": ({"expressionPermissions": {"read": "role:x", "create": "role:x"},
                           "columnPermissions": {"mail": {"read": "role:x"}}}, []),
    "unique_nobody_writes": ({"permissions": {"user": SEE}, "columnPermissions": {"mail": {"read": "admin", "write": "role:x"}}},
                             []),
    "unique_missing": ({"permissions": {"user": SEE | {"create": True}},
                        "columnPermissions": {"mail": {"read": "admin", "write": "admin"}}}, ["unique-column-hidden"]),
    "unique_unwritten": ({"permissions": {"user": SEE | {"update": True}},
                          "columnPermissions": {"mail": {"read": "admin", "write": "admin"}}}, []),
    "unique_rows": ({"permissions": {"user": {"create": True}, "self": SEE}}, ["unique-row-hidden"]),
    "unique_rows_role": ({"expressionPermissions": {"create": "role:clerk", "read": "self | role:auditor"}}, ["unique-row-hidden"]),
    "unique_rows_listed": ({"expressionPermissions": {"create": "user", "read": "user", "list": "self"}}, ["unique-row-hidden"]),
    "unique_rows_changed": ({"permissions": {"user": {"update": True}, "self": SEE}}, ["unique-row-hidden"]),
    "unique_rows_filtered": ({"permissions": {"user": ALL}, "security": {"rowFilterScope": "all"},
                              "rowFilters": [{"expression": "user", "filter": {}}]}, ["unique-row-hidden"]),
    "unique_rows_unwritten": ({"permissions": {"self": SEE | {"update": True}}, "columnPermissions": {"mail": {"write": "admin"}}},
                              []),
    "unique_both": ({"permissions": {"user": {"create": True}, "self": SEE}, "columnPermissions": {"mail": {"read": "admin"}}},
                    ["unique-column-hidden", "unique-row-hidden"]),
    "owner_limit": ({"permissions": {"user": {"create": True, "read": True, "list": False}},
                     "security": {"maxRowsPerOwner": 3}}, ["owner-limit-visible"]),
    "owner_limit_seen": ({"permissions": {"user": dict(SEE, create=True)}, "security": {"maxRowsPerOwner": 3}}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_policy_is_warned_about_as_it_deserves(app, name):
    members, expected = CASES[name]
    schema = dict(SCHEMA, mail={"type": "string", "unique": True})
    indexes = [{"name": "by_title", "fields": {"title": 1, "status": 1}}]
    table = app.table(schema, indexes=indexes)

    answer = table.policy(**members)
    made = app.sk.post("/v1/admin/tables", dict({"tableName": app.name(), "schema": schema, "indexes": indexes}, **members))

    assert names(answer) == names(made) == expected
    assert all(text for _, text in codes(answer))


@pytest.mark.parametrize("rule,sparse,may,warned", [
    ({"read": "admin", "write": "admin"}, False, {"update": True}, True),  # two titles alike tell whether two mails are
    ({"read": "admin", "write": "admin"}, True, {"update": True}, True),
    ({"read": "admin", "write": "admin"}, False, {"create": True}, True),
    ({"read": "admin", "write": "admin"}, True, {"create": True}, False),  # no new row of theirs is in the index
    ({"read": "admin"}, True, {"create": True}, True), ({"write": "admin"}, False, ALL, False)], ids=str)
def test_a_compound_unique_index_is_hidden_by_one_of_its_columns(app, rule, sparse, may, warned):
    table = app.table(SCHEMA, indexes=[{"name": "both", "fields": {"title": 1, "mail": 1}, "unique": True, "sparse": sparse}])

    answer = table.policy(permissions={"user": SEE | may}, columnPermissions={"mail": rule})

    assert ("unique-column-hidden" in names(answer)) == warned


@pytest.mark.parametrize("open_to, expected", [
    ({"user": {"create": True}, "self": SEE | {"update": True}}, []),
    ({"user": {"create": True, "update": True}, "self": SEE}, ["unique-row-hidden"]),
    ({"guest": {"create": True}, "user": {"create": True}, "self": SEE}, ["guest-writes", "unique-row-hidden"])],
    ids=["own", "others", "nobodys"])
def test_a_column_that_is_unique_for_each_owner_tells_owners_nothing_of_each_other(app, open_to, expected):
    one = {"name": "one_title", "fields": {"createdBy": 1, "title": 1}, "unique": True}

    assert names(app.table(SCHEMA, indexes=[one]).policy(permissions=open_to)) == expected


def test_a_unique_index_that_comes_later_is_warned_about_as_one_that_was_there(app):
    blind = {"permissions": {"user": SEE | {"update": True}}, "columnPermissions": {"mail": {"read": "admin"}}}
    one = {"name": "one_mail", "fields": {"mail": 1}, "unique": True}
    late, declared = app.table(SCHEMA), app.table(SCHEMA)
    before = [names(table.policy(**blind)) for table in (late, declared)]

    indexed = late.indexes(one)
    field = app.sk.post(f"{declared.admin}/fields", {"fieldsToAddOrUpdate": {"mail": {"type": "string", "unique": True}}})
    patched = app.sk.patch(late.admin, {"permissions": {"user": SEE | {"update": True}, "guest": {"create": True}}})
    rolled = app.sk.post(f"{declared.admin}/schema/rollback", {"version": 1})

    assert not any("unique-column-hidden" in codes for codes in before)
    assert "unique-column-hidden" in names(indexed) and "unique-column-hidden" in names(field)
    assert {"guest-writes", "unique-column-hidden"} <= set(names(patched))
    assert "unique-column-hidden" not in names(rolled)
    assert "unique-column-hidden" not in names(late.indexes(remove=["one_mail"]))


def test_a_system_table_without_a_policy_is_closed_and_not_warned_about(app):
    made = app.sk.post("/v1/admin/tables", {"tableName": app.name("_s"), "schema": {}, "system": True})

    assert made.status == 201 and names(made) == []


def test_warnings_name_the_column(app):
    table = app.table(SCHEMA)

    answer = table.policy(permissions={"user": SEE}, columnPermissions={"nosuch": {"read": "admin"}, "mail": {"write": "self"}},
                          rowFilters=[{"expression": "user", "filter": {"status": "x"}}])

    told = {code: text for code, text in codes(answer)}
    assert "nosuch" in told["column-unknown"]
    assert "mail" in told["rule-not-indexed"] or "status" in told["rule-not-indexed"]
    assert [code for code in names(answer) if code == "rule-not-indexed"] == ["rule-not-indexed"] * 2


def test_columns_that_web_clients_misread_are_warned_about(app):
    answer = app.sk.post("/v1/admin/tables", {"tableName": app.name(), "permissions": {},
                                              "schema": {"success": {"type": "bool"}, "data": {"type": "object"}}})

    assert names(answer) == ["envelope-names"]


def test_a_misspelt_member_of_a_policy_is_refused(app):
    table = app.table(SCHEMA, permissions={"user": SEE})

    answer = table.policy(permissions={}, rowFilter=[{"expression": "user", "filter": {}}])

    assert error(answer) == INVALID
    assert "rowFilter" in answer.json["message"]
    assert app.sk.get(table.admin).json["permissions"] == {"user": SEE}


# --- tests of policies ---

NOTES = {"expressionPermissions": {"create": "user", "read": "self | role:reader", "update": "self", "delete": "self"},
         "columnPermissions": {"mail": {"read": "self"}, "status": {"write": "admin"}},
         "rowFilters": [{"expression": "public", "filter": {"title": {"$ne": "secret"}}}],
         "security": {"rowFilterScope": "read"}}
OWN = {"createdBy": "$userId", "title": "t", "mail": "m", "at": "2026-01-01"}
HOLDING = [
    {"as": "guest", "op": "list", "row": OWN | {"createdBy": "x"}, "expect": "deny"},
    {"as": "user", "op": "read", "row": OWN, "expect": "allow", "name": "one's own"},
    {"as": "user", "op": "read", "row": OWN, "expect": {"allow": True, "hidden": []}},
    {"as": "user", "op": "read", "row": OWN | {"createdBy": "another"}, "expect": "deny"},
    {"as": {"group": "user", "roles": ["reader"]}, "op": "read", "row": OWN | {"createdBy": "another"},
     "expect": {"allow": True, "hidden": ["mail"]}},
    {"as": "user", "op": "list", "row": OWN | {"title": "secret"}, "expect": "deny"},
    {"as": "user", "op": "update", "row": OWN | {"title": "secret"}, "expect": "allow"},
    {"as": "user", "op": "update", "row": OWN, "body": {"status": "x"}, "expect": "deny"},
    {"as": "user", "op": "create", "body": {"title": "x"}, "expect": "allow"},
    {"as": "user", "op": "create", "row": {"title": "x", "status": "y"}, "expect": {"allow": False}},
    {"as": {"group": "guest", "userId": "g"}, "op": "delete", "row": {"createdBy": "g"}, "expect": "allow"},
    {"as": {"group": "guest"}, "op": "delete", "row": {}, "expect": "deny"},
    {"as": "admin", "op": "list", "row": OWN | {"createdBy": "", "title": "secret"}, "expect": {"allow": True, "hidden": []}}
]


def test_a_policy_whose_tests_hold_is_saved_with_them(app):
    table = app.table(SCHEMA)

    answer = table.policy(**NOTES, tests=HOLDING)

    assert answer.status == 200, answer
    assert answer.json["tests"] == app.sk.get(table.admin).json["tests"] == HOLDING
    made = app.sk.post("/v1/admin/tables", dict({"tableName": app.name(), "schema": SCHEMA, "tests": HOLDING}, **NOTES))
    assert (made.status, made.json["tests"]) == (201, HOLDING)


def test_each_test_turned_round_refuses_the_policy_and_is_named(app):
    """Every expectation is seen to fail: a test that always holds would test nothing."""
    table = app.table(SCHEMA)
    for at, test in enumerate(HOLDING):
        allowed = test["expect"] == "allow" or isinstance(test["expect"], dict) and test["expect"]["allow"]
        wrong = dict(test, expect="deny" if allowed else "allow", name=f"number {at}")

        answer = table.policy(**NOTES, tests=HOLDING[:at] + [wrong] + HOLDING[at + 1:])

        assert error(answer) == INVALID
        assert rules(answer) == [(f"tests.{at}", "test")]
        assert f"number {at}" in answer.json["details"][0]["message"]
        assert f"tests.{at}" in answer.json["message"]
    assert app.sk.get(table.admin).json["tests"] is None


@pytest.mark.parametrize("hidden", [[], ["mail", "title"], ["title"], ["nosuch"], ["mail", "mail2"]], ids=str)
def test_the_list_of_hidden_columns_is_exact(app, hidden):
    test = {"as": {"group": "user", "roles": ["reader"]}, "op": "read", "row": dict(OWN, createdBy="another"),
            "expect": {"allow": True, "hidden": hidden}}

    assert rules(app.table(SCHEMA).policy(**NOTES, tests=[test])) == [("tests.0", "test")]


def test_all_tests_that_fail_are_named_up_to_twenty(app):
    wrong = [{"as": "guest", "op": "read", "row": {}, "expect": "allow"}] * 30

    assert len(rules(app.table(SCHEMA).policy(**NOTES, tests=wrong))) == 20
    few = app.table(SCHEMA).policy(**NOTES, tests=[wrong[0], HOLDING[0], wrong[0]])
    assert rules(few) == [("tests.0", "test"), ("tests.2", "test")]


GOOD = {"as": "user", "op": "read", "row": {}, "expect": "allow"}
BAD_TESTS = {
    "object": {}, "text": "x", "item": [1], "many": [GOOD] * 51, "no_as": [{"op": "read", "expect": "deny"}],
    "as": [dict(GOOD, **{"as": "owner"})], "group": [dict(GOOD, **{"as": {"group": "self"}})],
    "as_member": [dict(GOOD, **{"as": {"group": "user", "id": "x"}})],
    "empty_id": [dict(GOOD, **{"as": {"group": "user", "userId": ""}})],
    "roles": [dict(GOOD, **{"as": {"group": "user", "roles": "x"}})],
    "role": [dict(GOOD, **{"as": {"group": "user", "roles": ["Admin"]}})], "op": [dict(GOOD, op="write")],
    "row": [dict(GOOD, row=[])], "body": [dict(GOOD, body={})], "expect": [dict(GOOD, expect="yes")],
    "expect_list": [dict(GOOD, expect=[])], "expect_empty": [dict(GOOD, expect={})],
    "hidden_denied": [dict(GOOD, expect={"allow": False, "hidden": []})],
    "hidden_text": [dict(GOOD, expect={"allow": True, "hidden": "mail"})],
    "hidden_write": [dict(GOOD, op="update", expect={"allow": True, "hidden": []})],
    "member": [dict(GOOD, note="x")], "name": [dict(GOOD, name=5)], "long_name": [dict(GOOD, name="x" * 65)],
    "row_type": [dict(GOOD, row={"title": 5})], "row_date": [dict(GOOD, row={"at": "soon"})],
    "row_name": [dict(GOOD, row={"$x": 1})], "owner": [dict(GOOD, row={"createdBy": 5})],
    "no_id": [dict(GOOD, **{"as": "guest", "row": {"createdBy": "$userId"}})]}


@pytest.mark.parametrize("name", BAD_TESTS)
def test_what_is_no_test_is_refused(app, name):
    table = app.table(SCHEMA, permissions={"user": SEE})

    answer = table.policy(permissions={"user": ALL}, tests=BAD_TESTS[name])

    assert error(answer) == INVALID
    assert "tests" in answer.json["message"]
    assert "details" not in answer.json
    assert app.sk.get(table.admin).json["permissions"] == {"user": SEE}


def test_other_ways_to_change_a_policy_run_its_tests_too(app):
    table = app.table(SCHEMA, permissions={"user": SEE}, tests=[dict(GOOD, row={"title": "x"})])

    patched = app.sk.patch(table.admin, {"permissions": {"guest": SEE}})
    retyped = app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"title": {"type": "int"}}})

    assert error(patched) == error(retyped) == INVALID
    assert rules(patched) == [("tests.0", "test")]
    assert "tests.0.row.title" in retyped.json["message"]
    assert app.sk.get(table.admin).json["permissions"] == {"user": SEE}
    assert app.sk.patch(table.admin, {"permissions": {"user": ALL}}).status == 200
