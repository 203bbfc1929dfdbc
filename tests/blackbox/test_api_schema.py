# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas: types, constraints, what an update checks, undeclared fields, spec and openapi. Contract 4.5, 4.7."""

import pytest
from app import DENIED, INVALID, SYSTEM_FIELDS, error, rules

TYPES = [
    # definition, accepted {sent: stored}, refused
    ({"bsonType": "string"}, [("x", "x"), ("", "")], [1, True, [], {}]),
    ({"type": "string"}, [("x", "x")], [1]),
    ({"bsonType": "double"}, [(1, 1), (1.5, 1.5), (-0.25, -0.25)], ["1", True, []]),
    ({"bsonType": "number"}, [(7, 7), (7.5, 7.5)], ["7"]),
    ({"bsonType": "int"}, [(5, 5), (5.0, 5), (-3, -3), (2**53, 2**53), (-(2**53), -(2**53))],
     [5.5, "5", True, 2**53 + 2, 1e300]),
    ({"bsonType": "long"}, [(2**40, 2**40)], [0.5]),
    ({"bsonType": "bool"}, [(True, True), (False, False)], ["true", 0, 1, "false"]),
    ({"bsonType": "boolean"}, [(True, True)], ["true"]),
    ({"bsonType": "date"}, [("2024-01-01", "2024-01-01T00:00:00.000Z"),
                            ("2024-01-01T10:00:00+02:00", "2024-01-01T08:00:00.000Z"),
                            ("2024-01-01T10:00:00", "2024-01-01T10:00:00.000Z"),
                            ("2024-02-29T23:59:59.1234Z", "2024-02-29T23:59:59.123Z")],
     ["x", "", 5, "2023-02-29", "2024-01-01T25:00:00Z", "01.01.2024", {}]),
    ({"bsonType": "object"}, [({}, {}), ({"a": [1]}, {"a": [1]})], ["x", [], 1]),
    ({"bsonType": "array"}, [([], []), ([1, "a", None], [1, "a", None])], ["x", {}, 1]),
    ({}, [(1, 1), ("x", "x"), ([1], [1]), ({"a": 1}, {"a": 1}), (True, True)], []),
]


@pytest.mark.parametrize("definition,accepted,refused", TYPES, ids=[str(case[0]) for case in TYPES])
def test_a_type_accepts_its_values_and_no_other(app, definition, accepted, refused):
    table = app.table({"f": definition})

    for sent, stored in accepted:
        answer = table.create({"f": sent})
        assert (answer.status, answer.json.get("f")) == (201, stored), (sent, answer)
    for sent in refused:
        answer = table.create({"f": sent})
        assert error(answer) == INVALID, sent
        assert rules(answer) == [("f", "type")], sent
        assert answer.json["message"].startswith("Validation failed: f "), sent
    assert table.create({"f": None}).status == 201
    assert table.create({}).json.keys() == SYSTEM_FIELDS


CONSTRAINTS = [
    ({"bsonType": "string", "minLength": 2}, ["ab", "\u00e4\u00e4", "", None], ["a", "\U0001f600"], "minLength"),
    ({"bsonType": "string", "maxLength": 2}, ["", "ab", "\U0001f600\U0001f600"], ["abc"], "maxLength"),
    ({"bsonType": "string", "pattern": "^[a-z]+$"}, ["abc", "", None], ["A", "a1"], "pattern"),
    ({"bsonType": "string", "pattern": "b"}, ["abc", "b"], ["ac"], "pattern"),
    ({"bsonType": "string", "enum": ["red", "green"]}, ["red", "green", "", None], ["blue", "Red", " red"], "enum"),
    ({"bsonType": "int", "enum": [1, 2]}, [1, 2, None], [3], "enum"),
    ({"bsonType": "int", "minimum": 3}, [3, 4, None], [2, -3], "minimum"),
    ({"bsonType": "double", "maximum": 1.5}, [1.5, -9, None], [1.6], "maximum"),
    ({"bsonType": "int", "min": 3}, [3], [2], "minimum"),
    ({"bsonType": "int", "max": 3}, [3], [4], "maximum"),
    ({"bsonType": "array", "items": {"bsonType": "int"}}, [[], [1, 2], None], [["a"], [1, "a"], [1.5]], "items"),
    ({"bsonType": "string", "reference": "users"}, ["x" * 64, None], [], None),
]


