# SPDX-License-Identifier: GPL-3.0-or-later
"""Requesters of every kind: a guest with the publishable key alone, and users who signed up and were given roles."""

import time

RENEW_S = 1200  # of the 3600 that an access token lasts

# (base role, custom roles). The ids of the users rise in this order.
KINDS = [("user", []), ("user", ["moderator", "a"]), ("guest", ["b"]), ("user", ["editor", "b"])]


class Person:
    """What the reference wants to know of a requester, and the headers that make them."""

    def __init__(self, key, group, user=None, roles=()):
        """key: the API key. user: a User of app.py, or None for nobody."""
        self.key, self.group, self.user, self.roles = key, group, user, list(roles)
        self.since = time.monotonic()

    @property
    def id(self):
        return self.user and self.user.id

    def requester(self, name=None):
        """For the reference; name: what the id is called there."""
        return {"group": self.group, "id": self.id and (name or self.id), "roles": self.roles}

    def headers(self):
        if self.user is None:
            return {"X-API-Key": self.key}
        if time.monotonic() - self.since > RENEW_S:
            self.user.sign_in()
            self.since = time.monotonic()
        return {"X-API-Key": self.key, **self.user.header}


def people_of(app, kinds=KINDS):
    """The guest, then one user of each kind."""
    users = sorted((app.user() for _ in kinds), key=lambda user: user.id)
    for user, (role, roles) in zip(users, kinds):
        user.set_role(role, roles)
    return [Person(app.pk.key, "guest"),
            *(Person(app.pk.key, role, user, roles) for user, (role, roles) in zip(users, kinds))]
