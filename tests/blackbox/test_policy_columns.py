# SPDX-License-Identifier: GPL-3.0-or-later
"""Column rules (contract 3.7) as a guest and a secret key meet them: what is shown, what may be written, and that a
column which may not be read cannot be asked about either. Classes 1, 2 and 7 of the attacks."""

import json

import pytest
from app import BAD_PARAMETERS, DENIED, INVALID, SYSTEM_FIELDS, error, without_id

ALL = {op: True for op in ("create", "read", "update", "delete", "list")}
SCHEMA = {"title": {"type": "string"}, "email": {"type": "string"}, "phone": {"type": "string"},
          "deep": {"type": "object"}, "tags": {"type": "array"}}
COLUMNS = {"email": {"read": "admin", "write": "admin"}, "phone": {"read": "self", "write": "self"},
           "deep": {"read": "admin"}, "extra": {"read": "user"}, "title": {"read": "public"}}
HIDDEN = ("email", "phone", "deep", "extra")
ROWS = [{"title": "one", "email": "a@x", "phone": "111", "deep": {"k": {"n": 1}}, "extra": "hush", "tags": ["t"]},
        {"title": "two", "email": "b@x", "phone": "222", "deep": {"k": {"n": 2}}, "extra": "peep"}]


def policy(**more):
    return dict({"permissions": {"guest": ALL, "user": ALL}, "columnPermissions": COLUMNS}, **more)


@pytest.fixture(scope="module")
def people(app):
    """A table with hidden columns; nobody changes it."""
    table = app.table(SCHEMA, **policy())
    table.rows = [table.add(row) for row in ROWS]
    return table


@pytest.fixture
def fresh(app):
    table = app.table(SCHEMA, **policy())
    table.rows = [table.add(row) for row in ROWS]
    return table


def test_hidden_columns_are_left_out_of_every_answer(app, people):
    row = people.rows[0]

    read = people.read(row["id"], app.pk).json
    listed = {item["id"]: item for item in people.list(app.pk).json["items"]}

    assert set(read) == SYSTEM_FIELDS | {"title", "tags"}
    assert listed[row["id"]] == read
    assert set(listed[people.rows[1]["id"]]) == SYSTEM_FIELDS | {"title"}
    assert people.read(row["id"]).json == row  # the administrator sees all
    assert {item["id"]: item for item in people.list().json["items"]}[row["id"]] == row


def test_a_hidden_column_that_is_selected_is_left_out_in_silence(app, people):
    row_id = people.rows[0]["id"]

    for select in ("email", "phone", "extra", "deep", "deep.k"):
        assert set(app.pk.get(f"{people.path}/{row_id}?select={select}").json) == SYSTEM_FIELDS
        answer = people.list(app.pk, select=select)
        assert error(answer) == (200, None)
        assert all(set(item) == SYSTEM_FIELDS for item in answer.json["items"])
    assert set(app.pk.get(f"{people.path}/{row_id}?select=email,title").json) == SYSTEM_FIELDS | {"title"}


# --- attack 1: asking about what is hidden ---

OPERANDS = ["a@x", None, {"$eq": "a@x"}, {"$ne": "a@x"}, {"$gt": ""}, {"$lte": "z"}, {"$in": ["a@x"]}, {"$nin": []},
            {"$regex": "^a"}, {"$exists": True}, {"$exists": False}, {"$contains": "a"}]


@pytest.mark.parametrize("operand", OPERANDS, ids=json.dumps)
@pytest.mark.parametrize("member", ["andFilters", "orFilters"])
def test_attack_01_a_column_never_readable_cannot_be_filtered_by(app, people, member, operand):
    for name in ("email", "extra", "deep", "deep.k", "deep.k.n", "email.x"):
        answer = people.list(app.pk, **{member: {name: operand}})
        assert error(answer) == DENIED
        among = people.list(app.pk, **{member: {"title": "one", name: operand}})
        assert error(among) == DENIED
        assert "a@x" not in answer.json["message"]


def test_attack_01_a_hidden_column_cannot_be_hidden_in_a_list_of_groups(app, people):
    assert error(people.list(app.pk, orFilters=[{"title": "one"}, {"email": "a@x"}])) == DENIED
    assert error(people.list(app.pk, orFilters=[{"title": "one", "email": {"$regex": "a"}}])) == DENIED
    assert error(people.list(app.pk, andFilters={"title": "one"}, orFilters={"email": "a@x"})) == DENIED


