# SPDX-License-Identifier: GPL-3.0-or-later
"""Cross-origin requests of browsers: contract 1.10."""

import pytest
from app import BAD_PARAMETERS, NO_ROW, error
from wire import Wire

APP = "https://app.example.com"
METHODS = "GET, POST, PATCH, PUT, DELETE, OPTIONS"
HEADERS = "X-API-Key, Authorization, Content-Type, X-Request-Id"
EXPOSED = "ETag, X-Request-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining"


@pytest.fixture(scope="module")
def listed(module_app):
    """A box of its own whose project names one origin."""
    assert module_app.sk.put(f"{module_app.project}/cors", {"origins": [APP, "http://localhost:4000"]}).status == 200
    module_app.open = module_app.table()
    return module_app


def cors_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("path", ["/v1/data/posts", "/v1/data/nosuch/x", "/v1/admin/tables", "/v1/auth/email/signin",
                                  "/nosuch", "/healthz"])
@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:3003", "http://localhost", APP])
def test_a_preflight_needs_no_key_and_answers_before_the_route(listed, path, origin):
    answer = listed.nobody.request("OPTIONS", path,
                                   headers={"Origin": origin, "Access-Control-Request-Method": "PATCH",
                                            "Access-Control-Request-Headers": "x-api-key"})

    assert (answer.status, answer.body) == (204, b"")
    assert cors_headers(answer) == {"access-control-allow-origin": origin, "access-control-allow-methods": METHODS,
                                    "access-control-allow-headers": HEADERS, "access-control-max-age": "600",
                                    "access-control-expose-headers": EXPOSED}
    assert answer.headers["vary"] == "Origin"


DENIED_ORIGINS = ["https://evil.example.com", "http://app.example.com", "https://app.example.com:444",
                  "https://app.example.com.evil.com", "https://xapp.example.com", "HTTPS://APP.EXAMPLE.COM", "null",
                  "*",
                  "http://localhost.evil.com", "http://localhost:3000.evil.com", "https://localhost:3000",
                  "http://localhost:99999", "http://localhost:", "http://localhost:x", "http://[::1]:3000",
                  "http://127.0.0.1.evil.com",
                  "https://app.example.com/"]


@pytest.mark.parametrize("origin", DENIED_ORIGINS)
def test_another_origin_gets_no_headers_and_is_answered_all_the_same(listed, origin):
    preflight = listed.nobody.request("OPTIONS", listed.open.path,
                                      headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
    real = listed.pk.get(listed.open.path, headers={"Origin": origin})

    assert (preflight.status, cors_headers(preflight)) == (204, {})
    assert (real.status, cors_headers(real)) == (200, {})


def test_errors_of_every_kind_carry_the_headers(listed):
    closed = listed.table(permissions={})
    unique = listed.table({"n": {"bsonType": "int", "unique": True}})
    unique.add({"n": 1})
    origin = {"Origin": APP}
    answers = [
        listed.pk.get(listed.open.path, headers=origin), listed.nobody.get(listed.open.path, headers=origin),
        listed.pk.get(closed.path, headers=origin),
        listed.pk.get(f"{listed.open.path}/{NO_ROW}", headers=origin), listed.pk.get("/nosuch", headers=origin),
        listed.pk.put(listed.open.path, {}, headers=origin),
        listed.sk.post(unique.path, {"n": 1}, headers=origin), listed.sk.post(unique.path, b"{", headers=origin),
        listed.nobody.get(listed.open.path, headers=dict(origin, **{"X-API-Key": "x"})),
        listed.sk.post(unique.path, {"n": 2}, headers=origin),
    ]

    assert [answer.status for answer in answers] == [200, 401, 403, 404, 404, 405, 409, 400, 401, 201]
    for answer in answers:
        assert cors_headers(answer) == {"access-control-allow-origin": APP, "access-control-expose-headers": EXPOSED}
        assert answer.headers["vary"] == "Origin"


def test_an_answer_to_a_request_that_was_never_read_carries_the_headers(listed):
    head = f"POST {listed.open.path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {APP}\r\nX-API-Key: {listed.box.sk}\r\n"

    for rest, expected in (("Content-Length: 99999999\r\n\r\n", 413), ("Content-Length: 1, 2\r\n\r\n", 400)):
        with Wire(listed.box) as wire:
            wire.send((head + rest).encode())
            status, headers, _ = wire.answer()
        assert (status, headers.get("access-control-allow-origin")) == (expected, APP)


def test_a_request_without_an_origin_has_no_such_headers(listed):
    assert cors_headers(listed.pk.get(listed.open.path)) == {}


def test_a_project_without_a_list_allows_any_origin(app):
    table = app.table()

    for origin in (APP, "https://anything.example.org:8443", "http://localhost:3000"):
        real = app.pk.get(table.path, headers={"Origin": origin})
        preflight = app.nobody.request("OPTIONS", table.path, headers={"Origin": origin})
        assert real.headers["access-control-allow-origin"] == origin
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in real.headers | preflight.headers


def test_localhost_is_allowed_only_while_the_project_says_so(listed):
    def allowed(origin):
        return listed.pk.get(listed.open.path, headers={"Origin": origin}).headers.get("access-control-allow-origin")

    listed.settings(allowLocalhostOrigins=False)
    without = [allowed(origin) for origin in ("http://localhost:3000", "http://127.0.0.1:1", "http://localhost:4000",
                                              APP)]
    listed.settings(allowLocalhostOrigins=None)

    assert without == [None, None, "http://localhost:4000", APP]
    assert allowed("http://localhost:3000") == "http://localhost:3000"


def test_the_list_is_read_back_and_replaced_whole(module_app):
    cors = f"{module_app.project}/cors"
    before = module_app.sk.get(cors).json

    for origins in ([], ["https://a.example"], ["https://a.example:8443", "http://localhost:3000", "http://127.0.0.1"]):
        assert module_app.sk.put(cors, {"origins": origins}).json == {"origins": origins}
        assert module_app.sk.get(cors).json == {"origins": origins}
    module_app.sk.put(cors, before)


@pytest.mark.parametrize("origins", [
    ["https://a.example", "https://b.example", "https://c.example", "https://d.example"], ["*"], ["https://*"],
    ["https://*.example.com"], ["http://a.example"], ["a.example"], ["ftp://a.example"], ["https://"],
    ["https://a.example/"], ["https://a.example/path"], ["https://a.example?x"], ["https://user@a.example"], ["null"],
    [""], [5], "https://a.example", None, {}, ["https://a.example\r\nX: y"], ["javascript:alert(1)"],
], ids=str)
def test_a_list_outside_the_rules_is_refused(module_app, origins):
    cors = f"{module_app.project}/cors"
    before = module_app.sk.get(cors).json

    assert error(module_app.sk.put(cors, {"origins": origins})) == BAD_PARAMETERS
    assert module_app.sk.get(cors).json == before
