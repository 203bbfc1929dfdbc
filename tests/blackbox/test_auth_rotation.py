# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation of token keys on a whole box: the keeper that holds them, the worker that publishes them, and either of them killed.
What an hour or a week changes is in tests/unit/data_token_keys_test.c, which moves the clock."""

import http.client
import random
import threading

from app import Client, error
from conftest import wait_until
from forge import parts, with_signature

INVALID = (401, "auth/invalid-token")
OWNER = {"email": "root@example.com", "password": "Correct-horse-battery-7"}
KEYS_MAX = 4  # firmware/keeper/vault.h
REACTORS_SEEN = 8  # connections that reach every reactor, most probably


class Owner(Client):
    """The first operator of a box."""

    def __init__(self, box):
        super().__init__(box)
        made = box.post("/v1/admin/auth/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OWNER})
        assert made.status == 201, made
        self.sign_in()

    def sign_in(self):
        self.token = self.box.post("/v1/admin/auth/signin", OWNER).json["accessToken"]

    @property
    def bearer(self):
        return {"Authorization": f"Bearer {self.token}"}

    def rotate(self, what="token", **more):
        place = {"projectId": self.box.project, "environment": "dev"} if what == "token" else {}
        return self.post("/v1/admin/system/keys/rotate", {"what": what, **place, **more}, headers=self.bearer)


def kid(token):
    return parts(token)[0]["kid"]


def published(app):
    return [key["kid"] for key in app.nobody.get("/.well-known/jwks.json").json["keys"]]


def answer_of(box, token):
    """Over a connection of its own. One that ends unanswered was a worker's that is being replaced: there is another."""
    def ask():
        try:
            return error(Client(box, box.pk).get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"}))
        except (OSError, http.client.HTTPException):
            return None
    return wait_until(ask, "an answer")


def everywhere(box, token):
    """The set of answers to the token over as many connections."""
    return {answer_of(box, token) for _ in range(REACTORS_SEEN)}


def test_attack_09_tokens_of_both_keys_hold_on_every_reactor_and_no_mixture_does(make_app):
    app = make_app()
    owner, user = Owner(app.box), app.user()
    kept = [Client(app.box, app.box.pk, user) for _ in range(REACTORS_SEEN)]
    assert {error(client.get("/v1/auth/me")) for client in kept} == {(200, None)}
    old = user.token

    made = owner.rotate()

    assert made.status == 200 and [key["signs"] for key in made.json["keys"]] == [True, False]
    assert [key["kid"] for key in made.json["keys"]] == published(app)
    assert {error(client.get("/v1/auth/me")) for client in kept} == {(200, None)}  # where it is remembered
    refreshed = app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})
    new = user.sign_in().token
    assert [kid(new), kid(old)] == published(app) and kid(refreshed.json["accessToken"]) == kid(new)
    assert everywhere(app.box, old) == everywhere(app.box, new) == {(200, None)}
    mixed = [with_signature(old, parts(old)[2], kid=kid(new)), with_signature(new, parts(new)[2], kid=kid(old)),
             with_signature(new, parts(old)[2]), with_signature(new, parts(new)[2], kid=kid(new)[::-1])]
    for token in mixed:
        assert everywhere(app.box, token) == {INVALID}
    everybody = owner.token
    assert owner.rotate("operator-token").status == 200
    assert app.nobody.get("/v1/admin/auth/me", headers={"Authorization": f"Bearer {everybody}"}).status == 200
    owner.sign_in()
    assert kid(owner.token) != kid(everybody) and app.nobody.get("/v1/admin/auth/me", headers=owner.bearer).status == 200
    assert published(app) == [kid(new), kid(old)]


def test_attack_09_a_token_dies_with_its_environment_on_every_reactor(make_app):
    app = make_app()
    owner, place = Owner(app.box), {"projectId": app.box.project, "environment": "gone"}
    made = owner.post("/v1/admin/environments", {**place, "environmentType": "custom"}, headers=owner.bearer).json
    pk, sk = (owner.post("/v1/admin/api-keys", {**place, "name": kind, "type": kind}, headers=owner.bearer).json["value"]
              for kind in ("publishable", "secret"))
    pair = Client(app.box, pk).post("/v1/auth/email/signup", {"email": "a@example.com", "password": "abc123", "name": "A"}).json
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    kept = [Client(app.box, pk) for _ in range(REACTORS_SEEN)]
    assert {error(client.get("/v1/auth/me", headers=bearer)) for client in kept * 2} == {(200, None)}
    assert everywhere(app.box, pair["accessToken"]) == {(403, "data/project-access-denied")}

    assert Client(app.box, sk).delete(f"/v1/admin/environments/{made['id']}", {"confirmName": "gone"}).status == 200

    assert {error(client.get("/v1/auth/me", headers=bearer)) for client in kept} == {(404, "data/environment-not-found")}
    assert everywhere(app.box, pair["accessToken"]) == {INVALID}


def test_rotated_keys_outlive_restarts_a_killed_keeper_and_the_move_to_another_tpm(make_app, tmp_path):
    app = make_app()
    box, owner, user = app.box, Owner(app.box), app.user()
    old = user.token
    assert owner.rotate().status == 200
    new = user.sign_in().token
    keys = published(app)

    def assert_unchanged():
        box.wait_for_state("operational")
        assert everywhere(box, old) == everywhere(box, new) == {(200, None)}
        app.pk.close()
        app.nobody.close()
        assert published(app) == keys
        assert kid(user.sign_in().token) == kid(new)

    box.restart()
    assert_unchanged()
    worker = box.pid("worker")
    box.kill("keeper")
    box.wait_for_new("worker", worker)  # a new keeper has a worker of its own
    assert_unchanged()
    assert box.stop() == 0
    box.start(tpm=tmp_path / "other.tpm")
    assert box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key}, verify=False).status == 200
    assert_unchanged()


def test_a_rotation_that_is_cut_off_by_a_kill_leaves_no_token_that_cannot_be_verified(make_app):
    """The worker dies while it is under way, a little later each time. Whatever had been done by then, every token that was
    ever given out is good, every key of one is published, and the next rotation goes through."""
    app = make_app()
    box, owner, user = app.box, Owner(app.box), app.user()
    tokens = [user.token]
    chance = random.Random(1)

    for round_ in range(KEYS_MAX - 1):
        def ask():
            try:
                Client(box).post("/v1/admin/system/keys/rotate",
                                 {"what": "token", "projectId": box.project, "environment": "dev"}, headers=owner.bearer)
            except (OSError, http.client.HTTPException):
                pass  # what it answered, if anything, is not asked
        asker = threading.Thread(target=ask)
        asker.start()
        asker.join(chance.uniform(0, 0.01) * round_)
        box.wait_for_new("worker", box.kill("worker"))
        asker.join()
        wait_until(lambda: app.nobody.get("/readyz").status == 200, "an answer")
        tokens.append(user.sign_in().token)
        assert {kid(token) for token in tokens} <= set(published(app))
        assert kid(tokens[-1]) == published(app)[0]
        for token in tokens:
            assert everywhere(box, token) == {(200, None)}

    left = KEYS_MAX - len(published(app))
    assert [owner.rotate().status for _ in range(left + 1)] == [200] * left + [409]
