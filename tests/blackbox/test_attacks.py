# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes of attacks that belong to no single feature: paths and names (5), bombs (13), the log (15)."""

import json
import pathlib
from urllib.parse import quote

import pytest
from app import App, BAD_PARAMETERS, INVALID, NO_ROW, error
from conftest import wait_until
from wire import Wire, write_request


def raw_get(app, path, key=None):
    with Wire(app.box) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key or app.box.sk}\r\n\r\n".encode("latin-1"))
        status, _, body = wire.answer()
        return status, json.loads(body)


# --- 5: paths and names ---

@pytest.fixture(scope="module")
def secrets(app):
    table = app.table(name="Secrets", permissions={})
    table.row = table.add({"title": "hidden"})
    return table


@pytest.mark.parametrize("path", [
    "/v1/data/../admin/tables", "/v1/data/%2e%2e/admin/tables", "/v1/data/./Secrets", "/v1/data/%2e/Secrets",
    "/v1/./data/Secrets", "/v1//data/Secrets", "//v1/data/Secrets", "/v1/data//Secrets",
    "/v1/data/Secrets//", "/v1/data/Secrets%2F{id}", "/v1/data/Secrets%2f{id}", "/v1/data/Secrets%5C{id}",
    "/v1/data/Secrets\\{id}", "/v1/data%2FSecrets", "/v1%2Fdata/Secrets", "/v1/data/Secrets%00",
    "/v1/data/Secrets/{id}%00", "/v1/data/Secrets%00/{id}", "/v1/data/secrets", "/v1/data/SECRETS", "/v1/Data/Secrets",
    "/V1/data/Secrets", "/v1/DATA/Secrets", "/v1/data/%2553ecrets", "/v1/data/Secrets%ff",
    "/v1/data/%C0%AF", "/v1/data/Secrets;x=1", "/v1/data/Secrets%20", "/v1/data/%20Secrets", "/v1/data/Secrets.json",
    "/v1/data/%EF%BC%B3ecrets", "/v1/data/_Secrets", "/v1/data/Secrets%2E",
    "/v1/data/Secrets/{ID}", "/v1/data/Secrets/%2e%2e/Secrets", "/v1/data/Secrets/spec/", "/v1/data/Secrets/{id}/spec",
    "/v1/data/Secrets%E2%80%8B",
])
def test_attack_05_a_path_in_disguise_is_another_path(app, secrets, path):
    path = path.replace("{id}", secrets.row["id"]).replace("{ID}", secrets.row["id"].upper())

    status, body = raw_get(app, path, app.box.pk)

    assert status in (400, 403, 404)
    assert "hidden" not in json.dumps(body)
    if not path.endswith("spec/"):
        assert raw_get(app, path)[0] in (400, 404)


@pytest.mark.parametrize("path", ["/v1/%64ata/Secrets", "/v1/data/%53ecrets", "/%761/data/Secrets", "/v1/data/Secrets/",
                                  "/v1/%53ecrets"])
def test_attack_05_a_path_is_decoded_once_and_the_policy_holds_for_what_it_names(app, secrets, path):
    assert raw_get(app, path)[0] == 200
    assert raw_get(app, path, app.box.pk)[0] == 403


def test_attack_05_a_table_named_like_a_part_of_a_route_stays_a_table(app):
    for name in ("spec", "openapi", "v1", "state", "tables", "projects", "constructor", "toString"):
        table = app.table(name=name)
        row = table.add({"a": 1})
        assert table.read(row["id"]).json == row
        assert app.sk.get(f"/v1/{name}/{row['id']}").json == row
        assert app.sk.get(f"{table.path}/spec").json["tableName"] == name


def test_attack_05_a_reserved_first_segment_is_never_a_table(app):
    for name in ("data", "auth", "users", "files", "admin", "mcp", "storage", "health", "system", "batch",
                 "openapi.json", "healthz"):
        assert app.sk.get(f"/v1/{name}/{NO_ROW}").status in (404, 403)
        assert error(app.sk.post(f"/v1/{name}", {"a": 1}))[0] in (400, 403, 404, 405)


