# SPDX-License-Identifier: GPL-3.0-or-later
"""API keys: order of verification, scopes, expiry, revocation, what is shown. Contract 1.2, 2, and the credential
vectors of 3.9 that need no user."""

import datetime
import json
import re
import uuid

import pytest
from app import (BAD_PARAMETERS, Client, DENIED, FORBIDDEN, INSTANT, NOT_FOUND, NO_ROW, NO_TABLE, UNAUTHORIZED, UUID,
                 error, without_id)
from conftest import ROOT, wait_until
from wire import Wire, write_request

FORMAT = (401, "auth/invalid-token-format")
UNKNOWN = (401, "auth/invalid-token")
REVOKED = (401, "auth/token-revoked")
EXPIRED = (401, "auth/token-expired")
WRONG_PLACE = (403, "data/project-access-denied")
SCOPE = (403, "data/scope-insufficient")
KEYS = "/v1/admin/api-keys"
STRANGER = "pk_" + "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def app(module_app):
    """A box of this file's own: it counts the bad keys of an address."""
    return module_app


@pytest.fixture(scope="module")
def posts(app):
    table = app.table(name="posts")
    table.row = table.add({"title": "x"})
    tags = app.table(name="tags")
    table.tag = tags.add({"title": "y"})
    return table


def soon(seconds):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def expired_key(app, kind="publishable"):
    key = app.make_key(kind, expiresAt=soon(1))
    client = Client(app.box, key["value"])
    wait_until(lambda: error(client.get("/v1/data/posts")) == EXPIRED, "the key's end")
    return key


# --- order of verification, 2.1 ---

@pytest.mark.parametrize("key", [None, ""])
def test_vector_126_without_a_key_nothing_else_counts(app, posts, key):
    for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": f"Bearer {app.box.sk}"}):
        sent = dict(headers, **({} if key is None else {"X-API-Key": key}))
        assert error(app.nobody.get(posts.path, headers=sent)) == UNAUTHORIZED


def test_vector_130_a_key_in_authorization_is_no_key(app, posts):
    assert error(app.nobody.get(posts.path, headers={"Authorization": f"Bearer {app.box.sk}"})) == UNAUTHORIZED


@pytest.mark.parametrize("key", ["pk_" + "a" * 63, "pk_" + "a" * 65, "xk_" + "a" * 64, "PK_" + "a" * 64,
                                 "pk-" + "a" * 64, "a" * 67,
                                 "pk_" + "g" * 64, "pk_" + "a" * 63 + " ", "sk_", "null",
                                 "pk_" + "a" * 32 + "_" + "a" * 31, '{"$ne":null}'])
def test_vector_127_a_key_of_another_form_is_refused(app, key):
    assert error(app.nobody.get("/v1/data/posts", headers={"X-API-Key": key})) == FORMAT


def test_vector_128_an_unknown_key_is_refused(app):
    for key in (STRANGER, STRANGER.replace("pk", "sk")):
        assert error(app.nobody.get("/v1/data/posts", headers={"X-API-Key": key})) == UNKNOWN


def test_the_case_of_a_key_matters(app, posts):
    key = app.make_key()["value"]

    assert key.upper() != key
    assert error(app.nobody.get(posts.path, headers={"X-API-Key": "pk_" + key[3:].upper()})) == UNKNOWN
    assert error(app.nobody.get(posts.path, headers={"X-API-Key": "sk_" + key[3:]})) == UNKNOWN


def test_a_key_sent_twice_is_refused(app, posts):
    for keys in ((app.box.pk, app.box.pk), (app.box.pk, app.box.sk), (app.box.pk, "")):
        answer = app.nobody.get(posts.path, headers=[("X-API-Key", key) for key in keys])
        assert error(answer) == (400, "data/invalid-header")


def test_revoked_comes_before_expired_and_before_another_project(app, posts):
    key = app.make_key()
    client = Client(app.box, key["value"])
    assert client.get(posts.path).status == 200

    assert app.sk.post(f"{KEYS}/{key['id']}/revoke").status == 200

    assert error(client.get(posts.path)) == REVOKED
    assert error(client.get(posts.path, headers={"X-Project-Id": str(uuid.uuid4())})) == REVOKED
    assert error(client.get(posts.path, headers={"Authorization": "x"})) == REVOKED


def test_vector_129_a_key_revoked_and_expired_is_answered_as_revoked(app, posts):
    key = expired_key(app)

    app.sk.post(f"{KEYS}/{key['id']}/revoke")

    assert error(Client(app.box, key["value"]).get(posts.path)) == REVOKED


def test_an_expired_key_is_refused_and_shown_as_expired(app, posts):
    key = expired_key(app)
    client = Client(app.box, key["value"])

    assert error(client.post(posts.path, {})) == EXPIRED
    assert error(client.get(posts.path, headers={"X-Environment": "prod"})) == EXPIRED
    assert app.sk.get(f"{KEYS}/{key['id']}").json["status"] == "expired"


