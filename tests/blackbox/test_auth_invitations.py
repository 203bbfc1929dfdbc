# SPDX-License-Identifier: GPL-3.0-or-later
"""Invitations as administrators, the invited and everybody else see them: contract 5.9, row by row. What time, limits and the
end of whoever sent them change: tests/unit/api_invitations_test.c, which moves the clock."""

import pytest

from app import (BAD_PARAMETERS, FORBIDDEN, INSTANT, INVALID_REQUEST, INVALID_TOKEN, UNAUTHORIZED, UUID, error, query,
                 without_id)
from mails import mail_to, mails_to, new_email

PATH = "/v1/auth/invitations"
MEMBERS = {"id", "resourceType", "resourceId", "resourceName", "resourceRole", "email", "status", "expiresAt", "invitedBy",
           "createdAt"}
ACCEPTED = (400, "auth/invitation-already-accepted")
ABSENT = (404, "auth/invitation-not-found")
NO_ID = "11111111-1111-4111-8111-111111111111"
NO_CODE = "0" * 64


@pytest.fixture(scope="module")
def admin(module_app):
    return module_app.user(role="admin", name="Grace")


@pytest.fixture
def app(module_app):
    return module_app


def body_for(app, email=None, **more):
    return {"resourceType": "project", "resourceId": app.box.project, "resourceRole": "member",
            "email": email or new_email(app, "guest"), **more}


def invite(app, admin, **more):
    """(the invitation, its mail)"""
    answer = admin.pk.post(PATH, body_for(app, **more))
    assert answer.status == 201, answer
    return answer.json, mail_to(app, answer.json["email"], "invitation")


def accept(app, token, **more):
    return app.pk.post(f"{PATH}/accept", {"token": token, **more})


def reject(app, token, email):
    return app.pk.post(f"{PATH}/reject", {"token": token, "email": email})


def confirm(app, user):
    token = mail_to(app, user.email, "signup_confirmation")["token"]
    assert app.pk.post("/v1/auth/email/verify/confirm", {"email": user.email, "token": token}).status == 200


def roles(app, user):
    return app.sk.get(f"/v1/users/{user.id}").json["roles"]


# --- inviting ---


def test_an_administrator_invites_by_mail(app, admin):
    email = new_email(app, "Guest")

    made, mail = invite(app, admin, email=f" {email.upper()} ", name="Ada <b>", resourceName="The \"shop\"", inviterName="G & H")

    assert set(made) == MEMBERS and UUID.fullmatch(made["id"])
    assert made["status"] == "pending" and made["email"] == email.lower() and made["invitedBy"] == admin.id
    assert made["resourceName"] == "The \"shop\"" and made["resourceRole"] == "member" and made["resourceType"] == "project"
    assert INSTANT.fullmatch(made["createdAt"]) and INSTANT.fullmatch(made["expiresAt"])
    assert mail["subject"] == "G & H invites you to The \"shop\""
    assert "Hello Ada &lt;b&gt;," in mail["body"] and "G &amp; H invites you to join The &quot;shop&quot;" in mail["body"]
    assert mail["link"].endswith(f"/invitation?token={mail['token']}") and mail["link"] in mail["body"]
    assert mail["token"] not in str(made) and mail["token"] not in app.box.log_text()
    assert admin.pk.get(f"{PATH}/{made['id']}").json == made


def test_names_are_those_of_the_records_if_none_are_given(app, admin):
    project = app.sk.get(app.project).json

    made, mail = invite(app, admin)
    ours, _ = invite(app, admin, resourceType="organization", resourceId=project["organizationId"])

    assert made["resourceName"] == project["name"] and ours["resourceName"]
    assert mail["subject"] == f"Grace invites you to {project['name']}"


@pytest.mark.parametrize("url, leads", [("http://localhost:3000/join", True), ("https://evil.example/", False),
                                        ("javascript:alert(1)", False), (None, False)])
def test_attack_08_an_invitation_leads_only_where_the_project_lets_links_lead(app, admin, url, leads):
    _, mail = invite(app, admin, callbackUrl=url)

    place = url if leads else f"{app.box.url}/invitation"
    assert mail["link"] == f"{place}?token={mail['token']}"


def test_only_administrators_who_have_signed_in_invite(app, admin):
    user = app.user()

    assert error(app.sk.post(PATH, body_for(app))) == UNAUTHORIZED
    assert error(app.pk.post(PATH, body_for(app))) == UNAUTHORIZED
    for refused in (body_for(app), {}, body_for(app, email="nobody")):
        assert error(user.pk.post(PATH, refused)) == FORBIDDEN
    made = user.sk.post(PATH, body_for(app))
    assert made.status == 201 and made.json["invitedBy"] == user.id


