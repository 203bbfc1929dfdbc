# SPDX-License-Identifier: GPL-3.0-or-later
"""The data routes as a client sees them over TLS: contract 3.6 and 4, one row per route and failure."""

import json
import re
import urllib.parse
import uuid

import pytest

ABSENT = "0" * 24
SCHEMA = {"bsonType": "object", "required": ["title"], "properties": {
    "title": {"bsonType": "string", "maxLength": 20}, "slug": {"bsonType": "string", "unique": True},
    "day": {"bsonType": "date"}, "count": {"bsonType": "int", "default": 3}, "tags": {"bsonType": "array"}}}


@pytest.fixture(scope="module")
def table(box):
    """A table that guests read and create in, with a name of its own."""
    name = "t" + uuid.uuid4().hex
    made = box.make_table(name, SCHEMA, permissions={"guest": {"read": True, "create": True}})
    return type("Table", (), {"name": name, "path": f"/v1/data/{name}", "id": made["id"]})


def row(box, table, **fields):
    answer = box.post(table.path, dict({"title": "a", "slug": uuid.uuid4().hex}, **fields), key="sk")
    assert answer.status == 201, answer
    return answer.json


def refused(answer, status, code):
    assert answer.status == status, answer
    body = answer.json
    assert body["success"] is False and body["statusCode"] == status
    assert body["error"]["code"] == code
    assert body["message"] == body["error"]["message"] and body["message"]
    assert body["errorCode"] == body["errorCode"].upper()
    assert body["requestId"] == answer.headers["x-request-id"]


