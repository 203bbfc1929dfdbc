# SPDX-License-Identifier: GPL-3.0-or-later
"""Every endpoint for every kind of requester, from one table: tests/data/endpoints.txt. Status, code and members of each
answer; what an endpoint does is the business of the other files."""

import json
import re
from collections import Counter

import pytest
from app import Client, error
from endpoints import ABSENT, ALWAYS, PLACE, WHO, Places, fits, problem, read_table, routes_of_the_program

ENDPOINTS, SHAPES = read_table()
RESERVED = {"data", "auth", "users", "files", "admin", "mcp", "storage", "health", "system", "batch", "openapi.json", "healthz"}


@pytest.fixture(scope="module")
def places(module_app):
    """On a box of this file's own, which has an operator."""
    made = Places(module_app)
    yield made
    made.close()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_answers_each_requester_as_the_table_says(places, endpoint):
    asked = WHO + [who for who in ALWAYS if who != "locked"]

    problems = {who: problem(places.ask(endpoint, who), endpoint.expected[who], SHAPES) for who in asked}

    assert {who: what for who, what in problems.items() if what is not None} == {}


def outcome_with_an_operators_token(endpoint):
    """Of the publishable key with it: contract 6 for /v1/admin, 2.3 elsewhere, where the token is of another place."""
    if endpoint.expected["forged"] == endpoint.expected["pk"]:
        return endpoint.expected["pk"]  # no token is looked at
    return "403 auth/forbidden" if endpoint.pattern.startswith(("/v1/admin/", "/v1/system/version")) else "403 data/project-access-denied"


def test_attack_09_an_operators_token_and_a_publishable_key_are_nobody(places):
    client = Client(places.app.box, places.app.box.pk, source="127.0.8.20")
    headers = {"Authorization": f"Bearer {places.operator}"}

    problems = {}
    for endpoint in ENDPOINTS:
        body = None if endpoint.body is None else places.fill(endpoint.body).encode()
        answer = client.request(endpoint.method, places.fill(endpoint.target), body, headers=headers)
        problems[endpoint.name] = problem(answer, outcome_with_an_operators_token(endpoint), SHAPES)

    client.close()
    assert {name: what for name, what in problems.items() if what is not None} == {}


def managed():
    """What a secret key manages, and whether that is an environment's: a project's settings and its environments are not."""
    return [(endpoint, not re.match(r"/v1/admin/(projects|environments)(/|$)", endpoint.pattern)) for endpoint in ENDPOINTS
            if re.match("/v1/admin/(?!auth/)", endpoint.pattern) and endpoint.expected["sk"] != "403 auth/forbidden"]


def ask_of_another_place(places, endpoint, client, query, more, headers=None):
    """As the line asks, but for the query; the body names the place that the line means, if `more` does."""
    body = None if endpoint.body is None else json.dumps({**json.loads(places.fill(endpoint.body)), **more}).encode()
    return client.request(endpoint.method, f"{places.fill(endpoint.target).split('?')[0]}?{query}", body, headers=headers)


def test_attack_06_no_key_manages_its_own_place_in_the_name_of_another(places):
    """Whoever names another place has made a mistake, and must not change what is here, nor take it for what is there."""
    app, answered = places.app, {}

    for endpoint, of_environment in managed():
        own = f"projectId={app.box.project}"
        others = [f"projectId={ABSENT}", f"{own}&projectId={ABSENT}", "projectId="]
        for query in others + (["environment=prod", f"{own}&environment=dev&environment=prod"] if of_environment else []):
            answer = ask_of_another_place(places, endpoint, app.sk, query, {})
            if error(answer) != (403, "auth/forbidden"):
                answered[f"{endpoint.name} {query}"] = answer
        if error(ask_of_another_place(places, endpoint, app.sk, "projectId=%zz", {})) != (400, "common/invalid-parameters"):
            answered[f"{endpoint.name} of no query"] = answer

    assert answered == {}


