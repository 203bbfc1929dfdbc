# SPDX-License-Identifier: GPL-3.0-or-later
"""The five clients of contract 8.1, each replayed with the headers that it sends and the way it reads what comes back: three web
apps with one helper, two mobile apps with an interceptor each. A client is written here as 8.1 describes it, with its oddities;
what it cannot read raises, as it would there. An access token that is over has a signature that is none: a client sees of
either the status 401 alone (the clock moves in tests/unit/api_sign_test.c)."""

import concurrent.futures
import json
import os
import threading

import pytest
from app import NO_ROW, Client, error, query
from forge import parts

PASSWORD = "abc123"


class SignedOut(Exception):
    """The client threw its tokens away and shows the sign-in page."""


class Failed(Exception):
    """What the client shows to whoever uses it; code: what a form of the guides reads."""

    def __init__(self, message, status, code=None):
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


def dart(value, kind):
    """A cast of Dart: `as int` takes no double, `as String` no null."""
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


class Base:
    """What the clients have in common: a connection for each of its threads, and the two tokens that they keep."""

    def __init__(self, app):
        self.box, self.kept = app.box, threading.local()
        self.key, self.access, self.refresh = app.box.pk, None, None
        self.refreshes = 0

    @property
    def http(self):
        if not hasattr(self.kept, "client"):
            self.kept.client = Client(self.box)
        return self.kept.client

    def send(self, method, path, body, headers):
        data = None if body is None else json.dumps(body).encode()
        return self.http.request(method, f"/v1{path}", data, headers={"X-API-Key": self.key, **headers})

    def sign_out_here(self):
        self.access = self.refresh = None
        raise SignedOut


