# SPDX-License-Identifier: GPL-3.0-or-later
"""Second factors as an app and its users see them: contract 5.7 and its part of 5.3. The clock here is that of the
machine, so ends of time, restarts and a clock that is set back are in tests/unit/api_mfa_test.c and api_mfa_codes_test.c,
which move it."""

import re
import urllib.parse

import pytest

from app import INVALID_REQUEST, UNAUTHORIZED, error, without_id
from authenticator import confirmed, enabled, step_now
from conftest import posts_at_once
from mails import mail_to
from test_auth_sign import PAIR_MEMBERS

INVALID_CODE = (401, "auth/invalid-mfa-code")
INVALID_CREDENTIALS = (401, "auth/invalid-credentials")
MFA_REQUIRED = (403, "auth/mfa-required")
NONE_PENDING = (400, "auth/mfa-setup-expired")
TOO_MANY = (429, "auth/too-many-login-attempts")
BACKUP_CODE = re.compile(r"[a-z0-9]{8}")
# A text that is no code, now or ever: of another length, with other digits, with something around it.
NO_CODES = ["12345", "1234567", "123 456", "12345a", "１２３４５６", "-12345", "123456789", "x" * 5000]
NO_TEXTS = [7, 123456, True, ["123456"], {"$ne": None}]


def ask(client, path, **body):
    return client.post(f"/v1/auth/{path}", body)


def sign_in(app, user, **more):
    return ask(app.pk, "email/signin", email=user.email, password=user.password, **more)


def is_on(user):
    return user.pk.get("/v1/auth/me").json["mfaEnabled"]


# --- turning it on and off ---


def test_a_user_turns_it_on_signs_in_with_it_and_turns_it_off(app):
    user = app.user()

    answer = ask(user.pk, "mfa/enable", password=user.password)
    assert answer.status == 200 and set(answer.json) == {"secret", "qrCodeUrl", "backupCodes"}, answer
    assert re.fullmatch(r"[A-Z2-7]{32}", answer.json["secret"])
    codes = answer.json["backupCodes"]
    assert len(set(codes)) == 10 and all(BACKUP_CODE.fullmatch(code) for code in codes), codes
    assert is_on(user) is False and sign_in(app, user).status == 200  # nothing counts before it is confirmed

    phone = enabled(user)  # once more: this one counts
    answer = ask(user.pk, "mfa/confirm", code=phone.code())
    assert answer.status == 200 and answer.json == {"backupCodes": phone.backup}, answer
    assert is_on(user) is True
    assert error(sign_in(app, user)) == MFA_REQUIRED
    answer = sign_in(app, user, mfaCode=phone.code(1))
    assert answer.status == 200 and set(answer.json) == PAIR_MEMBERS, answer
    user.take(answer.json)

    answer = ask(user.pk, "mfa/disable", password=user.password)
    assert answer.status == 200 and answer.json == {}, answer
    assert is_on(user) is False and sign_in(app, user).status == 200
    assert error(ask(user.pk, "mfa/disable", password=user.password)) == (400, "auth/mfa-not-enabled")


def test_the_url_is_what_an_authenticator_app_reads(app):
    user = app.user()

    made = enabled(user).made

    parts = urllib.parse.urlsplit(made["qrCodeUrl"])
    values = urllib.parse.parse_qs(parts.query, strict_parsing=True)
    name = app.sk.get(app.project).json["name"]
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert urllib.parse.unquote(parts.path) == f"/{name}:{user.email}"
    assert values == {"secret": [made["secret"]], "issuer": [name]}


def test_only_one_is_on_at_a_time(app):
    user = app.user()
    assert error(ask(user.pk, "mfa/confirm", code="123456")) == NONE_PENDING
    confirmed(user)

    assert error(ask(user.pk, "mfa/enable", password=user.password)) == (409, "auth/mfa-already-enabled")
    assert error(ask(user.pk, "mfa/confirm", code="123456")) == NONE_PENDING
    assert is_on(user) is True


def test_each_route_needs_a_key_and_a_token(app):
    user = app.user()

    for path in ("enable", "confirm", "disable"):
        body = {"password": user.password, "code": "123456"}
        assert error(ask(app.pk, f"mfa/{path}", **body)) == UNAUTHORIZED
        assert error(ask(app.sk, f"mfa/{path}", **body)) == UNAUTHORIZED
        assert error(ask(app.nobody, f"mfa/{path}", **body)) == UNAUTHORIZED
        assert app.pk.get(f"/v1/auth/mfa/{path}").status == 405
    assert is_on(user) is False


