# SPDX-License-Identifier: GPL-3.0-or-later
"""Boolean permissions as a guest and a secret key meet them, system tables, and what may be written as a policy. The
vectors of the contract are in test_policy_vectors.py."""

import json

import pytest
from app import DENIED, INVALID, NO_ROW, error, without_id

SYSTEM = (403, "data/system-table-access")
OPS = ("create", "read", "update", "delete", "list")
HARMLESS_FIRST = ("create", "read", "update", "list", "delete")


def carry_out(client, path, row_id, op):
    one = f"{path}/{row_id}"
    return {"list": lambda: client.get(path), "read": lambda: client.get(one),
            "update": lambda: client.patch(one, {"title": "n"}),
            "delete": lambda: client.delete(one), "create": lambda: client.post(path, {"title": "n"})}[op]()


@pytest.fixture(scope="module")
def table_of_right(app):
    return {op: app.table(permissions={"guest": {op: True}}) for op in OPS}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("granted", OPS)
def test_a_right_gives_that_right_and_read_gives_list(app, table_of_right, granted, op):
    table = table_of_right[granted]
    row_id = table.add({"title": "w"})["id"]

    answer = carry_out(app.pk, table.path, row_id, op)

    may = op == granted or (granted == "read" and op == "list")
    assert error(answer) == ((201 if op == "create" else 200, None) if may else DENIED)


def test_rights_of_other_groups_are_not_the_guests(app):
    everything = {op: True for op in OPS}
    table = app.table(permissions={"user": everything, "self": everything, "admin": everything})
    row_id = table.add({})["id"]

    assert [error(carry_out(app.pk, table.path, row_id, op)) for op in OPS] == [DENIED] * 5
    statuses = [carry_out(app.sk, table.path, row_id, op).status for op in HARMLESS_FIRST]
    assert statuses == [201, 200, 200, 200, 200]


def test_admin_entries_are_stored_and_echoed_but_never_asked(app):
    permissions = {"admin": {op: False for op in OPS}}
    table = app.table(permissions=permissions)
    row_id = table.add({})["id"]

    assert app.sk.get(table.admin).json["permissions"] == permissions
    statuses = [carry_out(app.sk, table.path, row_id, op).status for op in HARMLESS_FIRST]
    assert statuses == [201, 200, 200, 200, 200]


def test_a_refused_guest_learns_nothing_about_rows(app):
    table = app.table(permissions={})
    row = table.add({"title": "secret"})

    for op in ("read", "update", "delete"):
        there, absent, nonsense = (carry_out(app.pk, table.path, row_id, op) for row_id in (row["id"], NO_ROW, "x"))
        assert error(there) == DENIED
        assert without_id(there) == without_id(absent) == without_id(nonsense)
    malformed = app.pk.post(table.path, b"{", headers={"Content-Type": "application/json"})
    assert error(malformed) == DENIED  # the right is asked before the body is read
    assert error(app.pk.get(table.path + "?page=0")) == DENIED
    assert table.read(row["id"]).json == row


# --- system tables and built-in names ---

BUILT_IN = {
    "users": {"id", "role", "name", "email", "emailVerified", "image", "onboardingStatus", "nickname", "roles", "mfaEnabled",
              "banned", "createdAt", "updatedAt"},
    "accounts": {"id", "userId", "provider", "providerAccountId", "connectedAt"},
    "sessions": {"id", "userId", "userAgent", "ipAddress", "deviceInfo", "lastActivityAt", "createdAt", "current"},
}


@pytest.mark.parametrize("name", ["users", "accounts", "sessions", "files"])
def test_built_in_tables_are_closed_to_guests_and_to_writes(app, name):
    path = f"/v1/data/{name}"
    if name in BUILT_IN:
        app.user()

    for op in OPS:
        assert error(carry_out(app.pk, path, NO_ROW, op)) == SYSTEM
    for op in ("create", "update", "delete"):
        assert error(carry_out(app.sk, path, NO_ROW, op)) == SYSTEM
    listed = carry_out(app.sk, path, NO_ROW, "list").json
    assert (listed["pagination"]["total"] > 0) == (name in BUILT_IN)
    assert all(set(item) == BUILT_IN[name] for item in listed["items"])
    assert error(carry_out(app.sk, path, NO_ROW, "read")) == (404, "data/not-found")


