# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mail is for, as an app and its users see it: resets, confirmed addresses, sign-in links. Each row of the tables of
contract 5.3, 5.5 and 5.6, with its errors; ends of time are in tests/unit/api_codes_test.c, which moves the clock."""

import urllib.parse

import pytest

from app import INVALID_REQUEST, INVALID_TOKEN, error, query, without_id
from conftest import wait_until
from mails import made_user, mail_to, mails_to, new_email
from test_auth_sign import PAIR_MEMBERS

INVALID_EMAIL = (400, "auth/invalid-email")
NO_TOKEN = (404, "auth/verification-token-not-found")
ENDED = (401, "auth/session-expired")
NO_CODE = "0" * 64
BAD_EMAILS = ["", 7, None, {"$ne": None}, ["a@example.com"]]
# What sends mail, with its body besides the email.
SENDERS = [("/v1/auth/password/reset/request", {}), ("/v1/auth/signup/email/resend", {}),
           ("/v1/auth/email/verify/send", {}), ("/v1/auth/email/verify/resend", {}),
           ("/v1/auth/email/signin", {"method": "magiclink"}), ("/v1/auth/email/signup", {"method": "magiclink"})]


def ask(app, path, client=None, **body):
    return (client or app.pk).post(f"/v1/auth/{path}", body)


def sign_in(app, email, password):
    return ask(app, "email/signin", email=email, password=password)


def logged(app, event, user):
    return wait_until(lambda: [line for line in app.box.events(event) if line["user"] == user.id], event)


def visit(app, link):
    """What a browser does with a link of the box: no key."""
    parts = urllib.parse.urlsplit(link)
    return app.nobody.get(f"{parts.path}?{parts.query}")


# --- what all senders have in common ---


@pytest.mark.parametrize("path, more", SENDERS)
def test_attack_08_an_address_is_a_text_that_is_one(app, path, more):
    for email in BAD_EMAILS:
        assert error(app.pk.post(path, {"email": email, **more})) == INVALID_REQUEST
    assert error(app.pk.post(path, more)) == INVALID_REQUEST
    for email in ("nobody", "a@b", "a@example.com\r\nBcc: eve@example.com", "a@example.com,eve@example.com", "Ada <a@example.com>"):
        assert error(app.pk.post(path, {"email": email, **more})) == INVALID_EMAIL
    assert error(app.nobody.post(path, {"email": "a@example.com", **more})) == (401, "auth/unauthorized")


@pytest.mark.parametrize("path, more", SENDERS)
def test_attack_10_an_unknown_address_is_answered_as_a_known_one(app, path, more):
    known, unknown = made_user(app), new_email(app)

    answers = [app.pk.post(path, {"email": email, **more}) for email in (known, unknown)]

    assert [answer.status for answer in answers] == [201 if path.endswith("signup") else 200] * 2, answers
    first, second = (dict(answer.json) for answer in answers)
    assert first.pop("email", known) == known and second.pop("email", unknown) == unknown
    assert first == second and isinstance(first["message"], str)
    if not path.endswith("signup"):
        assert mails_to(app, unknown) == []


# --- resets ---


def request_reset(app, email):
    answer = ask(app, "password/reset/request", email=email)
    assert answer.status == 200 and set(answer.json) == {"message"}, answer
    return mail_to(app, email, "password_reset")


def test_a_reset_changes_the_password_and_ends_every_session(app):
    user = app.user()
    elsewhere = sign_in(app, user.email, user.password).json
    mail = request_reset(app, user.email.upper())
    assert f"token={mail['token']}&email=" in mail["link"]

    answer = ask(app, "password/reset/confirm", email=user.email, token=mail["token"], newPassword="other1")

    assert answer.status == 200 and set(answer.json) == {"message"}, answer
    assert error(user.pk.get("/v1/auth/me")) == ENDED
    assert error(app.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {elsewhere['accessToken']}"})) == ENDED
    assert error(ask(app, "refresh", refreshToken=user.refresh)) == (401, "auth/invalid-refresh-token")
    assert error(sign_in(app, user.email, user.password)) == (401, "auth/invalid-credentials")
    assert sign_in(app, user.email, "other1").status == 200
    assert logged(app, "password_reset", user)
    assert mail["token"] not in app.box.log_text() and "other1" not in app.box.log_text()


def test_a_reset_code_is_used_once_and_by_its_address_alone(app):
    user, other = app.user(), app.user()
    token = request_reset(app, user.email)["token"]

    def confirm(email, code, password="other1"):
        return ask(app, "password/reset/confirm", email=email, token=code, newPassword=password)

    refused = [confirm(other.email, token), confirm(new_email(app), token), confirm(user.email, NO_CODE),
               confirm(user.email, token.upper()), confirm(user.email, token[:-1]), confirm(user.email, "x" * 5000)]
    assert [error(answer) for answer in refused] == [NO_TOKEN] * len(refused)
    assert len({str(without_id(answer)) for answer in refused}) == 1
    assert error(confirm(user.email, token, user.password)) == (400, "auth/same-as-previous-password")
    assert error(confirm(user.email, token, "short")) == (400, "auth/invalid-password-format")
    assert confirm(user.email, token).status == 200
    assert error(confirm(user.email, token, "third1")) == NO_TOKEN


@pytest.mark.parametrize("missing", ["email", "token", "newPassword"])
def test_a_reset_needs_its_three_fields(app, missing):
    body = {"email": "a@example.com", "token": NO_CODE, "newPassword": "other1"}
    for value in (None, 7, {"$ne": None}, ""):
        assert error(ask(app, "password/reset/confirm", **{**body, missing: value})) == INVALID_REQUEST
    body.pop(missing)
    assert error(ask(app, "password/reset/confirm", **body)) == INVALID_REQUEST


def test_attack_11_a_code_for_one_purpose_is_nothing_for_another(app):
    user = app.user()
    verify = mail_to(app, user.email, "signup_confirmation")["token"]
    reset = request_reset(app, user.email)["token"]

    assert error(ask(app, "password/reset/confirm", email=user.email, token=verify, newPassword="other1")) == NO_TOKEN
    assert error(ask(app, "email/verify/confirm", email=user.email, token=reset)) == INVALID_TOKEN
    for token in (verify, reset):
        assert error(ask(app, "email/callback", token=token)) == INVALID_TOKEN
    assert error(app.nobody.get("/v1/auth/signup/email/confirm" + query(token=reset, email=user.email))) == INVALID_TOKEN


def test_a_user_without_a_password_gets_one_by_mail(app):
    email = new_email(app)
    assert app.sk.post("/v1/users", {"email": email, "name": "Made"}).status == 201
    assert error(sign_in(app, email, "abc123")) == (401, "auth/invalid-credentials")

    token = request_reset(app, email)["token"]
    assert ask(app, "password/reset/confirm", email=email, token=token, newPassword="abc123").status == 200

    assert sign_in(app, email, "abc123").status == 200


def test_codes_and_mails_go_with_the_account(app):
    user = app.user()
    token = request_reset(app, user.email)["token"]

    assert user.pk.delete("/v1/auth/withdraw").status == 200

    assert mails_to(app, user.email) == []
    again = app.user(email=user.email)
    assert error(ask(app, "password/reset/confirm", email=user.email, token=token, newPassword="other1")) == NO_TOKEN
    assert again.pk.get("/v1/auth/me").status == 200


# --- changing ---


def test_a_password_is_changed_by_the_current_one_and_sessions_end(app):
    user = app.user()

    answer = ask(app, "password/change", user.pk, currentPassword=user.password, newPassword="other1")

    assert answer.status == 200 and set(answer.json) == {"message"}, answer
    assert error(user.pk.get("/v1/auth/me")) == ENDED
    assert error(sign_in(app, user.email, user.password)) == (401, "auth/invalid-credentials")
    assert sign_in(app, user.email, "other1").status == 200
    assert logged(app, "password_changed", user)


def test_a_change_that_is_refused_changes_nothing(app):
    user = app.user()

    def change(client=None, **body):
        return error(ask(app, "password/change", client or user.pk, **body))

    assert change(currentPassword="wrong1", newPassword="other1") == (401, "auth/invalid-password")
    assert change(currentPassword="abc123", newPassword="abc123") == (400, "auth/same-as-previous-password")
    assert change(currentPassword="abc123", newPassword="short") == (400, "auth/invalid-password-format")
    assert change(currentPassword="abc123", newPassword="x" * 129) == (400, "auth/invalid-password-format")
    for body in ({"newPassword": "other1"}, {"currentPassword": "abc123"}, {"currentPassword": {"$ne": 1}, "newPassword": "other1"}):
        assert change(**body) == INVALID_REQUEST
    assert change(app.pk, currentPassword="abc123", newPassword="other1") == (401, "auth/unauthorized")
    assert user.pk.get("/v1/auth/me").status == 200
    assert sign_in(app, user.email, user.password).status == 200


# --- confirmed addresses ---


def verified(app, user):
    return app.sk.get(f"/v1/users/{user.id}").json["emailVerified"]


def test_the_link_of_a_sign_up_confirms_the_address_once(app):
    user = app.user()
    mail = mail_to(app, user.email, "signup_confirmation")

    answer = visit(app, mail["link"])

    assert answer.status == 200, answer
    assert answer.json == {"success": True, "data": {"verified": True, "email": user.email}}
    assert verified(app, user) is not None
    assert error(visit(app, mail["link"])) == INVALID_TOKEN
    assert user.pk.get("/v1/auth/me").json["emailVerified"] == verified(app, user)
    for path in ("signup/email/resend", "email/verify/send", "email/verify/resend"):
        refused = [ask(app, path, email=user.email) for _ in range(2)]
        assert (400, "auth/already-verified") in map(error, refused) or error(refused[0])[0] == 429


def test_a_confirmed_address_leads_on_to_where_the_app_wants_it(app):
    user = app.user()
    mail = mail_to(app, user.email, "signup_confirmation")
    link = mail["link"] + "&callbackUrl=" + urllib.parse.quote("http://localhost:3000/in?a=1#top", safe="")

    answer = visit(app, link)

    assert answer.status == 302, answer
    assert answer.headers["location"] == "http://localhost:3000/in?a=1&verified=true&email=" + urllib.parse.quote(
        user.email, safe="") + "#top"
    assert answer.json["data"]["verified"] is True
    assert verified(app, user) is not None


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "http://localhost:3000/%0d%0aSet-Cookie:a",
                                 "http://localhost:3000/\r\nSet-Cookie: a=b", "javascript:alert(1)", "http://localhost@evil.example"])
def test_no_link_of_the_box_leads_to_strangers(app, url):
    user = app.user()
    link = mail_to(app, user.email, "signup_confirmation")["link"] + "&callbackUrl=" + urllib.parse.quote(url, safe="")

    answer = visit(app, link)

    if url.startswith("http://localhost:3000/%0d"):  # encoded, it is a path like any other
        assert answer.status == 302 and "set-cookie" not in answer.headers
        return
    assert answer.status == 200 and "location" not in answer.headers and "set-cookie" not in answer.headers, answer


def test_a_visit_with_something_wrong_confirms_nothing(app):
    user, other = app.user(), app.user()
    token = mail_to(app, user.email, "signup_confirmation")["token"]
    path = "/v1/auth/signup/email/confirm"

    for wrong in (query(token=token), query(email=user.email), "", query(token=token, email=other.email),
                  query(token=NO_CODE, email=user.email), query(token=token, email="%"), f"?token={token}&email=%zz"):
        assert error(app.nobody.get(path + wrong)) == INVALID_TOKEN
    assert verified(app, user) is None
    assert app.nobody.get(path + query(token=token, email=f" {user.email.upper()} ")).status == 200


def test_an_app_confirms_an_address_by_a_code(app):
    user, other = app.user(), app.user()
    answer = ask(app, "email/verify/send", email=user.email)
    assert answer.status == 200 and answer.json["email"] == user.email
    old = mail_to(app, user.email, "signup_confirmation")["token"]
    token = mail_to(app, user.email, "email_verification")["token"]

    assert error(ask(app, "email/verify/confirm", email=user.email, token=old)) == INVALID_TOKEN
    assert error(ask(app, "email/verify/confirm", email=other.email, token=token)) == INVALID_TOKEN
    assert error(ask(app, "email/verify/confirm", email="nobody", token=token)) == INVALID_EMAIL
    assert error(ask(app, "email/verify/confirm", email=user.email)) == INVALID_REQUEST
    answer = ask(app, "email/verify/confirm", email=user.email, token=token)
    assert answer.status == 200 and answer.json["verified"] is True and "message" in answer.json, answer
    assert error(ask(app, "email/verify/confirm", email=user.email, token=token)) == INVALID_TOKEN


def test_a_resent_confirmation_ends_the_first(app):
    user = app.user()
    first = mail_to(app, user.email, "signup_confirmation")["link"]

    assert ask(app, "signup/email/resend", email=user.email, callbackUrl="http://localhost:1/x").json["email"] == user.email

    second = mail_to(app, user.email, "signup_confirmation")["link"]
    assert error(visit(app, first)) == INVALID_TOKEN
    assert visit(app, second).headers["location"].startswith("http://localhost:1/x?verified=true")


def test_whoever_has_signed_in_changes_the_address_by_confirming_another(app):
    user, email = app.user(), new_email(app)
    reset = request_reset(app, user.email)["token"]

    answer = ask(app, "email/verify/send", user.pk, email=email)
    assert answer.status == 200 and answer.json["email"] == email
    assert user.pk.get("/v1/auth/me").json["email"] == user.email
    token = mail_to(app, email, "email_verification")["token"]
    assert ask(app, "email/verify/confirm", email=email, token=token).status == 200

    me = user.pk.get("/v1/auth/me").json
    assert me["id"] == user.id and me["email"] == email and me["emailVerified"] is not None
    assert logged(app, "email_changed", user)
    assert sign_in(app, email, user.password).status == 200
    assert error(sign_in(app, user.email, user.password)) == (401, "auth/invalid-credentials")
    # What went to the former address is worth nothing any more.
    assert error(ask(app, "password/reset/confirm", email=user.email, token=reset, newPassword="other1")) == NO_TOKEN


def test_an_address_that_was_taken_meanwhile_is_not_given_twice(app):
    user, email = app.user(), new_email(app)
    assert ask(app, "email/verify/send", user.pk, email=email).status == 200
    token = mail_to(app, email, "email_verification")["token"]
    other = app.user(email=email)

    assert error(ask(app, "email/verify/confirm", email=email, token=token)) == (409, "auth/email-already-exists")

    assert user.pk.get("/v1/auth/me").json["email"] == user.email
    assert other.pk.get("/v1/auth/me").json["emailVerified"] is None


def test_a_stale_access_token_is_as_none_when_a_confirmation_is_asked_for(app):
    user, unknown = app.user(), new_email(app)

    for value in ("Bearer a.b.c", "Basic eDp5", f"Bearer {user.refresh}"):
        email = new_email(app)
        answer = app.pk.post("/v1/auth/email/verify/send", {"email": email}, headers={"Authorization": value})
        assert answer.status == 200, answer
        assert mails_to(app, email) == []
    assert app.pk.post("/v1/auth/signout", headers=user.header).status == 200
    answer = app.pk.post("/v1/auth/email/verify/send", {"email": unknown}, headers=user.header)
    assert answer.status == 200 and mails_to(app, unknown) == []
    # Only the two that the contract names read it.
    other = app.user()
    ask(app, "signup/email/resend", other.pk, email=unknown)
    assert mails_to(app, unknown) == []


# --- sign-in links ---


def test_a_link_signs_a_user_in_once(app):
    user = app.user()
    answer = ask(app, "email/signin", method="magiclink", email=user.email, callbackUrl="http://localhost:3000/cb")
    assert answer.status == 200 and set(answer.json) == {"message", "email"}, answer
    mail = mail_to(app, user.email, "magic_link")
    assert mail["link"] == f"http://localhost:3000/cb?token={mail['token']}"

    answer = ask(app, "email/callback", token=mail["token"])

    assert answer.status == 200 and set(answer.json) == PAIR_MEMBERS | {"is_new_user"}, answer
    assert answer.json["is_new_user"] is False and answer.json["user"]["id"] == user.id
    assert answer.json["user"]["emailVerified"] is not None
    me = app.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {answer.json['accessToken']}"})
    assert me.status == 200 and me.json["id"] == user.id
    assert error(ask(app, "email/callback", token=mail["token"])) == INVALID_TOKEN


def test_attack_11_a_link_leaves_nothing_to_who_signed_up_with_the_address_of_another(app):
    eve = app.user()
    assert ask(app, "email/signin", method="magiclink", email=eve.email).status == 200

    answer = ask(app, "email/callback", token=mail_to(app, eve.email, "magic_link")["token"])

    assert answer.status == 200 and answer.json["user"]["id"] == eve.id, answer
    assert error(eve.pk.get("/v1/auth/me")) == ENDED
    assert error(ask(app, "refresh", refreshToken=eve.refresh)) == (401, "auth/invalid-refresh-token")
    assert error(sign_in(app, eve.email, eve.password)) == (401, "auth/invalid-credentials")
    assert logged(app, "account_claimed", eve)


@pytest.mark.parametrize("name", [None, "Grace"])
def test_a_link_signs_an_unknown_address_up(app, name):
    email = new_email(app, "fresh")
    body = {"method": "magiclink", "email": email} if name is None else {"method": "magiclink", "email": email, "name": name}
    answer = ask(app, "email/signup", **body)
    assert answer.status == 201 and answer.json["email"] == email, answer
    mail = mail_to(app, email, "magic_link")
    token = mail["token"]
    assert f"Hello {name or email}," in mail["body"]

    answer = ask(app, "email/callback", token=token)

    assert answer.status == 200 and answer.json["is_new_user"] is True, answer
    made = answer.json["user"]
    assert made["email"] == email and made["name"] == (name or email.split("@")[0]) and made["role"] == "user"
    assert made["emailVerified"] is not None
    assert error(ask(app, "email/callback", token=token)) == INVALID_TOKEN
    assert error(sign_in(app, email, "abc123")) == (401, "auth/invalid-credentials")


def test_a_link_for_an_address_that_signed_up_meanwhile_is_that_users(app):
    email = new_email(app)
    assert ask(app, "email/signup", method="magiclink", email=email).status == 201
    token = mail_to(app, email, "magic_link")["token"]
    user = app.user(email=email)

    answer = ask(app, "email/callback", token=token)

    assert answer.json["is_new_user"] is False and answer.json["user"]["id"] == user.id


def test_a_banned_user_comes_in_by_no_link(app):
    user = app.user()
    assert ask(app, "email/signin", method="magiclink", email=user.email).status == 200
    token = mail_to(app, user.email, "magic_link")["token"]
    assert app.sk.patch(f"/v1/users/{user.id}/ban", {"banned": True}).status == 200

    assert error(ask(app, "email/callback", token=token)) == (403, "auth/account-banned")


def test_a_callback_without_a_code_is_refused(app):
    assert error(ask(app, "email/callback")) == INVALID_REQUEST
    assert error(ask(app, "email/callback", token={"$ne": ""})) == INVALID_REQUEST
    assert error(ask(app, "email/callback", token=NO_CODE)) == INVALID_TOKEN
    assert error(ask(app, "email/callback", token="\u0000" * 3))[0] == 400
    assert error(ask(app, "email/signup", method="magiclink", email=new_email(app), name="x" * 101)) == INVALID_REQUEST
