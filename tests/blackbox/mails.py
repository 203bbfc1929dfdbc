# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails as an operator reads them in the outbox. Asserts nothing about what is tested."""

from app import Unexpected, query


def mails_to(app, email, category=None):
    """The mails to an address, the newest first."""
    more = {} if category is None else {"category": category}
    answer = app.sk.get("/v1/admin/outbox" + query(email=email, limit="100", **more))
    if answer.status != 200:
        raise Unexpected(answer)
    return answer.json["items"]


def mail_to(app, email, category):
    """The newest one of a category."""
    mails = mails_to(app, email, category)
    if not mails:
        raise Unexpected(f"no {category} to {email}")
    return mails[0]


def new_email(app, word="mail"):
    return f"{app.name(word)}.{app.box.port}@example.com"


def made_user(app):
    """The address of a new user who has no password, and so costs no hash."""
    email = new_email(app, "made")
    answer = app.sk.post("/v1/users", {"email": email, "name": "Made"})
    if answer.status != 201:
        raise Unexpected(answer)
    return email