MALFORMED = [dict(andFilters={"email": {"$nope": 1}}), dict(andFilters={"email": {"$in": 1}}),
             dict(andFilters={"email": {"$regex": "("}}), dict(andFilters={"email": 1, "title": {"$gt": None}}),
             dict(orFilters=[{"email": 1}, {"$or": 1}]), dict(andFilters={"email": 1}, orFilters=5),
             dict(sortBy="email", andFilters=5), dict(sortBy="email", search="a", searchType="nosuch"),
             dict(andFilters={"email": 1}, search="a", searchType="nosuch"), dict(sortBy="email", limit="0")]


@pytest.mark.parametrize("params", MALFORMED, ids=json.dumps)
def test_what_is_malformed_is_told_before_what_may_not_be_asked(app, people, params):
    assert error(people.list(app.pk, **params)) == BAD_PARAMETERS


@pytest.mark.parametrize("name", HIDDEN + ("deep.k.n", "phone.x"))
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_attack_01_a_hidden_column_cannot_be_sorted_by(app, people, name, direction):
    declared = name.split(".")[0] in SCHEMA

    answer = people.list(app.pk, sortBy=name, sortDirection=direction)

    assert error(answer) == (DENIED if declared else BAD_PARAMETERS)
    assert error(people.list(sortBy=name, sortDirection=direction))[0] == (200 if declared else 400)


@pytest.mark.parametrize("name", ["email", "deep", "deep.k"])
def test_attack_01_a_column_never_readable_cannot_be_searched_in(app, people, name):
    assert error(people.list(app.pk, search="a", searchType=name)) == DENIED
    assert error(people.list(app.pk, searchType=name)) == (200, None)  # ignored without a search


def test_attack_01_a_column_of_owners_is_asked_about_on_own_rows_alone(app, people):
    """A guest owns none, so whatever is asked about the column holds for no row: no error, and nothing told."""
    for operand in OPERANDS:
        answer = people.list(app.pk, andFilters={"phone": operand})
        assert (answer.status, answer.json["items"], answer.json["pagination"]["total"]) == (200, [], 0)
    either = people.list(app.pk, orFilters={"phone": "111", "title": "two"}).json
    assert [item["title"] for item in either["items"]] == ["two"]
    assert people.list(app.pk, search="111", searchType="phone").json["pagination"]["total"] == 0


def test_attack_01_a_search_passes_over_hidden_columns(app, people):
    for word in ("a@x", "111", "hush", "peep"):
        assert people.list(app.pk, search=word).json["pagination"]["total"] == 0
        assert people.list(search=word).json["pagination"]["total"] == 1
    assert people.list(app.pk, search="one").json["pagination"]["total"] == 1


def test_attack_01_and_02_cells_that_are_hidden_change_no_answer(app):
    """Two tables that differ in hidden cells alone answer the same to every question."""
    tables = []
    for flavour in ("x", "y"):
        table = app.table(SCHEMA, **policy())
        for n in range(6):
            table.add({"title": f"t{n % 3}", "email": f"{flavour}{n}", "phone": flavour * n, "deep": {flavour: n},
                       "extra": flavour, "tags": [n]})
        tables.append(table)
    questions = [{}, {"limit": 2}, {"page": 3, "limit": 2}, {"search": "x"}, {"search": "y", "searchType": "phone"},
                 {"sortBy": "title"}, {"sortBy": "email"}, {"sortBy": "title", "sortDirection": "asc", "select": "phone"},
                 {"andFilters": {"phone": {"$ne": None}}}, {"andFilters": {"email": "x1"}}, {"orFilters": {"tags": 1}},
                 {"andFilters": {"phone": {"$exists": False}}}, {"search": "t1", "select": "title,email"}]

    for question in questions:
        seen = [without_times(table.list(app.pk, **question)) for table in tables]
        assert seen[0] == seen[1], question


def without_times(answer):
    """Status and body without what any two rows or requests differ in."""
    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in ("id", "createdAt", "updatedAt", "requestId")}
        return [plain(item) for item in value] if isinstance(value, list) else value
    return answer.status, plain(answer.json)


