# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of access tokens: what of a token may differ from one that the box made, and what each difference is worth.
Contract 2.3, attacks.md class 9. Every token is sent to a table that guests may list, with a publishable and a secret key,
so one that is taken for no token at all would be answered 200.

Nobody but the keeper can sign: tokens whose signature holds and whose iss, aud, typ or form does not are in
tests/unit/auth_token_test.c, both sides of `exp`, to the second, in tests/unit/api_sign_test.c, which moves the clock. Tokens of
another environment are the column stranger of tests/data/endpoints.txt."""

import itertools
import os

import pytest
from app import Client, error
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from forge import (ORDER, base64url, new_key, parts, public_point, published_key, raw, sign, signed_text, unsigned,
                   with_mac, with_own_signature, with_signature)
from mails import mail_to

FORMAT = (401, "auth/invalid-token-format")
INVALID = (401, "auth/invalid-token")
ENDED = (401, "auth/session-expired")
DENIED = (403, "data/permission-denied")
LONGEST = 800  # bytes of a token: firmware/auth/token.h
GUEST_LIST = {"guest": {"list": True}, "user": {"list": True, "create": True}}
CONNECTIONS = 6  # kept ones of one user, so that most probably every reactor remembers the token
sources = (f"127.9.{number // 250}.{number % 250 + 1}" for number in itertools.count())


@pytest.fixture(scope="module")
def real(app):
    """A user whose token is what the others are made from; it stays valid."""
    user = app.user()
    user.table = app.table(permissions=GUEST_LIST)
    user.forger = new_key()
    return user


@pytest.fixture
def ask(app, real):
    """The set of answers to a value of Authorization. Each test comes from an address of its own: refusals are counted."""
    clients = [Client(app.box, key, source=source) for source in [next(sources)] for key in (app.box.pk, app.box.sk)]

    def answers(value):
        headers = value if isinstance(value, list) else {"Authorization": value}
        return {error(client.get(real.table.path, headers=headers)) for client in clients}

    yield answers
    for client in clients:
        client.close()


def test_what_the_forgeries_are_made_from_is_valid(real, ask):
    assert ask(f"Bearer {real.token}") == {(200, None)}
    assert ask(f"bEARER {real.token}") == {(200, None)}
    header, claims, signature = parts(real.token)
    assert signed_text(real.token) == real.token.rsplit(".", 1)[0]  # what is changed by a forgery is what it says
    assert with_signature(real.token, signature) == real.token
    assert list(header) == ["alg", "kid", "typ"] and header["alg"] == "ES256" and header["typ"] == "JWT"
    assert claims["exp"] - claims["iat"] == 3600 and claims["typ"] == "access"


# --- shape ---

SHAPES = ["Basic YTpi", "Bearer", "Bearer ", "Bearer  {token}", "Bearer\t{token}", "bearer", "{token}", "Bearer a.b",
          "Bearer a.b.c.d", "Bearer a b.c", "Bearer ..", "Bearer .b.c", "Bearer a..c", "Bearer {sk}", "{sk}", "Bearer {pk}",
          "Token {token}", "Bearer: {token}", "Bearer {token}=", "Bearer {token}==", "Bearer {token}.", "Bearer .{token}",
          "Bearer {token}, Bearer {token}", "Bearer {token} {token}", "Bearer \"{token}\"", "Bearer {header}.{claims}",
          "Bearer {header}..{signature}", "Bearer .{claims}.{signature}", "Bearer {header}+.{claims}.{signature}",
          "Bearer {header}.{claims}/.{signature}", "Bearer {header}%2E{claims}.{signature}", "DPoP {token}",
          "Bearer {token}~", "Bearer {header}.{claims}.{signature}.{signature}.{signature}"]


@pytest.mark.parametrize("shape", SHAPES)
def test_attack_09_what_has_not_the_shape_of_a_token_is_refused_as_such(app, real, ask, shape):
    header, claims, signature = real.token.split(".")

    value = shape.format(token=real.token, header=header, claims=claims, signature=signature, sk=app.box.sk, pk=app.box.pk)

    assert ask(value) == {FORMAT}


def test_attack_09_two_authorizations_are_none(real, ask):
    good, bad = ("Authorization", f"Bearer {real.token}"), ("Authorization", "Bearer a.b.c")
    for pair in ([good, good], [good, bad], [bad, good]):
        assert ask(pair) == {FORMAT}


def test_attack_09_a_token_cut_anywhere_is_none(real, ask):
    first, second = (at for at, letter in enumerate(real.token) if letter == ".")
    for cut in (1, first, first + 1, first + 9, second, len(real.token) // 2):
        assert ask(f"Bearer {real.token[:cut]}") == {FORMAT}
    for cut in (second + 1, second + 2, len(real.token) - 2, len(real.token) - 1):
        assert ask(f"Bearer {real.token[:cut]}") == {INVALID}
    for cut in (1, 5, first - 1):
        assert ask(f"Bearer {real.token[cut:]}") == {INVALID}


def test_attack_09_a_token_of_any_length_is_answered(real, ask):
    room = LONGEST - len(real.token)
    assert ask(f"Bearer {real.token}{'A' * room}") == {INVALID}
    assert ask(f"Bearer {real.token}{'A' * (room + 1)}") == {FORMAT}
    assert ask(f"Bearer {'A' * 5000}.{'B' * 5000}.{'C' * 5000}") == {FORMAT}
    assert ask(f"Bearer {'.' * 20000}") == {FORMAT}
    assert ask(f"Bearer {'A' * 40000}") == {(413, "common/payload-too-large")}


# --- the header ---

ALGORITHMS = ["none", "None", "NONE", "nOnE", "none ", "", "HS256", "hs256", "HS384", "HS512", "RS256", "RS384", "RS512",
              "PS256", "PS384", "PS512", "es256", "Es256", "ES256 ", " ES256", "ES256\u0000", "ES256K", "ES384", "ES512",
              "EdDSA", "Ed25519", "Ed448", "dir", "A128KW", "RSA-OAEP", "ECDH-ES", "PBES2-HS256+A128KW", "ANY", "null",
              "SHA256", "\u0130S256", "\uff25\uff33256", None, True, 0, 256, ["ES256"], {"alg": "ES256"}, ...]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda name: "left out" if name is ... else ascii(name))
def test_attack_09_the_one_algorithm_is_es256_in_capitals(real, ask, algorithm):
    """Without a signature, with the one of the token that was changed, and with a good one of another key."""
    tokens = [unsigned(real.token, alg=algorithm), with_signature(real.token, parts(real.token)[2], alg=algorithm),
              with_own_signature(real.token, real.forger, alg=algorithm)]

    assert [ask(f"Bearer {token}") for token in tokens] == [{INVALID}] * 3


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_attack_09_what_everybody_can_read_is_no_secret_of_a_mac(app, real, ask, algorithm):
    point, key = public_point(app, real.token), published_key(app, real.token)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)
    encoding, form = serialization.Encoding, serialization.PublicFormat
    pem = public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo)
    secrets = [point, b"\x04" + point, public.public_bytes(encoding.X962, form.CompressedPoint), pem, pem.strip(),
               public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo), point[:32], key["x"].encode(),
               key["kid"].encode(), b"", b"secret", b"rowlock", app.box.pk.encode()]

    assert {frozenset(ask(f"Bearer {with_mac(real.token, algorithm, secret)}")) for secret in secrets} == {frozenset([INVALID])}


HEADERS = {
    "no kid": {"kid": ...}, "an empty kid": {"kid": ""}, "an unknown kid": {"kid": "A" * 43}, "a kid that is no text": {"kid": 7},
    "a kid that is null": {"kid": None}, "a kid that is a path": {"kid": "../../../dev/null"},
    "a kid that is a query": {"kid": "x' OR '1'='1"}, "a list of kids": {"kid": ["x"]}, "no typ": {"typ": ...},
    "another typ": {"typ": "at+jwt"}, "typ in small letters": {"typ": "jwt"}, "typ is JWE": {"typ": "JWE"},
    "crit": {"crit": ["exp"]}, "an empty crit": {"crit": []}, "crit of an unknown name": {"crit": ["x"], "x": True},
    "crit b64": {"crit": ["b64"], "b64": False}, "b64": {"b64": False}, "cty": {"cty": "JWT"}, "zip": {"zip": "DEF"},
    "jku": {"jku": "https://evil.example/jwks.json"}, "x5u": {"x5u": "https://evil.example/key.pem"},
    "x5c": {"x5c": ["MIIB"]}, "enc": {"enc": "A256GCM"}, "a member more": {"x": 1},
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS.keys())
def test_attack_09_a_header_is_ours_or_nobodys(real, ask, change):
    tokens = [with_signature(real.token, parts(real.token)[2], **change),
              with_own_signature(real.token, real.forger, **change)]

    assert [ask(f"Bearer {token}") for token in tokens] == [{INVALID}] * 2


def test_attack_09_a_key_in_the_header_is_not_used(real, ask):
    numbers = real.forger.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}

    for change in ({"jwk": jwk}, {"jwk": jwk, "kid": ...}, {"jwk": jwk, "typ": ...}):
        short = with_own_signature(real.token, real.forger, {"aud": ..., "jti": ..., "pid": ..., "iat": ...}, **change)
        assert ask(f"Bearer {short}") == {INVALID}
        whole = with_own_signature(real.token, real.forger, x=jwk, **change)
        assert len(whole) > LONGEST and ask(f"Bearer {whole}") == {FORMAT}


def test_attack_09_a_header_written_otherwise_is_not_ours(real, ask):
    kid, (_, claims, signature) = parts(real.token)[0]["kid"], real.token.split(".")
    for text in ('{"typ":"JWT","alg":"ES256","kid":"%s"}', '{"alg":"ES256", "kid":"%s","typ":"JWT"}', '{"alg":"ES256","alg":"none","kid":"%s","typ":"JWT"}',
                 '{"alg":"none","alg":"ES256","kid":"%s","typ":"JWT"}', '{"alg":"\\u0045S256","kid":"%s","typ":"JWT"}',
                 '\ufeff{"alg":"ES256","kid":"%s","typ":"JWT"}', '[{"alg":"ES256","kid":"%s","typ":"JWT"}]', '"%s"', "{%s", "%s"):
        assert ask(f"Bearer {base64url((text % kid).encode())}.{claims}.{signature}") == {INVALID}


# --- the claims ---

CLAIMS = {
    "another user": {"sub": "11111111-1111-4111-8111-111111111111"}, "no user": {"sub": ...}, "sub is null": {"sub": None},
    "another session": {"sid": "11111111-1111-4111-8111-111111111111"}, "no session": {"sid": ...},
    "another project": {"pid": "11111111-1111-4111-8111-111111111111"}, "another environment": {"env": "prod"},
    "another aud": {"aud": "11111111-1111-4111-8111-111111111111"}, "a list of aud": {"aud": ["x"]}, "no aud": {"aud": ...},
    "another iss": {"iss": "https://evil.example"}, "iss in capitals": {"iss": "ROWLOCK"}, "no iss": {"iss": ...},
    "typ refresh": {"typ": "refresh"}, "typ id": {"typ": "id"}, "typ in capitals": {"typ": "ACCESS"}, "no typ": {"typ": ...},
    "a later end": {"exp": 4102444800}, "no end": {"exp": ...}, "end is null": {"exp": None}, "end is a text": {"exp": "4102444800"},
    "end is huge": {"exp": 2 ** 64}, "end is a fraction": {"exp": 4102444800.5}, "end is in the past": {"exp": 1}, "end is negative": {"exp": -1},
    "later nbf": {"nbf": 4102444800}, "role admin": {"role": "admin"}, "roles": {"roles": ["admin"]}, "no jti": {"jti": ...},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS.keys())
def test_attack_09_claims_that_were_changed_are_worth_nothing(real, ask, change):
    """Whatever is wrong with them, it is the signature that is told: nothing else of the token was believed."""
    tokens = [with_signature(real.token, parts(real.token)[2], change), with_own_signature(real.token, real.forger, change),
              unsigned(real.token, change, alg="none")]

    assert [ask(f"Bearer {token}") for token in tokens] == [{INVALID}] * 3


def test_attack_09_a_signature_of_one_token_is_none_of_another(app, real, ask):
    other = app.user(role="admin")
    mine, theirs = real.token.split("."), other.token.split(".")

    assert ask(f"Bearer {theirs[0]}.{theirs[1]}.{mine[2]}") == {INVALID}
    assert ask(f"Bearer {mine[0]}.{mine[1]}.{theirs[2]}") == {INVALID}
    assert ask(f"Bearer {other.token}") == {(200, None)}


# --- the signature ---

def halves(signature):
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


SIGNATURES = {
    "none": lambda signature: b"", "zero": lambda signature: bytes(64), "one": lambda signature: raw(1, 1),
    "ones": lambda signature: b"\xff" * 64, "r is zero": lambda signature: bytes(32) + signature[32:],
    "s is zero": lambda signature: signature[:32] + bytes(32), "r is the order": lambda signature: raw(ORDER, halves(signature)[1]),
    "s is the order": lambda signature: raw(halves(signature)[0], ORDER), "both are the order": lambda signature: raw(ORDER, ORDER),
    "the upper s": lambda signature: raw(halves(signature)[0], ORDER - halves(signature)[1]),
    "the negative r": lambda signature: raw(ORDER - halves(signature)[0], halves(signature)[1]),
    "swapped": lambda signature: signature[32:] + signature[:32], "half": lambda signature: signature[:32],
    "a byte less": lambda signature: signature[:-1], "a byte more": lambda signature: signature + b"\0",
    "a zero in front": lambda signature: b"\0" + signature, "twice": lambda signature: signature * 2,
    "DER": lambda signature: utils.encode_dss_signature(*halves(signature)),
    "the first bit": lambda signature: bytes([signature[0] ^ 0x80]) + signature[1:],
    "the last bit": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "that of P-384": lambda signature: bytes(range(96)), "an empty mac": lambda signature: bytes(32),
}


@pytest.mark.parametrize("change", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_attack_09_of_one_token_there_is_one_signature(real, ask, change):
    assert ask(f"Bearer {with_signature(real.token, change(parts(real.token)[2]))}") == {INVALID}


def test_attack_09_bits_that_the_signatures_text_leaves_over_are_zero(real, ask):
    """86 characters hold four bits more than 64 bytes."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(real.token[-1])
    assert last % 16 == 0
    for more in (1, 2, 4, 8, 15):
        assert ask(f"Bearer {real.token[:-1]}{letters[last + more]}") == {INVALID}


