# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates of mails, and where their links may lead. Contract 5.6, 6."""

import pytest

from app import BAD_PARAMETERS, FORBIDDEN, Unexpected, error
from mails import mail_to, new_email

PATH = "/v1/admin/email-templates"
CATEGORIES = ["signup_confirmation", "password_reset", "magic_link", "email_verification", "invitation"]
NO_TEMPLATE = (404, "auth/template-not-found")


@pytest.fixture(scope="module")
def app(module_app):
    """These tests change what every mail of the environment looks like."""
    return module_app


def test_there_is_a_template_for_each_category(app):
    answer = app.sk.get(PATH)

    assert answer.status == 200, answer
    assert [item["category"] for item in answer.json["items"]] == CATEGORIES
    assert answer.json["pagination"]["total"] == 5
    for item in answer.json["items"]:
        assert item["isDefault"] and item["subject"] and item["body"]
        assert item["variables"] == ["userName", "userEmail", "resetLink", "verifyLink", "magicLink", "inviterName",
                                     "resourceName"]
        assert app.sk.get(f"{PATH}/{item['category']}").json == item


def test_a_changed_template_is_what_mails_are_made_from(app):
    changed = {"subject": "{{ userName }}, eine Bestätigung", "body": "<a href='{{verifyLink}}'>ja, {{userEmail}}</a> {{nothing}}"}

    answer = app.sk.put(f"{PATH}/signup_confirmation", changed)
    assert answer.status == 200 and not answer.json["isDefault"], answer
    assert app.sk.get(f"{PATH}/signup_confirmation").json == answer.json
    assert {name: answer.json[name] for name in changed} == changed

    email = new_email(app)
    app.user(email=email, name="Jörg & Söhne\r\nX: y")
    mail = mail_to(app, email, "signup_confirmation")
    assert mail["subject"] == "Jörg & Söhne  X: y, eine Bestätigung"
    link = mail["link"].replace("&", "&amp;")
    assert mail["body"] == f"<a href='{link}'>ja, {email}</a> "
    assert app.sk.get(f"{PATH}/password_reset").json["isDefault"]


def test_a_changed_template_outlives_a_restart_and_other_changes(app):
    assert app.sk.put(f"{PATH}/invitation", {"subject": "Komm", "body": "zu {{resourceName}}"}).status == 200
    assert app.sk.put(f"{PATH}/magic_link", {"subject": "Hinein", "body": "{{magicLink}}"}).status == 200

    app.box.restart()
    app.sk.close()

    assert app.sk.get(f"{PATH}/invitation").json["subject"] == "Komm"
    assert app.sk.get(f"{PATH}/magic_link").json["subject"] == "Hinein"
    app.pk.close()
    assert app.user().pk.get("/v1/auth/me").status == 200


def test_a_preview_shows_a_template_with_values_and_changes_nothing(app):
    answer = app.sk.post(f"{PATH}/password_reset/preview")
    assert answer.status == 200 and set(answer.json) == {"subject", "body"}, answer
    assert "{{" not in answer.json["body"] and "token=sample&amp;email" in answer.json["body"]

    answer = app.sk.post(f"{PATH}/password_reset/preview", {"subject": "Hello {{userName}}", "body": "<b>{{userName}}</b>"})
    assert answer.json == {"subject": "Hello Ada Lovelace", "body": "<b>Ada Lovelace</b>"}
    assert app.sk.get(f"{PATH}/password_reset").json["isDefault"]


@pytest.mark.parametrize("body", [
    {}, {"subject": "s"}, {"body": "b"}, {"subject": "", "body": "b"}, {"subject": 1, "body": "b"}, {"subject": "s", "body": {}},
    {"subject": "s\r\nBcc: eve@example.com", "body": "b"}, {"subject": "s" * 201, "body": "b"}, {"subject": "s", "body": "b" * 16385},
    {"subject": "s", "body": "\u001b[0m"}, {"subject": "s", "body": "{{userName}}" * 17}, [], "x"])
def test_a_template_that_cannot_be_sent_is_refused(app, body):
    assert error(app.sk.put(f"{PATH}/email_verification", body)) == BAD_PARAMETERS
    assert app.sk.get(f"{PATH}/email_verification").json["isDefault"]


def test_templates_are_for_an_unrestricted_secret_key_alone(app):
    admin = app.user(role="admin")
    calls = [("GET", ""), ("GET", "/invitation"), ("PUT", "/invitation"), ("POST", "/invitation/preview")]

    for method, rest in calls:
        for client in (app.pk, admin.pk):
            assert error(client.request(method, PATH + rest, {"subject": "s", "body": "b"})) == FORBIDDEN
        assert error(app.nobody.request(method, PATH + rest, {})) == (401, "auth/unauthorized")
    for method, rest in calls[1:]:
        wrong = rest.replace("invitation", "newsletter")
        assert error(app.sk.request(method, PATH + wrong, {"subject": "s", "body": "b"})) == NO_TEMPLATE
    assert error(app.sk.put(f"{PATH}/invitation", {"subject": "s", "body": "b", "environment": "elsewhere"})) == FORBIDDEN


def link_for(app, url):
    email = new_email(app)
    answer = app.pk.post("/v1/auth/email/signup", {"method": "magiclink", "email": email, "callbackUrl": url})
    if answer.status != 201:
        raise Unexpected(answer)
    return mail_to(app, email, "magic_link")["link"].split("token=")[0]


def test_links_lead_to_origins_and_addresses_that_the_project_lists(app):
    assert link_for(app, "https://shop.example/in") == f"{app.box.url}/magic-link?"
    app.settings(redirectUrls=["myapp://signed-in", "https://other.example/exactly"])
    assert app.sk.put(f"{app.project}/cors", {"origins": ["https://shop.example"]}).status == 200

    assert link_for(app, "https://shop.example/in?a=1") == "https://shop.example/in?a=1&"
    assert link_for(app, "myapp://signed-in") == "myapp://signed-in?"
    assert link_for(app, "https://other.example/exactly?b=2#c").startswith("https://other.example/exactly?b=2&")
    for url in ("https://other.example/else", "https://other.example/exactly/more", "myapp://signed-in/x", "yourapp://signed-in",
                "https://shop.example.evil.example/", "https://shop.example:444/", "http://shop.example/", None):
        assert link_for(app, url) == "https://shop.example/magic-link?"
    app.settings(allowLocalhostOrigins=False)
    assert link_for(app, "http://localhost:3000/") == "https://shop.example/magic-link?"


@pytest.mark.parametrize("urls", ["myapp://a", [1], ["javascript:alert(1)"], ["http://shop.example/in"], ["https://*"], ["https://a.example/?x"],
                                  ["https://user@a.example/"], ["myapp://a#b"], ["a b:c"], [""], ["myapp://a"] * 11])
def test_addresses_that_no_link_may_lead_to_are_not_listed(app, urls):
    assert error(app.sk.patch(app.project, {"settings": {"redirectUrls": urls}})) == BAD_PARAMETERS
