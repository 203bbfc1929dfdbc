# SPDX-License-Identifier: GPL-3.0-or-later
"""An authenticator app, written from RFC 6238 with Python's own HMAC. Asserts nothing about what is tested."""

import base64
import hashlib
import hmac
import struct
import time

from app import Unexpected

STEP_S = 30


def step_now():
    return int(time.time()) // STEP_S


class Authenticator:
    """The app of a user whom the box gave a secret, and the backup codes."""

    def __init__(self, user, made):
        self.user, self.made, self.used = user, made, 0
        self.key, self.backup = base64.b32decode(made["secret"]), made["backupCodes"]

    def code_of(self, step):
        mac = hmac.digest(self.key, struct.pack(">Q", step), hashlib.sha1)
        at = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}"

    def code(self, steps=0):
        """Of the step that lies so many after that of now."""
        return self.code_of(step_now() + steps)

    def unused(self):
        """A code that holds, whenever a step ends: that of now, or of the next step if now's confirmed the app."""
        return self.code_of(max(step_now(), self.used + 1))


def enabled(user):
    """An app that no code has confirmed yet."""
    answer = user.pk.post("/v1/auth/mfa/enable", {"password": user.password})
    if answer.status != 200:
        raise Unexpected(answer)
    return Authenticator(user, answer.json)


def confirmed(user):
    """One that counts."""
    app = enabled(user)
    app.used = step_now()
    answer = user.pk.post("/v1/auth/mfa/confirm", {"code": app.code_of(app.used)})
    if answer.status != 200:
        raise Unexpected(answer)
    return app
