# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor does about children that crash or hang, and what watchdog, VM generation and status light get to
see of it. On a board of our own (tests/preload/watched_board.c), whose watchdog and generation are plain files."""

import datetime
import fcntl
import http.client
import os
import signal

import pytest

from conftest import is_there, wait_until
from test_durability import BUILD, look_at

WATCHED = str(BUILD / "rowlock-watched")


@pytest.fixture
def make_watched(make_box):
    def make():
        box = make_box(start=False)
        box.program = WATCHED
        box.cwd = box.directory
        (box.directory / "watchdog").touch()
        (box.directory / "generation").write_bytes(bytes(range(16)))
        (box.directory / "disk-fails").write_text("0")
        (box.directory / "disk-fails").chmod(0o644)
        box.directory.chmod(0o711)  # for the worker, which is another user
        return box.start()
    return make


def watchdog_calls(box):
    """(ms, what) of everything that the watchdog got."""
    lines = (box.directory / "watchdog").read_text().splitlines()
    return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]


def ms_of(line):
    return round(datetime.datetime.fromisoformat(line["at"].replace("Z", "+00:00")).timestamp() * 1000)


def lights(box):
    return [line["light"] for line in box.events("status-light")]


def crash(box):
    pid = box.pid("worker")
    os.kill(pid, signal.SIGBUS)  # as a page that is not there
    box.wait_for_new("worker", pid)


def test_a_worker_that_somebody_kills_as_often_is_only_started_again(make_watched):
    box = make_watched()
    for _ in range(3):
        old = box.kill("worker")
        box.wait_for_new("worker", old)

    assert box.state()["state"] == "operational"


@pytest.mark.parametrize("name", ["worker", "keeper"])
def test_a_process_that_hangs_is_replaced_and_the_watchdog_is_not_fed_until_then(make_watched, name):
    box = make_watched()
    box.make_table("notes", {"text": {"type": "string"}})
    row = box.post("/v1/data/notes", {"text": "kept"}, key="sk").json
    wait_until(lambda: watchdog_calls(box)[1:], "the watchdog to be fed")
    worker, hung = box.pid("worker"), box.pid(name)

    os.kill(hung, signal.SIGSTOP)
    box.wait_for_event("child_condemned")
    box.wait_for_new("worker", worker)

    condemned = box.events("child_condemned")
    assert [(line["child"], line["pid"], line["why"]) for line in condemned] == [(name, hung, "no answer")]
    assert box.get(f"/v1/data/notes/{row['id']}", key="sk").json["text"] == "kept"
    assert box.state()["state"] == "operational"
    silent = ms_of(box.events("child_silent")[0])
    ended = ms_of([line for line in box.events("child_ended") if line["pid"] == hung][0])
    assert silent < ended
    wait_until(lambda: watchdog_calls(box)[-1][0] > ended, "the watchdog to be fed again")
    assert [call for call in watchdog_calls(box) if silent < call[0] < ended] == []
    assert [call for call in watchdog_calls(box) if call[0] < silent]
    assert box.stop() == 0


def test_a_worker_that_does_not_get_ready_is_killed_which_counts_as_a_crash(make_watched):
    box = make_watched()
    for _ in range(2):
        crash(box)
    supervisor = box.pid("supervisor")
    with open(box.data / "db" / "lock.mdb", "r+b") as lock:
        os.kill(supervisor, signal.SIGSTOP)
        old = box.kill("worker")
        wait_until(lambda: not is_there(old), "the worker's end")
        fcntl.lockf(lock, fcntl.LOCK_EX)  # the next one waits for it while it opens the database
        os.kill(supervisor, signal.SIGCONT)
        late = box.wait_for_event("child_condemned")
        assert (late["child"], late["why"]) == ("worker", "not ready in time")
        box.wait_for_new("worker", late["pid"])  # the third crash: this one opens no rows

    assert box.state() == {"state": "failed", "reason": "worker-failed", "version": box.state()["version"]}
    box.restart()
    assert box.state()["state"] == "operational"
    assert box.stop() == 0


def test_attack_20_a_worker_that_crashes_again_and_again_after_it_was_ready_makes_the_state_failed(make_watched):
    box = make_watched()
    box.make_table("notes", {"text": {"type": "string"}})
    for _ in range(2):
        crash(box)
        assert box.state()["state"] == "operational"
    crash(box)

    failed = {"state": "failed", "reason": "storage-damaged", "version": box.state()["version"]}
    assert box.state() == failed
    assert box.get("/v1/data/notes", key="sk").status == 503
    assert box.get("/healthz").status == 200
    assert len(box.events("rows_given_up")) == 1
    assert lights(box)[-1] == "failed"
    crash(box)
    assert box.state() == failed
    box.restart()
    assert box.get("/v1/data/notes", key="sk").status == 200


def test_the_watchdog_is_armed_fed_and_disarmed_by_an_orderly_end_only(make_watched):
    box = make_watched()
    wait_until(lambda: len(watchdog_calls(box)) > 3, "the watchdog to be fed")

    assert box.stop() == 0

    calls = [what for _, what in watchdog_calls(box)]
    assert calls[0] == "timeout 60" and calls[-1] == "V"
    assert set(calls[1:-1]) == {"f"}
    (box.directory / "watchdog").write_text("")
    box.start()
    wait_until(lambda: len(watchdog_calls(box)) > 1, "the watchdog to be fed")
    box.kill_all()
    assert "V" not in [what for _, what in watchdog_calls(box)]


def test_the_light_says_what_the_box_is_doing(make_watched):
    box = make_watched()
    assert lights(box) == ["starting", "operational"]

    assert box.stop() == 0

    assert lights(box) == ["starting", "operational", "off"]
    (box.data / "keeper" / "root.seal").write_bytes(b"damaged")
    box.start()
    assert box.state(verify=False)["state"] == "locked"
    assert lights(box) == ["starting", "locked"]


def test_a_machine_that_was_copied_seals_nothing_more_under_its_old_epochs(make_watched):
    box = make_watched()
    generation = box.directory / "generation"
    box.make_table("notes", {"text": {"type": "string"}})
    assert box.post("/v1/data/notes", {"text": "before"}, key="sk").status == 201
    worker, keeper = box.pid("worker"), box.pid("keeper")
    open_one, late = box.connect(), box.connect()
    assert box.get("/healthz", connection=open_one).status == 200

    os.kill(box.pid("supervisor"), signal.SIGSTOP)  # which looks once a second: neither must need it
    with open(generation, "r+b") as file:  # in place, as the kernel changes what is mapped
        file.write(bytes(16))
    refused = box.post("/v1/data/notes", {"text": "sealed with the twin's counters"}, key="sk",
                       connection=open_one)
    read = box.get("/v1/data/notes", key="sk", connection=open_one)
    with pytest.raises((OSError, http.client.HTTPException)):
        box.get("/healthz", connection=late)  # which needs a signature
    os.kill(box.pid("supervisor"), signal.SIGCONT)
    assert refused.status == 503 and refused.json["error"]["code"] == "common/unavailable", refused
    assert read.json["pagination"]["total"] == 1
    box.wait_for_event("generation_changed")
    box.wait_for_new("keeper", keeper)
    box.wait_for_new("worker", worker)
    assert box.post("/v1/data/notes", {"text": "copied"}, key="sk").status == 201
    worker, keeper = box.pid("worker"), box.pid("keeper")
    started = len(box.events("child_started"))
    os.kill(keeper, signal.SIGSTOP)  # it cannot notice: no worker gets as far as to ask it
    generation.write_bytes(b"\x11" * 16)
    fed = len(watchdog_calls(box))
    wait_until(lambda: len(watchdog_calls(box)) >= fed + 4, "four seconds of the supervisor")
    assert box.events("child_started")[started:] == [] and not is_there(worker)
    os.kill(keeper, signal.SIGCONT)
    box.wait_for_new("keeper", keeper)
    box.wait_for_new("worker", worker)
    assert [line["child"] for line in box.events("child_started")[started:]] == ["keeper", "worker"]
    assert box.stop() == 0
    generation.write_bytes(b"\xff" * 16)
    box.start()
    assert box.post("/v1/data/notes", {"text": "started"}, key="sk").status == 201
    assert box.events("generation_changed") == []
    assert box.stop() == 0

    lines, sound = look_at(box, [f"seals {box.data}/db"])
    assert sound, lines
    seals = [line.split() for line in lines if line.startswith("seal ")]
    notes = str(max(int(seal[1]) for seal in seals))  # the newest table
    seals = [seal for seal in seals if seal[1] == notes]
    rows = {}
    for _, _, salt, kind, *_ in seals:
        rows.setdefault(kind, []).append(salt)
    assert any(len(salts) == len(set(salts)) == 3 for salts in rows.values()), rows


def test_rows_that_a_failed_disk_closed_are_opened_anew_by_another_worker(make_watched):
    box = make_watched()
    box.make_table("notes", {"text": {"type": "string"}})
    kept = box.post("/v1/data/notes", {"text": "before"}, key="sk").json["id"]
    worker = box.pid("worker")

    (box.directory / "disk-fails").write_text("1")
    try:
        assert box.post("/v1/data/notes", {"text": "lost"}, key="sk").status == 503
    except (OSError, http.client.HTTPException):
        pass  # it ended first
    (box.directory / "disk-fails").write_text("0")
    box.wait_for_new("worker", worker)

    assert box.get(f"/v1/data/notes/{kept}", key="sk").json["text"] == "before"
    assert box.post("/v1/data/notes", {"text": "after"}, key="sk").status == 201
    assert [line["text"] for line in box.get("/v1/data/notes", key="sk").json["items"]].count("after") == 1
    assert len(box.events("rows_closed")) == 1
    assert box.stop() == 0


def test_a_board_whose_watchdog_is_not_there_does_not_start(make_box):
    box = make_box(start=False)
    box.program = WATCHED
    box.cwd = box.directory
    (box.directory / "generation").write_bytes(bytes(16))

    box.start(expect_report=False)

    assert box.wait_end() == 1
    assert "opening the watchdog" in box.log_text()