def test_attack_01_a_conflict_names_no_column_that_the_writer_may_not_read(app):
    table = app.table({"slug": {"type": "string", "unique": True}, "mail": {"type": "string"}, "code": {"type": "string"}},
                      indexes=[{"name": "both", "fields": {"code": 1, "mail": 1}, "unique": True, "sparse": True}],
                      **policy(columnPermissions={"slug": {"read": "admin"}, "mail": {"read": "admin"}}))
    table.add({"slug": "s", "mail": "m@x", "code": "c"})

    hidden, half = table.create({"slug": "s"}, app.pk), table.create({"slug": "q", "mail": "m@x", "code": "c"}, app.pk)
    whole = table.create({"slug": "z", "mail": "m@x", "code": "c"})

    for answer in (hidden, half, whole):
        assert error(answer) == (409, "data/duplicate-value")
        assert "m@x" not in answer.json["message"]
    assert "slug" not in hidden.json["message"]
    assert "mail" not in half.json["message"] and "code" in half.json["message"]
    assert "mail" in whole.json["message"] and "code" in whole.json["message"]


# --- attack 7: writing ---

@pytest.mark.parametrize("value", ["a@x", "new", None, {"$ne": 1}], ids=json.dumps)
@pytest.mark.parametrize("name", ["email", "phone"])
def test_attack_07_a_column_that_may_not_be_written_refuses_the_whole_body(app, fresh, name, value):
    row = fresh.rows[0]

    changed = fresh.update(row["id"], {"title": "changed", name: value}, app.pk)
    made = fresh.create({"title": "made", name: value}, app.pk)

    assert error(changed) == error(made) == DENIED
    assert fresh.read(row["id"]).json == row
    assert fresh.list().json["pagination"]["total"] == len(ROWS)


def test_columns_without_a_write_rule_may_be_written_and_are_not_shown(app, fresh):
    row = fresh.rows[0]

    changed = fresh.update(row["id"], {"title": "changed", "extra": "new", "deep": {"z": 1}}, app.pk)
    made = fresh.create({"title": "made", "extra": "mine"}, app.pk)

    assert (changed.status, set(changed.json)) == (200, SYSTEM_FIELDS | {"title", "tags"})
    assert (made.status, set(made.json)) == (201, SYSTEM_FIELDS | {"title"})
    stored = fresh.read(row["id"]).json
    assert (stored["title"], stored["extra"], stored["deep"]) == ("changed", "new", {"z": 1})
    assert stored["email"] == row["email"]


def test_defaults_of_the_server_are_exempt_from_the_write_rule(app):
    table = app.table({"role": {"type": "string", "default": "member"}, "title": {"type": "string"}},
                      **policy(columnPermissions={"role": {"write": "admin"}}))

    made = table.create({"title": "x"}, app.pk)

    assert (made.status, made.json["role"]) == (201, "member")
    assert error(table.create({"title": "x", "role": "member"}, app.pk)) == DENIED


def test_attack_07_system_fields_in_a_body_are_dropped_and_never_refused(app, fresh):
    answer = fresh.create({"title": "x", "id": "f" * 24, "createdBy": "me", "createdAt": "2000-01-01", "updatedAt": 1,
                           "_id": 1}, app.pk)

    assert (answer.status, answer.json["createdBy"]) == (201, "")
    assert answer.json["id"] != "f" * 24 and not answer.json["createdAt"].startswith("2000")


def test_attack_07_column_rules_are_exact_names(app, fresh):
    """Another spelling is another field: it is no way to the column."""
    for name in ("Email", "email ", "e\u00admail", "EMAIL"):
        answer = fresh.create({name: "x"}, app.pk)
        assert answer.status == 201
        assert "email" not in fresh.read(answer.json["id"]).json


# --- descriptions ---