@pytest.mark.parametrize("name", ["resourceType", "resourceId", "resourceRole", "email"])
def test_attack_08_a_field_that_is_no_text_invites_nobody(app, admin, name):
    for value in (None, 7, "", {"$ne": None}, ["a"], True):
        assert error(admin.pk.post(PATH, body_for(app, **{name: value}) if name != "email" else {**body_for(app), "email": value})) \
            == INVALID_REQUEST
    body = body_for(app)
    body.pop(name)
    assert error(admin.pk.post(PATH, body)) == INVALID_REQUEST


def test_attack_12_an_invitation_gives_no_more_than_a_role_here(app, admin):
    project = app.sk.get(app.project).json

    assert error(admin.pk.post(PATH, body_for(app, resourceRole="admin"))) == FORBIDDEN
    for role in ("guest", "self", "public", "Member", "a b", "x" * 33, "a\u0000"):
        assert error(admin.pk.post(PATH, body_for(app, resourceRole=role))) in (INVALID_REQUEST, (400, "auth/invalid-request"))
    for kind, resource in (("project", NO_ID), ("organization", app.box.project), ("project", project["organizationId"])):
        assert error(admin.pk.post(PATH, body_for(app, resourceType=kind, resourceId=resource))) == FORBIDDEN
    for more in ({"resourceType": "table"}, {"name": {"$gt": ""}}, {"resourceName": "x" * 101}, {"inviterName": 7}):
        assert error(admin.pk.post(PATH, body_for(app, **more))) == INVALID_REQUEST
    assert error(admin.pk.post(PATH, {**body_for(app), "email": "nobody"})) == (400, "auth/invalid-email")


def test_attack_05_members_that_the_box_sets_are_not_the_requesters_to_set(app, admin):
    email = new_email(app, "guest")

    made, mail = invite(app, admin, email=email, status="accepted", id=NO_ID, invitedBy=NO_ID, expiresAt="2999-01-01T00:00:00.000Z",
                        createdAt="2001-01-01T00:00:00.000Z", token="a" * 64, given=True, role="admin")

    assert made["status"] == "pending" and made["id"] != NO_ID and made["invitedBy"] == admin.id
    assert not made["expiresAt"].startswith("2999") and not made["createdAt"].startswith("2001")
    assert mail["token"] != "a" * 64
    doubled = b'{"resourceType":"project","resourceId":"%s","resourceRole":"member","email":"a@example.com","email":"b@example.com"}'
    assert error(admin.pk.post(PATH, doubled % app.box.project.encode())) == INVALID_REQUEST


def test_attack_08_an_invitation_cannot_break_the_header_of_its_mail(app, admin):
    made, mail = invite(app, admin, inviterName="G\r\nBcc: eve@example.com", resourceName="x\ny")

    assert "\r" not in mail["subject"] and "\n" not in mail["subject"]
    assert mail["to"] == made["email"]


def test_attack_10_whether_the_address_has_an_account_changes_no_answer(app, admin):
    known = app.user()
    app.box.log_text()

    first, second = (admin.pk.post(PATH, body_for(app, email=email)) for email in (known.email, new_email(app, "guest")))

    assert first.status == second.status == 201
    same = {"resourceType", "resourceId", "resourceName", "resourceRole", "status", "invitedBy"}
    assert {name: first.json[name] for name in same} == {name: second.json[name] for name in same}


# --- answering ---


def test_an_accepted_invitation_gives_a_confirmed_address_its_role(app, admin):
    user = app.user(roles=["editor"])
    confirm(app, user)
    made, mail = invite(app, admin, email=user.email)

    answer = accept(app, mail["token"])

    assert answer.status == 200 and answer.json == {**made, "status": "accepted"}
    assert roles(app, user) == ["editor", "member"]
    assert app.sk.get(f"/v1/users/{user.id}").json["role"] == "user"
    assert user.pk.get("/v1/auth/me").json["roles"] == ["editor", "member"]
    assert error(accept(app, mail["token"])) == ACCEPTED
    assert error(reject(app, mail["token"], user.email)) == ACCEPTED
    assert admin.pk.get(f"{PATH}/{made['id']}").json["status"] == "accepted"