def test_a_system_table_is_closed_until_it_has_a_policy(app):
    table = app.table(name=app.name("_jobs"), system=True)
    row_id = table.add({})["id"]

    assert [error(carry_out(app.pk, table.path, row_id, op)) for op in OPS] == [SYSTEM] * 5
    assert error(app.pk.get(f"{table.path}/spec")) == SYSTEM
    assert carry_out(app.sk, table.path, row_id, "list").status == 200
    table.policy(permissions={"guest": {"read": True}})
    assert [carry_out(app.pk, table.path, row_id, op).status for op in OPS] == [403, 200, 403, 403, 200]


@pytest.mark.parametrize("name,system", [
    ("users", False), ("accounts", False), ("sessions", False), ("files", False), ("users", True), ("data", False),
    ("auth", False), ("admin", False), ("mcp", False), ("storage", False),
    ("health", False), ("system", False), ("batch", False), ("healthz", False), ("_x", False), ("1a", False),
    ("a b", False), ("a.b", False), ("", False), ("a" * 65, False), ("a/b", False),
    ("\u00e4", False), ("-a", False), ("a$", False), ("openapi.json", False), ("_", False)])
def test_attack_05_a_table_cannot_take_a_reserved_or_impossible_name(app, name, system):
    answer = app.sk.post("/v1/admin/tables", {"tableName": name, "schema": {}, "system": system})

    assert answer.status == 400, answer
    assert error(answer)[1] in ("data/validation-error", "common/invalid-parameters")


# --- writing a policy ---

def test_a_policy_replaces_the_whole_given_member(app):
    table = app.table(permissions={"user": {"read": True}, "guest": {"read": True}})

    table.policy(permissions={"guest": {"list": True}}, security={"guestAccess": "policy"})
    only_guest = app.sk.get(table.admin).json
    table.policy(security={"policyInSpec": False})
    unset = app.sk.get(table.admin).json

    assert only_guest["permissions"] == {"guest": {"list": True}}
    assert unset["permissions"] is None
    assert error(app.pk.get(table.path)) == (200, None)  # the default matrix again
    patched = app.sk.patch(table.admin, {"permissions": {"user": {"read": True}}})
    assert patched.status == 200
    assert patched.json["permissions"] == {"user": {"read": True}}
    assert patched.json["security"] == {"policyInSpec": False}
    assert error(app.pk.get(table.path)) == DENIED


@pytest.mark.parametrize("permissions,warned", [
    ({"guest": {"create": True}}, True), ({"guest": {"delete": True}, "user": {"delete": True}}, True),
    ({"guest": {"read": True}, "user": {"read": False}}, True),
    ({"guest": {"read": True}, "user": {"read": True}}, False), ({"user": {"read": True, "create": True}}, False),
    ({}, False)], ids=str)
def test_a_policy_that_is_likely_a_mistake_is_stored_with_a_warning(app, permissions, warned):
    table = app.table()

    answer = table.policy(permissions=permissions)

    assert (answer.status, answer.json["permissions"]) == (200, permissions)
    assert isinstance(answer.json["warnings"], list)
    assert bool(answer.json["warnings"]) == warned