def test_attack_09_signatures_of_another_key_hash_or_curve(real, ask):
    text = signed_text(real.token)
    larger = ec.generate_private_key(ec.SECP384R1())
    r, s = utils.decode_dss_signature(larger.sign(text.encode(), ec.ECDSA(hashes.SHA384())))
    signatures = [raw(*sign(real.forger, text)), raw(*sign(real.forger, text, hashes.SHA512)), raw(*sign(real.forger, text.lower())),
                  r.to_bytes(48, "big") + s.to_bytes(48, "big")]

    assert [ask(f"Bearer {text}.{base64url(signature)}") for signature in signatures] == [{INVALID}] * 4


# --- tokens that the box made ---

def test_attack_09_a_refresh_token_gives_no_access_and_an_access_token_no_refresh(app, real, ask):
    assert ask(f"Bearer {real.refresh}") == {INVALID}
    header, claims, signature = real.refresh.split(".")
    tokens = [real.token, f"{real.refresh}A", real.refresh[:-1], unsigned(real.refresh, alg="none"), f"{header}.{claims}.",
              with_own_signature(real.refresh, real.forger), f"Bearer {real.refresh}", f"{real.token.rsplit('.', 1)[0]}.{signature}"]
    for token in tokens:
        assert error(app.pk.post("/v1/auth/refresh", {"refreshToken": token})) == (401, "auth/invalid-refresh-token")
    assert ask(f"Bearer {real.token}") == {(200, None)}  # none of that was a reuse


