# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenID Connect issuer on this machine, over TLS with a certificate of a CA of its own. Asserts nothing about what is
tested.

One Issuer is one server; each Realm of it is an issuer of its own below a path, with keys, codes and manners of its own, so
that nothing that the box remembers of one is of use for another."""

import base64
import hashlib
import http.server
import itertools
import json
import socket
import ssl
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

import userspace
from authority import Authority
from forge import base64url

CLIENT_ID = "box"
CLIENT_SECRET = "a secret of tests: %&"
REDIRECT = "https://app.example/signed-in"


class Key:
    """A signing key of a realm, with its name."""

    def __init__(self, kind, kid):
        self.kind, self.kid = kind, kid
        self.private = (rsa.generate_private_key(65537, 2048) if kind == "RS256"
                        else ec.generate_private_key(ec.SECP256R1()))

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        if self.kind == "RS256":
            size = self.private.key_size // 8
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256",
                    "n": base64url(numbers.n.to_bytes(size, "big")), "e": "AQAB"}
        return {"kty": "EC", "kid": self.kid, "crv": "P-256", "x": base64url(numbers.x.to_bytes(32, "big")),
                "y": base64url(numbers.y.to_bytes(32, "big"))}

    def sign(self, text):
        if self.kind == "RS256":
            return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Realm:
    """An issuer: url. What it says can be changed: document, keys, answers (a path's (status, headers, body)); hold keeps
    its token endpoint from answering until it is set again. asked lists (path, form, authorization)."""

    def __init__(self, server, name, kind):
        self.server, self.name = server, name
        self.path = f"/{name}"
        self.url = f"{server.url}{self.path}"
        self.keys = [Key(kind, "first")]
        self.document = {"issuer": self.url, "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
                         "authorization_endpoint": f"{self.url}/authorize",
                         "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}
        self.answers, self.codes, self.asked = {}, {}, []
        self.numbers = itertools.count(1)
        self.hold = threading.Event()
        self.hold.set()
        self.held = threading.Event()  # a request waits for hold

    def settings(self, **more):
        """The body that configures it."""
        return dict({"issuer": self.url, "ca": self.server.authority.pem, "clientId": CLIENT_ID,
                     "clientSecret": CLIENT_SECRET, "redirectUri": REDIRECT}, **more)

    def claims(self, **more):
        """Of somebody new, unless sub and email say who."""
        who = f"{self.name}-{next(self.numbers)}"
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": who, "iat": now, "exp": now + 300,
                  "email": f"{who}@example.com", "email_verified": True, "name": who}
        claims.update(more)
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, claims=None, key=None, **header):
        key = key or self.keys[-1]
        text = (base64url({"alg": key.kind, "kid": key.kid, "typ": "JWT", **header}) + "." +
                base64url(claims or self.claims()))
        return f"{text}.{base64url(key.sign(text.encode()))}"

    def code(self, claims=None, verifier=None):
        """A code that brings an ID token with those claims, once; for whoever has the verifier, if there is one."""
        code = f"code-{self.name}-{next(self.numbers)}"
        self.codes[code] = (claims or self.claims(), verifier)
        return code

    def rotate(self, kid):
        self.keys = [Key(self.keys[0].kind, kid)]

    def answer(self, path, form, authorization):
        self.asked.append((path, form, authorization))
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps(self.document)
        if path == "/keys":
            return 200, {}, json.dumps({"keys": [key.jwk() for key in self.keys]})
        if path == "/token":
            return self.exchange(form, authorization)
        return 404, {}, "{}"

    def exchange(self, form, authorization):
        self.held.set()
        self.hold.wait(60)
        encoded = ":".join(urllib.parse.quote(text, safe="") for text in (CLIENT_ID, CLIENT_SECRET))
        if authorization != "Basic " + base64.b64encode(encoded.encode()).decode():
            return 401, {}, '{"error":"invalid_client"}'
        claims, challenge = self.codes.pop(form.get("code", ""), (None, None))
        verifier = form.get("code_verifier")
        good = (form.get("grant_type") == "authorization_code" and form.get("redirect_uri") == REDIRECT
                and challenge == (verifier and hashlib.sha256(verifier.encode()).hexdigest()))
        if claims is None or not good:
            return 400, {}, '{"error":"invalid_grant"}'
        return 200, {}, json.dumps({"access_token": "opaque", "token_type": "Bearer", "id_token": self.token(claims)})


class Issuer:
    """The server, on a free port; stop and start again with the same one."""

    def __init__(self, directory):
        self.authority = Authority()
        self.certificate = self.authority.write_leaf(directory, "localhost")
        self.realms, self.port, self.http, self.reserved = {}, 0, None, None
        self.start()

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
                _, name, *rest = self.path.split("/")
                realm = issuer.realms.get(name)
                status, headers, body = (404, {}, "{}") if realm is None else realm.answer(
                    "/" + "/".join(rest), form, self.headers.get("Authorization"))
                data = body if isinstance(body, bytes) else body.encode()
                self.send_response(status)
                for header, value in {"Content-Type": "application/json", "Content-Length": str(len(data)),
                                      **headers}.items():
                    if value is not None:
                        self.send_header(header, value)
                self.end_headers()
                self.wfile.write(data)
                self.close_connection = True

            do_GET = do_POST = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                plain, address = super().get_request()
                plain.settimeout(30)
                return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # whoever does not trust us goes away

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        if self.reserved is not None:
            self.reserved.close()
        self.http = Server((userspace.SERVERS_LISTEN, self.port), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()

    def stop(self):
        """Nobody listens any more, and nobody else gets the port."""
        self.http.shutdown()
        self.http.server_close()
        self.reserved = socket.socket()
        self.reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.reserved.bind((userspace.SERVERS_LISTEN, self.port))

    def realm(self, name, kind="ES256"):
        self.realms[name] = Realm(self, name, kind)
        return self.realms[name]