@pytest.mark.parametrize("definition,accepted,refused,rule", CONSTRAINTS, ids=[str(case[0]) for case in CONSTRAINTS])
def test_a_constraint_accepts_what_meets_it_and_names_itself(app, definition, accepted, refused, rule):
    table = app.table({"f": definition})

    for sent in accepted:
        answer = table.create({"f": sent})
        assert (answer.status, answer.json.get("f")) == (201, sent), (sent, answer)
    for sent in refused:
        answer = table.create({"f": sent})
        assert error(answer) == INVALID, sent
        assert [given for _, given in rules(answer)] == [rule], sent
        assert rules(answer)[0][0].split(".")[0].split("[")[0] == "f"


def test_a_reference_is_at_most_64_bytes(app):
    table = app.table({"f": {"bsonType": "string", "reference": "users"}})

    assert error(table.create({"f": "x" * 65})) == INVALID
    assert error(table.create({"f": 5})) == INVALID


def test_a_required_field_must_be_there_and_not_null_but_may_be_empty(app):
    table = app.table({"bsonType": "object", "required": ["title"], "properties": {"title": {"bsonType": "string"}}})

    for row in ({}, {"title": None}, {"other": 1}):
        answer = table.create(row)
        assert error(answer) == INVALID
        assert rules(answer) == [("title", "required")]
        assert answer.json["message"] == "Validation failed: title is required"
    assert table.create({"title": ""}).status == 201


def test_a_required_text_that_is_empty_meets_no_pattern_and_no_min_length(app):
    table = app.table({"bsonType": "object", "required": ["f"],
                       "properties": {"f": {"bsonType": "string", "minLength": 1}}})

    assert rules(table.create({"f": ""})) == [("f", "minLength")]


def test_all_violations_are_told_at_once(app):
    table = app.table({"bsonType": "object", "required": ["a"], "properties": {
        "a": {"bsonType": "string"}, "b": {"bsonType": "int"}, "c": {"bsonType": "string", "maxLength": 1}}})

    answer = table.create({"b": "x", "c": "long"})

    assert error(answer) == INVALID
    assert sorted(rules(answer)) == [("a", "required"), ("b", "type"), ("c", "maxLength")]
    first = answer.json["details"][0]
    assert answer.json["message"] == f"Validation failed: {first['message']}"


def test_details_are_twenty_at_most(app):
    table = app.table({f"f{n}": {"bsonType": "int"} for n in range(30)})

    answer = table.create({f"f{n}": "x" for n in range(30)})

    assert error(answer) == INVALID
    assert len(answer.json["details"]) == 20


def test_a_refusal_does_not_repeat_the_value_that_was_sent(app):
    table = app.table({"n": {"bsonType": "int"}, "s": {"bsonType": "string", "enum": ["a"]}})

    answer = table.create({"n": "a secret value", "s": "another secret"})

    assert error(answer) == INVALID
    assert b"secret" not in answer.body


def test_objects_are_checked_to_the_bottom(app):
    table = app.table({"addr": {"bsonType": "object", "required": ["city"], "properties": {
        "city": {"bsonType": "string"},
        "geo": {"bsonType": "object", "properties": {"lat": {"bsonType": "double", "maximum": 90}}}}}})

    assert table.create({"addr": {"city": "x", "geo": {"lat": 1}, "more": 1}}).status == 201
    assert rules(table.create({"addr": {}})) == [("addr.city", "required")]
    assert rules(table.create({"addr": {"city": 1}})) == [("addr.city", "type")]
    assert rules(table.create({"addr": {"city": "x", "geo": {"lat": 91}}})) == [("addr.geo.lat", "maximum")]


def test_a_default_fills_what_is_absent_and_nothing_else(app):
    table = app.table({"a": {"bsonType": "int", "default": 7}, "b": {"bsonType": "array", "default": []},
                       "c": {"bsonType": "date", "default": "2024-01-01"}})

    row = table.add({})

    assert (row["a"], row["b"], row["c"]) == (7, [], "2024-01-01T00:00:00.000Z")
    assert table.add({"a": None})["a"] is None
    assert table.add({"a": 1})["a"] == 1
    assert table.update(row["id"], {"b": [1]}).json["a"] == 7


