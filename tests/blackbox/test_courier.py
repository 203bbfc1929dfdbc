# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that connects to others, from outside: when there is one, for whom, what rights it has, and what follows from
its death. What it does with a relay is in test_auth_relay.py, what its sandbox forbids in
tests/unit/hal_sandbox_courier_test.c."""

import os
import pathlib
import re

import pytest

from conftest import children, is_there, wait_until
from mails import new_email
from relay import Relay, configure


@pytest.fixture(scope="module")
def app(module_app):
    """These tests kill processes of the box."""
    return module_app


@pytest.fixture
def make_relay(authority):
    made = []

    def make(tls="starttls"):
        made.append(Relay(authority, tls).start())
        return made[-1]
    yield make
    for relay in made:
        relay.stop()


def send(app, relay):
    """Has a mail sent there, and waits for it."""
    email = new_email(app)
    answer = app.pk.post("/v1/auth/email/signup", {"method": "magiclink", "email": email})
    assert answer.status == 201, answer
    relay.wait_for(email)


def couriers(app):
    return [line["pid"] for line in app.box.events("child_started") if line["child"] == "courier"]


def newest_list(app):
    lines = app.box.events("courier_destination")
    return {(line["kind"], line["tls"], line["host"], line["port"], line["ca_bytes"])
            for line in lines if line["list"] == lines[-1]["list"]}


def as_listed(relay):
    return "smtp", relay.tls, "localhost", relay.port, len(relay.authority.pem)


def test_there_is_a_courier_only_for_somebody_to_reach_and_it_has_no_rights(app, make_relay):
    relay = make_relay()
    configure(app, relay)
    assert couriers(app) == []

    send(app, relay)

    if app.box.cable is not None:  # it went by the stack in user space
        assert "localhost" in app.box.cable.names.asked
    [pid] = couriers(app)
    assert pid in children(app.box.pid("supervisor"))
    assert newest_list(app) == {as_listed(relay)}
    process = pathlib.Path(f"/proc/{pid}")
    assert (process / "comm").read_text() == "rowlock courier\n"
    assert (process / "cmdline").read_bytes() == b"rowlock\0courier\0"
    status = (process / "status").read_text()
    assert re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status)
    assert re.search(r"Max core file size\s+0\s+0", (process / "limits").read_text())
    if os.geteuid() == 0:
        assert re.search(r"^Uid:\s+65534\s+65534\s+65534\s+65534$", status, re.M)
        assert re.search(r"^CapEff:\s+0+$", status, re.M)
        held = {re.sub(r"\d+", "", os.readlink(entry)) for entry in (process / "fd").iterdir() if int(entry.name) > 2}
        assert held <= {"socket:[]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"}


def test_a_killed_courier_is_replaced_and_nobody_else_notices(app, make_relay):
    relay = make_relay()
    configure(app, relay)
    send(app, relay)
    worker, keeper, old = app.box.pid("worker"), app.box.pid("keeper"), couriers(app)[-1]

    app.box.kill("courier")
    wait_until(lambda: couriers(app)[-1] != old, "a new courier")

    assert app.box.state()["state"] == "operational"
    send(app, relay)
    assert (app.box.pid("worker"), app.box.pid("keeper")) == (worker, keeper)
    assert newest_list(app) >= {as_listed(relay)}


def test_another_destination_is_another_courier_with_exactly_that_list(app, make_relay):
    first, second = make_relay(), make_relay("tls")
    configure(app, first)
    send(app, first)
    before, old = newest_list(app), couriers(app)[-1]
    assert as_listed(first) in before

    configure(app, second)
    send(app, second)

    assert couriers(app)[-1] != old and not is_there(old)
    assert newest_list(app) == before | {as_listed(second)}
    ended = [line for line in app.box.events("child_ended") if line["pid"] == old]
    assert [(line["child"], line["how"], line["number"]) for line in ended] == [("courier", "exit", 0)]


def test_a_new_worker_begins_without_a_courier_and_a_locked_box_has_none(app, make_relay):
    relay = make_relay()
    configure(app, relay)
    send(app, relay)
    box, old = app.box, couriers(app)[-1]

    worker = box.kill("worker")
    box.wait_for_new("worker", worker)
    wait_until(lambda: not is_there(old), "the end of the courier")
    assert couriers(app)[-1] == old
    send(app, relay)
    assert couriers(app)[-1] != old

    assert box.stop() == 0
    ended = [line["child"] for line in box.events("child_ended")][-3:]
    assert sorted(ended[:2]) == ["courier", "worker"] and ended[2] == "keeper"
    (box.data / "keeper" / "root.seal").write_bytes(b"damaged")
    box.start()
    assert box.state(verify=False)["state"] == "locked"
    assert couriers(app) == [] and box.events("courier_destination") == []
