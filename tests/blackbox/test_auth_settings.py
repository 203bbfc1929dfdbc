# SPDX-License-Identifier: GPL-3.0-or-later
"""What a project and an environment say about signing in, and what an app sees of it. Contract 5.2 to 5.6, 6, 9.2."""

import pytest

from app import BAD_PARAMETERS, FORBIDDEN, error
from conftest import posts_at_once
from mails import mail_to, mails_to, new_email

PROVIDER = "/v1/admin/auth-providers/email"
DEFAULTS = {"minLength": 6, "requireUppercase": False, "requireLowercase": False, "requireNumbers": False,
            "requireSpecialChars": False, "expirationDays": None, "breachedList": "off", "magicLinkEnabled": True,
            "magicLinkExpirationMinutes": 15, "requireEmailVerification": False, "signupEnabled": True}
STRICT = dict(DEFAULTS, minLength=8, requireUppercase=True, requireLowercase=True, requireNumbers=True,
              requireSpecialChars=True, breachedList="on")
PROJECT = ["passwordPolicy", "refreshReuseGraceMs", "invalidateAccessOnRefresh", "keepCurrentSession",
           "enumerationProtection", "usersListVisibility", "mfaDisableRequiresCode", "requireMfaForAdmins",
           "maxSessionsPerUser", "securityPreset"]
BAD_PASSWORD = (400, "auth/invalid-password-format")


@pytest.fixture
def app(module_app):
    """Each test begins with what holds at first."""
    module_app.settings(**dict.fromkeys(PROJECT))
    answer = module_app.sk.put(PROVIDER, dict.fromkeys(DEFAULTS))
    assert answer.status == 200, answer
    return module_app


def shown(app):
    answer = app.sk.get(PROVIDER)
    assert answer.status == 200, answer
    return {name: answer.json[name] for name in DEFAULTS}


def sign_up(app, password="abc123", email=None):
    return app.pk.post("/v1/auth/email/signup",
                       {"email": email or new_email(app), "password": password, "name": "A"})


def sign_in(app, user):
    return app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": user.password})


def test_the_provider_shows_the_defaults_of_project_and_preset(app):
    assert shown(app) == DEFAULTS

    app.settings(securityPreset="hardened")
    assert shown(app) == STRICT
    app.settings(passwordPolicy={"preset": "documented"})
    assert shown(app) == DEFAULTS
    app.settings(securityPreset="compat", passwordPolicy={"preset": "strict", "minLength": 12})
    assert shown(app) == dict(STRICT, minLength=12)


def test_what_was_read_may_be_put_back_and_outlives_a_restart(app):
    app.sk.put(PROVIDER, {"minLength": 9, "expirationDays": 30})
    read = app.sk.get(PROVIDER).json

    answer = app.sk.put(PROVIDER, read)
    assert answer.status == 200, answer
    app.box.restart()
    app.sk.close()
    app.pk.close()

    assert shown(app) == dict(DEFAULTS, minLength=9, expirationDays=30)
    assert error(sign_up(app, "abc12345")) == BAD_PASSWORD
    assert sign_up(app, "abc123456").status == 201


@pytest.mark.parametrize("body", [{"minLength": 5}, {"minLength": 129}, {"minLength": 8.5}, {"signupEnabled": "no"},
                                  {"expirationDays": 0}, {"magicLinkExpirationMinutes": 1441}, {"nosuch": 1},
                                  {"signupEnabled": {"$ne": True}}, {"breachedList": "maybe"}, [], "x"], ids=str)
def test_a_bad_provider_is_refused_whole(app, body):
    assert error(app.sk.put(PROVIDER, body)) == BAD_PARAMETERS
    if isinstance(body, dict):
        assert error(app.sk.put(PROVIDER, {"requireNumbers": True, **body})) == BAD_PARAMETERS
    assert shown(app) == DEFAULTS


def test_only_an_unrestricted_secret_key_of_the_environment_may(app):
    admin = app.user(role="admin")

    for client in (app.pk, admin.pk):
        assert error(client.get(PROVIDER)) == FORBIDDEN
        assert error(client.put(PROVIDER, {"signupEnabled": False})) == FORBIDDEN
    assert error(app.sk.put(PROVIDER, {"environment": "nosuch"})) == FORBIDDEN
    assert error(app.sk.post(PROVIDER, {})) == (405, "common/method-not-allowed")
    assert shown(app) == DEFAULTS


def test_the_policy_counts_at_sign_up_change_and_for_made_users(app):
    user = app.user()
    app.settings(passwordPolicy={"preset": "strict"})

    answer = sign_up(app, "Abc12345")
    assert error(answer) == BAD_PASSWORD
    assert "8 to 128" in answer.json["message"] and "special" in answer.json["message"]
    assert error(user.pk.post("/v1/auth/password/change",
                              {"currentPassword": user.password, "newPassword": "abc1234!"})) == BAD_PASSWORD
    assert error(app.sk.post("/v1/users", {"email": new_email(app), "name": "M", "password": "abc123"})) == BAD_PASSWORD
    assert sign_up(app, "Abc1234!").status == 201
    assert sign_in(app, user).status == 200


def test_a_closed_sign_up(app):
    user = app.user()
    app.sk.put(PROVIDER, {"signupEnabled": False})

    assert error(sign_up(app)) == FORBIDDEN
    assert error(sign_up(app, email=user.email)) == FORBIDDEN
    assert sign_in(app, user).status == 200
    app.sk.put(PROVIDER, {"signupEnabled": True})
    assert sign_up(app).status == 201


