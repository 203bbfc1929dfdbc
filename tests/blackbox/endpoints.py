# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads tests/data/endpoints.txt, whose head says what its lines mean, and the route table; asks endpoints as every kind of
requester. Asserts nothing: problem() says what is wrong with an answer."""

import json
import re

from app import Client, Unexpected, error, query
from conftest import ROOT
from forge import new_key, with_own_signature
from mails import made_user, mails_to, new_email

FILE = ROOT / "tests/data/endpoints.txt"
WHO = ["pk", "user", "admin", "sk"]                   # the columns of a line
ALWAYS = ["nothing", "no key", "elsewhere", "stranger", "forged", "locked", "operator"]  # those of its group
OPERATOR = {"email": "root@example.com", "password": "Correct-horse-battery-7"}
ABSENT = "11111111-1111-4111-8111-111111111111"
ROUTE = re.compile(r"\{\s*HTTP_([A-Z]+),\s*\"(/[^\"]*)\"")
PLACE = re.compile(r"\{([a-z]+)\}")
ERROR_MEMBERS = {"success", "statusCode", "error", "message", "errorCode", "requestId"}
PAGINATION_MEMBERS = {"total", "page", "limit", "totalPages", "hasNext", "hasPrev"}
SOURCES = 8  # addresses that requests come from: refused credentials are counted by address


class Endpoint:
    """One line: method, pattern, target, body (JSON text or None), changes (whoever asks), expected (who -> outcome)."""

    def __init__(self, number, group, words):
        name, target, body, *outcomes = words
        self.method, self.pattern = name.split()
        self.changes = target.endswith("!")
        self.target = target.rstrip("!") or self.pattern
        self.body = None if body == "-" else body
        own = [*WHO, "operator"] if "*" in group else WHO
        self.expected = dict(zip(own, outcomes, strict=True))
        for who, outcome in zip(ALWAYS, group, strict=True):
            self.expected.setdefault(who, self.expected[outcome[1:]] if outcome.startswith("=") else outcome)
        self.source = f"127.0.8.{1 + number % SOURCES}"

    @property
    def name(self):
        return f"{self.method} {self.pattern}"

    def __repr__(self):
        return self.name


def read_table():
    """(endpoints, shapes: name -> set of members)"""
    endpoints, shapes, group = [], {}, None
    for line in FILE.read_text().splitlines():
        words = [word.strip() for word in line.split("|")]
        if not line.strip() or line.startswith("#"):
            continue
        if words[0].startswith("shape "):
            shapes[words[0].split()[1]] = set(words[1].split())
        elif words[0].startswith("group "):
            group = words[1:]
        else:
            endpoints.append(Endpoint(len(endpoints), group, words))
    return endpoints, shapes


def routes_of_the_program():
    """[METHOD pattern...] as the route table has them, which is data: a row begins with its method and its pattern."""
    text = "".join(path.read_text() for path in sorted((ROOT / "firmware/api").glob("routes*.c")))
    rows = text.count("{HTTP_")
    found = [f"{method} {pattern}" for method, pattern in ROUTE.findall(text)]
    if rows != len(found) or not found:
        raise Unexpected(f"{rows} rows, {len(found)} of them understood")
    return found


def fits(pattern, target):
    """Whether a target asks the route of a pattern."""
    names, values = pattern.split("/"), target.split("?")[0].split("/")
    return len(names) == len(values) and all(name[:1] in (":", "~") or name == value for name, value in zip(names, values))


def problem(answer, outcome, shapes):
    """None if the answer has the status, code and members of an outcome, else both in words."""
    status, word = outcome.split()
    body = answer.json if isinstance(answer.json, dict) else {}
    if status >= "400":
        right = error(answer) == (int(status), word) and set(body) - {"details"} == ERROR_MEMBERS and \
            body["statusCode"] == answer.status and body["success"] is False and body["message"] == body["error"]["message"]
    elif word.startswith("page:"):
        right = set(body) == {"items", "pagination"} and set(body["pagination"]) == PAGINATION_MEMBERS and \
            body["items"] and all(set(item) in [shapes[name] for name in word[5:].split("/")] for item in body["items"])
    else:
        right = set(body) == shapes[word]
    return None if right and answer.status == int(status) else f"{answer} is not {outcome}"


class Places:
    """Who asks, and what a name in braces stands for: the method of that name is called for each request that has it."""

    def __init__(self, app):
        self.app, self.clients, self.issuer = app, {}, None
        self.one, self.administrator = app.user(), app.user(role="admin")
        self.shared = app.table(permissions={"guest": {"list": True, "read": True},
                                             "user": {"create": True, "list": True, "read": True}})
        self.shared.add({"a": 1})
        self.forged = with_own_signature(self.one.token, new_key())
        made = app.nobody.post("/v1/admin/auth/setup", dict(OPERATOR, setupCode=app.box.report["setupCode"], name="Root"))
        if made.status != 201:
            raise Unexpected(made)
        self.operator = self.new_operator_session()
        self.stranger = self.new_stranger()
        self.other_operator = None

    def new_operator_session(self):
        answer = self.app.nobody.post("/v1/admin/auth/signin", OPERATOR)
        if answer.status != 200:
            raise Unexpected(answer)
        return answer.json["accessToken"]

    def new_stranger(self):
        """The access token of a user of another environment, which an operator makes, with a key for it."""
        place = {"projectId": self.app.box.project, "environment": "elsewhere"}
        owner = Client(self.app.box)
        for path, body in (("environments", {"environmentType": "custom"}), ("api-keys", {"name": "there", "type": "publishable"})):
            made = owner.post(f"/v1/admin/{path}", {**place, **body}, headers={"Authorization": f"Bearer {self.operator}"})
            if made.status != 201:
                raise Unexpected(made)
        signed_up = Client(self.app.box, made.json["value"]).post(
            "/v1/auth/email/signup", {"email": self.one.email, "password": "abc123", "name": "There"})
        if signed_up.status != 201:
            raise Unexpected(signed_up)
        return signed_up.json["accessToken"]

    def fill(self, text):
        return PLACE.sub(lambda found: str(getattr(self, found.group(1))()), text)

    def absent(self):
        return ABSENT

    def table(self):
        return self.shared.name

    def oidc(self):
        """A provider that is configured and not enabled."""
        if not self.issuer:
            self.issuer = "corp"
            answer = self.app.sk.put(f"/v1/admin/auth-providers/{self.issuer}",
                                     {"issuer": "https://id.example", "clientId": "box", "enabled": False})
            if answer.status != 200:
                raise Unexpected(answer)
        return self.issuer

    def tableid(self):
        return self.shared.id

    def newtable(self):
        return self.app.table().id

    def row(self):
        return self.shared.add({"a": 1})["id"]

    def user(self):
        return self.one.id

    def useremail(self):
        return self.one.email

    def other(self):
        email = made_user(self.app)
        return self.app.sk.get("/v1/users" + query(search=email, searchType="email")).json["items"][0]["id"]

    def email(self):
        return new_email(self.app, "endpoint")

    def name(self):
        return self.app.name("endpoint")

    def project(self):
        return self.app.box.project

    def colleague(self):
        """The id of another operator, who is one for all requests: making one hashes a password."""
        if self.other_operator is None:
            made = Client(self.app.box).post("/v1/admin/operators", {**OPERATOR, "email": self.email(), "name": "Grace", "role": "member"},
                                             headers={"Authorization": f"Bearer {self.operator}"})
            if made.status != 201:
                raise Unexpected(made)
            self.other_operator = made.json["id"]
        return self.other_operator

    def newproject(self):
        made = Client(self.app.box).post("/v1/admin/projects", {"slug": self.name(), "name": "Made"},
                                         headers={"Authorization": f"Bearer {self.operator}"})
        if made.status != 201:
            raise Unexpected(made)
        return made.json["id"]

    def organization(self):
        return self.app.sk.get(self.app.project).json["organizationId"]

    def environment(self):
        return self.app.sk.get("/v1/admin/environments").json["items"][0]["id"]

    def key(self):
        return self.app.make_key()["id"]

    def sent(self):
        """The id of an invitation that {user} sent, with the secret key."""
        made = self.one.sk.post("/v1/auth/invitations", {"resourceType": "project", "resourceId": self.project(),
                                                         "resourceRole": "member", "email": self.email()})
        if made.status != 201:
            raise Unexpected(made)
        return made.json["id"]

    def sentto(self):
        self.sent()
        return self.project()

    def mail(self):
        return mails_to(self.app, self.one.email)[0]["id"]

    def client(self, endpoint, who):
        user = {"user": self.one, "admin": self.administrator, "elsewhere": self.one}.get(who)
        if endpoint.changes and who in ("user", "admin"):
            user = self.app.user(role=who)
        box, source = self.app.box, endpoint.source if who in ALWAYS else None
        made = Client(box, {"nothing": None, "no key": None, "operator": None, "sk": box.sk}.get(who, box.pk), user, source)
        return self.clients.setdefault((made.key, user and user.id, source), made)

    def ask(self, endpoint, who, body=None):
        """body: bytes, instead of that of the line."""
        operator = self.new_operator_session() if endpoint.changes and who == "operator" else self.operator
        headers = {"no key": self.one.header, "elsewhere": {"X-Environment": "elsewhere"},
                   "stranger": {"Authorization": f"Bearer {self.stranger}"},
                   "forged": {"Authorization": f"Bearer {self.forged}"},
                   "operator": {"Authorization": f"Bearer {operator}"}}.get(who)
        if body is None and endpoint.body is not None:
            body = self.fill(endpoint.body).encode()
        return self.client(endpoint, who).request(endpoint.method, self.fill(endpoint.target), body, headers=headers)

    def close(self):
        for client in self.clients.values():
            client.close()