def reset_password(app, user):
    app.pk.post("/v1/auth/password/reset/request", {"email": user.email})
    token = mail_to(app, user.email, "password_reset")["token"]
    return app.pk.post("/v1/auth/password/reset/confirm", {"email": user.email, "token": token, "newPassword": "other1"})


def reuse_refresh(app, user):
    app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})
    answer = app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})
    answer.status = 200 if error(answer) == (401, "auth/invalid-refresh-token") else answer.status
    return answer


def delete_session(app, user):
    (session,) = user.pk.get("/v1/auth/sessions").json["items"]
    return user.pk.delete(f"/v1/auth/sessions/{session['id']}")


ENDS = {
    "a sign-out": lambda app, user: user.pk.post("/v1/auth/signout"),
    "the end of the session": delete_session,
    "a ban": lambda app, user: app.sk.patch(f"/v1/users/{user.id}/ban", {"banned": True}),
    "a withdrawal": lambda app, user: user.pk.delete("/v1/auth/withdraw"),
    "a deletion": lambda app, user: app.sk.delete(f"/v1/users/{user.id}"),
    "a change of the password": lambda app, user: user.pk.post("/v1/auth/password/change",
                                                               {"currentPassword": user.password, "newPassword": "other1"}),
    "a reset of the password": reset_password,
    "a refresh token used twice": reuse_refresh,
}