def test_attack_01_descriptions_hide_the_columns_and_their_indexes(app):
    schema = dict(SCHEMA, email={"type": "string", "unique": True})
    table = app.table(dict(schema), indexes=[{"name": "by_title", "fields": {"title": 1}},
                                             {"name": "by_deep", "fields": {"title": 1, "deep.k": -1}}],
                      **policy())
    app.sk.post(f"{table.admin}/fields", {"requiredFieldsToAdd": ["email", "title", "phone"]})

    seen, whole = app.pk.get(f"{table.path}/spec").json, app.sk.get(f"{table.path}/spec").json
    document, full = app.pk.get(f"{table.path}/openapi").json, app.sk.get(f"{table.path}/openapi").json

    # phone may be read on own rows, so the column is no secret
    assert set(seen["schema"]["properties"]) == {"title", "phone", "tags"}
    assert set(seen["schema"]["required"]) == {"title", "phone"}
    assert {index["name"] for index in seen["indexes"]} == {"_id_", "idx_createdAt_desc", "idx_updatedAt_desc",
                                                            "idx_createdBy", "by_title"}
    assert not {"expressionPermissions", "columnPermissions", "rowFilters", "security"} & set(seen)
    assert "email" not in json.dumps(seen) and "deep" not in json.dumps(seen)
    assert "email" not in json.dumps(document) and "deep" not in json.dumps(document)
    assert set(whole["schema"]["properties"]) == set(SCHEMA)
    assert whole["columnPermissions"] == COLUMNS
    assert "email" in json.dumps(full)


def test_the_settings_say_whether_permissions_stand_in_the_spec(app):
    table = app.table(SCHEMA, **policy(security={"policyInSpec": False}))

    assert "permissions" not in app.pk.get(f"{table.path}/spec").json
    assert app.sk.get(f"{table.path}/spec").json["permissions"] == {"guest": ALL, "user": ALL}
    assert app.sk.get(f"{table.path}/spec").json["rowFilters"] is None


# --- the policy itself ---

def test_the_policy_is_printed_back_as_it_was_saved(app):
    whole = {"permissions": {"guest": {"read": True}},
             "expressionPermissions": {"read": "public | self", "update": "role:editor & user|self"},
             "columnPermissions": {"email": {"read": "admin"}, "bio": {"write": "self | role:*"}, "empty": {}},
             "rowFilters": [{"expression": "guest", "filter": {"status": {"$in": ["a", None, 1.5]}, "by": "$userId"}},
                            {"expression": "role:editor", "filter": {}}],
             "security": {"rowFilterScope": "read", "forbiddenRows": "404", "maxRowsPerOwner": 7},
             "tests": [{"as": "guest", "op": "list", "row": {"status": "a", "by": "x"}, "expect": "deny"}]}
    table = app.table({"email": {"type": "string"}})

    answer = table.policy(**whole)

    assert answer.status == 200, answer
    assert {name: answer.json[name] for name in whole} == whole
    assert {name: app.sk.get(table.admin).json[name] for name in whole} == whole


def test_a_put_of_the_policy_replaces_every_member(app):
    table = app.table(SCHEMA, **policy(rowFilters=[{"expression": "guest", "filter": {"title": "one"}}],
                                       security={"policyInSpec": False}))
    table.policy(permissions={"guest": {"read": True}})

    stored = app.sk.get(table.admin).json

    assert stored["permissions"] == {"guest": {"read": True}}
    assert [stored[name] for name in ("expressionPermissions", "columnPermissions", "rowFilters")] == [None] * 3
    assert (stored["security"], stored["tests"]) == ({}, None)


def test_a_field_that_goes_takes_its_column_rule_with_it(app, fresh):
    answer = app.sk.post(f"{fresh.admin}/fields", {"fieldsToRemove": ["email"]})

    assert answer.status == 200
    assert answer.json["columnPermissions"] == {name: rule for name, rule in COLUMNS.items() if name != "email"}
    assert "email" not in fresh.read(fresh.rows[0]["id"]).json


@pytest.mark.parametrize("members,named", [
    ({"rowFilters": [{"expression": "guest", "filter": {}}, {"expression": "user", "filter": {"deep.k": 1}}]}, "rowFilters.1"),
    ({"tests": [{"as": "guest", "op": "read", "row": {"deep": {}}, "expect": "allow"}]}, "tests.0"),
    ({"tests": [{"as": "guest", "op": "read", "row": {}, "expect": "allow"},
                {"as": "guest", "op": "update", "row": {}, "body": {"deep": {}}, "expect": "allow"}]}, "tests.1")])
