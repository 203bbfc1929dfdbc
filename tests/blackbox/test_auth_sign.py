# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing up, signing in, refreshing and signing out, as an app does it. Contract 5.3, 5.4."""

import base64
import json

from app import INSTANT, UUID, App, error

USER_MEMBERS = {"id", "email", "name", "role", "image", "emailVerified", "createdAt", "updatedAt"}
PAIR_MEMBERS = {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
ME_MEMBERS = {"id", "role", "name", "email", "emailVerified", "image", "onboardingStatus", "nickname", "roles",
              "mfaEnabled", "createdAt", "updatedAt"}


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_user_signs_up_reads_writes_and_signs_out(app):
    table = app.table(permissions={"user": {"create": True}, "self": {"read": True, "list": True}})

    answer = app.pk.post("/v1/auth/email/signup", {"email": "  First.User@Example.COM ", "password": "abc123",
                                                   "name": "First"})
    assert answer.status == 201, answer
    assert set(answer.json) == PAIR_MEMBERS
    assert set(answer.json["user"]) == USER_MEMBERS
    assert answer.json["tokenType"] == "Bearer" and answer.json["expiresIn"] == 3600
    user = answer.json["user"]
    assert user["email"] == "first.user@example.com" and user["role"] == "user" and user["emailVerified"] is None
    assert UUID.fullmatch(user["id"]) and INSTANT.fullmatch(user["createdAt"])

    token = {"Authorization": f"Bearer {answer.json['accessToken']}"}
    me = app.pk.get("/v1/auth/me", headers=token)
    assert me.status == 200 and set(me.json) == ME_MEMBERS, me
    assert me.json["onboardingStatus"] == "pending" and me.json["roles"] == []
    made = app.pk.post(table.path, {"text": "mine"}, headers=token)
    assert made.status == 201 and made.json["createdBy"] == user["id"], made
    assert app.pk.get(f"{table.path}/{made.json['id']}", headers=token).status == 200
    assert app.pk.get(f"{table.path}/{made.json['id']}").status == 403

    assert app.pk.post("/v1/auth/signout", headers=token).status == 200
    assert error(app.pk.get("/v1/auth/me", headers=token)) == (401, "auth/session-expired")


def test_a_session_refreshes_once_for_each_token(app):
    user = app.user()

    answer = app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})
    assert answer.status == 200 and set(answer.json) == PAIR_MEMBERS - {"user"}, answer
    assert claims_of(answer.json["accessToken"])["sub"] == user.id
    assert user.pk.get("/v1/auth/me").status == 200  # the older access token lives on
    assert error(app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})) == (401,
                                                                                      "auth/invalid-refresh-token")
    assert error(user.pk.get("/v1/auth/me")) == (401, "auth/session-expired")
    assert user.sign_in().pk.get("/v1/auth/me").status == 200


def test_public_auth_endpoints_ignore_whatever_authorization_holds(app):
    """A mobile client sends its stale token with every call, that of signing in included."""
    user = app.user()

    for value in ("Bearer a.b.c", "Basic eDp5", "nonsense"):
        answer = app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": user.password},
                             headers={"Authorization": value})
        assert answer.status == 200, answer
        assert error(app.pk.get("/v1/auth/me", headers={"Authorization": value}))[0] == 401


def test_roles_of_a_user_count_for_the_next_request(app):
    table = app.table(permissions={"user": {"read": True}})
    row = table.add({"a": 1})
    user = app.user()

    assert table.read(row["id"], client=user.pk).status == 200
    assert table.delete(row["id"], client=user.pk).status == 403
    user.set_role("guest")
    assert table.read(row["id"], client=user.pk).status == 403
    user.set_role("admin", ["moderator"])
    assert user.pk.get("/v1/auth/me").json["roles"] == ["moderator"]
    assert table.delete(row["id"], client=user.pk).status == 200


def test_users_and_tokens_outlive_a_restart_and_a_killed_keeper(make_app):
    app = make_app()
    user = app.user()

    app.box.restart()
    app = App(app.box)
    assert app.pk.get("/v1/auth/me", headers=user.header).status == 200
    worker = app.box.pid("worker")
    app.box.kill("keeper")
    app.box.wait_for_new("worker", worker)  # it is replaced, because the channels of the old one ended
    app.pk.close()
    assert app.pk.get("/v1/auth/me", headers=user.header).status == 200
    answer = app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": user.password})
    assert answer.status == 200, answer
    assert app.box.stop() == 0
    assert app.box.fsck()[0] == 0


def test_anybody_verifies_a_token_with_the_published_keys(app):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    user = app.user()
    keys = app.nobody.get(f"/.well-known/jwks.json?projectId={app.box.project}&environment=dev").json["keys"]
    header, payload, signature = user.token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    key = next(key for key in keys if key["kid"] == kid)

    def number(name):
        return int.from_bytes(base64.urlsafe_b64decode(key[name] + "="), "big")

    public = ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(der, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    assert "d" not in key
    assert app.nobody.get("/.well-known/jwks.json?environment=none").json == {"keys": []}
