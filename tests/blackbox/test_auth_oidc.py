# SPDX-License-Identifier: GPL-3.0-or-later
"""People who sign in by an OpenID Connect issuer on the premises: contract 5.8, through courier and TLS."""

import hashlib
import hmac
import itertools
import json
import threading
import time

import pytest

from app import Client, error
from authenticator import confirmed
from authority import Authority
from conftest import wait_until
from forge import MACS, base64url
from issuer import CLIENT_SECRET, REDIRECT, Issuer, Key
from mails import mail_to

PROVIDERS = "/v1/admin/auth-providers"
INVALID = (401, "auth/invalid-oauth-code")
FAILED = (500, "auth/oauth-callback-failed")
SOURCES = itertools.count(10)  # each client has its own count of tries


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Issuer(tmp_path_factory.mktemp("issuer"))
    yield made
    made.stop()
    made.reserved.close()


@pytest.fixture(scope="module")
def app(module_app, server):
    """A box whose courier reaches the issuer: the first job starts it."""
    return module_app


class Corp:
    """One realm, configured as a provider of the same name."""

    def __init__(self, app, realm, **settings):
        self.app, self.realm, self.name = app, realm, realm.name
        self.pk = Client(app.box, app.box.pk, source=f"127.0.1.{next(SOURCES)}")
        self.nobody = Client(app.box, source=self.pk.source)
        self.configure(**settings)

    def configure(self, **settings):
        made = self.app.sk.put(f"{PROVIDERS}/{self.name}", self.realm.settings(**settings))
        assert made.status == 200, made

    def sign_in(self, **body):
        return self.pk.post(f"/v1/auth/{self.name}/callback", body)

    def by_code(self, claims=None, **body):
        return self.sign_in(code=self.realm.code(claims), redirectUri=REDIRECT, **body)

    def by_token(self, claims=None, key=None, header=None, **body):
        return self.sign_in(idToken=self.realm.token(claims, key, **(header or {})), **body)

    def forget(self):
        self.app.sk.delete(f"{PROVIDERS}/{self.name}")
        self.pk.close()
        self.nobody.close()


@pytest.fixture
def corp(app, server, request):
    made = Corp(app, server.realm(app.name("corp"), getattr(request, "param", "ES256")))
    yield made
    made.realm.hold.set()
    made.forget()


# --- signing in ---

@pytest.mark.parametrize("corp", ["RS256", "ES256"], indirect=True)
def test_a_code_signs_somebody_up_and_then_in(app, corp):
    claims = corp.realm.claims(name="Grace Hopper")

    first = corp.by_code(claims)
    again = corp.by_code(claims)

    assert first.status == 200, first
    assert first.json["is_new_user"] is True and again.json["is_new_user"] is False
    assert first.json["user"]["id"] == again.json["user"]["id"]
    assert first.json["user"]["email"] == claims["email"] and first.json["user"]["name"] == "Grace Hopper"
    me = corp.pk.get("/v1/auth/me", headers={"Authorization": f"Bearer {first.json['accessToken']}"})
    assert me.status == 200 and me.json["emailVerified"] is not None
    refreshed = corp.pk.post("/v1/auth/refresh", {"refreshToken": first.json["refreshToken"]})
    assert refreshed.status == 200
    paths = [path for path, _, _ in corp.realm.asked]
    assert paths.count("/token") == 2  # each reactor asks for document and keys once


@pytest.mark.parametrize("corp", ["RS256", "ES256"], indirect=True)
def test_an_id_token_signs_in(corp):
    claims = corp.realm.claims(nonce="n-1")

    first = corp.by_token(claims, nonce="n-1")
    again = corp.by_token(claims)

    assert first.status == 200, first
    assert again.json["user"]["id"] == first.json["user"]["id"]
    assert error(corp.by_token(claims, nonce="n-2")) == INVALID
    assert all(path != "/token" for path, _, _ in corp.realm.asked)