class Web(Base):
    """blog-web, recipe-web, shopping-mall-web: bkendFetch in a browser, on a page of another origin."""

    ORIGIN = "http://localhost:3000"

    def fetch(self, method, path, body=None, public=False, again=True):
        headers = {"Origin": self.ORIGIN, "Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.access is not None and not public:
            headers["Authorization"] = f"Bearer {self.access}"
        answer = self.send(method, path, body, headers)
        if answer.headers.get("access-control-allow-origin") != self.ORIGIN:
            raise ConnectionError("Failed to fetch")  # all that a page learns without the headers
        if answer.status == 401 and not public and again:
            self.renew()
            return self.fetch(method, path, body, again=False)
        if answer.status == 204:
            return None
        read = json.loads(answer.body)
        if answer.status >= 400:
            error = read.get("error")
            raise Failed((error.get("message") if isinstance(error, dict) else None) or read.get("message")
                         or f"Request failed ({answer.status})", answer.status, error["code"])
        return read["data"] if read.get("success") and "data" in read else read

    def renew(self):
        """Reads the tokens at the top, and has no single flight: two that meet a 401 both refresh."""
        if self.refresh is None:
            self.sign_out_here()
        self.refreshes += 1
        answer = self.send("POST", "/auth/refresh", {"refreshToken": self.refresh},
                           {"Content-Type": "application/json", "Origin": self.ORIGIN})
        if not 200 <= answer.status < 300:
            self.sign_out_here()
        read = json.loads(answer.body)
        self.access, self.refresh = read["accessToken"], read["refreshToken"]

    def preflight(self, method, path):
        answer = self.http.request("OPTIONS", f"/v1{path}", headers={
            "Origin": self.ORIGIN, "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,x-api-key"})
        allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
        return answer.status == 204 and method in answer.headers["access-control-allow-methods"] and \
            {"authorization", "content-type", "x-api-key"} <= allowed

    def keep(self, pair):
        self.access, self.refresh = pair["accessToken"], pair["refreshToken"]
        return pair


class Mobile(Base):
    """Dio with an interceptor: the content type goes with every request, that of an empty body included."""

    def headers(self, access):
        token = {} if access is None else {"Authorization": f"Bearer {access}"}
        return {"Content-Type": "application/json", "Accept": "application/json", **token}

    def call(self, method, path, body=None, again=True):
        used = self.access
        answer = self.send(method, path, body, self.headers(used))
        if answer.status == 401 and again and not path.startswith(("/auth/email", "/auth/refresh")):
            self.on_401(used)
            return self.call(method, path, body, again=False)
        read = json.loads(answer.body)
        if answer.status >= 400:
            raise Failed(self.words(read, answer.status), answer.status)
        return self.unwrap(read)

    def words(self, read, _):
        return dart(read["message"], str)

    def unwrap(self, read):
        return read

    def on_401(self, _):
        self.renew()

    def renew(self):
        if self.refresh is None:
            self.sign_out_here()
        self.refreshes += 1
        try:
            self.keep(self.call("POST", "/auth/refresh", {"refreshToken": self.refresh}, again=False))
        except Failed:
            self.sign_out_here()

    def keep(self, pair):
        self.access, self.refresh = dart(pair["accessToken"], str), dart(pair["refreshToken"], str)
        return pair


class RecipeApp(Mobile):
    """No unwrapping; sign-in without `method`; pages of 200."""

    def page(self, path, **parameters):
        read = self.call("GET", path + query(limit="200", **parameters))
        pagination = {name: dart(read["pagination"][name], int) for name in ("total", "page", "limit", "totalPages")}
        return dart(read["items"], list), pagination


class SocialApp(Mobile):
    """Unwraps what has both keys; a page ends with hasNext; one refresh for all that wait."""

    TEXTS = {400: "Bad request", 401: "Please sign in", 409: "Already there", 429: "Too many requests"}

    def __init__(self, app):
        super().__init__(app)
        self.flight = threading.Lock()
        self.all_met_401 = None  # a barrier: all of them hold a 401 before any of them refreshes

    def on_401(self, used):
        """Requests that meet a 401 queue up; whoever comes to find another token than it sent has nothing left to do."""
        if self.all_met_401 is not None:
            self.all_met_401.wait(timeout=60)
        with self.flight:
            if self.access is None:
                raise SignedOut
            if self.access == used:
                self.renew()

    def at_once(self, *requests):
        """What becomes of requests that all meet a 401."""
        self.all_met_401 = threading.Barrier(len(requests))

        def outcome(request):
            try:
                return self.call(*request)
            except SignedOut:
                return SignedOut
            finally:
                self.http.close()

        with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(outcome, requests))

    def unwrap(self, read):
        return read["data"] if isinstance(read, dict) and "success" in read and "data" in read else read

    def words(self, read, status):
        return read["message"] if isinstance(read.get("message"), str) else self.TEXTS.get(status, "Error")

    def user_id(self, pair):
        return dart(pair["user"]["id"] if "user" in pair else parts(pair["accessToken"])[1]["sub"], str)

    def row(self, read):
        return {name: dart(read[name], str) for name in ("id", "createdBy", "createdAt")}

    def page(self, path, **parameters):
        read = self.call("GET", path + query(**parameters))
        return [self.row(item) for item in read["items"]], dart(read["pagination"]["hasNext"], bool)


@pytest.fixture(scope="module")
def posts(app):
    return app.table({"title": {"bsonType": "string"}, "servings": {"bsonType": "int"}, "price": {"bsonType": "double"}},
                     permissions={"guest": {"read": True, "list": True}, "user": {"create": True, "read": True, "list": True},
                                  "self": {"update": True, "delete": True}})


@pytest.fixture
def person(app):
    return {"email": f"{app.name('client')}-{os.getpid()}@example.com", "name": "Ada", "password": PASSWORD}


def over(token):
    return token[:-20] + "A" * 20


def path_of(table):
    return table.path.removeprefix("/v1")


def ids_with(row_id):
    """What a feed asks for: 51 ids, most of them of nothing that is left."""
    return [row_id, *(f"{number:024x}" for number in range(50))]


# --- blog-web, recipe-web, shopping-mall-web ---

