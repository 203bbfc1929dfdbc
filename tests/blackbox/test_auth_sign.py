# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing up, signing in, refreshing and signing out, as an app does it. Contract 5.3, 5.4."""

import base64
import json

from app import INSTANT, UUID, error

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
