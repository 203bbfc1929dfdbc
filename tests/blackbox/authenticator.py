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
        self.user, self.made = user, made
        self.key, self.backup = base64.b32decode(made["secret"]), made["backupCodes"]

    def code(self, steps=0):
        """Of the step that lies so many after that of now."""
        return self.code_of(step_now() + steps)

    def code_of(self, step):
        mac = hmac.digest(self.key, struct.pack(">Q", step), hashlib.sha1)
        at = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}"


def enabled(user):
    """An app that no code has confirmed yet."""
    answer = user.pk.post("/v1/auth/mfa/enable", {"password": user.password})
    if answer.status != 200:
        raise Unexpected(answer)
    return Authenticator(user, answer.json)


def confirmed(user):
    """One that counts. The code that confirmed it is that of the step before now's: now and next are left."""
    app = enabled(user)
    for code in (app.code(-1), app.code(-1)):  # a step may end between the two clocks
        answer = user.pk.post("/v1/auth/mfa/confirm", {"code": code})
        if answer.status == 200:
            return app
    raise Unexpected(answer)