def test_attack_12_an_address_that_is_not_confirmed_gets_no_role_yet(app, admin):
    """Whoever signs up first with the address of somebody else must not get what that one accepts."""
    user = app.user()
    _, mail = invite(app, admin, email=user.email)
    assert accept(app, mail["token"], email=user.email.upper()).status == 200
    assert roles(app, user) == []

    confirm(app, user)

    assert roles(app, user) == ["member"]
    assert user.pk.get("/v1/auth/me").status == 200  # who opened the mail vouches for who signed up


def test_attack_12_a_link_gives_the_role_to_nobody_but_who_opens_it(app, admin):
    """As the one above; whoever is invited never hears of the account, and signs in by a link to their address."""
    eve = app.user()
    _, mail = invite(app, admin, email=eve.email)
    assert accept(app, mail["token"]).status == 200
    assert app.pk.post("/v1/auth/email/signin", {"method": "magiclink", "email": eve.email}).status == 200
    token = mail_to(app, eve.email, "magic_link")["token"]

    answer = app.pk.post("/v1/auth/email/callback", {"token": token})

    assert answer.status == 200 and answer.json["user"]["id"] == eve.id, answer
    assert roles(app, eve) == ["member"]
    assert error(eve.pk.get("/v1/auth/me")) == (401, "auth/session-expired")
    again = app.pk.post("/v1/auth/email/signin", {"email": eve.email, "password": eve.password})
    assert error(again) == (401, "auth/invalid-credentials")


def test_a_role_waits_for_whoever_signs_up_later(app, admin):
    made, mail = invite(app, admin)
    assert accept(app, mail["token"]).status == 200
    user = app.user(email=made["email"])
    assert roles(app, user) == []
    confirm(app, user)
    assert roles(app, user) == ["member"]


def test_the_role_user_is_no_custom_role(app, admin):
    user = app.user()
    confirm(app, user)
    _, mail = invite(app, admin, email=user.email, resourceRole="user")

    assert accept(app, mail["token"]).status == 200

    assert roles(app, user) == []


def test_a_role_is_given_once(app, admin):
    user = app.user()
    confirm(app, user)
    _, mail = invite(app, admin, email=user.email)
    assert accept(app, mail["token"]).status == 200
    user.set_role("user", [])

    assert error(accept(app, mail["token"])) == ACCEPTED
    assert app.pk.post("/v1/auth/email/verify/send", {"email": user.email}).status in (400, 429)

    assert roles(app, user) == []


def test_a_rejected_invitation_is_answered_for_good(app, admin):
    user = app.user()
    confirm(app, user)
    made, mail = invite(app, admin, email=user.email)

    answer = reject(app, mail["token"], user.email)

    assert answer.status == 200 and answer.json == {}
    assert error(accept(app, mail["token"])) == error(reject(app, mail["token"], user.email)) == INVALID_TOKEN
    assert roles(app, user) == []
    assert admin.pk.get(f"{PATH}/{made['id']}").json["status"] == "rejected"


def test_attack_11_a_token_is_for_its_address_and_purpose(app, admin):
    made, mail = invite(app, admin)
    other = new_email(app)

    refused = [accept(app, mail["token"], email=other), reject(app, mail["token"], other), accept(app, NO_CODE),
               accept(app, mail["token"].upper()), accept(app, mail["token"][:-1]), accept(app, "x" * 5000)]

    assert [error(answer) for answer in refused] == [INVALID_TOKEN] * len(refused)
    assert len({str(without_id(answer)) for answer in refused}) == 1
    assert error(app.pk.post("/v1/auth/email/callback", {"token": mail["token"]})) == INVALID_TOKEN
    assert error(app.pk.post("/v1/auth/password/reset/confirm", {"email": made["email"], "token": mail["token"],
                                                               "newPassword": "abc123"}))[0] == 404
    assert admin.pk.get(f"{PATH}/{made['id']}").json["status"] == "pending"


def test_attack_08_an_answer_needs_a_token_that_is_a_text(app, admin):
    for value in (None, 7, "", {"$ne": ""}, [NO_CODE]):
        assert error(accept(app, value)) == INVALID_REQUEST
        assert error(reject(app, value, "a@example.com")) == INVALID_REQUEST
        assert value is None or error(accept(app, NO_CODE, email=value)) == INVALID_REQUEST
    assert error(app.pk.post(f"{PATH}/reject", {"token": NO_CODE})) == INVALID_REQUEST
    assert error(accept(app, NO_CODE, email="nobody")) == (400, "auth/invalid-email")
    assert error(app.nobody.post(f"{PATH}/accept", {"token": NO_CODE})) == UNAUTHORIZED


# --- reading and taking back ---


