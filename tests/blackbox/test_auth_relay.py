# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails that leave the box: settings, queue, courier and a relay that is not ours (aiosmtpd), read by Python's email
package. Back-off and clocks are in tests/unit/worker_mailer_test.c. Contract 5.11, 6."""

import re
import urllib.parse

import pytest

from app import BAD_PARAMETERS, error
from authority import Authority
from conftest import wait_until
from mails import mail_to, mails_to, new_email
from relay import PASSWORD, Relay, configure

SETTINGS = "/v1/admin/email-settings"
FIELDS = ["Date", "Message-ID", "From", "To", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
          "Auto-Submitted"]


@pytest.fixture(scope="module")
def app(module_app):
    """These tests say where every mail of the environment goes."""
    return module_app


@pytest.fixture(scope="module")
def one_relay(authority):
    """One place for all tests: another one needs another courier, and that takes the box some seconds."""
    made = Relay(authority)
    yield made
    made.stop()


def waiting(app):
    return [mail for mail in app.sk.get("/v1/admin/outbox?limit=100").json["items"] if mail["status"] == "queued"]


@pytest.fixture
def relay(app, one_relay):
    """It takes everything, and afterwards what a test has left in the queue: the mail of the next is the first again."""
    yield one_relay.restart()
    one_relay.refused.clear()
    one_relay.password, one_relay.holds, one_relay.held = PASSWORD, False, 0
    if waiting(app):
        one_relay.restart()
        configure(app, one_relay)
        wait_until(lambda: not waiting(app), "the end of the queue")


def link_to(app, email):
    """Orders a sign-in link, which needs no hash."""
    answer = app.pk.post("/v1/auth/email/signup", {"method": "magiclink", "email": email})
    assert answer.status == 201, answer


def status_of(app, email):
    return mails_to(app, email)[0]["status"]


def wait_for_status(app, email, status):
    wait_until(lambda: status_of(app, email) == status, f"{email} to be {status}")


def delays(app, email):
    name = mails_to(app, email)[0]["id"]
    return [line for line in app.box.events("mail_delayed") if line["mail"] == name]


def wait_for_delay(app, email):
    return wait_until(lambda: delays(app, email), f"a delay of the mail to {email}")[-1]


# --- what arrives ---


def test_the_mail_of_a_sign_up_arrives_and_its_link_confirms(app, relay):
    configure(app, relay, overrideDefaults=True, brandColor="#336699")
    user = app.user(name='Jörg "J" <b>')

    mail = relay.wait_for(user.email)

    assert mail.authenticated and mail.tls in ("TLSv1.3", "TLSv1.2") and mail.sender == "noreply@shop.example"
    message = mail.message
    assert message.keys() == FIELDS
    assert message["from"].addresses[0].display_name == "Der Läden"
    assert message["from"].addresses[0].addr_spec == "noreply@shop.example"
    assert [address.addr_spec for address in message["to"].addresses] == [user.email]
    assert message["subject"] == "Welcome, please confirm your email address"
    assert message["date"].datetime.tzinfo is not None and message["auto-submitted"] == "auto-generated"
    assert message.get_content_type() == "text/html" and not message.defects
    assert "Hello Jörg &quot;J&quot; &lt;b&gt;," in mail.body and "solid #336699" in mail.body
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 78
    stored = mail_to(app, user.email, "signup_confirmation")
    assert mail.body.splitlines() == stored["body"].splitlines()
    link = re.search(r'href="([^"]*)"', mail.body).group(1).replace("&amp;", "&")
    parts = urllib.parse.urlsplit(link)
    assert app.nobody.get(f"{parts.path}?{parts.query}").json["data"]["verified"] is True
    wait_for_status(app, user.email, "sent")
    assert len(relay.mails_to(user.email)) == 1


def test_a_mail_arrives_over_tls_from_the_first_byte(app, authority):
    relay, email = Relay(authority, "tls").start(), new_email(app)
    try:
        configure(app, relay)
        link_to(app, email)

        mail = relay.wait_for(email)

        assert mail.authenticated and mail.tls in ("TLSv1.3", "TLSv1.2")
        assert mail_to(app, email, "magic_link")["token"] in mail.body
        wait_for_status(app, email, "sent")
    finally:
        relay.stop()


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.com", "Ada\nTo: eve@example.com\n\nbody", "=?utf-8?Q?Bcc:?=", "😀" * 60,
                                  "\"Eve\" <eve@example.com>, "])
def test_no_name_becomes_a_field_or_a_recipient(app, relay, name):
    configure(app, relay)
    answer = app.sk.put("/v1/admin/email-templates/magic_link", {"subject": "{{userName}}!", "body": "{{magicLink}}"})
    assert answer.status == 200, answer
    email = new_email(app)

    answer = app.pk.post("/v1/auth/email/signup", {"method": "magiclink", "email": email, "name": name})
    assert answer.status == 201, answer
    mail = relay.wait_for(email)

    assert mail.recipients == [email] and mail.message.keys() == FIELDS
    assert [address.addr_spec for address in mail.message["to"].addresses] == [email]
    assert mail.message["subject"].strip() == mail_to(app, email, "magic_link")["subject"].strip()
    assert not any("eve@" in str(mail.message[field]) for field in FIELDS if field != "Subject")


def test_settings_that_would_end_a_field_are_refused(app, relay):
    for more in ({"senderName": "Shop\r\nBcc: eve@example.com"}, {"senderEmail": "a@b.example\r\nBcc: eve@example.com"},
                 {"senderEmail": "a@b.example, eve@example.com"}, {"logoUrl": "https://a.example/\r\n"}):
        assert error(app.sk.put(SETTINGS, relay.settings(**more))) == BAD_PARAMETERS


def test_a_long_mail_arrives_whole(app, relay):
    configure(app, relay)
    body = ("." + "ä" * 60 + "\r\n") * 132 + "{{magicLink}}"
    answer = app.sk.put("/v1/admin/email-templates/magic_link", {"subject": "{{userEmail}}" * 8, "body": body})
    assert answer.status == 200, answer
    email = new_email(app)

    link_to(app, email)
    mail = relay.wait_for(email)

    stored = mail_to(app, email, "magic_link")
    assert len(stored["body"].encode()) > 16000 and mail.body.splitlines() == stored["body"].splitlines()
    assert mail.message["subject"] == email * 8 == stored["subject"]


# --- what does not go out ---


def test_a_mail_waits_for_a_relay_that_is_down_and_is_sent_when_it_is_back(app, relay):
    relay.stop()
    configure(app, relay)
    email = new_email(app)

    link_to(app, email)
    assert wait_for_delay(app, email)["stage"] == "connect"
    assert status_of(app, email) == "queued"
    relay.start()
    configure(app, relay)  # saying it again tries again at once

    relay.wait_for(email)
    wait_for_status(app, email, "sent")
    assert len(relay.mails_to(email)) == 1


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_nothing_is_sent_to_a_relay_with_a_wrong_certificate(app, relay, authority, wrong):
    context = authority.context("elsewhere.example") if wrong == "name" else Authority("CA other").context()
    relay.restart(context=context)
    configure(app, relay)
    email, before = new_email(app), len(relay.mails)

    link_to(app, email)

    assert wait_for_delay(app, email)["stage"] == "tls"
    assert status_of(app, email) == "queued" and len(relay.mails) == before


def test_nothing_is_sent_where_starttls_is_not_offered(app, relay):
    relay.restart(offers_tls=False)
    configure(app, relay)
    email = new_email(app)

    link_to(app, email)

    assert wait_for_delay(app, email)["stage"] == "starttls"
    assert status_of(app, email) == "queued" and relay.mails_to(email) == []


def test_a_wrong_password_delays_mails(app, relay):
    relay.password = "another"
    configure(app, relay)
    email = new_email(app)

    link_to(app, email)

    delay = wait_for_delay(app, email)
    assert delay["stage"] == "sign-in" and delay["status"] == 535
    relay.password = PASSWORD
    configure(app, relay)
    wait_for_status(app, email, "sent")


def test_a_recipient_that_is_refused_for_good_has_failed(app, relay):
    configure(app, relay)
    email = new_email(app)
    relay.refused[email] = "550 no such user"

    link_to(app, email)

    wait_for_status(app, email, "failed")
    line = wait_until(lambda: app.box.events("mail_refused"), "the line of the refusal")[-1]
    assert line["status"] == 550 and line["stage"] == "to" and email not in str(line)


# --- the queue ---


def test_the_queue_outlives_a_restart_and_a_kill(app, relay):
    relay.stop()
    configure(app, relay)
    emails = [new_email(app), new_email(app)]
    link_to(app, emails[0])
    wait_for_delay(app, emails[0])

    app.box.wait_for_new("worker", app.box.kill("worker"))
    link_to(app, emails[1])
    app.box.restart()
    for client in (app.sk, app.pk):
        client.close()
    assert [status_of(app, email) for email in emails] == ["queued", "queued"]
    relay.start()
    configure(app, relay)

    for email in emails:
        relay.wait_for(email)
        wait_for_status(app, email, "sent")
        assert len(relay.mails_to(email)) == 1


def test_a_mail_that_was_at_the_relay_when_the_worker_died_arrives_at_least_once(app, relay):
    configure(app, relay)
    email = new_email(app)
    relay.holds = True
    link_to(app, email)
    wait_until(lambda: relay.held, "a mail at the relay")

    old = app.box.kill("worker")
    relay.holds = False
    app.box.wait_for_new("worker", old)

    wait_for_status(app, email, "sent")
    assert 1 <= len(relay.mails_to(email)) <= 2


def test_the_password_of_the_relay_is_nowhere_to_be_read(app, relay):
    shown = configure(app, relay)

    assert shown["smtp"]["hasPassword"] is True and PASSWORD not in str(shown)
    assert PASSWORD not in str(app.sk.get(SETTINGS).json)
    assert PASSWORD not in app.box.log_text()
    for path in app.box.data.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_answers_are_the_same_without_a_relay(app, relay):
    configure(app, relay)
    with_relay = app.pk.post("/v1/auth/email/signin", {"method": "magiclink", "email": new_email(app)})
    assert app.sk.put(SETTINGS, {"smtp": None}).status == 200
    email = new_email(app)
    without = app.pk.post("/v1/auth/email/signin", {"method": "magiclink", "email": email})

    assert with_relay.status == without.status == 200
    assert with_relay.json["message"] == without.json["message"]
    link_to(app, email := new_email(app))
    assert status_of(app, email) == "local"
