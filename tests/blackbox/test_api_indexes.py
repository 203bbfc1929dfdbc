# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes and uniqueness: contract 4.6."""

import pytest
from app import BAD_PARAMETERS, DUPLICATE, NO_TABLE, error

SECRET = "valueThatMustNotLeak"


def names(app, table):
    return {index["name"] for index in app.sk.get(table.admin).json["indexes"]}


def test_a_unique_index_refuses_the_second_row_and_names_fields_not_values(app):
    table = app.table({"mail": {"bsonType": "string", "unique": True}})
    first = table.add({"mail": SECRET})

    answers = [table.create({"mail": SECRET}), table.update(table.add({"mail": "other"})["id"], {"mail": SECRET})]

    for answer in answers:
        assert error(answer) == DUPLICATE
        assert "mail" in answer.json["message"]
        assert SECRET.encode() not in answer.body and first["id"].encode() not in answer.body
    assert table.list(andFilters={"mail": SECRET}).json["items"] == [first]
    assert table.list(andFilters={"mail": "other"}).json["pagination"]["total"] == 1


def test_a_row_may_keep_its_own_value_and_a_freed_one_may_be_taken(app):
    table = app.table({"mail": {"bsonType": "string", "unique": True}})
    row = table.add({"mail": "a"})

    assert table.update(row["id"], {"mail": "a", "n": 1}).status == 200
    assert table.update(row["id"], {"mail": "b"}).status == 200
    assert table.create({"mail": "a"}).status == 201
    assert error(table.create({"mail": "b"})) == DUPLICATE
    assert table.delete(row["id"]).status == 200
    assert table.create({"mail": "b"}).status == 201


@pytest.mark.parametrize("first,second,collide", [
    ("a", "a", True), ("a", "A", False), ("a", "a ", False), ("\u00e9", "e\u0301", False), ("", "", True), (1, 1, True),
    (1, 1.0, True), (1, "1", False),
    (1.5, 1.5, True), (True, True, True), (True, 1, False), (None, None, True), ([1], [1], True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True), ({"a": 1}, {"a": 2}, False),
    ("x" * 600, "x" * 600, True), ("x" * 600 + "a", "x" * 600 + "b", False), (2**53, 2**53 - 1, False),
], ids=lambda value: repr(value)[:30])
def test_uniqueness_is_exact(app, first, second, collide):
    table = app.table({"v": {"unique": True}})
    table.add({"v": first})

    assert error(table.create({"v": second})) == (DUPLICATE if collide else (201, None))


def test_dates_collide_as_instants(app):
    table = app.table({"when": {"bsonType": "date", "unique": True}})
    table.add({"when": "2024-01-01T02:00:00+02:00"})

    assert error(table.create({"when": "2024-01-01"})) == DUPLICATE


def test_missing_is_null_and_collides_unless_the_index_is_sparse(app):
    dense, sparse = app.table(), app.table()
    dense.indexes({"name": "one", "fields": {"v": 1}, "unique": True})
    sparse.indexes({"name": "one", "fields": {"v": 1}, "unique": True, "sparse": True})

    assert [table.create({}).status for table in (dense, dense, sparse, sparse)] == [201, 409, 201, 201]
    assert [table.create({"v": None}).status for table in (dense, sparse, sparse)] == [409, 201, 201]
    assert [table.create({"v": 1}).status for table in (dense, dense, sparse, sparse)] == [201, 409, 201, 409]