def test_an_accepted_invitation_waits_for_whoever_the_issuer_vouches_for(app, corp):
    admin, claims = app.user(role="admin"), corp.realm.claims()
    sent = admin.pk.post("/v1/auth/invitations", {"resourceType": "project", "resourceId": app.box.project,
                                                  "resourceRole": "member", "email": claims["email"]})
    assert sent.status == 201, sent
    token = mail_to(app, claims["email"], "invitation")["token"]
    assert app.pk.post("/v1/auth/invitations/accept", {"token": token}).status == 200

    made = corp.by_token(claims)

    assert made.status == 200 and made.json["is_new_user"] is True, made
    assert app.sk.get(f"/v1/users/{made.json['user']['id']}").json["roles"] == ["member"]


def test_a_browser_that_comes_back_needs_no_key(app, corp):
    path = f"/v1/auth/{corp.name}/callback"

    first = corp.nobody.get(f"{path}?code={corp.realm.code()}&state=s&session_state=x")

    assert first.status == 200, first
    assert first.json["is_new_user"] is True
    assert error(corp.nobody.get(f"{path}?error=access_denied&state=s")) == INVALID
    assert error(corp.nobody.get(path)) == (400, "auth/invalid-request")


def test_a_code_is_for_whoever_has_its_verifier(corp):
    verifier = "a" * 43
    challenge = hashlib.sha256(verifier.encode()).hexdigest()

    wrong = corp.sign_in(code=corp.realm.code(verifier=challenge), redirectUri=REDIRECT, codeVerifier="b" * 43)
    none = corp.sign_in(code=corp.realm.code(verifier=challenge), redirectUri=REDIRECT)
    right = corp.sign_in(code=corp.realm.code(verifier=challenge), redirectUri=REDIRECT, codeVerifier=verifier)

    assert error(wrong) == INVALID and error(none) == INVALID
    assert right.status == 200, right


def test_a_code_is_worth_something_once_and_for_its_own_address(corp):
    code = corp.realm.code()
    other = corp.realm.code()

    assert corp.sign_in(code=code, redirectUri=REDIRECT).status == 200
    assert error(corp.sign_in(code=code, redirectUri=REDIRECT)) == INVALID
    assert error(corp.sign_in(code="unknown", redirectUri=REDIRECT)) == INVALID
    assert error(corp.sign_in(code=other, redirectUri="https://evil.example/")) == (400, "auth/invalid-request")


# --- tokens that are no good ---

def test_attack_09_a_token_that_somebody_else_made_is_refused(corp, server):
    now = int(time.time())
    claims = corp.realm.claims()
    assert corp.by_token(claims).status == 200
    stranger = Key("ES256", "first")
    key = corp.realm.keys[0].jwk()
    mac = base64url({"alg": "HS256", "kid": "first"}) + "." + base64url(claims)
    shared = json.dumps(key).encode()
    hmac_token = mac + "." + base64url(hmac.digest(shared, mac.encode(), MACS["HS256"]))
    none_token = base64url({"alg": "none"}) + "." + base64url(claims) + "."
    other = server.realm("other").claims(sub=claims["sub"])
    cases = {
        "another audience": corp.realm.token({**claims, "aud": "another"}),
        "several audiences": corp.realm.token({**claims, "aud": ["box", "another"]}),
        "made for another": corp.realm.token({**claims, "azp": "another"}),
        "another issuer": corp.realm.token({**claims, "iss": other["iss"]}),
        "expired": corp.realm.token({**claims, "iat": now - 4000, "exp": now - 400}),
        "of the future": corp.realm.token({**claims, "iat": now + 400}),
        "no expiry": corp.realm.token({name: value for name, value in claims.items() if name != "exp"}),
        "no subject": corp.realm.token({name: value for name, value in claims.items() if name != "sub"}),
        "another key of the same name": corp.realm.token(claims, stranger),
        "an unknown key": corp.realm.token(claims, Key("ES256", "unknown")),
        "its own key": corp.realm.token(claims, stranger, jwk=stranger.jwk()),
        "critical": corp.realm.token(claims, crit=["exp"]),
        "an access token": corp.realm.token(claims, typ="at+jwt"),
        "another algorithm": corp.realm.token(claims, alg="RS256"),
        "none": none_token,
        "a shared secret": hmac_token,
        "cut": corp.realm.token(claims)[:-2],
        "no token": "x.y.z",
        "too long": corp.realm.token({**claims, "pad": "x" * 9000})[:8192],
    }

    got = {what: error(corp.sign_in(idToken=token)) for what, token in cases.items()}

    assert got == {what: INVALID for what in cases}
    by_code = corp.by_code({**claims, "aud": "another"})
    assert error(by_code) == INVALID
    assert corp.by_token(claims).status == 200