# --- updates ---

def test_an_update_checks_only_what_it_carries(app):
    table = app.table({"old": {"bsonType": "string"}, "n": {"bsonType": "int"}})
    row = table.add({"old": "text", "n": 1})
    answer = app.sk.post(f"{table.admin}/fields",
                         {"fieldsToAddOrUpdate": {"old": {"bsonType": "int"}, "extra": {"bsonType": "string"}},
                          "requiredFieldsToAdd": ["extra"]})
    assert answer.status == 200, answer

    changed = table.update(row["id"], {"n": 2})

    assert (changed.status, changed.json["n"], changed.json["old"]) == (200, 2, "text")
    assert rules(table.update(row["id"], {"n": "x"})) == [("n", "type")]
    assert rules(table.update(row["id"], {"extra": None})) == [("extra", "required")]
    assert rules(table.update(row["id"], {"old": "text"})) == [("old", "type")]
    assert rules(table.create({"n": 1})) == [("extra", "required")]
    assert table.read(row["id"]).json == changed.json


def test_a_refused_update_changes_nothing(app):
    table = app.table({"a": {"bsonType": "int"}, "b": {"bsonType": "int"}})
    row = table.add({"a": 1, "b": 2})

    assert error(table.update(row["id"], {"a": 5, "b": "x"})) == INVALID
    assert error(table.update(row["id"], b'{"a":5,"a":6}')) == INVALID
    assert error(table.update(row["id"], [])) == INVALID
    assert table.read(row["id"]).json == row


@pytest.mark.parametrize("change", [{"f": None}, {"f": "x", "g": None}])
def test_an_optional_field_may_become_null(app, change):
    table = app.table({"f": {"bsonType": "string", "minLength": 1}, "g": {"bsonType": "int", "minimum": 5}})
    row = table.add({"f": "abc", "g": 6})

    answer = table.update(row["id"], change)

    assert answer.status == 200
    assert answer.json == dict(row, **change, updatedAt=answer.json["updatedAt"])


# --- undeclared fields ---

@pytest.mark.parametrize("setting,create,update", [
    ("allow", (201, 1), (200, 2)), ("strip", (201, None), (200, None)), ("reject", (400, None), (400, None))])
def test_undeclared_fields_follow_the_setting(app, setting, create, update):
    table = app.table({"f": {"bsonType": "int"}}, security={"additionalFields": setting})
    row = table.add({"f": 1})

    made = table.create({"f": 1, "extra": 1})
    changed = table.update(row["id"], {"f": 2, "extra": 2})

    assert (made.status, made.json.get("extra")) == create
    assert (changed.status, changed.json.get("extra")) == update
    if setting == "reject":
        assert (error(made), rules(made)) == (INVALID, [("extra", "unknown")])
        assert table.read(row["id"]).json == row


@pytest.mark.parametrize("setting", ["allow", "strip", "reject"])
def test_attack_08_dotted_and_operator_names_are_refused_under_every_setting(app, setting):
    table = app.table({"f": {"bsonType": "int"}}, security={"additionalFields": setting})

    for name in ("a.b", "f.x", "$x", "$set", "", "."):
        answer = table.create({name: 1})
        assert error(answer) == INVALID, name
        assert rules(answer)[0][1] == "name", name


# --- bad schemas ---