@pytest.fixture
def keep():
    """keep(app, user) makes kept connections on which the user was just answered; answers() asks on all of them again."""
    made = []

    def make(app, user, path="/v1/auth/me"):
        source = next(sources)
        clients = [Client(app.box, app.box.pk, user, source) for _ in range(CONNECTIONS)]
        made.extend(clients)

        def answers():
            return {error(client.get(path)) for client in clients}
        assert answers() == answers() == {(200, None)}
        return answers

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_token_is_worth_nothing_after(app, ask, keep, end):
    """Though it was just taken as valid, and is remembered as such, on this connection and by every reactor."""
    user = app.user(email=f"{app.name('end')}-{os.getpid()}@example.com")
    assert ask(f"Bearer {user.token}") == {(200, None)}
    kept = keep(app, user)

    answer = end(app, user)

    assert answer.status == 200, answer
    assert kept() == {ENDED}
    assert ask(f"Bearer {user.token}") == {ENDED}
    assert error(user.pk.get("/v1/auth/me")) == ENDED
    assert error(app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh})) == (401, "auth/invalid-refresh-token")


def test_a_demotion_counts_for_the_next_request_of_a_token_and_ends_no_session(app, real, ask, keep):
    user = app.user(role="admin", roles=["moderator"])
    row = real.table.add({"a": 1})
    kept = keep(app, user, f"{real.table.path}/{row['id']}")
    assert real.table.read(row["id"], client=user.pk).status == 200

    user.set_role("user", [])

    assert kept() == {DENIED}
    assert error(real.table.read(row["id"], client=user.pk)) == DENIED
    assert error(user.pk.patch(f"/v1/users/{real.id}/role", {"role": "admin"})) == (403, "user/forbidden")
    assert user.pk.get("/v1/auth/me").json["roles"] == []
    assert ask(f"Bearer {user.token}") == {(200, None)}
    user.set_role("guest")
    assert error(user.pk.post(real.table.path, {"a": 2})) == DENIED