def test_a_row_has_its_system_fields(box, table):
    made = row(box, table, day="2026-02-03", extra={"a": [1, 2.5, None]})
    assert re.fullmatch(r"[0-9a-f]{24}", made["id"])
    assert made["createdBy"] == "" and made["createdAt"] == made["updatedAt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["createdAt"])
    assert made["day"] == "2026-02-03T00:00:00.000Z" and made["count"] == 3
    assert made["extra"] == {"a": [1, 2.5, None]}
    assert box.get(f"{table.path}/{made['id']}", key="pk").json == made


def test_bodies_are_compact_and_integers_have_no_point(box, table):
    made = box.post(table.path, b'{"title":"a","slug":"compact","n":5.0,"m":1e3,"big":9007199254740992}', key="sk")
    assert b'"n":5,' in made.body and b'"m":1000,' in made.body and b'"big":9007199254740992' in made.body
    assert b": " not in made.body and b", " not in made.body


def test_an_update_merges_and_advances_updated_at(box, table):
    made = row(box, table, n=1)
    path = f"{table.path}/{made['id']}"
    changed = box.patch(path, {"title": "b"}, key="sk")
    assert changed.status == 200
    assert changed.json["n"] == 1 and changed.json["title"] == "b"
    assert changed.json["updatedAt"] > made["updatedAt"] and changed.json["createdAt"] == made["createdAt"]
    again = box.patch(path, {}, key="sk")
    assert again.status == 200 and again.json["updatedAt"] > changed.json["updatedAt"]


def test_a_deleted_row_is_gone(box, table):
    path = f"{table.path}/{row(box, table)['id']}"
    gone = box.delete(path, key="sk")
    assert gone.status == 200 and gone.body == b'{"success":true}'
    refused(box.delete(path, key="sk"), 404, "data/not-found")
    refused(box.get(path, key="sk"), 404, "data/not-found")


def test_the_short_path_and_a_trailing_slash_are_the_same(box, table):
    made = row(box, table)
    for path in (f"/v1/{table.name}/{made['id']}", f"/v1/data/{table.name}/{made['id']}/"):
        assert box.get(path, key="pk").json == made


ROW, COLLECTION = "/" + ABSENT, ""


@pytest.mark.parametrize("method, tail, body, key, status, code", [
    ("GET", ROW, None, "pk", 404, "data/not-found"),
    ("GET", "/not-an-id", None, "pk", 404, "data/not-found"),
    ("GET", "/" + "A" * 24, None, "pk", 404, "data/not-found"),
    ("PATCH", ROW, {}, "sk", 404, "data/not-found"),
    ("PATCH", ROW, {}, "pk", 403, "data/permission-denied"),
    ("DELETE", ROW, None, "sk", 404, "data/not-found"),
    ("DELETE", ROW, None, "pk", 403, "data/permission-denied"),
    ("POST", COLLECTION, None, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b"", "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, [], "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, [{"title": "a"}], "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b"{", "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b'{"title":"a","title":"b"}', "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b'{"title":"\\u0000"}', "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b'{"title":"\\ud800"}', "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b'{"title":NaN}', "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, b'{"title":' + b"[" * 40 + b"]" * 40 + b"}", "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": None}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": 5}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "x" * 21}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "a", "day": "31.12.2026"}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "a", "count": 1.5}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "a", "$or": 1}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "a", "a.b": 1}, "sk", 400, "data/validation-error"),
    ("POST", COLLECTION, {"title": "a", "": 1}, "sk", 400, "data/validation-error"),
    ("PATCH", COLLECTION, {}, "sk", 405, "common/method-not-allowed"),
    ("DELETE", COLLECTION, None, "sk", 405, "common/method-not-allowed"),
    ("PUT", ROW, {}, "sk", 405, "common/method-not-allowed"),
    ("GET", COLLECTION + "?page=0", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?limit=-1", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?limit=a", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?sortBy=nosuch", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?sortDirection=up", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?page=1&page=2", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?andFilters=[1]", None, "pk", 400, "common/invalid-parameters"),
    ("GET", COLLECTION + "?andFilters=%7B", None, "pk", 400, "common/invalid-parameters"),
])
def test_a_step_that_fails_answers_with_its_code(box, table, method, tail, body, key, status, code):
    refused(box.request(method, table.path + tail, body, key=key), status, code)


@pytest.mark.parametrize("name, key, status, code", [
    ("nosuch", "pk", 404, "data/table-not-found"),
    ("9x", "pk", 404, "data/table-not-found"),
    ("a%20b", "pk", 404, "data/table-not-found"),
    ("users", "pk", 403, "data/system-table-access"),
    ("sessions", "pk", 403, "data/system-table-access"),
])
def test_a_table_that_is_not_there(box, name, key, status, code):
    refused(box.get(f"/v1/data/{name}", key=key), status, code)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_built_in_tables_are_not_written_here(box, method):
    tail = "" if method == "POST" else "/" + ABSENT
    refused(box.request(method, "/v1/data/users" + tail, {}, key="sk"), 403, "data/system-table-access")


def test_a_conflict_names_fields_and_no_value(box, table):
    made = row(box, table, slug="taken-" + uuid.uuid4().hex)
    answer = box.post(table.path, {"title": "b", "slug": made["slug"]}, key="sk")
    refused(answer, 409, "data/duplicate-value")
    assert b"slug" in answer.body and made["slug"].encode() not in answer.body
    other = row(box, table)
    refused(box.patch(f"{table.path}/{other['id']}", {"slug": made["slug"]}, key="sk"), 409, "data/duplicate-value")


def test_details_name_each_field(box, table):
    answer = box.post(table.path, {"slug": 5, "day": "x"}, key="sk")
    refused(answer, 400, "data/validation-error")
    assert {(item["field"], item["rule"]) for item in answer.json["details"]} == {
        ("title", "required"), ("slug", "type"), ("day", "type")}
    assert answer.json["message"].startswith("Validation failed: ")


@pytest.mark.parametrize("content_type, status", [
    ("application/json", 201), ("application/json;charset=utf-8", 201), ("text/plain", 400), ("", 400),
    ("application/x-www-form-urlencoded", 400), ("application/json; charset=utf-16", 400)])
def test_the_content_type_of_a_body(box, table, content_type, status):
    body = json.dumps({"title": "a", "slug": uuid.uuid4().hex}).encode()
    answer = box.post(table.path, body, key="sk", headers={"Content-Type": content_type})
    assert answer.status == status, answer
    if status == 400:
        refused(answer, 400, "data/invalid-header")


def test_a_json_content_type_without_a_body_is_fine(box, table):
    for method, path in (("GET", table.path), ("DELETE", f"{table.path}/{row(box, table)['id']}")):
        assert box.request(method, path, key="sk", headers={"Content-Type": "application/json"}).status == 200


def test_attack_07_system_fields_are_dropped(box, table):
    sent = {"title": "a", "slug": uuid.uuid4().hex, "id": "f" * 24, "_id": "f" * 24, "createdBy": "someone",
            "createdAt": "2001-01-01T00:00:00Z", "updatedAt": "2001-01-01T00:00:00Z"}
    made = box.post(table.path, sent, key="pk")
    assert made.status == 201
    assert made.json["id"] != "f" * 24 and "_id" not in made.json and made.json["createdBy"] == ""
    assert not made.json["createdAt"].startswith("2001")
    changed = box.patch(f"{table.path}/{made.json['id']}", dict(sent, title="b"), key="sk").json
    assert changed["id"] == made.json["id"] and changed["createdBy"] == "" and changed["title"] == "b"
    assert changed["createdAt"] == made.json["createdAt"]


@pytest.fixture(scope="module")
def listed(box):
    name = "l" + uuid.uuid4().hex
    box.make_table(name, {"n": {"type": "int"}, "s": {"type": "string"}})
    for n in range(25):
        assert box.post(f"/v1/data/{name}", {"n": n, "s": f"word {n % 5}"}, key="sk").status == 201
    return f"/v1/data/{name}"


def listing(box, path, **query):
    query = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in query.items()}
    answer = box.get(path + "?" + urllib.parse.urlencode(query), key="pk")
    assert answer.status == 200, answer
    return answer.json


def test_pages(box, listed):
    first = listing(box, listed)
    assert [item["n"] for item in first["items"]] == list(range(24, 4, -1))
    assert first["pagination"] == {"total": 25, "page": 1, "limit": 20, "totalPages": 2, "hasNext": True,
                                   "hasPrev": False}
    second = listing(box, listed, page=2, limit=10, sortDirection="ASC")
    assert [item["n"] for item in second["items"]] == list(range(10, 20))
    assert second["pagination"]["hasPrev"] and second["pagination"]["hasNext"]
    assert listing(box, listed, limit=200)["pagination"]["limit"] == 100
    beyond = listing(box, listed, page=9)
    assert beyond["items"] == [] and beyond["pagination"]["total"] == 25
    assert listing(box, listed, offset=20)["pagination"]["page"] == 2


@pytest.mark.parametrize("query, numbers", [
    ({"sortBy": "n", "sortDirection": "asc", "limit": 3}, [0, 1, 2]),
    ({"andFilters": {"n": {"$gte": 23}}}, [24, 23]),
    ({"andFilters": {"n": {"$in": [1, 2, 99]}}}, [2, 1]),
    ({"orFilters": {"n": 3, "s": "word 4"}, "andFilters": {"n": {"$lt": 5}}}, [4, 3]),
    ({"orFilters": [{"n": 3}, {"n": 4, "s": "word 0"}]}, [3]),
    ({"search": "WORD 3", "limit": 2}, [23, 18]),
    ({"andFilters": {"s": {"$regex": "^word [01]$"}}, "sortBy": "n", "sortDirection": "asc", "limit": 4}, [0, 1, 5, 6]),
    ({"andFilters": {"n": "3"}}, []),
    ({"andFilters": {"nosuch": {"$exists": True}}}, []),
])
def test_conditions(box, listed, query, numbers):
    assert [item["n"] for item in listing(box, listed, **query)["items"]] == numbers


def test_selected_fields_and_the_system_ones(box, listed):
    for name in ("select", "fields"):
        item = listing(box, listed, **{name: "n,nosuch", "limit": 1})["items"][0]
        assert set(item) == {"id", "n", "createdBy", "createdAt", "updatedAt"}


def test_attack_13_a_pattern_is_bounded(box, listed):
    long_pattern = {"andFilters": json.dumps({"s": {"$regex": "(a*)*b" * 40}})}
    answer = box.get(listed + "?" + urllib.parse.urlencode(long_pattern), key="pk")
    assert answer.status in (200, 400)
    for pattern in (r"(a)\1", "(?=a)", "a" * 257):
        query = urllib.parse.urlencode({"andFilters": json.dumps({"s": {"$regex": pattern}})})
        refused(box.get(f"{listed}?{query}", key="pk"), 400, "common/invalid-parameters")


def test_attack_13_a_large_body_is_413(box, table):
    answer = box.post(table.path, b'{"title":"' + b"x" * (1 << 20) + b'"}', key="sk")
    assert answer.status == 413
    assert answer.json["error"]["code"] == "common/payload-too-large"


def test_spec_and_openapi(box, table):
    spec = box.get(f"{table.path}/spec", key="pk")
    assert spec.status == 200
    assert spec.json["tableName"] == table.name and spec.json["schema"]["required"] == ["title"]
    assert [index["name"] for index in spec.json["indexes"]] == [
        "_id_", "idx_createdAt_desc", "idx_updatedAt_desc", "idx_createdBy", "uniq_slug"]
    assert spec.json["permissions"]["guest"] == {"create": True, "read": True}
    assert "columnPermissions" not in spec.json
    assert "columnPermissions" in box.get(f"{table.path}/spec", key="sk").json
    document = box.get(f"{table.path}/openapi", key="pk").json
    assert document["openapi"] == "3.0.0" and document["info"]["title"] == f"{table.name} API"
    assert set(document["paths"]) == {table.path, table.path + "/{id}"}
    assert document["components"]["schemas"][table.name]["required"] == ["title"]


def test_spec_needs_the_right_to_read(box):
    name = "s" + uuid.uuid4().hex
    box.make_table(name, permissions={"guest": {"create": True}})
    for tail in ("spec", "openapi"):
        refused(box.get(f"/v1/data/{name}/{tail}", key="pk"), 403, "data/permission-denied")
        assert box.get(f"/v1/data/{name}/{tail}", key="sk").status == 200


def test_additional_fields_minimal_answers_and_absent_rows(box):
    name = "h" + uuid.uuid4().hex
    box.make_table(name, {"a": {"type": "int"}}, permissions={"guest": {"create": True}},
                   security={"additionalFields": "strip", "writeResponse": "minimal"})
    made = box.post(f"/v1/data/{name}", {"a": 1, "b": 2}, key="pk")
    assert made.status == 201 and set(made.json) == {"id", "createdBy", "createdAt", "updatedAt"}
    stored = box.get(f"/v1/data/{name}/{made.json['id']}", key="sk").json
    assert stored["a"] == 1 and "b" not in stored
