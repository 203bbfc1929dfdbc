# SPDX-License-Identifier: GPL-3.0-or-later
"""What users say of themselves, how they are found, and their ways to sign in. Contract 5.8, 5.10, 4.1."""

from app import INSTANT, UUID, error, query

PROFILE = {"id", "email", "name", "nickname", "image", "mobile", "gender", "bio", "socialLinks", "role", "createdAt",
           "updatedAt"}
ACCOUNT = {"id", "userId", "provider", "providerAccountId", "connectedAt"}
NOTICES = {"service": True, "marketing": False, "push": True, "email": True, "sms": False, "nightTime": False,
           "securityAlerts": True}


def test_an_app_edits_a_profile_as_its_form_does(app):
    user = app.user(name="Form")
    path = f"/v1/users/{user.id}/profile"
    form = {"name": "Formed", "nickname": "f\u00f6rm \U0001f600", "bio": "Two\nlines", "gender": "none",
            "mobile": "+821012345678", "image": "https://cdn.example/a.png?x=1",
            "socialLinks": {"github": "https://code.example/form", "twitter": None}}

    answer = user.pk.patch(path, form)
    assert answer.status == 200 and set(answer.json) == PROFILE, answer
    assert INSTANT.fullmatch(answer.json["updatedAt"]) and answer.json["updatedAt"] > answer.json["createdAt"]
    got = user.pk.get(path).json
    assert all(got[name] == form[name] for name in form if name != "socialLinks")
    assert got["socialLinks"] == {"github": "https://code.example/form", "twitter": None, "linkedin": None}
    me = user.pk.get("/v1/auth/me").json
    assert (me["name"], me["nickname"], me["image"]) == (form["name"], form["nickname"], form["image"])
    again = user.pk.patch(path, {}).json
    assert again["updatedAt"] > got["updatedAt"] and again["bio"] == form["bio"]


def test_settings_of_a_user_keep_what_they_are_told(app):
    user = app.user()
    base = f"/v1/users/{user.id}"

    assert user.pk.get(f"{base}/notifications").json == NOTICES
    assert user.pk.patch(f"{base}/notifications", {"nightTime": True}).json == {**NOTICES, "nightTime": True}
    assert user.pk.get(f"{base}/preferences").json == {"locale": None, "timezone": None, "theme": None}
    wanted = {"locale": "ko-KR", "timezone": "Asia/Seoul", "theme": "system"}
    assert user.pk.patch(f"{base}/preferences", wanted).json == wanted
    done = user.pk.patch(f"{base}/onboarding", {"status": "completed"}).json
    assert set(done) == {"status", "updatedAt"} and done["status"] == "completed"
    assert user.pk.get("/v1/auth/me").json["onboardingStatus"] == "completed"


def test_a_slug_is_taken_once_and_makes_no_one_visible(app):
    user, other = app.user(), app.user()
    slug = f"slug-{user.id[:8]}"

    answer = user.pk.patch(f"/v1/users/{user.id}/public-settings", {"slug": slug})
    assert answer.json == {"slug": slug, "isPublic": False}
    taken = other.pk.patch(f"/v1/users/{other.id}/public-settings", {"slug": slug})
    assert error(taken) == (409, "data/duplicate-value")
    assert error(other.pk.get(f"/v1/users/{user.id}/profile")) == (403, "user/forbidden")
    user.pk.patch(f"/v1/users/{user.id}/public-settings", {"isPublic": True})
    shown = other.pk.get(f"/v1/users/{user.id}/profile")
    assert shown.status == 200 and set(shown.json) == PROFILE - {"email", "mobile"}


def test_attack_07_no_body_gives_a_user_more_than_its_route_says(app):
    user = app.user()
    more = {"id": "x", "role": "admin", "roles": ["moderator"], "email": "other@example.com", "emailVerified": True,
            "banned": False, "mfaEnabled": True, "createdAt": "2000-01-01T00:00:00.000Z", "__proto__": {"role": "admin"},
            "constructor": {"prototype": {"role": "admin"}}, "$set": {"role": "admin"}}
    before = app.sk.get(f"/v1/users/{user.id}").json

    for part in ("", "/profile", "/preferences", "/notifications", "/public-settings", "/onboarding"):
        body = {**more, "status": "pending"}
        if part == "/notifications":
            del body["email"]  # there is a notification of that name
        assert user.pk.patch(f"/v1/users/{user.id}{part}", body).status == 200, part
        after = app.sk.get(f"/v1/users/{user.id}").json
        assert {**after, "updatedAt": None} == {**before, "updatedAt": None}, part
    twice = user.pk.patch(f"/v1/users/{user.id}/profile", b'{"bio":"a","bio":"b"}')
    assert error(twice) == (400, "user/invalid-request")


def test_attack_01_others_learn_no_address_by_looking_for_it(app):
    user, other = app.user(email=f"hidden-{app.name()}@example.com", name="Seen"), app.user()
    admin = app.user(role="admin")
    hidden = user.email.split("@")[0]

    assert other.pk.get("/v1/users" + query(search=hidden)).json["pagination"]["total"] == 0
    for parameters in ({"search": hidden, "searchType": "email"}, {"sortBy": "email"}, {"sortBy": "role"},
                       {"includeAccounts": "true"}):
        assert error(other.pk.get("/v1/users" + query(**parameters))) == (403, "user/forbidden"), parameters
    for client in (admin.pk, app.sk):
        found = client.get("/v1/users" + query(search=hidden.upper(), searchType="email", includeAccounts="true")).json
        assert [item["id"] for item in found["items"]] == [user.id]
        assert [set(account) for account in found["items"][0]["accounts"]] == [ACCOUNT]