def test_an_operator_who_names_two_places_is_answered_for_neither(places):
    client, answered = Client(places.app.box, None), {}
    headers, here = {"Authorization": f"Bearer {places.operator}"}, {"projectId": places.app.box.project, "environment": "dev"}
    wanted = {(400, "common/invalid-parameters"), (404, "common/not-found")}  # the second: where the query alone names one

    for endpoint, of_environment in managed():
        more = here if endpoint.body is not None and not re.search("explain|simulate|:id", endpoint.pattern) else {}
        if re.search("projects|environments", endpoint.pattern) and not PLACE.search(endpoint.target.split("?")[0]) and not more:
            continue  # lists of what the query names
        for query in [f"projectId={ABSENT}"] + ([f"projectId={here['projectId']}&environment=prod"] if of_environment else []):
            answer = ask_of_another_place(places, endpoint, client, query, more, headers)
            if error(answer) not in wanted:
                answered[f"{endpoint.name} {query}"] = answer

    client.close()
    assert answered == {}


def methods_of(target):
    """What the table has for it; the short form of data routes leaves reserved names alone."""
    return {endpoint.method for endpoint in ENDPOINTS if fits(endpoint.pattern, target) and
            not ("~" in endpoint.pattern and target.split("/")[2].split("?")[0] in RESERVED)}


def test_each_path_refuses_the_methods_that_it_has_not_and_names_the_others(places):
    client, problems = Client(places.app.box), {}

    for target in sorted({PLACE.sub(ABSENT, endpoint.target) for endpoint in ENDPOINTS}):
        allowed = methods_of(target)
        preflight = client.request("OPTIONS", target)
        if preflight.status != 204 or preflight.body:
            problems[f"OPTIONS {target}"] = preflight
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            answer = client.request(method, target)
            right = answer.status == 405 and set(answer.headers["allow"].split(", ")) == allowed | {"OPTIONS"} and \
                (answer.body == b"" if method == "HEAD" else error(answer)[1] == "common/method-not-allowed")
            if not right:
                problems[f"{method} {target}"] = answer

    client.close()
    assert problems == {}


def test_a_locked_box_answers_each_endpoint_as_the_table_says(make_box):
    box = make_box(pin="1234-abcd")
    key = {"X-API-Key": box.sk}
    box.restart()
    connection = box.connect()

    problems = {}
    for endpoint in ENDPOINTS:
        body = None if endpoint.body is None else PLACE.sub(ABSENT, endpoint.body).encode()
        answer = box.request(endpoint.method, PLACE.sub(ABSENT, endpoint.target), body, headers=key, connection=connection)
        problems[endpoint.name] = problem(answer, endpoint.expected["locked"], SHAPES)

    connection.close()
    assert {name: what for name, what in problems.items() if what is not None} == {}


def test_the_table_has_every_endpoint_of_the_program_once():
    lines = Counter(endpoint.name for endpoint in ENDPOINTS)

    assert lines == Counter(routes_of_the_program()), "add its line to tests/data/endpoints.txt, or take it away"


def test_each_line_asks_the_endpoint_that_it_names():
    assert [endpoint for endpoint in ENDPOINTS if not fits(endpoint.pattern, endpoint.target)] == []


def test_lines_without_a_key_are_those_that_the_contract_names():
    """A slip in the head of a group would open all of its lines. Contract 1.1, 5.6, 5.8, 6."""
    keyless = {endpoint.name for endpoint in ENDPOINTS if endpoint.expected["nothing"] != "401 auth/unauthorized"}

    assert keyless == {
        "GET /healthz", "GET /readyz", "GET /v1/system/state", "POST /v1/system/unlock", "GET /.well-known/jwks.json",
        "GET /v1/auth/signup/email/confirm", "GET /v1/auth/:provider/callback", "POST /v1/admin/auth/setup",
        "POST /v1/admin/auth/signin", "POST /v1/admin/auth/refresh"}
    for endpoint in ENDPOINTS:
        if endpoint.name not in keyless:
            assert endpoint.expected["no key"] in ("401 auth/unauthorized", "403 data/project-access-denied"), endpoint
            own = endpoint.pattern.startswith(("/v1/admin/auth/", "/v1/system/version"))  # what an operator may do has no environment to miss
            assert endpoint.expected["elsewhere"] == ("403 auth/forbidden" if own else "403 data/project-access-denied"), endpoint
