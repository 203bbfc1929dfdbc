# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows: contract 1.1, 1.3, 1.4, 1.7, 4.1, 4.2."""

import json
import re

import pytest
from wire import Wire, write_request
from app import BAD_PARAMETERS, INSTANT, INVALID, NO_ROW, NOT_FOUND, NO_TABLE, ROW_ID, SYSTEM_FIELDS, UUID, error, rules


@pytest.fixture(scope="module")
def table(app):
    """Declares nothing, so that rows hold what was sent."""
    return app.table()


@pytest.fixture(scope="module")
def notes(app):
    return app.table({"title": {"bsonType": "string"}})


# --- the five operations ---

def test_a_created_row_is_answered_as_it_is_read_and_listed(table):
    made = table.create({"title": "x", "none": None, "list": [1, "a", {"b": []}], "deep": {"a": {"b": None}}})

    assert made.status == 201
    assert ROW_ID.fullmatch(made.json["id"])
    assert INSTANT.fullmatch(made.json["createdAt"])
    assert made.json["updatedAt"] == made.json["createdAt"]
    assert made.json["createdBy"] == ""
    assert {name: value for name, value in made.json.items() if name not in SYSTEM_FIELDS} == {
        "title": "x", "none": None, "list": [1, "a", {"b": []}], "deep": {"a": {"b": None}}}
    read = table.read(made.json["id"])
    assert (read.status, read.json) == (200, made.json)
    listed = table.list(andFilters={"id": made.json["id"]})
    assert (listed.status, listed.json["items"]) == (200, [made.json])


def test_an_update_merges_and_moves_updated_at_forward(table):
    row = table.add({"a": 1, "b": {"x": 1, "y": 2}, "c": [1, 2]})
    answers = [table.update(row["id"], change)
               for change in ({"b": {"z": 3}}, {"c": []}, {"a": None}, {}, {"new": "n"})]

    assert [answer.status for answer in answers] == [200] * 5
    last = answers[-1].json
    assert last == dict(row, a=None, b={"z": 3}, c=[], new="n", updatedAt=last["updatedAt"])
    times = [row["updatedAt"], *(answer.json["updatedAt"] for answer in answers)]
    assert times == sorted(set(times))
    assert table.read(row["id"]).json == last


def test_a_deleted_row_is_gone(table):
    row = table.add({"a": 1})

    answer = table.delete(row["id"])

    assert (answer.status, answer.json) == (200, {"success": True})
    assert error(table.read(row["id"])) == (404, "data/not-found")
    assert error(table.update(row["id"], {"a": 2})) == (404, "data/not-found")
    assert error(table.delete(row["id"])) == (404, "data/not-found")


def test_ids_sort_by_creation_and_never_repeat(app):
    table = app.table()

    ids = [table.add({"n": n})["id"] for n in range(40)]

    assert ids == sorted(set(ids))
    assert len({row_id[14:] for row_id in ids}) == 40


@pytest.mark.parametrize("row_id", [NO_ROW, "x", "0", NO_ROW.upper(), NO_ROW + "0", NO_ROW[:-1], "%20", "null"])
def test_a_path_id_that_no_row_has_is_404(table, row_id):
    assert error(table.read(row_id)) == (404, "data/not-found")
    assert error(table.update(row_id, {})) == (404, "data/not-found")
    assert error(table.delete(row_id)) == (404, "data/not-found")


# --- system fields: class 7 of the attacks, mass assignment ---

FORGED = {"id": NO_ROW, "_id": "x", "createdBy": "11111111-1111-4111-8111-111111111111",
          "createdAt": "2000-01-01T00:00:00.000Z", "updatedAt": "2000-01-01T00:00:00.000Z"}


def test_attack_07_system_fields_of_a_body_are_dropped_on_create_and_update(table):
    made = table.create(dict(FORGED, title="x"))
    row = made.json
    changed = table.update(row["id"], dict(FORGED, title="y"))

    assert made.status == 201
    assert row["id"] != NO_ROW and "_id" not in row and row["createdBy"] == ""
    assert row["createdAt"] > "2020" and row["updatedAt"] == row["createdAt"]
    assert changed.status == 200
    assert changed.json == dict(row, title="y", updatedAt=changed.json["updatedAt"])
    assert changed.json["updatedAt"] > row["updatedAt"]


