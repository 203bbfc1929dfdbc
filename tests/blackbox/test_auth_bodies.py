# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that nobody's form sends, to every endpoint of contract 5 that takes one, and to those of operators: from the table of
endpoints, so that a new line is asked too. Objects where a text belongs, members that are not the requester's to set, members
twice, addresses that look like another."""

import itertools
import json
import re

import pytest
from endpoints import WHO, Places, problem, read_table

from app import Client, error, query

ENDPOINTS, SHAPES = read_table()
OURS = re.compile(r"/v1/(auth|users|admin/auth|admin/operators)(/|$)")
BODIES = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None and OURS.match(endpoint.pattern)]
SOURCES = itertools.count()
NOT_FOR_THEM = {"auth/unauthorized", "auth/forbidden", "user/unauthorized", "user/forbidden", "data/project-access-denied"}

TEXTS = [{"$ne": None}, {"$gt": ""}, {"$regex": ".*"}, ["abc123"], [], 7, True]  # where a text belongs
BOOLS = [{"$ne": None}, "true", 1, []]
# Members that no body of these gives anybody, but for those that a line names itself.
MARK = "22222222-2222-4222-8222-222222222222"
MORE = {"id": MARK, "userId": MARK, "createdBy": MARK, "invitedBy": MARK, "role": "admin", "roles": ["massassigned"],
        "emailVerified": "2001-01-01T00:00:00.000Z", "verified": True, "banned": True, "mfaEnabled": True, "mfa": True,
        "createdAt": "2001-01-01T00:00:00.000Z", "updatedAt": "2001-01-01T00:00:00.000Z", "passwordHash": "x", "salt": "x",
        "__proto__": {"role": "admin"}, "constructor": {"prototype": {"role": "admin"}}, "$set": {"role": "admin"},
        "$where": "1", "user": {"role": "admin"}, "group": "admin", "scopes": None, "projectId": MARK, "environment": "prod"}
# What a requester of that line may set though its body does not.
THEIRS = {"POST /v1/users": {"role", "roles"}, "PATCH /v1/users/:id/role": {"role", "roles"},
          "PATCH /v1/users/:id/ban": {"banned"}}
# Not ASCII, or not one address: none of them is stored as, or looks like, ada@example.com.
LOOKALIKES = ["\u0430da@example.com", "ada@ex\u0430mple.com", "ada\u200b@example.com", "ada@example.com\u200e", "\uff41da@example.com",
              "ada\uff20example.com", "ad\u0101@example.com", "ada@e\u0301xample.com", "ADM\u0130N@example.com", "ada@example\u3002com",
              "ada@example.com.", "ada@@example.com", "a da@example.com", "ada@example.com,b@example.com", "ada@example.com\u0000",
              "ada@-example.com", "@example.com", "ada@", "ada@localhost", "\"a b\"@example.com", "<ada@example.com>", "x" * 65 + "@example.com",
              "ada@" + "x" * 64 + ".com", "ada@" + ".".join(["x" * 60] * 5) + ".com"]


@pytest.fixture(scope="module")
def places(module_app):
    """On a box of this file's own, which has an operator."""
    made = Places(module_app)
    yield made
    made.close()


def asker(endpoint):
    """Whom it serves; or, if the body of the line is refused to all, whom it looks at."""
    own = [who for who in [*WHO, "operator"] if who in endpoint.expected]
    served = [who for who in own if endpoint.expected[who] < "4"]
    heard = [who for who in own if endpoint.expected[who].split()[1] not in NOT_FOR_THEM]
    return (served or heard)[0]


def elsewhere(places):
    """With the publishable key from one of many addresses, in turn: an address may check 30 accounts a minute."""
    return Client(places.app.box, places.app.box.pk, source=f"127.0.9.{1 + next(SOURCES) % 16}")