def test_a_password_is_needed_and_has_to_be_right(app):
    user = app.user()
    for path in ("enable", "disable"):
        for password in (None, "", *NO_TEXTS):
            assert error(ask(user.pk, f"mfa/{path}", password=password)) == INVALID_REQUEST
        assert error(ask(user.pk, f"mfa/{path}")) == INVALID_REQUEST
        assert error(ask(user.pk, f"mfa/{path}", password="wrong1")) == INVALID_CREDENTIALS
    phone = confirmed(user)

    assert error(ask(user.pk, "mfa/disable", password="wrong1", code=phone.backup[0])) == INVALID_CREDENTIALS
    assert error(ask(user.pk, "mfa/disable", password=user.password, code=phone.code(-5))) == INVALID_CODE
    assert is_on(user) is True
    assert ask(user.pk, "mfa/disable", password=user.password, code=phone.backup[0]).status == 200
    assert is_on(user) is False


def test_a_user_who_withdraws_takes_it_along(app):
    user = app.user()
    confirmed(user)
    assert user.pk.delete("/v1/auth/withdraw").status == 200

    again = app.user(email=user.email)

    assert again.id != user.id and is_on(again) is False and again.sign_in()


def test_a_user_whom_an_administrator_deletes_leaves_none(app):
    user = app.user()
    confirmed(user)
    assert app.sk.delete(f"/v1/users/{user.id}").status == 200

    assert is_on(app.user(email=user.email)) is False


# --- codes of the app ---


def test_attack_11_a_code_signs_in_once(app):
    user = app.user()
    phone = confirmed(user)
    code = phone.unused()

    assert error(sign_in(app, user, mfaCode=phone.code_of(phone.used))) == INVALID_CODE  # which confirmed it
    assert sign_in(app, user, mfaCode=code).status == 200
    assert error(sign_in(app, user, mfaCode=code)) == INVALID_CODE
    assert error(ask(user.pk, "mfa/disable", password=user.password, code=code)) == INVALID_CODE
    assert sign_in(app, user, mfaCode=phone.backup[0]).status == 200


def test_attack_11_the_step_before_counts_and_what_lies_beyond_does_not(app):
    user = app.user()
    phone = enabled(user)
    assert ask(user.pk, "mfa/confirm", code=phone.code(1)).status == 200

    for steps in (-3, 10):
        assert error(sign_in(app, user, mfaCode=phone.code(steps))) == INVALID_CODE
    for _ in range(3):
        step = step_now()
        answer = sign_in(app, user, mfaCode=phone.code_of(step - 1))
        if answer.status == 200 or step_now() == step:
            break  # otherwise the step ended meanwhile, and the code was too old for good reason
    assert answer.status == 200, answer


def test_attack_11_of_sign_ins_at_once_with_one_code_one_succeeds(app):
    user = app.user()
    phone = confirmed(user)

    for code in (phone.unused(), phone.backup[0]):
        answers = posts_at_once(app, 3, "/v1/auth/email/signin",
                                {"email": user.email, "password": user.password, "mfaCode": code})
        assert sorted(answer.status for answer in answers) == [200, 401, 401], answers
        assert {error(answer) for answer in answers} == {(200, None), INVALID_CODE}


def test_attack_11_what_is_no_code_is_a_wrong_one(app):
    users = [app.user() for _ in range(2)]
    phones = [confirmed(user) for user in users]

    for number, text in enumerate(NO_CODES):
        user = users[number % 2]  # each has five tries
        assert error(sign_in(app, user, mfaCode=text)) == INVALID_CODE
    for user, phone in zip(users, phones):
        assert error(sign_in(app, user, mfaCode="")) == MFA_REQUIRED
        assert error(sign_in(app, user, mfaCode=None)) == MFA_REQUIRED
        assert sign_in(app, user, mfaCode=phone.unused()).status == 200


def test_attack_08_a_code_is_a_text(app):
    user = app.user()
    confirmed(user)

    for value in NO_TEXTS:
        assert error(sign_in(app, user, mfaCode=value)) == INVALID_REQUEST
        assert error(ask(app.pk, "email/callback", token="0" * 64, mfaCode=value)) == INVALID_REQUEST
        assert error(ask(user.pk, "mfa/disable", password=user.password, code=value)) == INVALID_REQUEST
    for value in (None, "", *NO_TEXTS):
        assert error(ask(user.pk, "mfa/confirm", code=value)) == INVALID_REQUEST
    assert error(ask(user.pk, "mfa/confirm")) == INVALID_REQUEST
    assert is_on(user) is True