@pytest.mark.parametrize("headers,expected", [
    ({"X-Project-Id": "{project}"}, (200, None)), ({"X-Environment": "dev"}, (200, None)),
    ({"X-Project-Id": "{project}", "X-Environment": "dev"}, (200, None)),
    ({"X-Project-Id": "11111111-1111-4111-8111-111111111111"}, WRONG_PLACE), ({"X-Environment": "prod"}, WRONG_PLACE),
    ({"X-Environment": "DEV"}, WRONG_PLACE),
    ({"X-Project-Id": "{project}", "X-Environment": "staging"}, WRONG_PLACE), ({"X-Project-Id": "x"}, WRONG_PLACE),
], ids=str)
def test_project_and_environment_must_be_the_keys_own_if_sent(app, posts, headers, expected):
    sent = {name: value.format(project=app.box.project) for name, value in headers.items()}

    assert error(app.pk.get(posts.path, headers=sent)) == expected
    assert error(app.sk.get("/v1/admin/tables", headers=sent)) == expected


def test_on_behalf_of_needs_a_secret_key_and_a_user(app, posts):
    headers = {"X-On-Behalf-Of": str(uuid.uuid4())}

    assert error(app.pk.get(posts.path, headers=headers)) == FORBIDDEN
    assert error(app.sk.post(posts.path, {}, headers=headers)) == (404, "user/not-found")
    assert error(app.sk.post(posts.path, {}, headers={"X-On-Behalf-Of": "x"})) == (404, "user/not-found")


def test_route_and_method_are_told_before_the_key_and_the_key_before_the_table(app):
    assert error(app.nobody.get("/v1/nosuch/a/b/c")) == NOT_FOUND
    assert error(app.nobody.put("/v1/data/nosuch", {})) == (405, "common/method-not-allowed")
    assert error(app.nobody.get("/v1/data/nosuch")) == UNAUTHORIZED
    assert error(app.pk.get("/v1/data/nosuch")) == NO_TABLE


@pytest.mark.parametrize("path", ["/healthz", "/v1/system/state", "/.well-known/jwks.json", "/readyz"])
def test_the_keyless_routes_need_no_key(app, path):
    assert app.nobody.get(path).status == 200
    assert app.nobody.get(path, headers={"X-API-Key": "nonsense", "Authorization": "nonsense"}).status == 200


# --- scopes, 2.2 ---

VECTORS = json.loads((ROOT / "tests/data/policy_vectors.json").read_text())["scopes"]
SCOPE_VECTORS = [vector for vector in VECTORS if vector["who"] in ("G", "S")]


@pytest.mark.parametrize("vector", SCOPE_VECTORS, ids=[f"{v['n']}_{v['op']}_{v['table']}" for v in SCOPE_VECTORS])
def test_vectors_113_to_121_of_scopes(app, posts, vector):
    kind = {"pk": "publishable", "sk": "secret"}[vector["key"]]
    client = app.client(kind, **({} if vector["scopes"] is None else {"scopes": vector["scopes"]}))
    row = posts.add({"title": "z"}) if vector["table"] == "posts" else posts.tag
    path = f"/v1/data/{vector['table']}"
    one = f"{path}/{row['id'] if vector['row'] == 'other' else NO_ROW}"

    answer = {"list": lambda: client.get(path), "read": lambda: client.get(one),
              "update": lambda: client.patch(one, {"title": "n"}),
              "delete": lambda: client.delete(one), "create": lambda: client.post(path, {})}[vector["op"]]()

    assert error(answer) == (vector["status"], vector.get("code"))


@pytest.mark.parametrize("scopes,allowed", [
    (["posts:read"], "list read spec"), (["posts:list"], "list"), (["posts:create"], "create"),
    (["posts:update"], "update"), (["posts:delete"], "delete"),
    (["posts:*"], "list read create update delete spec"), (["*:read"], "list read spec"),
    (["*:*"], "list read create update delete spec"), (["tags:*"], ""),
    (["tags:read", "posts:update"], "update"), (["Posts:read"], ""),
], ids=str)
def test_a_scope_lets_through_what_it_names(app, posts, scopes, allowed):
    client = app.client("secret", scopes=scopes)
    row = f"{posts.path}/{posts.add()['id']}"

    answers = {"list": client.get(posts.path), "read": client.get(row), "spec": client.get(f"{posts.path}/spec"),
               "create": client.post(posts.path, {}),
               "update": client.patch(row, {}), "delete": client.delete(row)}

    for op, answer in answers.items():
        if op in allowed.split():
            assert answer.status < 300, (op, answer)
        else:
            assert error(answer) == SCOPE
            wanted = "read" if op == "spec" else op
            assert answer.json["message"] == f"API Key scope does not include posts:{wanted}"