@pytest.mark.parametrize("name,body", {
    "duplicate": b'{"title":"a","title":"b"}',
    "duplicate_system": b'{"id":"a","id":"b"}',
    "duplicate_escaped": b'{"title":"a","t\\u0069tle":"b"}',
    "duplicate_nested": b'{"o":{"a":1,"a":2}}',
    "dollar": b'{"$set":{"createdBy":"x"}}',
    "dotted": b'{"a.b":1}',
    "empty_name": b'{"":1}',
}.items())
def test_attack_07_names_that_mean_more_than_a_field_are_refused(notes, name, body):
    row = notes.add({"title": "kept"})

    assert error(notes.create(body)) == INVALID
    assert error(notes.update(row["id"], body)) == INVALID
    assert notes.read(row["id"]).json == row


def test_attack_07_a_prototype_is_a_field_like_any_other(table):
    body = {"__proto__": {"createdBy": "x"}, "constructor": {"prototype": {"role": "admin"}}, "role": "admin",
            "roles": ["a"]}

    row = table.add(body)

    assert {name: value for name, value in row.items() if name not in SYSTEM_FIELDS} == body
    assert row["createdBy"] == ""


# --- bodies ---

@pytest.mark.parametrize("body", [
    b"", b"{", b"nul", b"[]", b"[{}]", b"1", b'"x"', b"null", b"true", b'{"a":1}x', b"{'a':1}", b'{"a":01}',
    b'{"a":NaN}',
    b'{"a":Infinity}', b'{"a":1e400}', b'{"a":"\\u0000"}', b'{"a":"\\ud800"}', b'{"a":"\\udc00x"}', b'{"a":"\xff"}',
    b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b'{"a\\u0000":1}', b'{"a":"\n"}', b'{"a":1,}', b'\xef\xbb\xbf{}',
], ids=repr)
def test_a_body_that_is_not_one_json_object_is_refused(table, body):
    assert error(table.create(body)) == INVALID


def test_text_of_every_plane_survives(table):
    text = "a\u00e9\u4e2d\U0001f600\"\\/\b\f\n\r\t\u0001\u007f\u2028"

    row = table.add({"t": text})

    assert row["t"] == text
    assert table.create(b'{"t":"\\uD83D\\uDE00"}').json["t"] == "\U0001f600"
    assert table.list(andFilters={"t": text}).json["items"] == [row]


@pytest.mark.parametrize("sent,stored", [
    ("0", "0"), ("5.0", "5"), ("-5.0", "-5"), ("1e2", "100"), ("1.5E3", "1500"),
        ("9007199254740992", "9007199254740992"),
    ("-9007199254740992", "-9007199254740992"), ("9007199254740992.0", "9007199254740992"),
    ("1e15", "1000000000000000"),
    ("0.1", "0.1"), ("-2.5", "-2.5"), ("0.30000000000000004", "0.30000000000000004"), ("2.50", "2.5"),
    ("123456.789", "123456.789"),
])
def test_a_number_is_printed_in_its_shortest_form_and_whole_numbers_whole(table, sent, stored):
    made = table.create(b'{"n":%s}' % sent.encode())

    assert made.status == 201
    assert re.search(rb'"n":([^,}]+)', made.body).group(1) == stored.encode()
    assert re.search(rb'"n":([^,}]+)', table.read(made.json["id"]).body).group(1) == stored.encode()


@pytest.mark.parametrize("sent", ["1e308", "5e-324", "1.7976931348623157e308", "1e-7", "2.2250738585072014e-308",
                                  "1e21"])
def test_a_double_survives_exactly(table, sent):
    row = table.create(b'{"n":%s}' % sent.encode()).json

    assert float(row["n"]) == float(sent)
    assert float(table.read(row["id"]).json["n"]) == float(sent)