def test_pages_of_a_sorted_list_have_every_user_once(app):
    word = app.name("paged")
    made = [app.sk.post("/v1/users", {"name": f"{word} {number % 3}", "email": f"{word}.{number}@example.com"}).json["id"]
            for number in range(7)]

    for sort in ("name", "email", "createdAt", "updatedAt", "role"):
        pages = [app.sk.get("/v1/users" + query(search=word, sortBy=sort, sortDirection="asc", limit="3", page=str(page)))
                 .json for page in (1, 2, 3, 4)]
        ids = [item["id"] for page in pages for item in page["items"]]
        assert sorted(ids) == sorted(made), sort
        assert [page["pagination"]["hasNext"] for page in pages] == [True, True, False, False]
        keys = [item[sort] for page in pages for item in page["items"]]
        assert keys == sorted(keys), sort


def test_administrators_read_built_in_tables_and_nobody_writes_them(app):
    user, admin = app.user(), app.user(role="admin")
    account = user.pk.get("/v1/auth/accounts").json["items"][0]

    for name in ("users", "sessions", "accounts"):
        path = f"/v1/data/{name}"
        items = admin.pk.get(path + "?limit=100").json["items"]
        assert items and all(UUID.fullmatch(item["id"]) for item in items)
        assert admin.pk.get(f"{path}/{items[0]['id']}").json["id"] == items[0]["id"]
        text = admin.pk.get(path + "?limit=100").body + admin.pk.get(f"{path}/spec").body
        assert not any(word in text for word in (b"assword", b"ash\"", b"oken", b"salt"))
        assert admin.pk.get(f"{path}/spec").json["permissions"] == {}
        assert error(user.pk.get(path)) == error(user.pk.get(f"{path}/spec")) == (403, "data/system-table-access")
        for method in ("PATCH", "DELETE"):
            assert error(app.sk.request(method, f"{path}/{items[0]['id']}", {} if method == "PATCH" else None)) == (
                403, "data/system-table-access")
    assert app.sk.get(f"/v1/data/accounts/{account['id']}").json == account


def test_a_made_user_signs_in_with_the_password_that_was_given(app):
    email = f"{app.name('given')}@example.com"

    assert error(app.sk.post("/v1/users", {"name": "G", "email": email, "password": "short"})) == (
        400, "auth/invalid-password-format")
    made = app.sk.post("/v1/users", {"name": "G", "email": email, "password": "given-1", "role": "guest"})
    assert made.status == 201 and "password" not in made.json, made
    signed = app.pk.post("/v1/auth/email/signin", {"email": email, "password": "given-1"})
    assert signed.status == 200 and signed.json["user"]["role"] == "guest", signed


# --- ways to sign in ---

def test_providers_answer_that_they_are_not_configured(app):
    user = app.user()

    for provider, code in (("google", "auth/oauth-not-configured"), ("github", "auth/oauth-not-configured"),
                           ("apple", "auth/unsupported-provider"), ("saml", "auth/unsupported-provider")):
        path = f"/v1/auth/{provider}/callback"
        assert error(app.nobody.get(path + query(code="1", redirectUri="https://a.example"))) == (400, code)
        assert error(app.pk.post(path, {"code": "1"}, headers={"Authorization": "nonsense"})) == (400, code)
        assert error(user.pk.post("/v1/auth/accounts", {"provider": provider, "code": "1"})) == (400, code)
        assert error(user.pk.delete(f"/v1/auth/accounts/{provider}")) == (
            (404, "user/not-found") if code == "auth/oauth-not-configured" else (400, code))
    assert error(app.pk.post("/v1/auth/email/callback", {"token": "x"})) == (401, "auth/invalid-token")
    assert error(user.pk.delete("/v1/auth/accounts/credentials")) == (400, "auth/last-auth-method")


def test_an_account_check_says_whether_there_is_a_password(app):
    user = app.user()
    ask = {"type": "credentials", "provider": "email", "providerAccountId": user.email}

    assert app.pk.post("/v1/auth/accounts/check", ask).json == {"exists": True, "type": "credentials",
                                                                "provider": "credentials"}
    assert app.pk.post("/v1/auth/accounts/check", {**ask, "providerAccountId": "no" + user.email}).json == {
        "exists": False}
    assert error(app.pk.post("/v1/auth/accounts/check", {**ask, "providerAccountId": {"$ne": None}})) == (
        400, "auth/invalid-request")


def test_switching_to_the_own_organization_renews_the_tokens_of_the_session(app):
    user = app.user()
    own = app.sk.get(app.project).json["organizationId"]

    assert error(user.pk.post("/v1/auth/switch-organization", {"organizationId": app.box.project})) == (
        403, "auth/forbidden")
    answer = user.pk.post("/v1/auth/switch-organization", {"organizationId": own})
    assert answer.status == 200, answer
    user.take(answer.json)
    assert user.pk.get("/v1/auth/sessions").json["pagination"]["total"] == 1
    assert app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh}).status == 200