@pytest.mark.parametrize("scopes", [[], "posts:read", [1], ["posts"], ["posts:"], [":read"], ["posts:drop"],
                                    ["posts:read:x"], ["*"], ["posts:READ"], [" posts:read"],
                                    ["posts:read "], ["pos ts:read"], [None], {}, ["posts:read", ""], ["*:*:*"],
                                    ["po*:read"], {"$gt": ""}], ids=str)
def test_a_scope_outside_the_grammar_makes_no_key(app, scopes):
    before = app.sk.get(KEYS).json["pagination"]["total"]

    assert error(app.sk.post(KEYS, {"name": "n", "type": "secret", "scopes": scopes})) == BAD_PARAMETERS
    assert app.sk.get(KEYS).json["pagination"]["total"] == before


@pytest.mark.parametrize("scopes,expected", [(["posts:*"], SCOPE), (["*:read"], SCOPE), (["*:*"], (200, None)),
                                             (["posts:*", "*:*"], (200, None)), (None, (200, None))], ids=str)
def test_managing_needs_an_unrestricted_secret_key(app, posts, scopes, expected):
    assert error(app.client("secret", scopes=scopes).get("/v1/admin/tables")) == expected


# --- making, showing, ending ---

def test_a_secret_key_is_shown_once_and_a_publishable_one_again(app):
    secret, public = app.make_key("secret"), app.make_key("publishable")

    for key, prefix in ((secret, "sk_"), (public, "pk_")):
        assert re.fullmatch(prefix + "[0-9a-f]{64}", key["value"])
        assert UUID.fullmatch(key["id"]) and INSTANT.fullmatch(key["createdAt"])
        assert key["prefix"] == key["value"][:11]
        assert (key["projectId"], key["environment"], key["status"]) == (app.box.project, "dev", "active")
        assert key["scopes"] is None and key["expiresAt"] is None
    shown = {key["id"]: key for key in app.sk.get(f"{KEYS}?limit=100").json["items"]}
    assert "value" not in shown[secret["id"]] and "value" not in app.sk.get(f"{KEYS}/{secret['id']}").json
    assert app.sk.get(f"{KEYS}/{public['id']}").json["value"] == public["value"]
    assert secret["value"].encode() not in app.sk.get(f"{KEYS}?limit=100").body


def test_a_project_can_stop_showing_publishable_keys(make_app):
    app = make_app()
    before = app.make_key()
    app.settings(revealPublishableKeys=False)
    after = app.make_key()

    assert re.fullmatch("pk_[0-9a-f]{64}", after["value"])
    for key in (before, after):
        assert "value" not in app.sk.get(f"{KEYS}/{key['id']}").json


def test_the_members_of_a_key_are_those_of_the_contract(app):
    moment = "2100-01-01T00:00:00.000Z"

    key = app.make_key("secret", name="my key", scopes=["posts:read"], expiresAt=moment, projectId=app.box.project,
                       environment="dev")

    del key["value"]
    assert set(key) == {"id", "name", "type", "prefix", "projectId", "environment", "scopes", "expiresAt", "createdBy",
                        "createdAt", "updatedAt", "lastUsedAt", "status"}
    assert [key[member] for member in ("name", "type", "scopes", "expiresAt", "lastUsedAt")] == [
        "my key", "secret", ["posts:read"], moment, None]
    assert app.sk.get(f"{KEYS}/{key['id']}").json == key


def test_the_last_use_of_a_key_is_told(app, posts):
    key = app.make_key()

    assert Client(app.box, key["value"]).get(posts.path).status == 200

    used = wait_until(lambda: app.sk.get(f"{KEYS}/{key['id']}").json["lastUsedAt"], "the use")
    assert INSTANT.fullmatch(used) and used >= key["createdAt"]


def test_a_revoked_key_stays_listed_and_a_second_revocation_changes_nothing(app, posts):
    key = app.make_key()

    first = app.sk.post(f"{KEYS}/{key['id']}/revoke")
    second = app.sk.post(f"{KEYS}/{key['id']}/revoke", {})

    assert (first.status, second.status) == (200, 200)
    assert app.sk.get(f"{KEYS}/{key['id']}").json["status"] == "revoked"
    assert error(Client(app.box, key["value"]).get(posts.path)) == REVOKED


def test_a_deleted_key_is_hidden_and_stays_revoked(app, posts):
    key = app.make_key(name="doomed")

    assert app.sk.delete(f"{KEYS}/{key['id']}", {"confirmName": "doomed"}).status == 200

    assert error(app.sk.get(f"{KEYS}/{key['id']}")) == NOT_FOUND
    assert key["id"] not in [item["id"] for item in app.sk.get(f"{KEYS}?limit=100").json["items"]]
    assert error(app.sk.delete(f"{KEYS}/{key['id']}", {"confirmName": "doomed"})) == NOT_FOUND
    assert error(app.sk.post(f"{KEYS}/{key['id']}/revoke")) == NOT_FOUND
    assert error(Client(app.box, key["value"]).get(posts.path)) == REVOKED