def test_attack_11_the_codes_of_another_user_are_wrong(app):
    ada, bob = app.user(), app.user()
    of_ada, of_bob = confirmed(ada), confirmed(bob)

    assert error(sign_in(app, ada, mfaCode=of_bob.unused())) == INVALID_CODE
    assert error(sign_in(app, ada, mfaCode=of_bob.backup[0])) == INVALID_CODE
    assert error(ask(ada.pk, "mfa/disable", password=ada.password, code=of_bob.backup[0])) == INVALID_CODE
    assert sign_in(app, bob, mfaCode=of_bob.backup[0]).status == 200
    assert sign_in(app, ada, mfaCode=of_ada.unused()).status == 200
    assert error(ask(ada.pk, "mfa/disable", password=bob.password + "x")) == INVALID_CREDENTIALS


def test_attack_10_a_wrong_password_is_answered_as_without_a_second_factor(app):
    user, plain = app.user(), app.user()
    phone = confirmed(user)

    answers = [ask(app.pk, "email/signin", email=who.email, password="wrong1", **more)
               for who in (user, plain) for more in ({}, {"mfaCode": phone.unused()}, {"mfaCode": "no code"})]

    assert {error(answer) for answer in answers} == {INVALID_CREDENTIALS}
    assert len({str(without_id(answer)) for answer in answers}) == 1
    assert sign_in(app, user, mfaCode=phone.unused()).status == 200  # no try was taken, and no code
    app.sk.patch(f"/v1/users/{user.id}/ban", {"banned": True})
    assert error(sign_in(app, user)) == error(sign_in(app, user, mfaCode="no code")) == (403, "auth/account-banned")


def test_attack_11_a_user_has_five_tries_and_others_have_theirs(app):
    user, other = app.user(), app.user()
    phone, of_other = confirmed(user), confirmed(other)

    for text in ("123 45", "zzzzzzz!", "no code"):
        assert error(sign_in(app, user, mfaCode=text)) == INVALID_CODE
    assert error(ask(user.pk, "mfa/disable", password=user.password, code="no code")) == INVALID_CODE
    assert error(sign_in(app, user, mfaCode="no code")) == INVALID_CODE

    answer = sign_in(app, user, mfaCode=phone.unused())
    assert error(answer) == TOO_MANY and "429" in answer.json["message"], answer
    assert 1 <= int(answer.headers["retry-after"]) <= 900
    assert error(sign_in(app, user, mfaCode=phone.backup[0])) == TOO_MANY
    assert error(ask(user.pk, "mfa/disable", password=user.password, code=phone.backup[0])) == TOO_MANY
    assert error(sign_in(app, user)) == MFA_REQUIRED
    assert sign_in(app, other, mfaCode=of_other.unused()).status == 200


def test_attack_11_guesses_at_once_are_five_too(app):
    user = app.user()
    phone = confirmed(user)

    answers = posts_at_once(app, 7, "/v1/auth/mfa/disable", {"password": user.password, "code": "no code"}, user.header)

    assert sorted(error(answer) for answer in answers) == [INVALID_CODE] * 5 + [TOO_MANY] * 2, answers
    assert error(sign_in(app, user, mfaCode=phone.backup[0])) == TOO_MANY


# --- backup codes ---


def test_attack_11_each_backup_code_is_used_once_until_none_is_left(app):
    user = app.user()
    phone = confirmed(user)
    first, *others = phone.backup

    assert sign_in(app, user, mfaCode=first).status == 200
    assert error(sign_in(app, user, mfaCode=first)) == INVALID_CODE
    assert error(sign_in(app, user, mfaCode=others[0].upper() + " ")) == INVALID_CODE
    for code in others:
        assert sign_in(app, user, mfaCode=code).status == 200
    assert error(sign_in(app, user, mfaCode=first)) == (400, "auth/mfa-backup-codes-exhausted")
    assert error(sign_in(app, user, mfaCode="zzzzzzzz")) == (400, "auth/mfa-backup-codes-exhausted")
    assert sign_in(app, user, mfaCode=phone.unused()).status == 200


def test_attack_11_the_codes_of_a_factor_that_is_gone_are_gone(app):
    user = app.user()
    former = confirmed(user)
    assert ask(user.pk, "mfa/disable", password=user.password).status == 200
    phone = confirmed(user)

    assert error(sign_in(app, user, mfaCode=former.backup[1])) == INVALID_CODE
    assert error(sign_in(app, user, mfaCode=former.unused())) == INVALID_CODE
    assert sign_in(app, user, mfaCode=phone.backup[1]).status == 200


# --- what projects and environments ask for ---