def test_senders_see_what_they_sent_and_administrators_all(app, admin):
    sender, other = app.user(), app.user()
    mine = [sender.sk.post(PATH, body_for(app)).json for _ in range(3)]
    invite(app, admin)

    seen = sender.pk.get(PATH).json

    assert seen["items"] == mine[::-1]
    assert seen["pagination"] == {"total": 3, "page": 1, "limit": 10, "totalPages": 1, "hasNext": False, "hasPrev": False}
    second = sender.pk.get(PATH + "?page=2&limit=2").json
    assert second["items"] == mine[:1] and second["pagination"]["hasPrev"] is True
    assert other.pk.get(PATH).json["items"] == []
    everything = admin.pk.get(PATH + "?limit=100").json["items"]
    assert {item["id"] for item in mine} < {item["id"] for item in everything}
    assert error(app.sk.get(PATH)) == UNAUTHORIZED
    assert sender.pk.get(f"{PATH}/{mine[0]['id']}").json == mine[0] == admin.pk.get(f"{PATH}/{mine[0]['id']}").json
    for client, invitation in ((other.pk, mine[0]["id"]), (admin.pk, NO_ID), (admin.pk, "x")):
        assert error(client.get(f"{PATH}/{invitation}")) == ABSENT


def test_a_list_of_invitations_is_filtered(app, admin):
    organization = app.sk.get(app.project).json["organizationId"]
    sender = app.user()
    here = sender.sk.post(PATH, body_for(app)).json
    there = sender.sk.post(PATH, body_for(app, resourceType="organization", resourceId=organization)).json
    assert sender.pk.delete(f"{PATH}/{there['id']}").status == 200
    there["status"] = "revoked"

    def listed(**how):
        return sender.pk.get(PATH + query(**how)).json["items"]

    assert listed(resourceType="project") == listed(resourceId=app.box.project) == listed(status="pending") == [here]
    assert listed(resourceType="organization") == listed(resourceId=organization) == listed(status="revoked") == [there]
    assert listed(status="accepted") == listed(resourceId=NO_ID) == listed(status="pending", resourceId=organization) == []
    for wrong in ("?status=gone", "?resourceType=table", "?status=pending&status=pending", "?page=0", "?limit=x", "?resourceId=", "?a=%zz"):
        assert error(sender.pk.get(PATH + wrong)) == BAD_PARAMETERS, wrong


def test_a_revoked_invitation_cannot_be_answered(app, admin):
    user, other = app.user(), app.user()
    confirm(app, user)
    made, mail = invite(app, admin, email=user.email)

    assert error(other.pk.delete(f"{PATH}/{made['id']}")) == FORBIDDEN
    assert error(app.sk.delete(f"{PATH}/{made['id']}")) == UNAUTHORIZED
    for absent in (NO_ID, "x"):
        assert error(admin.pk.delete(f"{PATH}/{absent}")) == error(other.pk.delete(f"{PATH}/{absent}")) == ABSENT
    answer = admin.pk.delete(f"{PATH}/{made['id']}")

    assert answer.status == 200 and set(answer.json) == {"message"}
    assert error(accept(app, mail["token"])) == error(reject(app, mail["token"], user.email)) == INVALID_TOKEN
    assert roles(app, user) == []
    assert admin.pk.get(f"{PATH}/{made['id']}").json["status"] == "revoked"


def test_what_waits_for_an_account_can_be_taken_back_and_what_was_given_not(app, admin):
    made, mail = invite(app, admin)
    assert accept(app, mail["token"]).status == 200
    assert admin.pk.delete(f"{PATH}/{made['id']}").status == 200
    user = app.user(email=made["email"])
    confirm(app, user)
    assert roles(app, user) == []

    other = app.user()
    confirm(app, other)
    given, mail = invite(app, admin, email=other.email)
    assert accept(app, mail["token"]).status == 200
    assert error(admin.pk.delete(f"{PATH}/{given['id']}")) == ACCEPTED
    assert roles(app, other) == ["member"]


def test_invitations_go_with_the_account_that_they_are_from_or_to(app, admin):
    sender, user = app.user(role="admin"), app.user()
    made, mail = invite(app, sender)
    to_user, token = invite(app, admin, email=user.email)

    assert sender.pk.delete("/v1/auth/withdraw").status == 200
    assert user.pk.delete("/v1/auth/withdraw").status == 200

    assert error(accept(app, mail["token"])) == error(accept(app, token["token"])) == INVALID_TOKEN
    for gone in (made, to_user):
        assert error(admin.pk.get(f"{PATH}/{gone['id']}")) == ABSENT
    assert mails_to(app, user.email) == []