def test_a_key_that_revokes_itself_ends_with_that_answer(app, posts):
    key = app.make_key("secret")
    client = Client(app.box, key["value"])

    assert client.post(f"{KEYS}/{key['id']}/revoke").status == 200
    assert error(client.get(posts.path)) == REVOKED


@pytest.mark.parametrize("name,change", {
    "no_name": {"name": None}, "empty_name": {"name": ""}, "long_name": {"name": "x" * 300},
    "name_object": {"name": {"$ne": None}}, "no_type": {"type": None}, "other_type": {"type": "pk"},
    "type_list": {"type": ["secret"]}, "past": {"expiresAt": "2000-01-01T00:00:00Z"},
    "no_date": {"expiresAt": "tomorrow"}, "date_number": {"expiresAt": 4102444800},
    "misspelt_scopes": {"scope": ["posts:read"]}, "misspelt_expiry": {"expires": "2000-01-01T00:00:00Z"},
}.items())
def test_a_key_that_makes_no_sense_is_not_made(app, name, change):
    body = {member: value for member, value in dict({"name": "n", "type": "secret"},
                                                    **change).items() if value is not None}

    assert error(app.sk.post(KEYS, body)) == BAD_PARAMETERS


@pytest.mark.parametrize("change", [{"projectId": "11111111-1111-4111-8111-111111111111"}, {"environment": "prod"}])
def test_a_key_is_made_only_for_the_makers_own_place(app, change):
    assert error(app.sk.post(KEYS, dict({"name": "n", "type": "secret"}, **change))) == FORBIDDEN


@pytest.mark.parametrize("body", [None, {}, {"confirmName": "x"}, {"confirmName": {"$ne": None}},
                                  {"confirmName": "KEPT"}, {"confirmName": ["kept"]}], ids=str)
def test_a_key_is_deleted_only_with_its_name(app, body):
    key = app.make_key(name="kept")

    assert error(app.sk.delete(f"{KEYS}/{key['id']}", body)) == BAD_PARAMETERS
    assert app.sk.get(f"{KEYS}/{key['id']}").json["status"] == "active"


# --- class 10 of the attacks ---

def test_attack_10_near_misses_of_a_key_are_answered_like_strangers(app, posts):
    key = app.make_key()["value"]
    flipped = key[:-1] + ("0" if key[-1] != "0" else "1")
    early = key[:3] + ("0" if key[3] != "0" else "1") + key[4:]
    answers = [app.nobody.get(posts.path, headers={"X-API-Key": value})
               for value in (STRANGER, flipped, early, "sk_" + key[3:])]

    assert [error(answer) for answer in answers] == [UNKNOWN] * 4
    assert len({json.dumps(without_id(answer), sort_keys=True) for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1


def test_attack_10_a_scoped_key_learns_nothing_about_tables_outside_its_scope(app, posts):
    client = app.client(scopes=["tags:read"])

    real, absent = client.get("/v1/data/posts"), client.get("/v1/data/posty")

    assert error(real) == error(absent) == SCOPE
    assert real.json["message"].replace("posts", "*") == absent.json["message"].replace("posty", "*")


def test_attack_03_a_change_of_rights_holds_for_the_next_request_of_the_same_connection(app):
    table = app.table()
    row = table.add({"a": 1})
    key = app.make_key()
    client = Client(app.box, key["value"])
    client.get(table.path)
    connection = client.connection

    statuses = []
    for permissions in ({"guest": {"read": True}}, {"guest": {}}, {"guest": {"read": True, "delete": True}}):
        table.policy(permissions=permissions)
        statuses.append(table.read(row["id"], client).status)
    assert error(client.delete(f"{table.path}/{NO_ROW}")) == (404, "data/not-found")
    table.policy(permissions={"guest": {"read": True}})
    assert error(client.delete(f"{table.path}/{NO_ROW}")) == DENIED
    app.sk.post(f"{KEYS}/{key['id']}/revoke")

    assert statuses == [200, 403, 200]
    assert error(client.get(table.path)) == REVOKED
    assert client.connection is connection


def test_pipelined_requests_each_use_their_own_key(app, posts):
    def request(key):
        return write_request(posts.path, key, b"{}")

    with Wire(app.box) as wire:
        wire.send(request(app.box.sk) + request(app.box.pk) + request(STRANGER) + request(app.box.sk))
        statuses = [wire.answer()[0] for _ in range(4)]

    assert statuses == [201, 403, 401, 201]