BAD_POLICIES = {
    "group": {"permissions": {"owner": {"read": True}}}, "group_case": {"permissions": {"Guest": {"read": True}}},
    "group_public": {"permissions": {"public": {"read": True}}},
    "op": {"permissions": {"guest": {"write": True}}}, "op_case": {"permissions": {"guest": {"READ": True}}},
    "value_text": {"permissions": {"guest": {"read": "true"}}},
    "value_number": {"permissions": {"guest": {"read": 1}}}, "value_null": {"permissions": {"guest": {"read": None}}},
    "entry_list": {"permissions": {"guest": ["read"]}}, "list": {"permissions": []},
    "text": {"permissions": "all"}, "security_list": {"security": []}, "security_unknown": {"security": {"nosuch": 1}},
    "security_value": {"security": {"guestAccess": "on"}},
    "security_bool_text": {"security": {"policyInSpec": "true"}},
    "security_rows": {"security": {"maxRowsPerOwner": -1}},
    "expressions_empty": {"expressionPermissions": {}},
    "expressions_bad": {"expressionPermissions": {"read": "user || self"}},
    "columns_bad": {"columnPermissions": {"createdBy": {"read": "admin"}}},
    "rows": {"rowFilters": {}},
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_policy_that_would_not_be_enforced_as_written_is_refused(app, name):
    table = app.table(permissions={"guest": {"read": True}})
    row_id = table.add({})["id"]

    answer = table.policy(**BAD_POLICIES[name])
    made = app.sk.post("/v1/admin/tables", dict({"tableName": app.name(), "schema": {}}, **BAD_POLICIES[name]))

    assert error(answer) == INVALID
    assert error(made) == INVALID
    assert app.sk.get(table.admin).json["permissions"] == {"guest": {"read": True}}
    assert error(table.read(row_id, app.pk)) == (200, None)


@pytest.mark.parametrize("member,value", [("expressionPermissions", None), ("columnPermissions", None),
                                          ("rowFilters", None), ("rowFilters", []), ("tests", None), ("tests", [])], ids=str)
def test_members_that_restrict_nothing_are_accepted(app, member, value):
    table = app.table()

    assert table.policy(permissions={"guest": {"read": True}}, **{member: value}).status == 200


# --- settings of 9.1 that need no user ---

def test_vector_144_a_minimal_write_response_holds_the_system_fields_alone(app):
    table = app.table(permissions={"guest": {"create": True, "update": True}}, security={"writeResponse": "minimal"})
    row = table.add({"title": "x"})

    made, changed = table.create({"title": "x"}, app.pk), table.update(row["id"], {"title": "y"}, app.pk)

    assert (made.status, set(made.json)) == (201, {"id", "createdBy", "createdAt", "updatedAt"})
    assert (changed.status, set(changed.json)) == (200, {"id", "createdBy", "createdAt", "updatedAt"})
    assert "title" in table.create({"title": "x"}).json


def test_the_hardened_preset_supplies_defaults_and_rewrites_nothing(make_app):
    app = make_app()
    loose = app.table()
    own = app.table(permissions={"guest": {"read": True}},
                    security={"guestAccess": "policy", "requireExplicitPolicy": False})
    app.settings(securityPreset="hardened")

    assert app.sk.get(loose.admin).json["security"] == {}
    assert app.sk.get(own.admin).json["security"] == {"guestAccess": "policy", "requireExplicitPolicy": False}
    assert error(app.pk.get(own.path)) == (200, None)
    fresh = app.table(permissions={"guest": {"read": True}})
    assert error(app.pk.get(fresh.path)) == DENIED  # guestAccess is off
    assert error(fresh.create({"undeclared": 1})) == INVALID


# --- classes 2 and 4 of the attacks ---

def test_attack_02_a_refusal_is_the_same_whatever_the_table_holds(app):
    empty, full = app.table(permissions={}), app.table(permissions={})
    for n in range(5):
        full.add({"n": n})
    answers = [app.pk.get(table.path + text)
               for table in (empty, full) for text in ("", "?limit=1", "?search=1", "?page=9")]

    assert len({json.dumps(without_id(answer), sort_keys=True) for answer in answers}) == 1
    assert len({len(answer.body) for answer in answers}) == 1


def test_attack_02_a_total_counts_the_rows_of_this_table_that_match(app):
    one, other = app.table(), app.table()
    for n in range(3):
        one.add({"n": n})
        other.add({"n": n})

    assert one.list(app.pk).json["pagination"]["total"] == 3
    assert one.list(app.pk, andFilters={"n": {"$gt": 0}}).json["pagination"]["total"] == 2
    assert one.list(app.pk, andFilters={"n": 9}).json["pagination"] == {
        "total": 0, "page": 1, "limit": 20, "totalPages": 0, "hasNext": False, "hasPrev": False}


def test_attack_04_no_parameter_turns_a_read_into_a_list(app):
    table = app.table(permissions={"guest": {"read": True, "list": False}})
    row = table.add({})

    for text in ("", "?limit=1", "?limit=0", "?limit=-1", "?limit=null", "?limit=100000000", "?page=2",
                 "?andFilters={}", "?select=id"):
        assert error(app.pk.get(table.path + text)) == DENIED
    assert table.read(row["id"], app.pk).json == row
