# SPDX-License-Identifier: GPL-3.0-or-later
"""The local outbox: what it shows, to whom, and that nothing of a mail's values can become its structure. Contract 5.11,
6."""

import re

import pytest

from app import BAD_PARAMETERS, FORBIDDEN, INSTANT, NOT_FOUND, UUID, error, query
from mails import mail_to, mails_to, new_email

MAIL_MEMBERS = {"id", "to", "category", "subject", "body", "link", "token", "status", "createdAt", "updatedAt"}
HEX = re.compile(r"[0-9a-f]{64}")


def sign_up(app, email, name="Ada", **more):
    answer = app.pk.post("/v1/auth/email/signup", dict({"email": email, "password": "abc123", "name": name}, **more))
    assert answer.status == 201, answer
    return answer.json


def test_signing_up_sends_a_confirmation(app):
    email = new_email(app)

    sign_up(app, email.upper())

    mails = mails_to(app, email)
    assert len(mails) == 1
    mail = mails[0]
    assert set(mail) == MAIL_MEMBERS
    assert mail["to"] == email and mail["category"] == "signup_confirmation" and mail["status"] == "local"
    assert UUID.fullmatch(mail["id"]) and INSTANT.fullmatch(mail["createdAt"]) and HEX.fullmatch(mail["token"])
    assert mail["link"].startswith(app.box.url + "/v1/auth/signup/email/confirm?token=" + mail["token"])
    assert "Hello Ada," in mail["body"] and mail["link"].replace("&", "&amp;") in mail["body"]
    assert app.sk.get(f"/v1/admin/outbox/{mail['id']}").json == mail


def test_the_outbox_is_for_an_unrestricted_secret_key_alone(app):
    user = app.user(role="admin")
    email = new_email(app)
    sign_up(app, email)
    path = "/v1/admin/outbox/" + mail_to(app, email, "signup_confirmation")["id"]
    scoped = app.client("secret", scopes=["users:read"])

    for target in ("/v1/admin/outbox", path):
        assert error(app.pk.get(target)) == FORBIDDEN
        assert error(user.pk.get(target)) == FORBIDDEN
        assert error(scoped.get(target)) == (403, "data/scope-insufficient")
        assert error(app.nobody.get(target)) == (401, "auth/unauthorized")


def test_the_outbox_is_filtered_and_paged(app):
    emails = [new_email(app) for _ in range(3)]
    for email in emails:
        sign_up(app, email)

    newest = app.sk.get("/v1/admin/outbox?limit=2&category=signup_confirmation").json
    assert [mail["to"] for mail in newest["items"]] == emails[:0:-1]
    assert newest["pagination"]["total"] >= 3 and newest["pagination"]["hasNext"]
    third = app.sk.get("/v1/admin/outbox?limit=2&page=2").json["items"][0]
    assert third["to"] == emails[0]
    assert mails_to(app, emails[0].upper()) == [third]
    assert mails_to(app, emails[0], "password_reset") == []
    assert error(app.sk.get("/v1/admin/outbox?email=nobody")) == BAD_PARAMETERS


def test_a_mail_that_is_not_there_is_not_found(app):
    for name in ("none", "11111111-1111-4111-8111-111111111111"):
        assert error(app.sk.get(f"/v1/admin/outbox/{name}")) == NOT_FOUND


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.com", "<img src=x onerror=alert(1)>", "{{verifyLink}}",
                                  "\"><a href='https://evil.example/'>click</a>"])
def test_a_name_stays_a_value_of_its_mail(app, name):
    email = new_email(app)

    sign_up(app, email, name)

    mail = mail_to(app, email, "signup_confirmation")
    assert "\n" not in mail["subject"] and "\r" not in mail["subject"]
    assert "<img" not in mail["body"] and "evil.example/'>" not in mail["body"]
    assert mail["body"].count(mail["token"]) == 2
    assert mail["to"] == email


@pytest.mark.parametrize("url", ["https://evil.example/in", "javascript:alert(1)", "//evil.example", "http://localhost@evil.example/",
                                 "http://localhost.evil.example/", "http://localhost:3000/a\r\nb", ""])
def test_a_callback_elsewhere_is_not_in_the_link(app, url):
    email = new_email(app)

    sign_up(app, email, callbackUrl=url)

    assert "callbackUrl" not in mail_to(app, email, "signup_confirmation")["link"]


def test_a_callback_on_this_machine_is_in_the_link(app):
    email = new_email(app)

    sign_up(app, email, callbackUrl="http://localhost:3000/verified?from=mail")

    assert mail_to(app, email, "signup_confirmation")["link"].endswith(
        "&callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fverified%3Ffrom%3Dmail")


def test_the_host_of_a_request_is_not_in_its_mail(app):
    email = new_email(app)

    answer = app.nobody.post("/v1/auth/email/signup", {"email": email, "password": "abc123", "name": "Ada"},
                             headers={"X-API-Key": app.box.pk, "X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"})
    assert answer.status == 201

    assert "evil" not in str(mail_to(app, email, "signup_confirmation"))