def test_answers_are_compact_json_with_the_headers_of_the_contract(app, table):
    row = table.add({"a": [1, {"b": 2}]})

    answer = table.read(row["id"])
    again = app.sk.get(f"{table.path}/{row['id']}", headers={"X-Request-Id": "my.id-1_A"})

    assert answer.body == json.dumps(answer.json, separators=(",", ":")).encode()
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert UUID.fullmatch(answer.headers["x-request-id"])
    assert again.headers["x-request-id"] == "my.id-1_A"
    for unfit in ("no spaces", "x" * 200, "a\"b", "<b>"):
        other = app.sk.get(f"{table.path}/{row['id']}", headers={"X-Request-Id": unfit})
        assert UUID.fullmatch(other.headers["x-request-id"])
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"):
        assert answer.headers[name].isdigit()


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_content_type_without_a_body_is_accepted(app, table, method):
    row = table.add()
    path = table.path if method == "POST" else f"{table.path}/{row['id']}"

    answer = app.sk.request(method, path, headers={"Content-Type": "application/json"})
    assert error(answer) == (INVALID if method == "POST" else (200, None))  # nothing is not a row; its type is fine


@pytest.mark.parametrize("value,ok", [
    ("application/json", True), ("application/json; charset=utf-8", True), ("Application/JSON;charset=UTF-8", True),
    ("application/json; x=y", True), ('application/json; charset="utf-8"', True),
        ("application/json; charset=latin1", False),
    ("text/plain", False), ("application/x-www-form-urlencoded", False), ("application/jsonp", False), ("json", False),
])
def test_a_body_needs_the_json_content_type(app, table, value, ok):
    data = app.sk.post(table.path, {"a": 1}, headers={"Content-Type": value})
    manage = app.sk.post("/v1/admin/api-keys", {"type": "x"}, headers={"Content-Type": value})

    assert error(data) == ((201, None) if ok else (400, "data/invalid-header"))
    assert error(manage) == BAD_PARAMETERS
    assert ("Content-Type" in manage.json["message"]) == (not ok)  # with the right one it is the body that is wrong


def test_a_body_without_a_content_type_is_refused(app, table):
    sent = f"POST {table.path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {app.box.sk}\r\nContent-Length: 2\r\n\r\n{{}}"
    with Wire(app.box) as wire:
        wire.send(sent.encode())
        status, _, body = wire.answer()

    assert (status, json.loads(body)["error"]["code"]) == (400, "data/invalid-header")


def test_a_body_may_come_in_chunks(app, table):
    head = write_request(table.path, app.box.sk, b"").replace(b"Content-Length: 0\r\n\r\n", b"")

    with Wire(app.box) as wire:
        wire.send(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n")
        wire.send(b"1\r\n1\r\n1\r\n}\r\n0\r\n\r\n" + f"GET {table.path}?limit=1 HTTP/1.1\r\nHost: localhost\r\n"
                  f"X-API-Key: {app.box.sk}\r\n\r\n".encode())
        made, listed = wire.answer(), wire.answer()

    assert (made[0], json.loads(made[2])["a"]) == (201, 1)
    assert json.loads(listed[2])["items"] == [json.loads(made[2])]


# --- paths and methods ---

def test_the_short_path_does_the_same_and_one_trailing_slash_does_not_count(app, table):
    for base in (f"/v1/{table.name}", f"/v1/{table.name}/", f"{table.path}/"):
        made = app.sk.post(base, {"a": 1})
        row = f"{base.rstrip('/')}/{made.json['id']}"
        assert made.status == 201
        for path in (row, row + "/"):
            assert app.sk.get(path).json == made.json
        assert app.sk.patch(row, {"a": 2}).json["a"] == 2
        assert app.sk.get(base + "?limit=1").json["items"][0]["a"] == 2
        assert app.sk.delete(row + "/").json == {"success": True}
        assert app.sk.get(f"{base.rstrip('/')}/spec").json == app.sk.get(f"{table.path}/spec").json


@pytest.mark.parametrize("method,path,allowed", [
    ("PUT", "/v1/data/{t}/{id}", {"GET", "PATCH", "DELETE"}), ("POST", "/v1/data/{t}/{id}", {"GET", "PATCH", "DELETE"}),
    ("PATCH", "/v1/data/{t}", {"GET", "POST"}), ("DELETE", "/v1/data/{t}", {"GET", "POST"}),
    ("PUT", "/v1/data/{t}", {"GET", "POST"}), ("POST", "/v1/data/{t}/spec", {"GET"}), ("POST", "/healthz", {"GET"}),
    ("DELETE", "/v1/system/state", {"GET"}), ("PUT", "/v1/{t}", {"GET", "POST"}),
])
def test_a_known_path_with_another_method_is_405_and_says_which_are_allowed(app, table, method, path, allowed):
    answer = app.sk.request(method, path.format(t=table.name, id=NO_ROW), body={} if method != "DELETE" else None)

    assert error(answer) == (405, "common/method-not-allowed")
    assert {word.strip() for word in answer.headers["allow"].split(",")} >= allowed
    assert method not in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/data/x", "/v1/data", "/v1/data/", "/v1/data/x/y/z", "/v1/admin",
                                  "/v1/auth",
                                  "/v1/users/x/y", "/v1/files/x", "/v1/mcp", "/v1/storage/x", "/v1/health", "/v1/system",
                                  "/v1/admin/nosuch", "/healthz/x", "/v1/batch"])