def test_a_compound_index_compares_the_whole_tuple(app):
    table = app.table()
    table.indexes({"name": "pair", "fields": {"a": 1, "b": -1}, "unique": True})

    statuses = [table.create(row).status for row in (
        {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": None}, {"b": 1},
        {"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}, {"a": "x", "b": "yz"})]

    assert statuses == [201, 201, 201, 409, 201, 409, 201, 201, 201, 409]


def test_a_sparse_compound_index_skips_rows_where_any_field_is_missing(app):
    table = app.table()
    table.indexes({"name": "pair", "fields": {"a": 1, "b": 1}, "unique": True, "sparse": True})

    assert [table.create(row).status for row in ({"a": 1}, {"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": 1},
                                                 {"a": 1, "b": 1})] == [201, 201, 201, 201, 409]


def test_a_unique_index_over_duplicates_is_refused_and_nothing_changes(app):
    table = app.table({"v": {"bsonType": "string"}})
    rows = [table.add({"v": SECRET}), table.add({"v": SECRET})]
    before = app.sk.get(table.admin).json

    by_index = table.indexes({"name": "one", "fields": {"v": 1}, "unique": True})
    by_field = app.sk.post(f"{table.admin}/fields",
                           {"fieldsToAddOrUpdate": {"v": {"bsonType": "string", "unique": True}}})

    for answer in (by_index, by_field):
        assert error(answer) == DUPLICATE
        assert SECRET.encode() not in answer.body
    assert app.sk.get(table.admin).json == before
    assert table.create({"v": SECRET}).status == 201
    assert table.list().json["pagination"]["total"] == len(rows) + 1


def test_indexes_come_and_go_in_versions(app):
    table = app.table({"a": {"bsonType": "int"}})

    made = table.indexes({"name": "first", "fields": {"a": 1}, "unique": True},
                         {"name": "second", "fields": {"a": -1, "o.x": 1}})
    assert made.status == 200
    assert made.json["indexVersion"] == 2 and names(app, table) >= {"first", "second"}
    table.add({"a": 1})
    assert error(table.create({"a": 1})) == DUPLICATE

    changed = table.indexes({"name": "first", "fields": {"a": 1}}, remove=["second"])
    assert changed.status == 200
    assert changed.json["indexVersion"] == 3 and "second" not in names(app, table)
    assert table.create({"a": 1}).status == 201

    versions = app.sk.get(f"{table.admin}/indexes/versions").json
    assert [item["version"] for item in versions["items"]] == [3, 2, 1]
    assert [item["current"] for item in versions["items"]] == [True, False, False]
    assert versions["pagination"]["total"] == 3


def test_a_unique_column_makes_its_index_and_takes_it_away(app):
    table = app.table({"v": {"bsonType": "int"}})
    app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"v": {"bsonType": "int", "unique": True}}})
    table.add({"v": 1})

    assert "uniq_v" in names(app, table)
    assert error(table.create({"v": 1})) == DUPLICATE
    app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"v": {"bsonType": "int"}}})
    assert "uniq_v" not in names(app, table)
    assert table.create({"v": 1}).status == 201


@pytest.mark.parametrize("name,body", {
    "default_removed": {"indexesToRemove": ["_id_"]}, "default_owner_removed": {"indexesToRemove": ["idx_createdBy"]},
    "default_changed": {"indexesToAddOrUpdate": [{"name": "idx_createdAt_desc", "fields": {"createdAt": 1}}]},
    "unknown_removed": {"indexesToRemove": ["nosuch"]},
    "no_fields": {"indexesToAddOrUpdate": [{"name": "x", "fields": {}}]},
    "direction": {"indexesToAddOrUpdate": [{"name": "x", "fields": {"a": 2}}]},
    "direction_text": {"indexesToAddOrUpdate": [{"name": "x", "fields": {"a": "1"}}]},
    "field_name": {"indexesToAddOrUpdate": [{"name": "x", "fields": {"$a": 1}}]},
    "no_name": {"indexesToAddOrUpdate": [{"fields": {"a": 1}}]},
    "unique_text": {"indexesToAddOrUpdate": [{"name": "x", "fields": {"a": 1}, "unique": "true"}]},
    "not_a_list": {"indexesToAddOrUpdate": {"name": "x"}},
    "member": {"indexesToAddOrUpdate": [], "indexToRemove": ["x"]},
    "index_member": {"indexesToAddOrUpdate": [{"name": "x", "fields": {"a": 1}, "uniqe": True}]},
}.items())
def test_a_bad_change_of_indexes_is_refused(app, name, body):
    table = app.table()

    answer = app.sk.post(f"{table.admin}/indexes", body)

    assert answer.status == 400, answer
    assert error(answer)[1] in ("common/invalid-parameters", "data/validation-error")
    assert app.sk.get(table.admin).json["indexVersion"] == 1


def test_a_misspelt_member_of_an_index_makes_no_table(app):
    name = app.name()

    answer = app.sk.post("/v1/admin/tables", {"tableName": name, "schema": {},
                                              "indexes": [{"name": "x", "fields": {"a": 1}, "Unique": True}]})

    assert error(answer) == BAD_PARAMETERS and "Unique" in answer.json["message"]
    assert error(app.sk.get(f"/v1/data/{name}")) == NO_TABLE


def test_twenty_indexes_are_the_most(app):
    table = app.table()

    assert table.indexes(*({"name": f"i{n}", "fields": {f"f{n}": 1}} for n in range(20))).status == 200
    assert table.indexes({"name": "one_more", "fields": {"x": 1}}).status == 400
    assert table.indexes({"name": "one_more", "fields": {"x": 1}}, remove=["i0"]).status == 200


def test_an_index_is_built_over_the_rows_that_are_there(app):
    table = app.table()
    for n in range(50):
        table.add({"v": n})

    assert table.indexes({"name": "one", "fields": {"v": 1}, "unique": True}).status == 200
    assert [error(table.create({"v": n})) for n in (0, 25, 49)] == [DUPLICATE] * 3
    assert table.create({"v": 50}).status == 201
