# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail relay on this machine (aiosmtpd), with a certificate of a CA of tests. Asserts nothing about what is tested."""

import asyncio
import email
import email.policy
import random
import socket

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

import userspace
from app import Unexpected
from conftest import WAIT_S, wait_until

HOST = "localhost"
USER, PASSWORD = "box", "Relay-passw0rd"


def free_port():
    """Below those that the system gives to whoever connects: it is still free when the relay comes back to it."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(20000, 32000)
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Mail:
    """As it arrived: sender and recipients of the envelope, the raw bytes, and what Python's email package reads in them;
    whether who sent it had signed in, and the version of TLS."""

    def __init__(self, envelope, session, tls):
        self.sender, self.recipients, self.raw = envelope.mail_from, list(envelope.rcpt_tos), envelope.content
        self.authenticated, self.tls = session.authenticated, tls and tls.version()
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def body(self):
        return self.message.get_content()


class Relay:
    """Takes mails over STARTTLS or TLS from whoever signs in. It stays on its port, whatever it does next."""

    def __init__(self, authority, tls="starttls"):
        self.authority, self.tls, self.port = authority, tls, free_port()
        self.mails, self.refused = [], {}
        self.controller = None
        self.password = PASSWORD
        self.holds, self.held = False, 0  # the next mails, before they are taken

    def settings(self, **more):
        """The body of PUT /v1/admin/email-settings that leads here."""
        smtp = {"host": HOST, "port": self.port, "tls": self.tls, "user": USER, "password": PASSWORD, "ca": self.authority.pem}
        return dict({"senderEmail": "noreply@shop.example", "senderName": "Der Läden", "smtp": smtp}, **more)

    def start(self, context=None, offers_tls=True):
        context = context or self.authority.context()
        if self.tls == "tls":
            how = {"ssl_context": context, "auth_require_tls": False}
        elif offers_tls:
            how = {"tls_context": context, "require_starttls": True}
        else:
            how = {"auth_require_tls": False}
        self.controller = Controller(self, hostname=userspace.SERVERS_LISTEN, port=self.port, authenticator=self._check, auth_required=True,
                                     ready_timeout=WAIT_S, **how)
        self.controller.start()
        return self

    def stop(self):
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    def restart(self, **how):
        self.stop()
        return self.start(**how)

    def _check(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and data.login == USER.encode() and data.password == self.password.encode()
        return AuthResult(success=good, handled=False)  # it answers, not we

    # --- of the SMTP server, on its own thread ---

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.held += self.holds
        while self.holds:
            await asyncio.sleep(0.01)
        self.mails.append(Mail(envelope, session, server.transport.get_extra_info("ssl_object")))
        return "250 taken"

    # --- of the test ---

    def mails_to(self, address):
        return [mail for mail in self.mails if mail.recipients == [address]]

    def wait_for(self, address):
        return wait_until(lambda: self.mails_to(address), f"a mail to {address}")[0]


def configure(app, relay, **more):
    answer = app.sk.put("/v1/admin/email-settings", relay.settings(**more))
    if answer.status != 200:
        raise Unexpected(answer)
    return answer.json
