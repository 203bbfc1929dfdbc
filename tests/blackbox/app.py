# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's side of a box: a kept connection with a key, and short words for tables and keys. Asserts nothing
about what is tested; what a test needs and does not get raises Unexpected."""

import http.client
import itertools
import json
import os
import re
import ssl
import urllib.parse

ROW_ID = re.compile(r"[0-9a-f]{24}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SYSTEM_FIELDS = {"id", "createdBy", "createdAt", "updatedAt"}
NO_ROW = "0123456789abcdef01234567"
INVALID = (400, "data/validation-error")
BAD_PARAMETERS = (400, "common/invalid-parameters")
INVALID_REQUEST = (400, "auth/invalid-request")
UNAUTHORIZED = (401, "auth/unauthorized")
INVALID_TOKEN = (401, "auth/invalid-token")
DENIED = (403, "data/permission-denied")
NO_TABLE = (404, "data/table-not-found")
NOT_FOUND = (404, "common/not-found")
FORBIDDEN = (403, "auth/forbidden")
CONFLICT = (409, "common/conflict")
DUPLICATE = (409, "data/duplicate-value")


class Answer:
    """status, headers (a dict with lower-case names), body (bytes) and json (what the body holds, or None)"""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Unexpected(Exception):
    """A step that only prepares a test did not work."""


def error(answer):
    """(status, code) of an error answer, (status, None) of any other."""
    body = answer.json if isinstance(answer.json, dict) else {}
    inner = body.get("error")
    return answer.status, inner.get("code") if isinstance(inner, dict) else inner


def rules(answer):
    """[(field, rule)...] of a validation error."""
    return [(detail["field"], detail["rule"]) for detail in answer.json["details"]]


def without_id(answer):
    """An error's body without what differs between any two requests."""
    return {name: value for name, value in answer.json.items() if name != "requestId"}


def query(**parameters):
    """?a=b&..., objects and lists as JSON, as a client writes it."""
    pairs = [(name, value if isinstance(value, (str, bytes)) else json.dumps(value)) for name,
             value in parameters.items()]
    return "?" + urllib.parse.urlencode(pairs) if pairs else ""


class Client:
    """Requests with one key over one kept connection."""

    def __init__(self, box, key=None, user=None, source=None):
        """user: a User, whose access token goes along with every request that brings no Authorization of its own.
        source: the address of the client; each has its own count of refused credentials."""
        self.box, self.key, self.user, self.source, self.connection = box, key, user, source, None

    def request(self, method, path, body=None, headers=None):
        """headers: a dict or a list of pairs; a body of bytes is sent as it is, everything else as JSON."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
        names = {name.lower() for name, _ in pairs}
        if self.key is not None and "x-api-key" not in names:
            pairs.append(("X-API-Key", self.key))
        if self.user is not None and "authorization" not in names:
            pairs.append(("Authorization", f"Bearer {self.user.token}"))
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None and "content-type" not in names:
            pairs.append(("Content-Type", "application/json"))
        if data is not None or method in ("POST", "PATCH", "PUT"):
            pairs.append(("Content-Length", str(len(data or b""))))
        try:
            return self._exchange(method, path, pairs, data)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            self.close()  # a kept connection may have ended in the meantime; nothing was answered
            return self._exchange(method, path, pairs, data)

    def _exchange(self, method, path, pairs, data):
        if self.connection is None:
            self.connection = self.box.connect(source=self.source)
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in pairs:
            self.connection.putheader(name, value)
        self.connection.endheaders(data)
        response = self.connection.getresponse()
        answer = Answer(response, response.read())
        if response.will_close:
            self.close()
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.request("POST", path, body, **how)

    def put(self, path, body=None, **how):
        return self.request("PUT", path, body, **how)

    def patch(self, path, body=None, **how):
        return self.request("PATCH", path, body, **how)

    def delete(self, path, body=None, **how):
        return self.request("DELETE", path, body, **how)


class User:
    """A user who has signed up: id, email, password, token (the access token) and refresh. Requests as this user:
    user.pk, user.sk, or user.client(key)."""

    def __init__(self, app, email, password, pair):
        self.app, self.email, self.password = app, email, password
        self.id = pair["user"]["id"]
        self.take(pair)
        self.pk, self.sk = self.client(app.box.pk), self.client(app.box.sk)

    def take(self, pair):
        self.token, self.refresh = pair["accessToken"], pair["refreshToken"]

    @property
    def header(self):
        return {"Authorization": f"Bearer {self.token}"}

    def client(self, key):
        return Client(self.app.box, key, self)

    def sign_in(self):
        """A new session, whose tokens become the user's."""
        answer = self.app.pk.post("/v1/auth/email/signin", {"email": self.email, "password": self.password})
        if answer.status != 200:
            raise Unexpected(answer)
        self.take(answer.json)
        return self

    def set_role(self, role, roles=None):
        body = {"role": role} if roles is None else {"role": role, "roles": list(roles)}
        answer = self.app.sk.patch(f"/v1/users/{self.id}/role", body)
        if answer.status != 200:
            raise Unexpected(answer)
        return answer.json