def test_a_confirmed_address_is_asked_for_after_the_password(app):
    user = app.user()
    app.sk.put(PROVIDER, {"requireEmailVerification": True})

    assert error(sign_in(app, user)) == (403, "auth/email-not-verified")
    wrong = app.pk.post("/v1/auth/email/signin", {"email": user.email, "password": "wrong1"})
    assert error(wrong) == (401, "auth/invalid-credentials")
    token = mail_to(app, user.email, "signup_confirmation")["token"]
    assert app.pk.post("/v1/auth/email/verify/confirm", {"email": user.email, "token": token}).status == 200
    assert sign_in(app, user).status == 200


def test_links_turned_off(app):
    user = app.user()
    body = {"method": "magiclink", "email": user.email}
    app.sk.put(PROVIDER, {"magicLinkEnabled": False})

    assert error(app.pk.post("/v1/auth/email/signin", body)) == (400, "auth/magiclink-disabled")
    assert error(app.pk.post("/v1/auth/email/signup", body)) == (400, "auth/magiclink-disabled")
    assert mails_to(app, user.email, "magic_link") == []


def together(app, token, count):
    return posts_at_once(app, count, "/v1/auth/refresh", {"refreshToken": token})


def test_parallel_refreshes_with_one_token_get_one_successor_within_the_grace(app):
    token = sign_up(app).json["refreshToken"]
    app.settings(refreshReuseGraceMs=60000)

    answers = together(app, token, 4)

    assert [answer.status for answer in answers] == [200] * 4
    assert len({answer.json["refreshToken"] for answer in answers}) == 1
    assert app.pk.post("/v1/auth/refresh", {"refreshToken": answers[0].json["refreshToken"]}).status == 200


def test_parallel_refreshes_with_one_token_are_reuse_without_a_grace(app):
    token = sign_up(app).json["refreshToken"]

    answers = together(app, token, 2)

    assert sorted(error(answer) for answer in answers if answer.status != 200) == [
        (401, "auth/invalid-refresh-token")]
    won = next(answer.json for answer in answers if answer.status == 200)
    ended = app.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {won['accessToken']}"})
    assert error(ended) == (401, "auth/session-expired")


@pytest.mark.parametrize("invalidate", [False, True])
def test_the_access_token_before_a_refresh(app, invalidate):
    pair = sign_up(app).json
    app.settings(invalidateAccessOnRefresh=invalidate)
    assert app.pk.post("/v1/auth/refresh", {"refreshToken": pair["refreshToken"]}).status == 200

    old = app.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {pair['accessToken']}"})

    assert error(old) == ((401, "auth/session-expired") if invalidate else (200, None))


@pytest.mark.parametrize("keep", [False, True])
def test_the_session_that_changes_its_password(app, keep):
    user = app.user()
    app.settings(keepCurrentSession=keep)

    changed = user.pk.post("/v1/auth/password/change", {"currentPassword": user.password, "newPassword": "other1"})

    assert changed.status == 200, changed
    assert user.pk.get("/v1/auth/me").status == (200 if keep else 401)


def test_one_session_a_user(app):
    user = app.user()
    app.settings(maxSessionsPerUser=1)

    assert sign_in(app, user).status == 200

    assert error(user.pk.get("/v1/auth/me")) == (401, "auth/session-expired")


@pytest.mark.parametrize("settings", [{"enumerationProtection": True}, {"usersListVisibility": "admin-only"},
                                      {"securityPreset": "hardened"}], ids=str)
def test_the_list_of_users_is_for_administrators(app, settings):
    user = app.user()
    assert user.pk.get("/v1/users").status == 200

    app.settings(**settings)

    assert error(user.pk.get("/v1/users")) == (403, "user/forbidden")
    assert app.sk.get("/v1/users").status == 200


def test_protected_addresses_are_not_told(app):
    user = app.user()
    check = {"type": "credentials", "provider": "credentials", "providerAccountId": user.email}
    assert app.pk.post("/v1/auth/accounts/check", check).json["exists"] is True
    token = mail_to(app, user.email, "signup_confirmation")["token"]
    assert app.pk.post("/v1/auth/email/verify/confirm", {"email": user.email, "token": token}).status == 200
    app.settings(enumerationProtection=True)

    nobody = new_email(app)
    for email in (user.email, nobody):
        answer = app.pk.post("/v1/auth/email/verify/send", {"email": email})
        assert answer.status == 200 and answer.json["email"] == email, answer
    assert app.pk.post("/v1/auth/accounts/check", check).json == {"exists": False}
    assert mails_to(app, user.email, "email_verification") == []


def test_breached_passwords_are_refused_where_the_list_is_on(make_app):
    app = make_app()
    words = sorted({f"word{i:05}" for i in range(20000)} | {"abc123", "letmein", "pässwörd"}, key=str.encode)
    listed = app.box.data / "db" / "breached.txt"
    listed.write_bytes("".join(f"{word}\n" for word in words).encode())
    listed.chmod(0o644)
    app.box.restart()
    app.sk.close()
    app.pk.close()

    assert sign_up(app, "letmein").status == 201
    assert app.sk.put(PROVIDER, {"breachedList": "on"}).status == 200
    for word in ("letmein", "pässwörd", words[0], words[-1], words[12345]):
        assert error(sign_up(app, word)) == (400, "auth/weak-password")
    assert sign_up(app, "word12345x").status == 201
