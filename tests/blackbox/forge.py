# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens as a forger makes them from a real one. Asserts nothing about what is tested."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551  # n of P-256: FIPS 186-4, D.1.2.3
MACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def base64url(value):
    """Of bytes, or of what JSON makes of anything else."""
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    """header and claims as dicts, the signature as bytes."""
    header, claims, signature = token.split(".")
    return json.loads(from_base64url(header)), json.loads(from_base64url(claims)), from_base64url(signature)


def signed_text(token, header=None, claims=None):
    """What a signature is over, with members of header and claims changed; a member whose new value is ... is left out."""
    changed = []
    for old, new in zip(parts(token), (header or {}, claims or {})):
        changed.append(base64url({name: value for name, value in {**old, **new}.items() if value is not ...}))
    return ".".join(changed)


def unsigned(token, claims=None, **header):
    return signed_text(token, header, claims) + "."


def with_signature(token, signature, claims=None, **header):
    return f"{signed_text(token, header, claims)}.{base64url(signature)}"


def with_mac(token, algorithm, secret, **header):
    text = signed_text(token, dict(header, alg=algorithm))
    return f"{text}.{base64url(hmac.new(secret, text.encode(), MACS[algorithm]).digest())}"


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def sign(key, text, hash_class=hashes.SHA256):
    """(r, s) of a text."""
    return utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hash_class())))


def raw(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def with_own_signature(token, key, claims=None, **header):
    """Signed with somebody else's key, with the lower of the two values of s, as the box wants it."""
    text = signed_text(token, header, claims)
    r, s = sign(key, text)
    return f"{text}.{base64url(raw(r, min(s, ORDER - s)))}"


def published_key(app, token):
    """The JWK that a token names."""
    kid = parts(token)[0]["kid"]
    keys = app.nobody.get("/.well-known/jwks.json").json["keys"]
    return next(key for key in keys if key["kid"] == kid)


def public_point(app, token):
    """x and y of the key that a token names."""
    key = published_key(app, token)
    return from_base64url(key["x"]) + from_base64url(key["y"])
