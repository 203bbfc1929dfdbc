# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what to users: the table of contract 5.10, row by row, for every kind of requester."""

import pytest

from app import error
from mails import new_email

NOBODY = "11111111-1111-4111-8111-111111111111"
NO_KEY = (401, "auth/unauthorized")
NO_USER = (401, "user/unauthorized")
FORBIDDEN = (403, "user/forbidden")
ABSENT = (404, "user/not-found")
NO_STORE = (500, "file/bucket-not-configured")
NO_FILE = (404, "file/not-found")

# method, path below /v1/users/:id, body, what whoever may do it gets, and whether any other user may
ROWS = [
    ("GET", "", None, 200, True),
    ("PATCH", "", {"name": "Changed"}, 200, False),
    ("GET", "/profile", None, 200, False),
    ("PATCH", "/profile", {"bio": "b"}, 200, False),
    ("GET", "/preferences", None, 200, False),
    ("PATCH", "/preferences", {"theme": "dark"}, 200, False),
    ("GET", "/notifications", None, 200, False),
    ("PATCH", "/notifications", {"sms": True}, 200, False),
    ("GET", "/onboarding", None, 200, False),
    ("PATCH", "/onboarding", {"status": "completed"}, 200, False),
    ("GET", "/public-settings", None, 200, False),
    ("PATCH", "/public-settings", {"isPublic": False}, 200, False),
    ("POST", "/avatar/upload-url", {"filename": "a.png"}, NO_STORE, False),
    ("PATCH", "/avatar", {"s3Key": "k"}, NO_FILE, False),
    ("DELETE", "/avatar", None, 200, False),
]
FOR_ADMINISTRATORS = [("PATCH", "/role", {"role": "user"}, 200), ("PATCH", "/ban", {"banned": False}, 200)]


@pytest.fixture(scope="module")
def people(app):
    me, other, guest, admin = app.user(), app.user(), app.user(), app.user()
    guest.set_role("guest")
    admin.set_role("admin")
    clients = {"no-key": app.nobody, "guest": app.pk, "other": other.pk, "guest-role": guest.pk, "self": me.pk,
               "admin": admin.pk, "secret": app.sk}
    return me, clients


def outcome(answer):
    return answer.status if answer.status < 400 else error(answer)


@pytest.mark.parametrize("method,rest,body,done,others", ROWS, ids=[f"{row[0]}-{row[1] or '/'}" for row in ROWS])
def test_a_user_is_for_themselves_and_administrators(people, method, rest, body, done, others):
    me, clients = people
    seen = 200 if others else FORBIDDEN

    got = {who: outcome(client.request(method, f"/v1/users/{me.id}{rest}", body)) for who, client in clients.items()}
    absent = {who: outcome(client.request(method, f"/v1/users/{NOBODY}{rest}", body))
              for who, client in clients.items()}

    assert got == {"no-key": NO_KEY, "guest": NO_USER, "other": seen, "guest-role": seen, "self": done,
                   "admin": done, "secret": done}
    gone = ABSENT if others else FORBIDDEN
    assert absent == {"no-key": NO_KEY, "guest": NO_USER, "other": gone, "guest-role": gone, "self": gone,
                      "admin": ABSENT, "secret": ABSENT}


@pytest.mark.parametrize("method,rest,body,done", FOR_ADMINISTRATORS, ids=["role", "ban"])
def test_roles_and_bans_are_for_administrators(people, method, rest, body, done):
    me, clients = people

    got = {who: outcome(client.request(method, f"/v1/users/{me.id}{rest}", body)) for who, client in clients.items()}

    assert got == {"no-key": NO_KEY, "guest": NO_USER, "other": FORBIDDEN, "guest-role": FORBIDDEN, "self": FORBIDDEN,
                   "admin": done, "secret": done}
    assert error(clients["other"].request(method, f"/v1/users/{NOBODY}{rest}", body)) == FORBIDDEN
    assert error(clients["secret"].request(method, f"/v1/users/{NOBODY}{rest}", body)) == ABSENT


def test_users_are_made_by_administrators(app, people):
    _, clients = people

    got = {who: outcome(client.post("/v1/users", {"name": "Made", "email": new_email(app)}))
           for who, client in clients.items()}

    assert got == {"no-key": NO_KEY, "guest": NO_USER, "other": FORBIDDEN, "guest-role": FORBIDDEN, "self": FORBIDDEN,
                   "admin": 201, "secret": 201}


def test_users_are_deleted_by_themselves_and_administrators(app, people):
    _, clients = people

    for who, wanted in (("no-key", NO_KEY), ("guest", NO_USER), ("other", FORBIDDEN), ("guest-role", FORBIDDEN),
                        ("self", FORBIDDEN), ("admin", 200), ("secret", 200)):
        made = app.sk.post("/v1/users", {"name": "Made", "email": new_email(app)}).json["id"]
        assert outcome(clients[who].delete(f"/v1/users/{made}")) == wanted, who
        assert app.sk.get(f"/v1/users/{made}").status == (404 if wanted == 200 else 200)
    gone = app.user()
    assert gone.pk.delete(f"/v1/users/{gone.id}").status == 200
    assert error(gone.pk.get("/v1/auth/me")) == (401, "auth/session-expired")


def test_the_list_shows_others_public_fields_and_administrators_all(people):
    _, clients = people

    got = {who: outcome(client.get("/v1/users")) for who, client in clients.items()}

    assert got == {"no-key": NO_KEY, "guest": NO_USER, "other": 200, "guest-role": 200, "self": 200, "admin": 200,
                   "secret": 200}
    public = {"id", "name", "nickname", "image", "createdAt"}
    assert all(set(item) == public for item in clients["other"].get("/v1/users").json["items"])
    assert all(set(item) > public | {"email"} for item in clients["admin"].get("/v1/users").json["items"])


def test_a_scope_of_the_key_counts_before_everything_else(app, people):
    me, _ = people
    reader = me.client(app.make_key(scopes=["users:read"])["value"])
    writer = me.client(app.make_key(scopes=["users:update"])["value"])
    denied = (403, "data/scope-insufficient")

    assert reader.get(f"/v1/users/{me.id}/profile").status == 200
    assert error(reader.patch(f"/v1/users/{me.id}/profile", {})) == denied
    assert error(reader.post(f"/v1/users/{me.id}/avatar/upload-url", {"filename": "a.png"})) == denied
    assert reader.get("/v1/users").status == 200  # read covers list
    assert error(writer.get("/v1/users")) == denied
    assert writer.patch(f"/v1/users/{me.id}/profile", {}).status == 200
    assert error(writer.post(f"/v1/users/{me.id}/avatar/upload-url", {"filename": "a.png"})) == NO_STORE
    assert error(writer.get(f"/v1/users/{me.id}/profile")) == denied
    assert error(writer.delete(f"/v1/users/{me.id}/avatar")) == denied
    assert reader.get("/v1/auth/accounts").status == 200  # /v1/auth is exempt
