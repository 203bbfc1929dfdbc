# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions as their users see and end them, and whom a refresh token serves. Contract 5.4; limits of time and number:
tests/unit/api_sign_test.c, api_sign_limits_test.c."""

from app import BAD_PARAMETERS, INSTANT, UUID, Client, error

SESSIONS = "/v1/auth/sessions"
ABSENT = (404, "auth/session-not-found")
ENDED = (401, "auth/session-expired")
NO_REFRESH = (401, "auth/invalid-refresh-token")


def again(user):
    """The same user in another session: (client, refresh token)."""
    pair = user.app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": user.password},
                            headers={"User-Agent": "second device"}).json
    return Client(user.app.box, user.app.box.pk, None), {"Authorization": f"Bearer {pair['accessToken']}"}, pair["refreshToken"]


def test_a_user_sees_their_sessions_newest_first(app):
    user = app.user()
    client, header, _ = again(user)

    listed = client.get(SESSIONS, headers=header).json

    first, second = listed["items"]
    assert set(first) == {"id", "userId", "userAgent", "ipAddress", "deviceInfo", "lastActivityAt", "createdAt", "current"}
    assert UUID.fullmatch(first["id"]) and first["userId"] == user.id
    assert INSTANT.fullmatch(first["createdAt"]) and INSTANT.fullmatch(first["lastActivityAt"])
    assert (first["current"], second["current"]) == (True, False)
    assert first["userAgent"] == "second device" and first["ipAddress"] == app.box.client
    assert listed["pagination"] == {"total": 2, "page": 1, "limit": 10, "totalPages": 1, "hasNext": False, "hasPrev": False}
    paged = user.pk.get(SESSIONS + "?page=2&limit=1").json
    assert [item["id"] for item in paged["items"]] == [second["id"]] and paged["items"][0]["current"] is True
    assert error(user.pk.get(SESSIONS + "?page=0")) == BAD_PARAMETERS
    assert error(app.sk.get(SESSIONS)) == (401, "auth/unauthorized")


def test_a_session_ends_for_its_user_alone(app):
    user, other = app.user(), app.user(role="admin")
    client, header, refresh = again(user)
    newest = user.pk.get(SESSIONS).json["items"][0]["id"]

    for stranger in (other.pk, other.sk):
        assert error(stranger.delete(f"{SESSIONS}/{newest}")) == ABSENT
    assert client.get("/v1/auth/me", headers=header).status == 200
    answer = user.pk.delete(f"{SESSIONS}/{newest}")

    assert answer.status == 200 and set(answer.json) == {"message"}
    assert error(client.get("/v1/auth/me", headers=header)) == ENDED
    assert error(app.pk.post("/v1/auth/refresh", {"refreshToken": refresh})) == NO_REFRESH
    assert error(user.pk.delete(f"{SESSIONS}/{newest}")) == ABSENT
    assert user.pk.get(SESSIONS).json["pagination"]["total"] == 1


def test_a_signed_out_session_is_not_refreshed_and_the_others_go_on(app):
    user = app.user()
    client, header, refresh = again(user)

    assert client.post("/v1/auth/signout", headers=header).status == 200

    assert error(app.pk.post("/v1/auth/refresh", {"refreshToken": refresh})) == NO_REFRESH
    assert user.pk.get("/v1/auth/me").status == 200
    assert app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh}).status == 200


def test_attack_09_a_refresh_token_serves_the_keys_of_its_environment_alone(make_app):
    app = make_app()
    user = app.user()
    assert app.box.post("/v1/admin/auth/setup", {"setupCode": app.box.report["setupCode"], "email": "root@example.com",
                                                 "password": "Correct-horse-battery-7", "name": "Root"}).status == 201
    token = app.box.post("/v1/admin/auth/signin", {"email": "root@example.com", "password": "Correct-horse-battery-7"}).json
    owner = {"Authorization": f"Bearer {token['accessToken']}"}
    place = {"projectId": app.box.project, "environment": "prod"}
    assert app.nobody.post("/v1/admin/environments", place, headers=owner).status == 201
    key = app.nobody.post("/v1/admin/api-keys", {**place, "name": "k", "type": "publishable"}, headers=owner).json["value"]
    there = Client(app.box, key)

    assert error(there.post("/v1/auth/refresh", {"refreshToken": user.refresh})) == NO_REFRESH
    assert error(there.post("/v1/auth/refresh", {"refreshToken": token["refreshToken"]})) == NO_REFRESH
    assert error(app.nobody.post("/v1/admin/auth/refresh", {"refreshToken": user.refresh})) == NO_REFRESH
    assert error(there.get("/v1/auth/me", headers=user.header)) == (403, "data/project-access-denied")
    assert user.pk.get("/v1/auth/me").status == 200
    assert app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh}).status == 200
    # The same address there is somebody else.
    made = there.post("/v1/auth/email/signup", {"email": user.email, "password": "other1", "name": "There"})
    assert made.status == 201 and made.json["user"]["id"] != user.id
    assert error(app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": "other1"})) == (
        401, "auth/invalid-credentials")


def test_the_last_administrator_may_step_down(make_app):
    app = make_app()
    admin = app.user(role="admin")

    answer = admin.pk.patch(f"/v1/users/{admin.id}/role", {"role": "user"})

    assert answer.status == 200 and answer.json["role"] == "user"
    assert error(admin.pk.patch(f"/v1/users/{admin.id}/role", {"role": "admin"})) == (403, "user/forbidden")
    assert app.sk.patch(f"/v1/users/{admin.id}/role", {"role": "admin"}).status == 200