# --- 13: bombs ---

def arrays(depth):
    return b"[" * depth + b"]" * depth


def objects(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_attack_13_json_nests_32_levels_and_no_more(app):
    table = app.table()

    assert table.create(objects(32)).status == 201
    assert table.create(b'{"a":' + arrays(31) + b"}").status == 201
    for body in (objects(33), b'{"a":' + arrays(32) + b"}", objects(5000), b'{"a":' + arrays(100000) + b"}",
                 b"[" * 500000, b'{"a":' * 100000):
        assert error(table.create(body)) == INVALID
    assert error(app.sk.post("/v1/admin/api-keys", objects(33))) == BAD_PARAMETERS
    assert error(table.list(andFilters="[" * 5000)) == BAD_PARAMETERS
    assert table.list().json["pagination"]["total"] == 2


@pytest.mark.parametrize("body", [
    b'{"a":"' + b"x" * 1000000 + b'"}', b'{"a":[' + b"1," * 400000 + b"1]}",
    b"{" + b",".join(b'"k%d":1' % n for n in range(60000)) + b"}", b'{"a":' + b"9" * 100000 + b"}",
    b'{"a":0.' + b"1" * 100000 + b"}",
    b'{"a":[' + b"{}," * 300000 + b"{}]}", b'{"a":"' + b"\\u0041" * 150000 + b'"}',
], ids=["text", "numbers", "names", "digits", "fraction", "objects", "escapes"])
def test_attack_13_a_body_full_of_values_is_stored_or_refused_and_the_box_goes_on(app, body):
    table = app.table()

    answer = table.create(body)

    assert error(answer) in ((201, None), INVALID, (413, "common/payload-too-large"))
    if answer.status == 201:
        assert json.loads(body)["a"] == answer.json["a"]
    assert table.create({"a": 1}).status == 201
    assert table.list().status == 200


def test_attack_13_a_body_over_a_mebibyte_is_413(app):
    table = app.table()
    sent = b'{"a":"' + b"x" * (1 << 20) + b'"}'

    with Wire(app.box) as wire:
        wire.send(write_request(table.path, app.box.sk, sent)[:-len(sent)])
        status, headers, body = wire.answer()

    assert (status, json.loads(body)["error"]["code"]) == (413, "common/payload-too-large")
    assert headers["connection"].lower() == "close"


def test_attack_13_a_row_does_not_grow_without_end_and_a_page_is_bounded(app):
    table = app.table()
    row = table.add({"a": "x" * 900000})

    answers = [table.update(row["id"], {f"f{n}": "x" * 900000}) for n in range(6)]
    for _ in range(12):
        table.add({"a": "x" * 900000})

    assert [answer.status for answer in answers[-3:]] == [400] * 3
    assert {error(answer) for answer in answers} <= {(200, None), INVALID}
    assert error(table.list(limit="100")) == BAD_PARAMETERS
    assert table.list(limit="100", select="id").json["pagination"]["total"] == 13
    assert len(table.list(limit="4").json["items"]) == 4


# --- 15: the log ---

POISON = ["x\r\nforged: 1", '","event":"forged"', "\\", "\x1b[31m", "\u2028", "%0d%0a{\"event\":\"forged\"}", "\x7f",
          "{\"event\":\"forged\"}"]
SECRET = "rowContentThatMustNotBeLogged"


def test_attack_15_the_log_is_one_object_a_line_and_holds_no_key_and_no_content(make_app):
    app = make_app()
    table = app.table({"title": {"bsonType": "string", "unique": True}, "n": {"bsonType": "int"}}, name="logged")
    key = app.make_key("secret", name=f"name {SECRET}")
    row = table.add({"title": SECRET})
    for poison in POISON:
        text = quote(f"{SECRET} {poison}", safe="")
        for path in (f"/v1/data/{text}", f"{table.path}/{text}", f"{table.path}?search={text}",
                     f"{table.path}?{text}=1",
                     f"/{text}", f"/v1/admin/tables/{text}"):
            app.sk.get(path)
        for name in ("X-Request-Id", "User-Agent", "Referer", "X-Forwarded-For", "Origin", "X-API-Key", "Authorization",
                     "X-Environment"):
            safe = "".join(c for c in poison if c.isprintable() and ord(c) < 256)
            app.sk.get(table.path, headers={name: f"{SECRET} ({safe})"})
        table.create({"title": poison, "n": poison})
    table.create({"title": SECRET})
    table.create({"title": 5, "n": SECRET})
    table.list(andFilters={"title": SECRET})
    table.list(andFilters={"title": {"$regex": SECRET + "("}})
    table.update(row["id"], {"title": SECRET + "2"})
    app.nobody.get(table.path, headers={"X-API-Key": "pk_" + "ab" * 32})
    app.sk.post(f"/v1/admin/api-keys/{key['id']}/revoke")
    app.sk.get(table.path, headers={"X-Request-Id": "the-last-one"})
    wait_until(lambda: "the-last-one" in app.box.log_text(), "the log")

    assert app.box.stop() == 0

    events = [json.loads(line) for line in app.box.raw]
    assert all(isinstance(event, dict) and "event" in event for event in events)
    assert not [event for event in events if event["event"] == "forged" or "forged" in event]
    assert len([event for event in events if event["event"] in ("request", "refused")]) > 50
    log = app.box.log_text()
    for secret in (SECRET, app.box.sk, app.box.pk, key["value"], "ab" * 32, app.box.recovery_key):
        assert secret not in log
        assert secret[3:20] not in log


def test_attack_15_a_refusal_is_logged_with_route_and_code_and_the_id_of_the_key(make_app):
    app = make_app()
    table = app.table(permissions={})

    app.pk.get(table.path, headers={"X-Request-Id": "refused-1"})
    event = wait_until(lambda: [line for line in app.box.lines if line.get("request") == "refused-1"], "the line")[0]
    assert [event[member] for member in ("event", "method", "status", "code")] == [
        "refused", "GET", 403, "data/permission-denied"]
    assert event["route"] == "/v1/data/:table"
    keys = app.sk.get("/v1/admin/api-keys").json["items"]
    assert event["key"] in [key["id"] for key in keys if key["type"] == "publishable"]


# --- 19, 20: what lies on the disk ---

CONSONANTS, VOWELS = "bdfghjklmnprstvz", "aiou"


def proquint_bytes(words):
    """arXiv 0901.4016: five letters are 16 bits."""
    out = b""
    for word in words.split("-"):
        number = 0
        for at, letter in enumerate(word):
            number = number << (4 if at % 2 == 0 else 2) | (CONSONANTS if at % 2 == 0 else VOWELS).index(letter)
        out += number.to_bytes(2, "big")
    return out


def files_below(*directories):
    return [path for directory in directories for path in pathlib.Path(directory).rglob("*")
            if path.is_file() and path.name != "ca.pem"]


def contains(files, needle):
    return [str(path) for path in files if needle in path.read_bytes()]


def test_attack_19_a_thief_of_data_directory_and_tpm_state_finds_no_value_no_key_and_no_name(make_app):
    app = make_app()
    names = {"table": "invoicesOfTheThief", "column": "ibanOfTheThief", "index": "indexOfTheThief",
             "key": "keyNameOfTheThief", "environment": "env-of-the-thief", "display": "Display of the thief"}
    table = app.table({names["column"]: {"bsonType": "string", "unique": True}, "n": {"bsonType": "double"}},
                      name=names["table"], displayName=names["display"],
                      indexes=[{"name": names["index"], "fields": {"n": 1, names["column"]: 1}}])
    values = [f"DE89-{n:06d}-value-of-the-thief" for n in range(200)]
    for n, value in enumerate(values):
        table.add({names["column"]: value, "n": n, "undeclaredOfTheThief": {"nested": value[::-1]}})
    gone = table.add({names["column"]: "deleted-value-of-the-thief"})
    table.delete(gone["id"])
    changed = table.add({names["column"]: "old-value-of-the-thief"})
    table.update(changed["id"], {names["column"]: "new-value-of-the-thief"})
    secret, public = app.make_key("secret", name=names["key"]), app.make_key("publishable")
    app.sk.post("/v1/admin/environments", {"environment": names["environment"], "environmentType": "custom"})
    dropped = app.table(name="droppedOfTheThief")
    dropped.add({"v": "dropped-value-of-the-thief"})
    app.sk.delete(dropped.admin, {"confirmName": dropped.name})
    assert app.box.stop() == 0

    files = files_below(app.box.data, app.box.tpm)

    needles = {name: value.encode() for name, value in names.items()}
    needles.update({"value": b"value-of-the-thief", "value backwards": b"feiht-eht-fo-eulav", "any name": b"OfTheThief",
                    "lower": b"ofthethief"})
    needles.update({f"a value {n}": values[n].encode() for n in (0, 99, 199)})
    for name, key in {"first sk": app.box.sk, "first pk": app.box.pk, "sk": secret["value"],
                      "pk": public["value"]}.items():
        needles.update({f"{name} text": key.encode(), f"{name} hex": key[3:].encode(),
                        f"{name} bytes": bytes.fromhex(key[3:]), f"{name} prefix": key[:11].encode()})
    recovery = proquint_bytes(app.box.recovery_key)
    assert len(recovery) == 34
    needles.update({"recovery text": app.box.recovery_key.encode(), "recovery bytes": recovery[:32],
                    "half of it": recovery[:16], "other half": recovery[16:32]})
    assert len(files) >= 3 and sum(path.stat().st_size for path in files) > 100000
    assert {name: contains(files, needle) for name, needle in needles.items() if contains(files, needle)} == {}


def test_attack_19_the_search_of_the_thief_finds_what_is_there(make_box):
    box = make_box()
    assert box.stop() == 0
    (box.data / "planted").write_bytes(b"\0\1" + bytes.fromhex(box.sk[3:]) + b"\2")

    assert contains(files_below(box.data, box.tpm), bytes.fromhex(box.sk[3:])) == [str(box.data / "planted")]


def all_places(content, needle):
    place = content.find(needle)
    while place >= 0:
        yield place
        place = content.find(needle, place + 1)


def places_of_row(content, rows, number):
    """Where the database file holds the row, in pages of rows old and new: the row before it stands right behind it."""
    before = list(all_places(content, bytes.fromhex(rows[number - 1]["id"])))
    return [place for place in all_places(content, bytes.fromhex(rows[number]["id"]))
            if any(300 < other - place < 700 for other in before)]


def test_attack_20_a_row_filled_with_noise_is_found_by_fsck_and_never_served(make_app):
    app = make_app()
    table = app.table()
    rows = [table.add({"n": n, "pad": "x" * 300}) for n in range(200)]
    assert app.box.stop() == 0
    database = max(files_below(app.box.data / "db"), key=lambda path: path.stat().st_size)
    content = bytearray(database.read_bytes())
    damaged = range(100, 140)  # several: of the first row of a page only old copies may be found
    for place in [place for number in damaged for place in places_of_row(content, rows, number)]:
        for at in range(place + 60, place + 80):  # inside the sealed value, which follows the key
            content[at] ^= 0x5A
    database.write_bytes(content)

    status, output, errors = app.box.fsck()

    assert status == 1, (output, errors)
    app.box.start()
    again = App(app.box)
    answers = {number: again.sk.get(f"{table.path}/{rows[number]['id']}") for number in damaged}
    noise = [answer for answer in answers.values() if answer.status != 200]
    assert noise and all(error(answer) == (500, "common/internal-error") for answer in noise)
    assert all(b"xxx" not in answer.body for answer in noise)
    assert all(answer.json == rows[number] for number, answer in answers.items() if answer.status == 200)
    assert again.sk.get(f"{table.path}/{rows[190]['id']}").json == rows[190]
