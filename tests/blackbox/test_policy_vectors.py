# SPDX-License-Identifier: GPL-3.0-or-later
"""Every vector of contract 3.9 and 9.1 through the real API, by every kind of requester: tests/data/policy_vectors.json,
which the unit test of the evaluator and the reference read as well. What its members mean stands there under "shape"."""

import json

import pytest
from app import NO_ROW, Client, error, query, without_id
from conftest import ROOT
from forge import public_point, unsigned, with_mac

DATA = json.loads((ROOT / "tests/data/policy_vectors.json").read_text())
READING = ("read", "list", "spec")


class Asker:
    """A requester of the vectors: a client, and the id that its rows have."""

    def __init__(self, client, user_id="", header=None):
        self.client, self.id, self.header = client, user_id, header

    def ask(self, op, path, row_id=None, body=None, parameters=None):
        one = f"{path}/{row_id}"
        method, target = {"list": ("GET", path), "read": ("GET", one), "create": ("POST", path), "update": ("PATCH", one),
                          "delete": ("DELETE", one), "spec": ("GET", f"{path}/spec")}[op]
        sent = body if op in ("create", "update") else None
        return self.client.request(method, target + query(**(parameters or {})), sent, headers=self.header)


@pytest.fixture(scope="module")
def askers(app):
    users = {"uA": app.user(), "uB": app.user(), "uM": app.user(roles=["moderator"]), "uR": app.user(role="guest"),
             "uJ": app.user(role="admin")}
    made = {"G": Asker(app.pk), "S": Asker(app.sk),
            "S for A": Asker(app.sk, users["uA"].id, {"X-On-Behalf-Of": users["uA"].id})}
    for label in "AMRJ":
        user = users[f"u{label}"]
        made[label] = Asker(user.pk, user.id)
    made["users"] = users
    return made


@pytest.fixture(scope="module")
def bound(askers):
    """A value with the users' ids in place of uA, uB..."""
    ids = {name: user.id for name, user in askers["users"].items()}

    def bind(value):
        if isinstance(value, dict):
            return {name: bind(each) for name, each in value.items()}
        if isinstance(value, list):
            return [bind(each) for each in value]
        return ids.get(value, value) if isinstance(value, str) else value
    return bind


def add_row(app, table, row, owner):
    fields = {name: value for name, value in row.items() if name != "createdBy"}
    headers = {"X-On-Behalf-Of": owner} if owner else None
    answer = app.sk.request("POST", table.path, fields, headers=headers)
    assert (answer.status, answer.json["createdBy"]) == (201, owner), answer
    return answer.json["id"]


@pytest.fixture(scope="module")
def tables(app, askers, bound):
    """A table of a policy with the rows of a vector; one that nobody changes is shared."""
    shared = {}

    def make(vector, who):
        data = vector.get("data", "plain")
        name = vector.get("table", "items")
        members = dict(DATA["policies"][vector["policy"]], name=app.name(name), system=name.startswith("_"))
        table = app.table(DATA["schemas"][data], **members)
        owner = askers[who].id or askers["A"].id
        table.labels = {label: add_row(app, table, bound(row), owner if row["createdBy"] == "$self" else
                                       bound(row["createdBy"])) for label, row in DATA["data"][data].items()}
        return table

    def get(vector):
        requests = [vector] + vector.get("then", [])
        if any(request["op"] not in READING for request in requests):
            return make(vector, vector["who"])
        place = vector["policy"], vector.get("data"), vector["table"], vector["who"]
        if place not in shared:
            shared[place] = make(vector, vector["who"])
        return shared[place]
    return get


def expected_labels(table, rows, own):
    return {"all": set(table.labels), "own": own}.get(rows) if isinstance(rows, str) else set(rows)


def check_list(table, request, answer, own):
    labels = {row_id: label for label, row_id in table.labels.items()}
    items = {labels[item["id"]]: item for item in answer.json["items"]}
    if "rows" in request:
        assert set(items) == expected_labels(table, request["rows"], own)
        assert answer.json["pagination"]["total"] == len(items)
    for field, where in request.get("shown_on", {}).items():
        assert {label for label, item in items.items() if field in item} == expected_labels(table, where, own), field


def check_members(request, body, bound):
    assert set(request.get("shown", [])) <= set(body)
    assert not set(request.get("hidden", [])) & set(body)
    if "exact" in request:
        assert set(body) == set(request["exact"])
    for name, value in request.get("values", {}).items():
        assert body[name] == bound(value), name