BAD_SCHEMAS = {
    "unknown_type": {"f": {"bsonType": "int32x"}}, "name_digit": {"1f": {"bsonType": "int"}},
    "name_system": {"createdBy": {"bsonType": "string"}},
    "name_id": {"id": {"bsonType": "string"}}, "name_underscore": {"_f": {"bsonType": "string"}},
    "name_dot": {"a.b": {"bsonType": "string"}}, "name_dollar": {"$f": {"bsonType": "string"}},
    "name_long": {"f" * 65: {"bsonType": "int"}}, "name_empty": {"": {"bsonType": "int"}},
    "pattern_broken": {"f": {"bsonType": "string", "pattern": "("}},
    "pattern_backreference": {"f": {"bsonType": "string", "pattern": "(a)\\1"}},
    "length_negative": {"f": {"bsonType": "string", "minLength": -1}},
    "length_text": {"f": {"bsonType": "string", "maxLength": "5"}},
        "minimum_text": {"f": {"bsonType": "int", "minimum": "1"}},
            "enum_scalar": {"f": {"bsonType": "string", "enum": "a"}},
    "enum_empty": {"f": {"bsonType": "string", "enum": []}}, "default_type": {"f": {"bsonType": "int", "default": "x"}},
    "definition_number": {"f": 5}, "required_unknown": {
        "bsonType": "object", "required": ["nosuch"], "properties": {"f": {"bsonType": "int"}}},
        "required_text": {"bsonType": "object", "required": "f", "properties": {"f": {"bsonType": "int"}}},
    "unique_text": {"f": {"bsonType": "int", "unique": "yes"}}, "not_an_object": [],
}


@pytest.mark.parametrize("name", BAD_SCHEMAS)
def test_a_schema_that_says_nothing_sensible_is_refused(app, name):
    table_name = app.name()

    answer = app.sk.post("/v1/admin/tables", {"tableName": table_name, "schema": BAD_SCHEMAS[name]})

    assert error(answer) == INVALID, answer
    assert error(app.sk.get(f"/v1/data/{table_name}")) == (404, "data/table-not-found")


def test_a_schema_is_stored_and_returned_in_full_form(app):
    table = app.table({"title": {"type": "string", "maxLength": 5}, "ok": {"bsonType": "boolean"},
                       "n": {"bsonType": "number", "min": 1}})

    schema = app.sk.get(table.admin).json["schema"]

    assert schema == {"bsonType": "object", "required": [], "properties": {
        "title": {"bsonType": "string", "maxLength": 5}, "ok": {"bsonType": "bool"},
            "n": {"bsonType": "double", "minimum": 1}}}


# --- spec and openapi ---

SPECIFIED = {"bsonType": "object", "required": ["title"], "properties": {
    "title": {"bsonType": "string", "maxLength": 9, "description": "what it is called"},
        "n": {"bsonType": "int", "unique": True}}}


def test_a_spec_tells_schema_indexes_and_permissions(app):
    table = app.table(SPECIFIED, indexes=[{"name": "byTitle", "fields": {"title": -1, "n": 1}, "sparse": True}])

    spec = app.sk.get(f"{table.path}/spec").json
    shown = app.pk.get(f"{table.path}/spec").json

    assert spec["tableName"] == table.name
    assert spec["schema"]["required"] == ["title"]
    assert spec["schema"]["properties"]["title"] == {"bsonType": "string", "maxLength": 9,
                                                     "description": "what it is called"}
    assert spec["schema"]["properties"]["n"]["bsonType"] == "int"
    indexes = {index["name"]: (index["key"], index["unique"], index["sparse"]) for index in spec["indexes"]}
    assert set(indexes) == {"_id_", "idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy", "byTitle", "uniq_n"}
    assert indexes["byTitle"] == ({"title": -1, "n": 1}, False, True)
    assert indexes["uniq_n"] == ({"n": 1}, True, False)
    assert indexes["idx_createdAt_desc"][0] == {"createdAt": -1}
    assert spec["permissions"] == {
        "admin": {"create": True, "read": True, "update": True, "delete": True, "list": True},
        "user": {"create": True, "read": True, "update": False, "delete": False, "list": True},
        "guest": {"create": False, "read": True, "update": False, "delete": False, "list": True}}
    assert {"expressionPermissions", "columnPermissions", "rowFilters"} <= set(spec)
    assert shown == {name: spec[name] for name in ("tableName", "schema", "indexes", "permissions")}


def test_a_spec_shows_the_configured_permissions_and_needs_the_right_to_read(app):
    table = app.table(SPECIFIED, permissions={"guest": {"read": True}})
    closed = app.table(SPECIFIED, permissions={"guest": {"read": False, "list": True}})

    assert app.pk.get(f"{table.path}/spec").json["permissions"] == {"guest": {"read": True}}
    for what in ("spec", "openapi"):
        assert error(app.pk.get(f"{closed.path}/{what}")) == DENIED
        assert app.sk.get(f"{closed.path}/{what}").status == 200


