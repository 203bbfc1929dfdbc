# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates as they are by default: contract 1.9. Windows are minutes of the clock; no test here needs one to end."""

import collections
import json
import os
import subprocess
import threading
import time

import pytest

import userspace
from app import App, NO_ROW, error
from conftest import wait_until
from wire import Wire

LIMIT = 6000
CONNECTIONS = 16
BATCH = 50
TOO_MANY = (429, "data/rate-limit-exceeded")


def request(path, key):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode()


FOUR_CORES = """
#include <dlfcn.h>
#include <unistd.h>
long sysconf(int name)
{
    long (*const real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return name == _SC_NPROCESSORS_ONLN ? 4 : real(name);
}
"""


@pytest.fixture
def four_reactors(make_box, tmp_path):
    """A box that takes its machine for one of four cores, so that it has four reactors wherever it runs."""
    source, library = tmp_path / "cores.c", tmp_path / "cores.so"
    source.write_text(FOUR_CORES)
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    box = make_box(start=False)
    box.program, box.preload = os.environ["ROWLOCK_RELEASE"], library
    box.start()
    return App(box)


class Sender(threading.Thread):
    """Sends batches on a connection of its own until one was refused whole; keeps (status, headers, body) of each."""

    def __init__(self, box, path, key):
        super().__init__(daemon=True)
        self.box, self.batch, self.answers = box, request(path, key) * BATCH, []

    def run(self):
        with Wire(self.box) as wire:
            while not self.answers or self.answers[-BATCH][0] != 429:
                wire.send(self.batch)
                self.answers += [wire.answer() for _ in range(BATCH)]


@pytest.mark.skipif(userspace.IS_CHOSEN, reason="one thread owns lwIP")
def test_attack_13_six_thousand_requests_a_minute_are_exact_over_four_reactors(four_reactors):
    app = four_reactors
    assert app.box.wait_for_event("worker_ready")["reactors"] == 4
    key = app.make_key()["value"]
    senders = [Sender(app.box, f"/v1/data/nosuch/{NO_ROW}", key) for _ in range(CONNECTIONS)]

    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    windows = collections.defaultdict(list)
    for sender in senders:
        for status, headers, body in sender.answers:
            assert status in (404, 429)
            assert headers["x-ratelimit-limit"] == str(LIMIT)
            windows[headers["x-ratelimit-reset"]].append((status, headers, body))
    full = [answers for answers in windows.values() if any(status == 429 for status, _, _ in answers)]
    assert full
    for answers in full:  # a run that goes over the end of a minute fills the next one
        remaining = [int(headers["x-ratelimit-remaining"]) for status, headers, _ in answers if status == 404]
        assert sorted(remaining) == list(range(LIMIT))
        refused = [(headers, json.loads(body)) for status, headers, body in answers if status == 429]
        for headers, body in refused:
            assert body["error"]["code"] == "data/rate-limit-exceeded" and "429" in body["message"]
            assert 1 <= int(headers["retry-after"]) <= 60
            assert headers["x-ratelimit-remaining"] == "0"
    assert app.pk.get(f"/v1/data/nosuch/{NO_ROW}").status == 404  # another key of the same address has its own count


def test_a_project_can_have_another_rate(make_app):
    app = make_app()
    table = app.table()
    app.settings(requestsPerMinute=20)
    wait_until(lambda: time.time() % 60 < 50, "a minute that has just begun")
    client = app.client()

    answers = [client.get(table.path) for _ in range(25)]

    assert [answer.status for answer in answers] == [200] * 20 + [429] * 5
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:20]] == [str(n) for n in range(19, -1, -1)]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"20"}
    window = int(answers[0].headers["x-ratelimit-reset"])
    assert 0 < window - time.time() <= 60
    assert error(answers[-1]) == TOO_MANY
    with Wire(app.box, source="127.0.0.2") as wire:  # another address has its own count
        wire.send(request(table.path, client.key))
        status, headers, _ = wire.answer()
    assert (status, headers["x-ratelimit-remaining"]) == (200, "19")
    other = client.get(table.path, headers={"Origin": "https://app.example.com"})
    assert other.headers.get("access-control-allow-origin") == "https://app.example.com"


def test_attack_10_three_hundred_bad_keys_a_minute_and_good_ones_are_not_shut_out(make_app):
    app = make_app()
    table = app.table()
    wait_until(lambda: time.time() % 60 < 45, "a minute that has just begun")
    stranger = request(table.path, "pk_" + "ab" * 32)

    with Wire(app.box) as wire:
        statuses = []
        for _ in range(7):
            wire.send(stranger * 50)
            answers = [wire.answer() for _ in range(50)]
            statuses += [status for status, _, _ in answers]

    assert statuses == [401] * 300 + [429] * 50
    assert 1 <= int(answers[-1][1]["retry-after"]) <= 60
    assert json.loads(answers[-1][2])["error"]["code"] == "data/rate-limit-exceeded"
    with Wire(app.box, source="127.0.0.2") as wire:  # another address has its own count
        wire.send(stranger)
        assert wire.answer()[0] == 401
    assert app.pk.get(table.path).status == 200