def carry_out(app, table, askers, bound, request, made):
    """Asks and checks; answers the body."""
    asker = askers[request["who"]]
    path = table.path if table else f"/v1/data/{request['table']}"
    rows = dict(table.labels if table else {}, none=NO_ROW, made=made)
    row_id = rows.get(request["row"])
    how = {"body": bound(request.get("body", {"title": "n"})), "parameters": bound(request.get("query"))}
    own = {label for label, row in DATA["data"][request.get("data", "plain")].items()
           if row["createdBy"] == "$self" or (bound(row["createdBy"]) == asker.id != "")}

    answer = asker.ask(request["op"], path, row_id, **how)

    assert error(answer) == (request["status"], request.get("code")), answer
    if request["op"] == "list" and answer.status == 200:
        check_list(table, request, answer, own)
    elif answer.status < 300:
        check_members(request, answer.json, bound)
    if "body_exact" in request:
        assert answer.json == request["body_exact"]
    if "same_as_row" in request:
        other = asker.ask(request["op"], path, rows[request["same_as_row"]], **how)
        assert (without_id(answer), answer.status) == (without_id(other), other.status)
    if "after" in request:
        stored = app.sk.get(f"{path}/{row_id}").json
        assert {name: stored.get(name) for name in request["after"]} == bound(request["after"])
    return answer.json


def name_of(vector):
    return f"{vector['n']}_{vector.get('policy')}_{vector.get('who')}_{vector['op']}_{vector.get('row')}"


@pytest.mark.parametrize("vector", DATA["vectors"], ids=name_of)
def test_vectors_of_the_contract(app, askers, bound, tables, vector):
    table = None if vector["table"] == "users" else tables(vector)

    made = carry_out(app, table, askers, bound, vector, None).get("id")

    for request in vector.get("then", []):
        carry_out(app, table, askers, bound, dict(request, data=vector.get("data", "plain")), made)


@pytest.mark.parametrize("vector", DATA["rejected"], ids=lambda vector: json.dumps(vector["policy"]))
def test_policies_that_the_contract_refuses(app, vector):
    table = app.table()

    assert error(table.policy(**vector["policy"])) == (400, "data/validation-error")
    assert error(app.sk.post("/v1/admin/tables", dict({"tableName": app.name()}, **vector["policy"])))[0] == 400


# --- key scopes ---

@pytest.fixture(scope="module")
def scoped(app, askers, bound):
    """`posts` and `tags` under P0 with the plain rows, and keys by kind and scopes."""
    made = {}
    for name in ("posts", "tags"):
        table = made[name] = app.table(name=name)
        table.labels = {label: add_row(app, table, {"title": row["title"]}, askers["A"].id if row["createdBy"] == "$self"
                                       else bound(row["createdBy"])) for label, row in DATA["data"]["plain"].items()}
    made["keys"] = {}
    return made


def scoped_client(app, scoped, askers, vector):
    kind, scopes = vector["key"], vector["scopes"]
    place = kind, json.dumps(scopes)
    if place not in scoped["keys"]:
        scoped["keys"][place] = app.make_key("secret" if kind == "sk" else "publishable",
                                             **({} if scopes is None else {"scopes": scopes}))["value"]
    user = askers["users"].get("u" + vector["who"])
    return Client(app.box, scoped["keys"][place], user)


@pytest.mark.parametrize("vector", DATA["scopes"], ids=name_of)
def test_vectors_of_key_scopes(app, askers, scoped, vector):
    client = scoped_client(app, scoped, askers, vector)
    table = scoped.get(vector["table"])
    if table is not None and vector["op"] == "delete":
        row_id = table.add({"title": "d"})["id"]
    else:
        row_id = (table.labels if table else {}).get(vector["row"], NO_ROW)

    answer = Asker(client).ask(vector["op"], f"/v1/data/{vector['table']}", row_id, {"title": "n"})

    assert error(answer) == (vector["status"], vector.get("code")), answer


# --- credentials ---

def token_of(app, words):
    """The access token that a vector means by its words."""
    user = app.user()
    if words == "alg none":
        return unsigned(user.token, alg="none")
    if words.startswith("HS256"):
        return with_mac(user.token, "HS256", b"\x04" + public_point(app, user.token))
    if words == "refresh token":
        return user.refresh
    if words == "signed out":
        assert user.pk.post("/v1/auth/signout").status == 200
    for change in words.split(", then ")[1:]:
        user.set_role(change.split(" ")[-1])
    return user.token


KEYS = {"pk_ and 63 digits": "pk_" + "0" * 63, "xk_ and 64 digits": "xk_" + "0" * 64, "unknown": "pk_" + "0" * 64}
# These need a clock that moves, or a key of another environment: 123 to 125 are in tests/unit/api_policy_test.c, which asks
# the same handlers, 129 is in test_api_keys.py.
ELSEWHERE = (123, 124, 125, 129)


@pytest.mark.parametrize("vector", [each for each in DATA["credentials"] if each["n"] not in ELSEWHERE],
                         ids=lambda vector: f"{vector['n']}_{vector['key']}_{vector['jwt']}")