def send(places, endpoint, body):
    """The endpoint with another body: bytes, or an object."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    if endpoint.pattern.endswith("/accounts/check"):
        client = elsewhere(places)
        answer = client.request(endpoint.method, endpoint.target, body)
        client.close()
        return answer
    return places.ask(endpoint, asker(endpoint), body)


def filled(places, endpoint):
    return json.loads(places.fill(endpoint.body))


def ids(endpoint):
    return endpoint.name


@pytest.mark.parametrize("endpoint", BODIES, ids=ids)
def test_attack_08_a_member_of_another_kind_is_refused(places, endpoint):
    accepted = {}

    for name, value in filled(places, endpoint).items():
        for other in BOOLS if isinstance(value, bool) else TEXTS:
            answer = send(places, endpoint, {**filled(places, endpoint), name: other})
            if answer.status != 400:
                accepted[f"{name} {other}"] = answer

    assert accepted == {}


@pytest.mark.parametrize("body", [{"method": "magiclink"}, {"method": "magiclink", "callbackUrl": None},
                                  {"method": "magiclink", "callbackUrl": ""}], ids=str)
@pytest.mark.parametrize("route", ["signup", "signin"])
def test_attack_08_a_link_leads_to_no_object_and_a_refused_one_is_not_counted(places, route, body):
    email, answers = {"email": places.email()}, {}

    for other in TEXTS:
        answers[str(other)] = places.app.pk.post(f"/v1/auth/email/{route}", {**body, **email, "callbackUrl": other})

    assert {other: answer for other, answer in answers.items() if error(answer) != (400, "auth/invalid-request")} == {}
    sent = places.app.pk.post(f"/v1/auth/email/{route}", {**body, **email})  # the next mail would be one too many for half a minute
    assert sent.status == {"signup": 201, "signin": 200}[route]


@pytest.mark.parametrize("endpoint", BODIES, ids=ids)
def test_attack_07_no_body_sets_more_than_is_the_requesters_to_set(places, endpoint):
    body = filled(places, endpoint)
    more = {name: value for name, value in MORE.items() if name not in body and name not in THEIRS.get(endpoint.name, ())}
    before = places.app.sk.get(f"/v1/users/{places.one.id}").json

    answer = send(places, endpoint, {**body, **more})

    strict = endpoint.pattern.startswith("/v1/admin/operators") and error(answer) == (400, "common/invalid-parameters")
    assert strict or problem(answer, endpoint.expected[asker(endpoint)], SHAPES) is None, answer
    assert MARK.encode() not in answer.body and b"massassigned" not in answer.body and b"2001-" not in answer.body
    after = places.app.sk.get(f"/v1/users/{places.one.id}").json
    untouched = set(before) - {"updatedAt", "name", "onboardingStatus"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_attack_07_nobody_became_more_than_a_user(places):
    """After all of the above, in whatever order: of everybody there is, made by those bodies or before them."""
    page, seen = 1, []
    for endpoint in BODIES:  # also when this test runs alone
        send(places, endpoint, {**filled(places, endpoint), **{name: value for name, value in MORE.items()
                                                               if name not in THEIRS.get(endpoint.name, ())}})

    while page is not None:
        answer = places.app.sk.get("/v1/users" + query(limit="100", page=str(page))).json
        seen += answer["items"]
        page = page + 1 if answer["pagination"]["hasNext"] else None

    assert {user["id"] for user in seen if user["role"] == "admin"} == {places.administrator.id}
    assert [user for user in seen if user["id"] == MARK or "massassigned" in user["roles"] or user["mfaEnabled"] or
            user["emailVerified"] is not None or user["createdAt"].startswith("2001")] == []
    operators = places.ask(next(endpoint for endpoint in ENDPOINTS if endpoint.name == "GET /v1/admin/operators"), "operator").json
    assert [one for one in operators["items"] if one["id"] == MARK] == []


@pytest.mark.parametrize("endpoint", BODIES, ids=ids)
def test_attack_07_a_member_that_is_there_twice_makes_no_body(places, endpoint):
    accepted = {}

    for name, value in filled(places, endpoint).items():
        text = json.dumps(filled(places, endpoint))
        for last in (value, "other"):
            answer = send(places, endpoint, f'{text[:-1]},{json.dumps(name)}:{json.dumps(last)}}}'.encode())
            if answer.status != 400:
                accepted[f"{name} {last}"] = answer
    hidden = send(places, endpoint, f'{json.dumps(filled(places, endpoint))[:-1]},"a":{{"b":1,"b":2}}}}'.encode())

    assert accepted == {} and hidden.status == 400


@pytest.mark.parametrize("endpoint", BODIES, ids=ids)
def test_a_body_that_is_no_object_is_refused(places, endpoint):
    wrong = [b"[]", b"null", b'"x"', b"7", b"{", b'{"a":1}x', b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b"[" * 100]

    answers = {body: send(places, endpoint, body) for body in wrong}

    assert {body: answer for body, answer in answers.items() if answer.status != 400} == {}


def with_addresses():
    return [(endpoint, name) for endpoint in BODIES for name in json.loads(re.sub(r"\{[a-z]+\}", "x", endpoint.body))
            if name in ("email", "providerAccountId")]


@pytest.mark.parametrize("endpoint, name", with_addresses(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_attack_08_an_address_that_looks_like_another_is_none(places, endpoint, name):
    wanted = {(400, "auth/invalid-email"), (400, "auth/invalid-request"), (400, "user/invalid-request"), (400, "common/invalid-parameters")}

    answers = {address: send(places, endpoint, {**filled(places, endpoint), name: address}) for address in LOOKALIKES}

    assert {address: answer for address, answer in answers.items() if error(answer) not in wanted} == {}


def test_attack_08_an_address_is_one_whatever_its_case_and_the_space_around_it(places):
    app, user = places.app, places.app.user(email="Case.Test@Example.COM")
    shouted = " \tCASE.test@EXAMPLE.com \r\n"

    assert user.pk.get("/v1/auth/me").json["email"] == "case.test@example.com"
    assert app.pk.post("/v1/auth/email/signin", {"email": shouted, "password": user.password}).status == 200
    for taken in (app.pk.post("/v1/auth/email/signup", {"email": shouted, "password": "abc123", "name": "A"}),
                  app.sk.post("/v1/users", {"email": shouted, "name": "A"})):
        assert error(taken) == (409, "auth/email-already-exists")
    check = {"type": "credentials", "provider": "email", "providerAccountId": shouted}
    assert elsewhere(places).post("/v1/auth/accounts/check", check).json["exists"] is True
    sent = places.administrator.pk.post("/v1/auth/invitations", {
        "resourceType": "project", "resourceId": app.box.project, "resourceRole": "member", "email": shouted})
    assert sent.status == 201 and sent.json["email"] == "case.test@example.com"
