# SPDX-License-Identifier: GPL-3.0-or-later
"""API keys over the wire: contract 1.2, 1.9, 1.10, 2 and the credential vectors of 3.9."""

import concurrent.futures
import datetime
import re
import time
import uuid

import pytest

HEX = "0123456789abcdef" * 4
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln"


@pytest.fixture(scope="module")
def posts(box):
    name = "k" + uuid.uuid4().hex
    box.make_table(name)
    return f"/v1/data/{name}"


def refused(answer, status, code):
    assert answer.status == status, answer
    assert answer.json["error"]["code"] == code


def make_key(box, **fields):
    answer = box.post("/v1/admin/api-keys", dict({"name": "k", "type": "publishable"}, **fields), key="sk")
    assert answer.status == 201, answer
    return answer.json


@pytest.mark.parametrize("key, status, code", [
    (None, 401, "auth/unauthorized"),
    ("", 401, "auth/unauthorized"),
    ("pk_" + HEX[:63], 401, "auth/invalid-token-format"),
    ("pk_" + HEX + "0", 401, "auth/invalid-token-format"),
    ("xk_" + HEX, 401, "auth/invalid-token-format"),
    ("PK_" + HEX, 401, "auth/invalid-token-format"),
    ("pk_" + HEX[:-1] + "g", 401, "auth/invalid-token-format"),
    ("pk_" + HEX, 401, "auth/invalid-token"),
    ("sk_" + HEX, 401, "auth/invalid-token"),
])
def test_a_key_that_is_none(box, posts, key, status, code):
    refused(box.get(posts, key=key), status, code)


def test_an_upper_cased_copy_is_another_key(box, posts):
    refused(box.get(posts, key=box.pk[:3] + box.pk[3:].upper()), 401, "auth/invalid-token")


def test_two_key_headers(box, posts):
    connection = box.connect()
    connection.putrequest("GET", posts)
    connection.putheader("X-API-Key", box.pk)
    connection.putheader("X-API-Key", box.pk)
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 400 and b"data/invalid-header" in response.read()


@pytest.mark.parametrize("value, code", [
    (f"Bearer {JWT}", "auth/invalid-token"), (f"bearer {JWT}", "auth/invalid-token"),
    (f"Bearer  {JWT}", "auth/invalid-token-format"), ("Basic eDp5", "auth/invalid-token-format"),
    ("Bearer a.b", "auth/invalid-token-format"), (f"Bearer sk_{HEX}", "auth/invalid-token-format"),
])
@pytest.mark.parametrize("key", ["pk", "sk"])
def test_attack_09_a_token_that_is_not_valid_is_never_a_guest(box, posts, value, code, key):
    refused(box.get(posts, key=key, headers={"Authorization": value}), 401, code)


def test_a_key_in_authorization_is_not_a_key(box, posts):
    refused(box.get(posts, headers={"Authorization": f"Bearer {box.sk}"}), 401, "auth/unauthorized")


@pytest.mark.parametrize("header, value, status", [
    ("X-Project-Id", "other", 403), ("X-Environment", "prod", 403), ("X-Environment", "dev", 200)])
def test_the_binding_headers(box, posts, header, value, status):
    answer = box.get(posts, key="pk", headers={header: value})
    assert answer.status == status
    if status == 403:
        refused(answer, 403, "data/project-access-denied")
    assert box.get(posts, key="pk", headers={"X-Project-Id": box.project}).status == 200


def test_on_behalf_of(box, posts):
    nobody = {"X-On-Behalf-Of": str(uuid.uuid4())}
    refused(box.get(posts, key="pk", headers=nobody), 403, "auth/forbidden")
    refused(box.get(posts, key="sk", headers=nobody), 404, "user/not-found")


def test_a_key_is_shown_once_and_never_stored_in_clear(box, posts):
    made = make_key(box, type="secret", name="server")
    assert re.fullmatch(r"sk_[0-9a-f]{64}", made["value"]) and made["prefix"] == made["value"][:11]
    assert made["status"] == "active" and made["scopes"] is None and made["expiresAt"] is None
    shown = box.get(f"/v1/admin/api-keys/{made['id']}", key="sk").json
    assert "value" not in shown and "hash" not in shown and shown["name"] == "server"
    published = make_key(box)
    assert box.get(f"/v1/admin/api-keys/{published['id']}", key="sk").json["value"] == published["value"]
    assert box.get(posts, key=published["value"]).status == 200