def test_vectors_of_credentials(app, vector):
    headers = {}
    if vector["key"] == "sk in Authorization":
        headers["Authorization"] = f"Bearer {app.box.sk}"
    elif vector["key"] is not None:
        headers["X-API-Key"] = app.make_key(scopes=vector["scopes"])["value"] if "scopes" in vector else \
            {"pk": app.box.pk, "sk": app.box.sk}.get(vector["key"]) or KEYS[vector["key"]]
    if vector["jwt"] is not None:
        headers["Authorization"] = f"Bearer {token_of(app, vector['jwt'])}"
    table = app.table()
    row = table.add({"title": "x"})

    if vector["op"] == "signin":
        answer = app.nobody.post("/v1/auth/email/signin", {"email": "nobody@example.com", "password": "wrong-1"},
                                 headers=headers)
    else:
        answer = Asker(app.nobody, header=headers).ask(vector["op"], table.path, row["id"])

    assert error(answer) == (vector["status"], vector.get("code")), answer


# --- the same connection for many ---

def test_attack_03_users_take_turns_on_one_connection(app, askers, bound):
    """What one requester may see is not what the next on the connection sees, in whatever order they come."""
    table = app.table({"title": {"type": "string"}, "mail": {"type": "string"}},
                      permissions={"user": {"create": True}, "self": {"read": True, "list": True, "update": True}, "guest": {}},
                      columnPermissions={"mail": {"read": "role:moderator"}})
    rows = {label: add_row(app, table, {"title": label, "mail": "m"}, askers[label].id) for label in "AMR"}
    shared = Client(app.box, app.box.pk)
    path = table.path

    for label in "AMRAGRMJMAGJRA":
        headers = askers["users"][f"u{label}"].header if label != "G" else None
        listed = shared.get(path, headers=headers)
        reads = {other: shared.get(f"{path}/{row_id}", headers=headers).status for other, row_id in rows.items()}
        if label == "G":
            assert listed.status == 403 and set(reads.values()) == {403}
            continue
        assert {item["title"] for item in listed.json["items"]} == (set("AMR") if label == "J" else {label})
        assert reads == {other: 200 if label in (other, "J") else 403 for other in "AMR"}
        assert all(("mail" in item) == (label in "MJ") for item in listed.json["items"])


def test_attack_03_a_role_given_or_taken_counts_for_the_next_request(app):
    table = app.table(expressionPermissions={"read": "role:editor", "list": "role:editor"})
    row = table.add({"title": "x"})
    user = app.user()

    for _ in range(3):
        assert table.read(row["id"], user.pk).status == 403
        user.set_role("user", ["editor"])
        assert table.read(row["id"], user.pk).status == 200
        assert table.list(user.pk).json["pagination"]["total"] == 1
        user.set_role("user", [])


# --- column rules and rows of one's own ---

def test_attack_07_nobody_writes_a_row_in_anothers_name(app, askers):
    table = app.table(permissions={"user": {"create": True, "update": True, "read": True}})
    victim = askers["users"]["uB"]

    made = table.create({"createdBy": victim.id, "title": "x"}, askers["A"].client)
    changed = table.update(made.json["id"], {"createdBy": victim.id}, askers["A"].client)

    assert made.json["createdBy"] == changed.json["createdBy"] == askers["A"].id
    assert error(askers["A"].client.request("POST", table.path, {}, headers={"X-On-Behalf-Of": victim.id})) == (
        403, "auth/forbidden")


def test_attack_01_a_column_of_owners_matches_own_rows_alone(app, askers):
    table = app.table({"title": {"type": "string"}, "phone": {"type": "string"}},
                      permissions={"user": {"create": True, "read": True, "list": True}},
                      columnPermissions={"phone": {"read": "self"}})
    own = add_row(app, table, {"title": "mine", "phone": "1"}, askers["A"].id)
    add_row(app, table, {"title": "theirs", "phone": "1"}, askers["users"]["uB"].id)
    asker = askers["A"].client

    for parameters in ({"andFilters": {"phone": "1"}}, {"andFilters": {"phone": {"$ne": "2"}}}, {"search": "1"},
                       {"search": "1", "searchType": "phone"}, {"andFilters": {"phone": {"$exists": True}}}):
        answer = table.list(asker, **parameters)
        assert [item["id"] for item in answer.json["items"]] == [own], parameters
        assert answer.json["pagination"]["total"] == 1
    assert error(table.list(asker, sortBy="phone"))[0] == 403


def test_an_owners_list_pages_and_sorts_over_own_rows_alone(app, askers):
    filters = [{"expression": "self", "filter": {"n": {"$gte": 2}}}]
    table = app.table({"n": {"type": "int"}}, permissions={"user": {"create": True, "list": True}}, rowFilters=filters)
    for n in range(6):
        add_row(app, table, {"n": n}, askers["A"].id)
        add_row(app, table, {"n": n}, askers["users"]["uB"].id)

    for parameters, expected in (({"limit": 2}, [5, 4]), ({"limit": 2, "page": 2}, [3, 2]), ({"limit": 2, "page": 3}, []),
                                 ({"sortBy": "n", "sortDirection": "asc"}, [2, 3, 4, 5])):
        answer = table.list(askers["A"].client, **parameters)
        assert [item["n"] for item in answer.json["items"]] == expected
        assert answer.json["pagination"]["total"] == 4
        assert {item["createdBy"] for item in answer.json["items"]} <= {askers["A"].id}
