# SPDX-License-Identifier: GPL-3.0-or-later
"""Failed sign-ins on a whole box: counted for each address, and kept when its processes end or are killed. The numbers of contract
1.9, an account that is locked, and a million addresses are in tests/unit/api_lockout_test.c and net_limits_test.c."""

from app import App, Client, error
from conftest import wait_until

TRIES = 5
WRONG = (401, "auth/invalid-credentials")
LOCKED = (429, "auth/too-many-login-attempts")
SIGN_IN = "/v1/auth/email/signin"
STRANGERS = 8


def sign_in(app, source, email, password):
    client = Client(app.box, app.box.pk, source=source)
    try:
        return error(client.post(SIGN_IN, {"email": email, "password": password}))
    finally:
        client.close()


def written(box):
    database = box.data / "db" / "data.mdb"
    return database.stat().st_mtime_ns


def test_attack_11_neither_a_kill_nor_a_restart_gives_new_tries_and_strangers_cost_nobody_theirs(make_app):
    app = make_app()
    box, user, other = app.box, app.user(), app.user()
    for number in range(STRANGERS):
        assert sign_in(app, f"127.7.0.{number + 1}", f"nobody{number}@example.com", "wrong1") == WRONG
    assert [sign_in(app, "127.7.1.1", user.email, "wrong1") for _ in range(TRIES)] == [WRONG] * TRIES
    assert sign_in(app, "127.7.1.1", user.email, user.password) == LOCKED

    for _ in range(2):  # what is written after the first of them has all of the user's
        before = written(box)
        assert sign_in(app, "127.7.0.1", "nobody@example.com", "wrong1") == WRONG
    wait_until(lambda: written(box) != before, "the counters to be written")
    app.table()  # one write after the other: that of the counters has ended
    box.wait_for_new("worker", box.kill("worker"))
    app.pk.close()

    assert sign_in(app, "127.7.1.1", user.email, user.password) == LOCKED
    assert sign_in(app, "127.7.1.1", other.email, other.password) == (200, None)
    assert sign_in(app, "127.7.1.2", user.email, user.password) == (200, None)
    box.restart()
    app = App(box)
    assert sign_in(app, "127.7.1.1", user.email, user.password) == LOCKED
    assert box.stop() == 0
    assert box.fsck()[0] == 0