def test_a_key_expires_at_its_instant(box, posts):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    made = make_key(box, expiresAt=soon.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    assert box.get(posts, key=made["value"]).status == 200
    end = time.monotonic() + 10
    while box.get(posts, key=made["value"]).status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    refused(box.get(posts, key=made["value"]), 401, "auth/token-expired")
    assert datetime.datetime.now(datetime.timezone.utc) >= soon
    assert box.get(f"/v1/admin/api-keys/{made['id']}", key="sk").json["status"] == "expired"
    assert box.post(f"/v1/admin/api-keys/{made['id']}/revoke", key="sk").json["status"] == "revoked"
    refused(box.get(posts, key=made["value"]), 401, "auth/token-revoked")


def test_a_revoked_key_is_refused_at_once_on_an_open_connection(box, posts):
    made = make_key(box)
    connection = box.connect()
    assert box.get(posts, key=made["value"], connection=connection).status == 200
    assert box.post(f"/v1/admin/api-keys/{made['id']}/revoke", key="sk").status == 200
    refused(box.get(posts, key=made["value"], connection=connection), 401, "auth/token-revoked")
    connection.close()


def test_a_deleted_key_stays_revoked(box, posts):
    made = make_key(box)
    path = f"/v1/admin/api-keys/{made['id']}"
    refused(box.delete(path, {"confirmName": "other"}, key="sk"), 400, "common/invalid-parameters")
    assert box.delete(path, {"confirmName": "k"}, key="sk").json == {"success": True}
    refused(box.get(path, key="sk"), 404, "common/not-found")
    refused(box.get(posts, key=made["value"]), 401, "auth/token-revoked")
    refused(box.post(f"{path}/revoke", key="sk"), 404, "common/not-found")


@pytest.mark.parametrize("fields, status, code", [
    ({"name": ""}, 400, "common/invalid-parameters"),
    ({"name": 5}, 400, "common/invalid-parameters"),
    ({"type": "root"}, 400, "common/invalid-parameters"),
    ({"type": None}, 400, "common/invalid-parameters"),
    ({"scopes": []}, 400, "common/invalid-parameters"),
    ({"scopes": ["posts"]}, 400, "common/invalid-parameters"),
    ({"scopes": ["posts:write"]}, 400, "common/invalid-parameters"),
    ({"scopes": "*:*"}, 400, "common/invalid-parameters"),
    ({"expiresAt": "2001-01-01"}, 400, "common/invalid-parameters"),
    ({"expiresAt": 5}, 400, "common/invalid-parameters"),
    ({"environment": "prod"}, 403, "auth/forbidden"),
    ({"projectId": str(uuid.uuid4())}, 403, "auth/forbidden"),
])
def test_a_key_that_cannot_be_made(box, fields, status, code):
    refused(box.post("/v1/admin/api-keys", dict({"name": "k", "type": "secret"}, **fields), key="sk"), status, code)


def test_attack_03_a_key_revoked_under_load_writes_nothing_afterwards(make_box):
    box = make_box()  # of its own: the refusals count against the address
    box.make_table("posts")
    posts = "/v1/data/posts"
    made = make_key(box, type="secret")
    count = 30

    def write(_):
        connection = box.connect()
        answers = [box.post(posts, {"n": 1}, key=made["value"], connection=connection).status for _ in range(count)]
        connection.close()
        return answers

    before = box.get(posts, key="sk").json["pagination"]["total"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(write, i) for i in range(8)]
        assert box.post(f"/v1/admin/api-keys/{made['id']}/revoke", key="sk").status == 200
        total = box.get(posts, key="sk").json["pagination"]["total"]
        answers = [each.result() for each in running]
    # A write that was on disk before the revocation may be answered after it; none is on disk that began after it.
    assert box.get(posts, key="sk").json["pagination"]["total"] == total
    written = sum(status == 201 for each in answers for status in each)
    assert total - before == written
    assert {status for each in answers for status in each} <= {201, 401}
    for each in answers:
        assert each == sorted(each)


def test_every_keyed_answer_carries_the_rate_and_the_usual_headers(box, posts):
    answer = box.get(posts, key="pk", headers={"X-Request-Id": "abc.DEF_1-2"})
    assert answer.headers["x-ratelimit-limit"] == "6000"
    assert 0 <= int(answer.headers["x-ratelimit-remaining"]) < 6000
    assert 0 <= int(answer.headers["x-ratelimit-reset"]) - time.time() <= 61
    assert answer.headers["x-request-id"] == "abc.DEF_1-2"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["strict-transport-security"]
    other = box.get(posts, key="pk", headers={"X-Request-Id": "no spaces"})
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", other.headers["x-request-id"])


def test_the_limit_is_one_for_all_reactors(make_box):
    box = make_box()
    assert box.patch(f"/v1/admin/projects/{box.project}", {"settings": {"requestsPerMinute": 20}}, key="sk").status == 200
    statuses = []
    for _ in range(60):  # each on a new connection, so on whichever reactor takes it
        answer = box.get("/v1/data/nosuch", key="pk")
        statuses.append(answer.status)
        if answer.status == 429:
            break
    assert statuses[-1] == 429 and statuses.count(404) <= 40, statuses  # 40: a minute may end in between
    assert int(answer.headers["retry-after"]) >= 1 and "429" in answer.json["message"]
    assert answer.json["error"]["code"] == "data/rate-limit-exceeded"


def test_the_log_holds_no_key_and_no_row(make_box):
    box = make_box()
    box.make_table("posts")
    word = "secret-content-of-a-row"
    box.post("/v1/data/posts", {"title": word}, key="sk")
    box.get("/v1/data/posts?search=" + word, key="pk")
    box.get("/v1/data/posts", key="pk_" + HEX)
    box.stop()
    text = box.log_text()
    for hidden in (box.pk, box.sk, word, HEX):
        assert hidden not in text
    requests = [line for line in box.lines if line["event"] in ("request", "refused")]
    assert [line["route"] for line in requests[-3:]] == ["/v1/data/:table"] * 3
    assert requests[-1]["event"] == "refused" and requests[-1]["code"] == "auth/invalid-token"
    assert re.fullmatch(r"[0-9a-f-]{36}", requests[-2]["key"]) and requests[-2]["us"] >= 0


# --- cross-origin ---

def origin_of(answer):
    return answer.headers.get("access-control-allow-origin")


def test_a_preflight(box):
    answer = box.request("OPTIONS", "/v1/anything", headers={"Origin": "https://app.example",
                                                            "Access-Control-Request-Method": "POST"})
    assert answer.status == 204 and answer.body == b""
    assert origin_of(answer) == "https://app.example" and answer.headers["vary"] == "Origin"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PATCH, PUT, DELETE, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "X-API-Key, Authorization, Content-Type, X-Request-Id"
    assert answer.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path, key, status", [
    ("/v1/data/nosuch", None, 401), ("/v1/data/nosuch", "pk", 404), ("/v1/admin/tables", "pk", 403),
    ("/nowhere", None, 404), ("/healthz", None, 200)])
def test_all_answers_carry_the_origin(box, path, key, status):
    answer = box.get(path, key=key, headers={"Origin": "https://app.example"})
    assert answer.status == status
    assert origin_of(answer) == "https://app.example"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_the_projects_origins(make_box):
    box = make_box()
    path = f"/v1/admin/projects/{box.project}/cors"
    put = box.request("PUT", path, {"origins": ["https://app.example:8443"]}, key="sk")
    assert put.status == 200 and put.json == {"origins": ["https://app.example:8443"]}
    assert box.get(path, key="sk").json == {"origins": ["https://app.example:8443"]}
    for origin, allowed in (("https://app.example:8443", True), ("https://app.example", False),
                            ("http://localhost:3000", True), ("http://127.0.0.1", True),
                            ("http://localhost.evil.example", False), ("null", False)):
        for key in ("pk", None):
            assert (origin_of(box.get("/v1/data/x", key=key, headers={"Origin": origin})) == origin) is allowed
    off = box.patch(f"/v1/admin/projects/{box.project}", {"settings": {"allowLocalhostOrigins": False}}, key="sk")
    assert off.status == 200
    assert origin_of(box.get("/v1/data/x", key="pk", headers={"Origin": "http://localhost:3000"})) is None