def test_a_new_key_of_the_issuer_is_taken(corp):
    claims = corp.realm.claims()
    assert corp.by_token(claims).status == 200

    corp.realm.rotate("second")

    assert corp.by_token(claims).status == 200
    assert error(corp.by_token(claims, Key("ES256", "third"))) == INVALID


# --- an issuer that does not do as it should ---

DOCUMENTS = {
    "another issuer": {"issuer": "https://localhost:1/other"},
    "an endpoint elsewhere": {"token_endpoint": "https://evil.example/token"},
    "another port": {"token_endpoint": "https://localhost:1/token"},
    "keys elsewhere": {"jwks_uri": "https://evil.example/keys"},
    "no TLS": {"token_endpoint": "http://localhost/token"},
    "no endpoint": {"token_endpoint": None},
}


@pytest.mark.parametrize("change", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_leads_elsewhere_gets_no_secret(app, corp, change):
    corp.realm.document.update(change)

    assert error(corp.by_code()) == FAILED
    assert error(corp.by_token()) == FAILED
    assert all(path != "/token" and authorization is None for path, _, authorization in corp.realm.asked)


ANSWERS = {
    "a redirect": (302, {"Location": "https://evil.example/token"}, "{}"),
    "an error": (503, {}, "{}"),
    "no JSON": (200, {}, "<html>"),
    "too long": (200, {}, "x" * 65537),
    "without a length": (200, {"Content-Length": None}, "{}"),
    "of two lengths": (200, {"Content-Length": "2", "Transfer-Encoding": "chunked"}, "{}"),
    "packed": (200, {"Content-Encoding": "gzip"}, "{}"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
def test_an_answer_that_is_none_is_the_issuers_fault(corp, path, answer):
    corp.realm.answers[path] = answer

    assert error(corp.by_code()) == FAILED
    del corp.realm.answers[path]
    assert corp.by_code().status == 200


def test_an_issuer_that_is_away_fails_until_it_is_back(app, server):
    corp = Corp(app, server.realm(app.name("away")))
    server.stop()
    try:
        assert error(corp.by_token()) == FAILED
        assert error(corp.by_code()) == FAILED
    finally:
        server.start()

    assert corp.by_code().status == 200
    corp.forget()


def test_a_certificate_that_the_operator_did_not_pin_is_not_trusted(app, server):
    corp = Corp(app, server.realm(app.name("pinned")), ca=Authority().pem)

    assert error(corp.by_code()) == FAILED
    assert corp.realm.asked == []
    corp.configure()
    assert corp.by_code().status == 200
    corp.forget()


def test_attack_13_an_issuer_that_does_not_answer_keeps_nobody_else_waiting(app, corp):
    answers = []
    corp.realm.hold.clear()
    waiting = threading.Thread(target=lambda: answers.append(corp.by_code()))
    waiting.start()
    assert corp.realm.held.wait(30)

    table = app.table()
    for _ in range(5):
        assert table.add({"a": 1})
    assert app.user().pk.get("/v1/auth/me").status == 200
    assert app.nobody.get("/healthz").status == 200
    assert answers == []

    corp.realm.hold.set()
    waiting.join(30)
    assert answers[0].status == 200, answers


def test_attack_13_an_issuer_that_does_not_answer_keeps_no_other_issuer_waiting(app, corp, tmp_path):
    answers = []
    server = Issuer(tmp_path)
    other = Corp(app, server.realm(app.name("other")))
    assert other.by_code().status == 200  # both are on the courier's list
    assert corp.by_code().status == 200
    corp.realm.held.clear()
    corp.realm.hold.clear()
    waiting = threading.Thread(target=lambda: answers.append(corp.by_code()))
    waiting.start()
    assert corp.realm.held.wait(30)

    signed_in = [other.by_code().status for _ in range(3)]

    assert signed_in == [200, 200, 200] and answers == []
    corp.realm.hold.set()
    waiting.join(30)
    assert answers[0].status == 200, answers
    other.forget()
    server.stop()
    server.reserved.close()


def test_a_secret_is_not_sent_to_whom_another_ca_vouches_for(app, corp):
    assert corp.by_code().status == 200

    changed = app.sk.put(f"{PROVIDERS}/{corp.name}", {"ca": Authority().pem})
    back = app.sk.put(f"{PROVIDERS}/{corp.name}", {"ca": corp.realm.server.authority.pem})

    assert changed.json["hasClientSecret"] is False and back.json["hasClientSecret"] is False
    assert error(corp.by_code()) == FAILED  # the issuer wants one
    assert corp.realm.asked[-1][2] is None
    corp.configure()
    assert corp.by_code().status == 200


def test_keys_that_cannot_be_had_are_no_fault_of_a_token(corp):
    claims = corp.realm.claims()
    assert corp.by_token(claims).status == 200
    corp.realm.rotate("second")
    corp.realm.answers["/keys"] = (503, {}, "{}")

    assert error(corp.by_token(claims)) == FAILED
    del corp.realm.answers["/keys"]
    assert corp.by_token(claims).status == 200


# --- who it is ---

def test_an_address_links_nobody(app, corp):
    user = app.user()

    taken = corp.by_token(corp.realm.claims(email=user.email.upper()))
    unverified = corp.by_token(corp.realm.claims(email=user.email, email_verified=False))

    assert error(taken) == (409, "auth/account-exists-different-provider")
    assert error(unverified) == (403, "auth/email-not-verified")
    assert [item["provider"] for item in user.pk.get("/v1/auth/accounts").json["items"]] == ["credentials"]


def test_an_account_is_linked_used_and_unlinked(app, corp):
    user, other = app.user(), app.user()
    claims = corp.realm.claims()
    check = {"type": "oauth", "provider": corp.name, "providerAccountId": claims["sub"]}

    def link(who):
        return who.pk.post("/v1/auth/accounts", {"provider": corp.name, "code": corp.realm.code(claims)})

    assert app.pk.post("/v1/auth/accounts/check", check).json == {"exists": False}
    linked = link(user)
    assert (linked.status, linked.json) == (201, {})
    assert error(link(user)) == error(link(other)) == (409, "auth/account-already-linked")
    signed_in = corp.by_token(claims)
    assert signed_in.json["user"]["id"] == user.id and signed_in.json["is_new_user"] is False
    assert app.pk.post("/v1/auth/accounts/check", check).json == {"exists": True, "type": "oauth",
                                                                  "provider": corp.name}
    assert user.pk.delete(f"/v1/auth/accounts/{corp.name}").status == 200
    assert error(user.pk.delete("/v1/auth/accounts/credentials")) == (400, "auth/last-auth-method")
    assert corp.by_token(claims).json["user"]["id"] != user.id


@pytest.mark.parametrize("name", ["google", "github"])
def test_a_name_that_apps_know_works_against_an_issuer_on_the_premises(app, server, name):
    realm, user = server.realm(app.name(name)), app.user()
    realm.name = name  # as the provider is called; the issuer's path keeps its own
    without = app.sk.put(f"{PROVIDERS}/{name}", {"clientId": "box", "clientSecret": CLIENT_SECRET})
    assert (without.status, without.json["usable"], without.json["missing"]) == (200, False, ["issuer"])
    path, claims = f"/v1/auth/{name}/callback", realm.claims()
    assert error(app.pk.post(path, {"code": "c", "redirectUri": REDIRECT})) == (400, "auth/oauth-not-configured")
    corp = Corp(app, realm)
    check = {"type": "oauth", "provider": name, "providerAccountId": claims["sub"]}

    made = corp.by_code(claims)
    again = corp.nobody.get(f"{path}?code={realm.code(claims)}&state=s")
    linked = user.pk.post("/v1/auth/accounts", {"provider": name, "code": realm.code()})

    assert made.status == 200 and made.json["is_new_user"] is True, made
    assert again.status == 200 and again.json["user"]["id"] == made.json["user"]["id"], again
    assert app.pk.post("/v1/auth/accounts/check", check).json == {"exists": True, "type": "oauth", "provider": name}
    assert linked.status == 201, linked
    assert error(user.pk.post("/v1/auth/accounts", {"provider": name, "code": realm.code()})) == (
        409, "auth/account-already-linked")
    assert user.pk.delete(f"/v1/auth/accounts/{name}").status == 200
    corp.forget()
    assert error(app.pk.post(path, {"code": "c", "redirectUri": REDIRECT})) == (400, "auth/oauth-not-configured")


def test_attack_11_a_second_factor_is_asked_for(app, corp):
    user = app.user()
    claims = corp.realm.claims()
    assert user.pk.post("/v1/auth/accounts", {"provider": corp.name, "code": corp.realm.code(claims)}).status == 201
    phone = confirmed(user)

    assert error(corp.by_token(claims)) == (403, "auth/mfa-required")
    assert error(corp.by_token(claims, mfaCode="00000000")) == (401, "auth/invalid-mfa-code")
    assert corp.by_token(claims, mfaCode=phone.backup[0]).status == 200
    once = {"code": corp.realm.code(claims), "redirectUri": REDIRECT}
    assert error(corp.sign_in(**once)) == (403, "auth/mfa-required")  # the issuer has taken the code
    assert corp.sign_in(**once, mfaCode=phone.backup[1]).status == 200
    assert error(corp.sign_in(**once, mfaCode=phone.backup[2])) == INVALID


def test_a_provider_that_is_off_or_gone_lets_nobody_in(app, corp):
    assert corp.by_token(claims := corp.realm.claims()).status == 200

    app.sk.put(f"{PROVIDERS}/{corp.name}", {"enabled": False})
    assert error(corp.by_token(claims)) == (400, "auth/oauth-not-configured")
    app.sk.delete(f"{PROVIDERS}/{corp.name}")
    assert error(corp.by_token(claims)) == (400, "auth/unsupported-provider")


def test_attack_15_no_secret_stands_in_the_log(app, corp):
    claims = corp.realm.claims()
    codes = [corp.realm.code(claims) for _ in range(3)]
    assert corp.sign_in(code=codes[0], redirectUri=REDIRECT, codeVerifier="v" * 43).status == 401
    assert corp.nobody.get(f"/v1/auth/{corp.name}/callback?code={codes[1]}&state=s").status == 200
    assert error(corp.by_token({**claims, "aud": "another"})) == INVALID
    corp.realm.answers["/token"] = (503, {}, "{}")
    assert error(corp.sign_in(code=codes[2], redirectUri=REDIRECT)) == FAILED

    def lines(event):
        return [line for line in app.box.events(event) if line["provider"] == corp.name]

    wait_until(lambda: lines("id_token_refused"), "the line of the token that was refused")
    assert wait_until(lambda: lines("issuer_failed"), "the line of the failure")[0]["status"] == 503
    text = app.box.log_text()
    assert not [code for code in codes if code in text]
    assert CLIENT_SECRET not in text and "eyJ" not in text and "v" * 43 not in text