class Table:
    """A table and its rows as the secret key sees them."""

    def __init__(self, app, made):
        self.app, self.made = app, made
        self.id, self.name = made["id"], made["tableName"]
        self.path, self.admin = f"/v1/data/{self.name}", f"/v1/admin/tables/{self.id}"

    def create(self, row, client=None):
        return (client or self.app.sk).post(self.path, row)

    def add(self, row=None):
        """The row as stored."""
        answer = self.create(row or {})
        if answer.status != 201:
            raise Unexpected(answer)
        return answer.json

    def read(self, row_id, client=None):
        return (client or self.app.sk).get(f"{self.path}/{row_id}")

    def update(self, row_id, change, client=None):
        return (client or self.app.sk).patch(f"{self.path}/{row_id}", change)

    def delete(self, row_id, client=None):
        return (client or self.app.sk).delete(f"{self.path}/{row_id}")

    def list(self, client=None, **parameters):
        return (client or self.app.sk).get(self.path + query(**parameters))

    def policy(self, **members):
        return self.app.sk.put(f"{self.admin}/policy", members)

    def indexes(self, *definitions, remove=()):
        return self.app.sk.post(f"{self.admin}/indexes",
                                {"indexesToAddOrUpdate": list(definitions), "indexesToRemove": list(remove)})


class App:
    """The bootstrap project of a box. Requests of tests that only share the box are not to be counted against its
    ordinary rate, so it is raised there; test_api_limits.py has boxes with the ordinary one. Nor do they wait half a minute from
    the mail of a sign-up to the next one; tests/unit/api_codes_test.c does, by a clock of its own."""

    def __init__(self, box, requests_per_minute=None):
        self.box = box
        self.sk, self.pk, self.nobody = Client(box, box.sk), Client(box, box.pk), Client(box)
        self.numbers = itertools.count(1)
        self.project = f"/v1/admin/projects/{box.project}"
        if requests_per_minute is not None:
            self.settings(requestsPerMinute=requests_per_minute, mailsPerHalfMinute=5)

    def settings(self, **settings):
        answer = self.sk.patch(self.project, {"settings": settings})
        if answer.status != 200:
            raise Unexpected(answer)
        return answer.json

    def name(self, word="t"):
        return f"{word}{next(self.numbers)}"

    def table(self, schema=None, name=None, **members):
        answer = self.sk.post("/v1/admin/tables", dict({"tableName": name or self.name(), "schema": schema or {}},
                                                       **members))
        if answer.status != 201:
            raise Unexpected(answer)
        return Table(self, answer.json)

    def user(self, role="user", roles=(), email=None, password="abc123", name="A user"):
        """A new User of the bootstrap environment, with a role and custom roles."""
        email = email or f"{self.name('user')}-{os.getpid()}@example.com"
        answer = self.pk.post("/v1/auth/email/signup", {"email": email, "password": password, "name": name})
        if answer.status != 201:
            raise Unexpected(answer)
        made = User(self, email, password, answer.json)
        if role != "user" or roles:
            made.set_role(role, roles)
        return made

    def make_key(self, kind="publishable", **members):
        """The answer's JSON, with the value."""
        answer = self.sk.post("/v1/admin/api-keys", dict({"name": self.name("key"), "type": kind}, **members))
        if answer.status != 201:
            raise Unexpected(answer)
        return answer.json

    def client(self, kind="publishable", **members):
        return Client(self.box, self.make_key(kind, **members)["value"])