def test_the_web_apps_go_through_their_journey(app, posts, person):
    web, path = Web(app), path_of(posts)
    assert all(web.preflight(method, path) for method in ("GET", "POST", "PATCH", "DELETE"))
    assert web.fetch("GET", path)["pagination"]["page"] == 1  # a page that is shown to guests

    assert web.keep(web.fetch("POST", "/auth/email/signup", {"method": "password", **person}, public=True))["user"]["email"] == person["email"]
    me = web.fetch("GET", "/auth/me")
    web.keep(web.fetch("POST", "/auth/email/signin", {"method": "password", "email": person["email"], "password": PASSWORD}, public=True))
    profile = web.fetch("PATCH", f"/users/{me['id']}/profile", {"nickname": "ada", "image": "https://cdn.example/ada.png"})
    assert profile["nickname"] == "ada" and web.fetch("GET", "/auth/me")["image"] == "https://cdn.example/ada.png"
    row = web.fetch("POST", path, {"title": "First", "price": 5, "servings": 4})
    assert row["createdBy"] == me["id"]
    filters = {"andFilters": {"title": "First", "createdBy": me["id"]}, "sortBy": "createdAt", "sortDirection": "desc"}
    found = web.fetch("GET", path + query(page="1", limit="10", **filters))
    assert [item["id"] for item in found["items"]] == [row["id"]] and found["pagination"]["total"] == 1
    many = web.fetch("GET", path + query(andFilters={"id": {"$in": ids_with(row["id"])}}))
    assert many["items"] == [row] and many["pagination"]["total"] == 1
    assert web.fetch("PATCH", f"{path}/{row['id']}", {"title": "Second"})["title"] == "Second"
    assert web.fetch("GET", f"{path}/{row['id']}")["title"] == "Second"
    assert web.fetch("DELETE", f"{path}/{row['id']}") == {"success": True}
    with pytest.raises(Failed) as gone:
        web.fetch("GET", f"{path}/{row['id']}")
    assert (gone.value.status, gone.value.code) == (404, "data/not-found")
    web.fetch("POST", "/auth/signout")
    with pytest.raises(SignedOut):
        web.fetch("GET", "/auth/me")


def test_a_web_app_refreshes_on_401_and_asks_once_more(app, posts, person):
    web = Web(app)
    web.keep(web.fetch("POST", "/auth/email/signup", person, public=True))
    before, web.access = web.refresh, over(web.access)

    assert web.fetch("POST", path_of(posts), {"title": "After"})["title"] == "After"

    assert web.refreshes == 1 and web.refresh != before
    assert web.fetch("GET", "/auth/me")["email"] == person["email"] and web.refreshes == 1


def test_a_web_app_without_a_token_that_it_could_refresh_shows_the_sign_in_page(app, person):
    web = Web(app)
    with pytest.raises(SignedOut):
        web.fetch("GET", "/auth/me")
    web.keep(web.fetch("POST", "/auth/email/signup", person, public=True))
    web.access, web.refresh = over(web.access), over(web.refresh)
    with pytest.raises(SignedOut):
        web.fetch("GET", "/auth/me")
    assert web.access is None


def test_what_a_guest_may_not_do_leaves_the_page_where_it_is(app, posts):
    """A 401 would bounce the visitor to the sign-in page."""
    web = Web(app)
    for method, path in (("POST", path_of(posts)), ("PATCH", f"{path_of(posts)}/{posts.add()['id']}")):
        with pytest.raises(Failed) as refused:
            web.fetch(method, path, {"title": "x"})
        assert (refused.value.status, refused.value.code) == (403, "data/permission-denied")
    assert web.refreshes == 0


def test_a_web_app_shows_the_words_of_an_error(app, person):
    web = Web(app)
    web.fetch("POST", "/auth/email/signup", person, public=True)

    with pytest.raises(Failed, match="already exists") as taken:
        web.fetch("POST", "/auth/email/signup", person, public=True)
    assert (taken.value.status, taken.value.code) == (409, "auth/email-already-exists")
    with pytest.raises(Failed) as wrong:
        web.fetch("POST", "/auth/email/signin", dict(person, password="wrong1"), public=True)
    assert wrong.value.code == "auth/invalid-credentials" and web.refreshes == 0
    with pytest.raises(Failed) as short:
        web.fetch("POST", "/auth/email/signup", dict(person, email=f"x{person['email']}", password="a"), public=True)
    assert short.value.code == "auth/invalid-password-format" and "password" in short.value.message


def test_a_wrong_current_password_costs_a_web_app_one_refresh_and_is_then_told(app, person):
    web = Web(app)
    web.keep(web.fetch("POST", "/auth/email/signup", person, public=True))

    with pytest.raises(Failed) as wrong:
        web.fetch("POST", "/auth/password/change", {"currentPassword": "wrong1", "newPassword": "other1"})

    assert wrong.value.code == "auth/invalid-password" and web.refreshes == 1
    assert web.fetch("GET", "/auth/me")["email"] == person["email"]