def test_vector_145_policy_in_spec_false_hides_the_permissions(app):
    table = app.table(SPECIFIED, security={"policyInSpec": False})

    assert "permissions" not in app.pk.get(f"{table.path}/spec").json
    assert "permissions" in app.sk.get(f"{table.path}/spec").json


def test_an_openapi_document_follows_the_schema(app):
    table = app.table(SPECIFIED)

    document = app.sk.get(f"{table.path}/openapi").json

    assert document["openapi"] == "3.0.0"
    assert document["info"]["title"] == f"{table.name} API" and document["info"]["version"] == "1.0.0"
    assert "description" in document["info"]
    assert set(document["paths"]) == {f"/v1/data/{table.name}", f"/v1/data/{table.name}/{{id}}"}
    assert set(document["paths"][f"/v1/data/{table.name}"]) >= {"get", "post"}
    assert set(document["paths"][f"/v1/data/{table.name}/{{id}}"]) >= {"get", "patch", "delete"}
    properties = document["components"]["schemas"][table.name]["properties"]
    assert properties["title"]["type"] == "string" and properties["n"]["type"] == "integer"
    app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"late": {"bsonType": "date"}}})
    document = app.sk.get(f"{table.path}/openapi").json
    late = document["components"]["schemas"][table.name]["properties"]["late"]
    assert late == {"type": "string", "format": "date-time"}


def test_an_openapi_document_says_what_is_nested_what_is_allowed_and_what_is_answered(app):
    table = app.table({"bsonType": "object", "required": ["title"], "properties": {
        "title": {"bsonType": "string", "minLength": 1, "maxLength": 9, "pattern": "^a", "enum": ["ab", "ac"], "default": "ab"},
        "n": {"bsonType": "double", "minimum": 1, "maximum": 2.5, "unique": True}, "any": {}, "plain": {"bsonType": "array"},
        "days": {"bsonType": "array", "items": {"bsonType": "date"}}, "post": {"bsonType": "string", "reference": "posts"},
        "o": {"bsonType": "object", "required": ["x"], "properties": {
            "x": {"bsonType": "int"}, "y": {"bsonType": "object", "properties": {"z": {"bsonType": "bool"}}}}}}})
    date, own = {"type": "string", "format": "date-time"}, {"type": "string", "readOnly": True}

    document = app.sk.get(f"{table.path}/openapi").json

    assert document["components"]["schemas"] == {table.name: {"type": "object", "required": ["title"], "properties": {
        "id": own, "createdBy": own, "createdAt": dict(own, **date), "updatedAt": dict(own, **date),
        "title": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a", "enum": ["ab", "ac"], "default": "ab"},
        "n": {"type": "number", "minimum": 1, "maximum": 2.5}, "any": {}, "plain": {"type": "array", "items": {}},
        "days": {"type": "array", "items": date}, "post": {"type": "string"},
        "o": {"type": "object", "required": ["x"], "properties": {
            "x": {"type": "integer"}, "y": {"type": "object", "properties": {"z": {"type": "boolean"}}}}}}}}
    row = {"$ref": f"#/components/schemas/{table.name}"}
    many, one = (document["paths"][path] for path in (f"/v1/data/{table.name}", f"/v1/data/{table.name}/{{id}}"))
    answers = [operation["responses"][status]["content"]["application/json"]["schema"] for operation, status in (
        (many["get"], "200"), (many["post"], "201"), (one["get"], "200"), (one["patch"], "200"), (one["delete"], "200"))]
    assert answers[0]["properties"]["items"] == {"type": "array", "items": row}
    assert set(answers[0]["properties"]["pagination"]["properties"]) == {"total", "page", "limit", "totalPages", "hasNext",
                                                                        "hasPrev"}
    assert answers[1:4] == [row] * 3 and set(answers[4]["properties"]) == {"success"}
    assert many["post"]["requestBody"] == one["patch"]["requestBody"] == {"content": {"application/json": {"schema": row}}}
    assert {parameter["name"] for parameter in many["get"]["parameters"]} >= {"page", "limit", "sortBy", "andFilters"}
    assert [(parameter["name"], parameter["in"], parameter["required"]) for parameter in one["parameters"]] == [
        ("id", "path", True)]