def test_a_field_that_a_filter_or_a_test_names_cannot_go(app, members, named):
    table = app.table(SCHEMA, permissions={"guest": ALL, "user": ALL}, **members)
    row = table.add({"deep": {"k": 1}})

    answer = app.sk.post(f"{table.admin}/fields", {"fieldsToRemove": ["deep"]})

    assert error(answer) == INVALID
    assert named in answer.json["message"]
    assert table.read(row["id"]).json == row
    assert "deep" in app.sk.get(table.admin).json["schema"]["properties"]


def test_a_rollback_that_would_take_a_named_field_is_refused_as_well(app):
    table = app.table({"title": {"type": "string"}}, permissions={"guest": ALL})
    app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"owner": {"type": "string"}}})
    rules = {"owner": {"read": "admin"}}
    table.policy(permissions={"guest": ALL}, columnPermissions=rules,
                 rowFilters=[{"expression": "guest", "filter": {"owner": "x"}}])

    refused = app.sk.post(f"{table.admin}/schema/rollback", {"version": 1})
    table.policy(permissions={"guest": ALL}, columnPermissions=rules)
    done = app.sk.post(f"{table.admin}/schema/rollback", {"version": 1})

    assert error(refused) == INVALID and "rowFilters.0" in refused.json["message"]
    assert (done.status, done.json["columnPermissions"], done.json["rowFilters"]) == (200, {}, None)


def test_attack_01_a_field_that_is_replaced_under_its_own_name_keeps_its_rule(app, fresh):
    answer = app.sk.post(f"{fresh.admin}/fields", {"fieldsToRemove": ["email"],
                                                   "fieldsToAddOrUpdate": {"email": {"type": "string"}}})
    row = fresh.add({"email": "new@x"})

    assert answer.json["columnPermissions"] == COLUMNS
    assert "email" not in fresh.read(fresh.rows[0]["id"]).json  # its data is gone
    assert fresh.read(row["id"]).json["email"] == "new@x"
    assert "email" not in fresh.read(row["id"], app.pk).json


BAD_COLUMNS = {
    "list": [], "system": {"createdBy": {"read": "admin"}}, "id": {"id": {"read": "admin"}},
    "name": {"a.b": {"read": "admin"}}, "dollar": {"$x": {"read": "admin"}}, "empty_name": {"": {"read": "admin"}},
    "rule": {"email": "admin"}, "member": {"email": {"delete": "admin"}}, "text": {"email": {"read": True}},
    "expression": {"email": {"read": "user || self"}}, "empty": {"email": {"read": ""}},
    "role": {"email": {"read": "role:Admin"}}}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_column_rules_that_cannot_be_are_refused_and_change_nothing(app, fresh, name):
    answer = fresh.policy(permissions={"guest": ALL}, columnPermissions=BAD_COLUMNS[name])

    assert error(answer) == INVALID
    assert "columnPermissions" in answer.json["message"]
    assert app.sk.get(fresh.admin).json["columnPermissions"] == COLUMNS
    assert without_id(fresh.read(fresh.rows[0]["id"], app.pk)).get("email") is None


def test_a_row_of_hidden_columns_stays_one_that_an_administrator_can_be_answered(app):
    columns = [f"c{number}" for number in range(9)]
    table = app.table({name: {"type": "string"} for name in columns}, permissions={"guest": ALL},
                      columnPermissions={name: {"read": "admin"} for name in columns})
    row = table.add()
    # six times as long in a body and in an answer as it is when stored

    answers = [app.pk.patch(f"{table.path}/{row['id']}", {name: "\x01" * 170_000}) for name in columns]

    assert answers[0].status == 200
    assert error(answers[-1]) == INVALID
    assert table.read(row["id"]).status == 200


def test_a_write_that_was_refused_counts_as_no_read(make_app):
    app = make_app()
    table = app.table({"slug": {"type": "string", "unique": True}}, security={"auditReads": True})
    row = table.add({"slug": "a"})

    assert error(table.create({"slug": "a"})) == (409, "data/duplicate-value")
    assert app.box.stop() == 0

    lines = [event for event in map(json.loads, app.box.raw) if event["event"] == "row_read"]
    assert [line["row"] for line in lines] == [row["id"]]