@pytest.mark.parametrize("grace, expected", [(None, 1), (10000, 2)])
def test_a_web_app_that_refreshes_twice_at_once_needs_the_grace(app, person, grace, expected):
    """Two requests meet a 401 and send the same token. Without the grace one of them is a reuse, which ends the session."""
    first, second = Web(app), Web(app)
    pair = first.keep(first.fetch("POST", "/auth/email/signup", person, public=True))
    second.keep(pair)
    app.settings(refreshReuseGraceMs=grace)

    def renew(web):
        try:
            web.renew()
        except SignedOut:
            return 0
        return 1

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        renewed = sum(pool.map(renew, (first, second)))
    app.settings(refreshReuseGraceMs=None)

    assert renewed == expected
    alive = [error(app.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {web.access}"}))[0]
             for web in (first, second) if web.access is not None]
    assert alive == ([200, 200] if expected == 2 else [401])


# --- recipe-app ---

def test_the_recipe_app_goes_through_its_journey(app, posts, person):
    recipe, path = RecipeApp(app), path_of(posts)
    recipe.keep(recipe.call("POST", "/auth/email/signup", person))
    recipe.access = over(recipe.access)  # goes along with every call, signing in included
    recipe.keep(recipe.call("POST", "/auth/email/signin", {"email": person["email"], "password": PASSWORD}))
    assert recipe.refreshes == 0

    me = recipe.call("GET", "/auth/me")
    profile = recipe.call("PATCH", f"/users/{me['id']}/profile", {"nickname": "ada", "image": "https://cdn.example/ada.png"})
    assert dart(profile["nickname"], str) == "ada" and dart(profile["id"], str) == dart(me["id"], str)
    assert recipe.call("GET", f"/users/{me['id']}/profile") == profile
    row = recipe.call("POST", path, {"title": "Soup", "servings": 4, "price": 5.0})
    assert dart(row["id"], str) and dart(row["servings"], int) == 4 and dart(row["price"], int) == 5
    items, pagination = recipe.page(path, andFilters={"createdBy": me["id"]}, sortBy="createdAt", sortDirection="desc")
    assert [item["id"] for item in items] == [row["id"]]
    assert pagination == {"total": 1, "page": 1, "limit": 100, "totalPages": 1}
    assert recipe.page(path, andFilters={"id": {"$in": ids_with(row["id"])}}) == ([row], pagination)
    assert dart(recipe.call("PATCH", f"{path}/{row['id']}", {"servings": 6})["servings"], int) == 6
    recipe.call("DELETE", f"{path}/{row['id']}")  # with a content type and no body
    assert recipe.page(path, andFilters={"createdBy": me["id"]})[1] == {"total": 0, "page": 1, "limit": 100, "totalPages": 0}
    with pytest.raises(Failed) as gone:
        recipe.call("GET", f"{path}/{NO_ROW}")
    assert gone.value.status == 404 and gone.value.message
    recipe.call("POST", "/auth/signout")


def test_the_recipe_app_refreshes_on_401_and_forgets_its_tokens_when_that_fails(app, person):
    recipe = RecipeApp(app)
    recipe.keep(recipe.call("POST", "/auth/email/signup", person))

    recipe.access = over(recipe.access)
    assert recipe.call("GET", "/auth/me")["email"] == person["email"] and recipe.refreshes == 1
    recipe.call("POST", "/auth/signout")
    with pytest.raises(SignedOut):
        recipe.call("GET", "/auth/me")
    assert recipe.access is None and recipe.refresh is None


# --- social-network-app ---

def test_the_social_app_goes_through_its_journey(app, posts, person):
    social, path = SocialApp(app), path_of(posts)
    pair = social.keep(social.call("POST", "/auth/email/signup", {"method": "password", **person}))
    user_id = social.user_id(pair)
    assert social.user_id({"accessToken": pair["accessToken"]}) == user_id
    assert {name: dart(pair["user"][name], str) for name in ("id", "email", "name")} == {
        "id": user_id, "email": person["email"], "name": "Ada"}
    social.call("POST", "/auth/signout")
    social.access = social.refresh = None
    back = social.keep(social.call("POST", "/auth/email/signin", {"method": "password", "email": person["email"], "password": PASSWORD}))
    assert social.user_id(back) == social.user_id({"accessToken": back["accessToken"]}) == user_id
    profile = social.call("PATCH", f"/users/{user_id}/profile", {"bio": "b", "image": "https://cdn.example/a.png"})
    assert profile["bio"] == "b" and social.call("GET", f"/users/{user_id}/profile")["image"] == "https://cdn.example/a.png"

    row = social.row(social.call("POST", path, {"title": "Hello"}))
    assert row["createdBy"] == user_id
    feed, more = social.page(path, andFilters={"id": {"$in": ids_with(row["id"])}})
    assert (feed, more) == ([row], False)
    by_people = {"createdBy": {"$in": [user_id, *(f"{number:08x}-0000-4000-8000-000000000000" for number in range(50))]}}
    assert social.page(path, andFilters=by_people) == ([row], False)
    for number in range(20):
        social.call("POST", path, {"title": f"{number}"})
    assert len(social.page(path, andFilters=by_people)[0]) == 20 and social.page(path, andFilters=by_people)[1] is True
    assert social.row(social.call("PATCH", f"{path}/{row['id']}", {"title": "Changed"})) == row
    assert social.call("DELETE", f"{path}/{row['id']}") == {"success": True}
    social.call("POST", "/auth/signout")
    with pytest.raises(SignedOut):
        social.call("GET", "/auth/me")


def test_the_social_app_refreshes_once_for_all_that_wait(app, posts, person):
    social, path = SocialApp(app), path_of(posts)
    user_id = social.user_id(social.keep(social.call("POST", "/auth/email/signup", person)))
    before, social.access = social.refresh, over(social.access)

    me, profile, row = social.at_once(("GET", "/auth/me"), ("GET", f"/users/{user_id}/profile"),
                                      ("POST", path, {"title": "Waited"}))

    assert (social.refreshes, me["email"], profile["id"], row["createdBy"]) == (1, person["email"], user_id, user_id)
    assert social.refresh != before and social.page(path, andFilters={"createdBy": user_id}) == ([social.row(row)], False)


def test_the_social_app_is_signed_out_once_for_all_that_wait(app, person):
    social = SocialApp(app)
    social.keep(social.call("POST", "/auth/email/signup", person))
    social.call("POST", "/auth/signout")

    assert social.at_once(*[("GET", "/auth/me")] * 3) == [SignedOut] * 3

    assert social.refreshes == 1 and social.access is None


# --- the seed script, and the scripts that export ---

def test_the_seed_script_signs_eleven_up_in_a_row_or_in_and_changes_their_rows(app, posts, person):
    seed = SocialApp(app)
    people = [dict(person, email=f"{number}.{person['email']}") for number in range(11)]
    for number, each in enumerate([*people, people[0]]):
        try:
            pair = seed.call("POST", "/auth/email/signup", each)
        except Failed as failed:
            assert failed.status == 409 and number == len(people)
            pair = seed.call("POST", "/auth/email/signin", {"email": each["email"], "password": PASSWORD})
        seed.keep(pair)
        row = seed.call("POST", path_of(posts), {"title": "Seed"})
        assert row["createdBy"] == seed.user_id({"accessToken": pair["accessToken"]})
        assert seed.call("PATCH", f"{path_of(posts)}/{row['id']}", {"title": "Grown"})["title"] == "Grown"


def test_an_export_script_finds_its_items_in_the_envelope_and_the_others_read_it_as_well(app, posts, person):
    app.settings(responseEnvelope="wrapped")
    try:
        web, social = Web(app), SocialApp(app)
        web.keep(web.fetch("POST", "/auth/email/signup", person, public=True))
        social.keep(social.call("POST", "/auth/email/signin", {"email": person["email"], "password": PASSWORD}))
        row = web.fetch("POST", path_of(posts), {"title": "Exported"})
        web.renew()  # that answer stays bare, for this client
        social.renew()
        exported = app.sk.get(posts.path + query(andFilters={"id": row["id"]}, limit="100"))
        assert [item["id"] for item in exported.json["data"]["items"]] == [row["id"]]
        assert b'"hasNext":false' in exported.body
        assert social.page(path_of(posts), andFilters={"id": row["id"]})[0][0]["id"] == row["id"]
        assert web.fetch("GET", "/auth/me")["email"] == person["email"]
    finally:
        app.settings(responseEnvelope=None)