def test_a_path_that_does_not_exist_is_404(app, path):
    assert error(app.sk.get(path)) == NOT_FOUND


@pytest.mark.parametrize("name", ["nosuch", "1abc", "a b", "-x", "a" * 65, "caf%C3%A9", "$x", "a.b"])
def test_a_table_that_does_not_exist_is_404(app, name):
    name = name.replace(" ", "%20")

    assert error(app.sk.get(f"/v1/data/{name}")) == NO_TABLE
    assert error(app.sk.post(f"/v1/data/{name}", {})) == NO_TABLE
    assert error(app.sk.get(f"/v1/data/{name}/{NO_ROW}")) == NO_TABLE
    assert error(app.sk.get(f"/v1/data/{name}/spec")) == NO_TABLE


# --- envelopes ---

def test_the_error_body_satisfies_every_documented_variant(table):
    answer = table.read(NO_ROW)

    body = answer.json
    assert set(body) == {"success", "statusCode", "error", "message", "errorCode", "requestId"}
    assert (body["success"], body["statusCode"], body["errorCode"]) == (False, 404, "NOT_FOUND")
    assert body["error"] == {"code": "data/not-found", "message": body["message"]}
    assert body["message"]
    assert body["requestId"] == answer.headers["x-request-id"]


def test_the_wrapped_envelope_and_the_legacy_error_are_settings_of_the_project(make_app):
    app = make_app()
    table = app.table({"n": {"bsonType": "int", "unique": True}})
    bare = table.add({"n": 1})
    app.settings(responseEnvelope="wrapped", errorEnvelope="legacy")

    assert table.read(bare["id"]).json == {"success": True, "data": bare}
    made = table.create({"n": 2})
    assert (made.status, set(made.json), made.json["success"]) == (201, {"success", "data"}, True)
    assert table.list().json["data"]["pagination"]["total"] == 2
    assert table.delete(bare["id"]).json == {"success": True, "data": {"success": True}}
    refused = table.create({"n": 2})
    assert refused.status == 409
    assert (refused.json["error"], refused.json["errorCode"]) == ("DUPLICATE_VALUE", "DUPLICATE_VALUE")
    assert refused.json["message"] and refused.json["success"] is False and "data" not in refused.json
    app.settings(responseEnvelope="bare", errorEnvelope=None)
    assert "items" in table.list().json and app.nobody.get("/healthz").json == {"status": "ok"}
    assert error(table.create({"n": 2})) == (409, "data/duplicate-value")


def test_a_select_also_narrows_a_single_read(app, table):
    row = table.add({"a": 1, "b": 2})

    answer = app.sk.get(f"{table.path}/{row['id']}?select=a,nosuch")

    assert answer.json == {name: row[name] for name in SYSTEM_FIELDS | {"a"}}


def test_validation_details_name_field_and_rule(notes):
    answer = notes.create({"title": 5})

    assert error(answer) == INVALID
    assert answer.json["errorCode"] == "VALIDATION_ERROR"
    assert answer.json["message"].startswith("Validation failed: title ")
    assert rules(answer) == [("title", "type")]
    assert set(answer.json["details"][0]) == {"field", "rule", "message"}