@pytest.fixture
def asking(app):
    """asking(name=True, ...) sets the project's settings until the end of the test."""
    names = set()

    def ask_for(**settings):
        names.update(settings)
        app.settings(**settings)

    yield ask_for
    app.settings(**dict.fromkeys(names))


def test_where_a_code_is_asked_for_nobody_takes_it_away_without(app, asking):
    user = app.user()
    phone = confirmed(user)
    asking(mfaDisableRequiresCode=True)

    for more in ({}, {"code": ""}, {"code": None}):
        assert error(ask(user.pk, "mfa/disable", password=user.password, **more)) == MFA_REQUIRED
    assert error(ask(user.pk, "mfa/disable", password=user.password, code="no code")) == INVALID_CODE
    assert error(ask(user.pk, "mfa/disable", password="wrong1")) == INVALID_CREDENTIALS
    assert is_on(user) is True
    assert ask(user.pk, "mfa/disable", password=user.password, code=phone.unused()).status == 200


def test_attack_03_an_administrator_without_one_is_a_user_where_it_is_asked_for(app, asking):
    admin, other = app.user(role="admin"), app.user()
    path = f"/v1/users/{other.id}"
    assert "email" in admin.pk.get(path).json

    asking(requireMfaForAdmins=True)
    assert "email" not in admin.pk.get(path).json
    assert error(admin.pk.patch(f"{path}/role", {"role": "admin"})) == (403, "user/forbidden")
    assert admin.pk.get("/v1/auth/me").json["role"] == "admin"
    assert "email" in app.sk.get(path).json  # the secret key's right is its own
    phone = confirmed(admin)
    assert "email" in admin.pk.get(path).json
    assert admin.pk.patch(f"{path}/role", {"role": "user"}).status == 200
    assert ask(admin.pk, "mfa/disable", password=admin.password, code=phone.backup[0]).status == 200
    assert "email" not in admin.pk.get(path).json
    asking(requireMfaForAdmins=False)
    assert "email" in admin.pk.get(path).json


def test_an_address_has_to_be_confirmed_before_a_code_is_asked_for(app):
    user = app.user()
    phone = confirmed(user)
    provider = "/v1/admin/auth-providers/email"
    assert app.sk.put(provider, {"requireEmailVerification": True}).status == 200
    try:
        answers = [sign_in(app, user), sign_in(app, user, mfaCode=phone.unused()), sign_in(app, user, mfaCode="no code")]
    finally:
        assert app.sk.put(provider, {"requireEmailVerification": None}).status == 200

    assert [error(answer) for answer in answers] == [(403, "auth/email-not-verified")] * 3
    assert sign_in(app, user, mfaCode=phone.unused()).status == 200


# --- other ways in, and what is written of it ---


def test_attack_11_a_sign_in_link_needs_the_code_too(app):
    user = app.user()
    code = mail_to(app, user.email, "signup_confirmation")["token"]
    assert ask(app.pk, "email/verify/confirm", email=user.email, token=code).status == 200
    phone = confirmed(user)
    assert ask(app.pk, "email/signin", method="magiclink", email=user.email).status == 200
    token = mail_to(app, user.email, "magic_link")["token"]

    assert error(ask(app.pk, "email/callback", token=token)) == MFA_REQUIRED
    assert error(ask(app.pk, "email/callback", token=token, mfaCode="no code")) == INVALID_CODE
    code = phone.unused()
    answer = ask(app.pk, "email/callback", token=token, mfaCode=code)
    assert answer.status == 200 and set(answer.json) == PAIR_MEMBERS | {"is_new_user"}, answer
    assert error(ask(app.pk, "email/callback", token=token, mfaCode=phone.backup[0])) == (401, "auth/invalid-token")
    assert error(sign_in(app, user, mfaCode=code)) == INVALID_CODE
    assert sign_in(app, user, mfaCode=phone.backup[0]).status == 200  # the used link took no code


def test_attack_15_the_log_says_who_and_holds_no_code(app):
    user = app.user()
    phone = confirmed(user)
    assert sign_in(app, user, mfaCode=phone.unused()).status == 200
    assert sign_in(app, user, mfaCode=phone.backup[0]).status == 200
    assert error(sign_in(app, user, mfaCode="no-code-at-all")) == INVALID_CODE
    assert ask(user.pk, "mfa/disable", password=user.password, code=phone.backup[1]).status == 200
    log = app.box.log_text()

    for event in ("mfa_enabled", "mfa_disabled"):
        assert any(f'"{event}"' in line and user.id in line for line in log.splitlines()), event
    for secret in (phone.made["secret"], phone.key.hex(), "no-code-at-all", *phone.backup):
        assert secret not in log
