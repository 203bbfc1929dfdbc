# SPDX-License-Identifier: GPL-3.0-or-later
"""One kept connection, and so one reactor and what it remembers of tokens, on which several people ask in turn: each answer
is for the token of its own request, and whatever takes a right away counts for the next request, also for a token that
was verified a moment ago. Attacks.md, classes 3 and 9. The clock's part is in tests/unit/api_sign_test.c."""

import json

import pytest
from app import DENIED, Client, error
from wire import Wire

INVALID = (401, "auth/invalid-token")
ENDED = (401, "auth/session-expired")
REVOKED = (401, "auth/token-revoked")
OK = (200, None)
ROUNDS = 3


class Line:
    """The connection. Everybody asks twice before something happens, so everybody is remembered."""

    def __init__(self, app):
        self.app = app
        self.ada, self.bob = app.user(), app.user()
        self.table = app.table({"a": {"type": "int"}}, permissions={"user": {"read": True, "create": True}})
        self.path = f"{self.table.path}/{self.table.add({'a': 1})['id']}"
        self.client = Client(app.box, app.box.pk)
        for _ in range(2):
            assert self.answers() == [OK, OK, DENIED]
        self.connection = self.client.connection

    def ask(self, token=None, key=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers.update({"X-API-Key": key} if key else {})
        return error(self.client.get(self.path, headers=headers))

    def answers(self):
        """Of Ada, Bob, and a guest."""
        return [self.ask(self.ada.token), self.ask(self.bob.token), self.ask()]

    def is_one(self):
        return self.client.connection is self.connection


@pytest.fixture
def line(app):
    line = Line(app)
    yield line
    line.client.close()


def me_of(box, token):
    return (f"GET /v1/auth/me HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {box.pk}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n").encode()


def sign_out(box, token):
    return me_of(box, token).replace(b"GET /v1/auth/me ", b"POST /v1/auth/signout ").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")


def test_attack_03_who_asks_is_told_by_the_token_of_each_request(app, line):
    people = [line.ada, line.bob]

    with Wire(app.box) as wire:
        wire.send(b"".join(me_of(app.box, person.token) for person in people) * ROUNDS)
        answers = [wire.answer() for _ in range(ROUNDS * len(people))]

    assert [json.loads(body)["id"] for _, _, body in answers] == [person.id for person in people] * ROUNDS


def test_attack_09_a_sign_out_sent_between_two_requests_is_between_them(app, line):
    ada, bob = line.ada.token, line.bob.token

    with Wire(app.box) as wire:
        wire.send(me_of(app.box, ada) + me_of(app.box, bob) + sign_out(app.box, ada) + me_of(app.box, ada) + me_of(app.box, bob))
        statuses = [wire.answer()[0] for _ in range(5)]

    assert statuses == [200, 200, 200, 401, 200]
    assert line.answers() == [ENDED, OK, DENIED]
    assert line.is_one()


ENDS = {
    "a ban": (lambda app, user: app.sk.patch(f"/v1/users/{user.id}/ban", {"banned": True}), ENDED),
    "a deletion": (lambda app, user: app.sk.delete(f"/v1/users/{user.id}"), ENDED),
    "another role": (lambda app, user: app.sk.patch(f"/v1/users/{user.id}/role", {"role": "guest"}), DENIED),
}


@pytest.mark.parametrize("end,then", ENDS.values(), ids=ENDS.keys())
def test_attack_09_what_ends_one_right_counts_for_the_next_request_and_for_nobody_else(app, line, end, then):
    assert end(app, line.ada).status == 200

    assert line.answers() == [then, OK, DENIED]
    assert line.is_one()


def test_attack_03_a_policy_taken_away_counts_for_remembered_tokens(app, line):
    assert line.table.policy(permissions={}).status == 200
    assert line.answers() == [DENIED, DENIED, DENIED]

    assert line.table.policy(expressionPermissions={"read": "user"}).status == 200
    assert line.answers() == [OK, OK, DENIED]
    assert line.is_one()


def test_attack_13_a_token_does_not_outlive_the_key_it_comes_with(app, line):
    key = app.make_key()
    assert [line.ask(line.ada.token, key["value"]) for _ in range(2)] == [OK, OK]

    assert app.sk.post(f"/v1/admin/api-keys/{key['id']}/revoke").status == 200

    assert line.ask(line.ada.token, key["value"]) == REVOKED
    assert line.answers() == [OK, OK, DENIED]
    assert line.is_one()


def test_attack_09_no_piece_of_a_remembered_token_vouches_for_another(app, line):
    header, ada, signature = line.ada.token.split(".")
    _, bob, other = line.bob.token.split(".")
    flipped = "B" if signature[0] == "A" else "A"
    forged = [f"{header}.{bob}.{signature}", f"{header}.{ada}.{other}", f"{header}.{ada}.{flipped}{signature[1:]}",
              f"{header}.{ada}.{signature[1:]}{signature[0]}"]

    assert [line.ask(token) for token in forged] == [INVALID] * len(forged)
    assert line.answers() == [OK, OK, DENIED]
    assert line.is_one()
