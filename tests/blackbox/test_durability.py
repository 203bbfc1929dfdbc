# SPDX-License-Identifier: GPL-3.0-or-later
"""What was acknowledged stays: after power cuts at any moment, after kills under load, beside hostile files."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

from conftest import SERVICE_USER, is_there, wait_until
from writers import TABLE, History, Writers, prepare

BUILD = pathlib.Path(os.environ.get("ROWLOCK_BUILD", "build/host")) / "asan"
RECORDED = str(BUILD / "rowlock-recorded")
TOOL = str(BUILD / "tests/fault/box_tool")
CUTS = int(os.environ.get("ROWLOCK_CUTS", "60"))  # places in the log; four states of the disk at each
KILLS = int(os.environ.get("ROWLOCK_KILLS", "20"))  # of each of ROWLOCK_KILL_BOXES boxes
KILL_BOXES = int(os.environ.get("ROWLOCK_KILL_BOXES", "1"))


def look_at(box, commands, planted=False):
    """box_tool with the box's TPM, the box being stopped: its output lines, and whether all was well. planted: the
    databases lack syncs, and then LMDB may be stopped by what it reads."""
    keeper = box.directory / "keeper-copy"
    shutil.rmtree(keeper, ignore_errors=True)
    shutil.copytree(box.data / "keeper", keeper)
    keeper.chmod(0o700)
    with box.tpm_alone() as tcti:
        done = subprocess.run([TOOL, str(keeper), tcti], input="\n".join(commands) + "\n", capture_output=True,
                              text=True, timeout=600 + 2 * CUTS, check=False)
    assert planted or "Sanitizer" not in done.stderr, done.stdout + done.stderr
    return done.stdout.splitlines() + done.stderr.splitlines(), done.returncode == 0


def start_recorded(box, no_sync):
    box.program = RECORDED
    recorded = box.directory / "recorded"
    recorded.touch()
    if os.geteuid() == 0:  # the processes, which are another user's then, open it
        os.chown(recorded, SERVICE_USER, SERVICE_USER)
        box.directory.chmod(0o711)
    if no_sync:
        (box.directory / "no-sync").touch()
    box.start()


def record(make_box, no_sync):
    """A box whose worker is recorded, under load for a while, and then stopped; and what its clients know."""
    box = make_box(start=False)
    start_recorded(box, no_sync)
    prepare(box)
    history = History()
    with Writers(box, history, connections=8, depth=4) as writers:
        wait_until(lambda: writers.answered > 1500, "answers")
    assert writers.refused == []
    assert box.stop() == 0, box.log_text()
    history.write(box.directory / "history")
    return box, history


def test_every_acknowledged_write_survives_a_power_cut_at_any_moment(make_box):
    box, history = record(make_box, no_sync=False)

    lines, sound = look_at(box, [f"history {box.directory}/history",
                                 f"cuts {box.directory}/recorded {CUTS} {box.directory}/cut",
                                 f"check {box.data}/db {time.monotonic_ns()}"])

    print("\n".join(lines))
    assert sound, "\n".join(lines)
    assert f"{history.acknowledged()} acknowledged changes" in lines[-1]


def test_without_syncs_power_cuts_lose_acknowledged_writes_and_the_check_sees_it(make_box):
    box, _ = record(make_box, no_sync=True)

    lines, sound = look_at(box, [f"history {box.directory}/history",
                                 f"cuts {box.directory}/recorded 20 {box.directory}/cut"], planted=True)

    print("\n".join(lines))
    assert not sound and any(re.match(r"bad \d+ calls", line) for line in lines)
    assert any(re.match(r"cut at .*: (an acknowledged row is not there|does not open|not as it was|fsck)", line)
               for line in lines)


@pytest.mark.parametrize("no_sync", [False, True])
def test_no_row_is_lost_when_the_power_is_cut_while_tables_are_dropped_and_their_keys_destroyed(make_box, no_sync):
    """no_sync: the planted defect, for which the old key is destroyed before what needs the new one is on disk."""
    box = make_box()
    prepare(box)
    assert box.stop() == 0
    base = box.directory / "base"
    for part in ("db", "keeper"):
        shutil.copytree(box.data / part, base / part)
    start_recorded(box, no_sync)
    history = History()
    with Writers(box, history, connections=2, depth=1) as writers:
        for number in range(6):
            table = box.make_table(f"short{number}", {"properties": {"text": {"bsonType": "string"}}})
            assert box.post(f"/v1/data/short{number}", {"text": "gone"}, key="sk").status == 201
            answered = writers.answered
            assert box.delete(f"/v1/admin/tables/{table['id']}", {"confirmName": f"short{number}"}, key="sk").status == 200
            wait_until(lambda: writers.answered > answered + 10, "answers")
    assert writers.refused == []
    assert box.stop() == 0, box.log_text()
    history.write(box.directory / "history")

    lines, sound = look_at(box, [f"history {box.directory}/history",
                                 f"cuts {box.directory}/recorded {20 if no_sync else CUTS} {box.directory}/cut {base}"],
                           planted=no_sync)

    log = (box.directory / "recorded").read_bytes()
    assert log.count(b"keeper/keys.newkeeper/keys") >= 12  # each drop begins and ends a rotation of the wrapping key
    print("\n".join(lines))
    assert sound == (not no_sync), "\n".join(lines)


def test_a_database_that_stops_whoever_reads_it_is_told_of_and_the_next_is_looked_at(make_box):
    box = make_box()
    prepare(box)
    assert box.stop() == 0
    shutil.copytree(box.data / "db", box.directory / "short")
    os.truncate(box.directory / "short" / "data.mdb", 2 * 4096)  # its first pages point behind its end: SIGBUS
    (box.directory / "history").touch()

    lines, sound = look_at(box, [f"history {box.directory}/history", f"check {box.directory}/short {time.monotonic_ns()}",
                                 f"check {box.data}/db {time.monotonic_ns()}"], planted=True)

    told = [line for line in lines if line.startswith(("ok", "bad"))]
    assert not sound and len(told) == 3, lines
    assert re.match(r"bad .*does not open: the look (ended|stopped)", told[1]) and told[2].startswith("ok"), told
    assert any("BUS" in line for line in lines), lines


# --- kills under load ---

def copy_stopped(box, where, pid=None):
    """A copy of the database while nobody writes to it: its writer is dead, or stopped for as long as it takes."""
    if pid is not None:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "the stop")
    now = time.monotonic_ns()
    shutil.copytree(box.data / "db", where)
    if pid is not None:
        os.kill(pid, signal.SIGCONT)
    return now


def kill_under_load(box, victim, where):
    """Kills one of the processes, or all; copies the database as it is then, before anything is started again. Returns
    a function that gives the time before which acknowledged changes must be in the copy, once the clients have ended."""
    if victim == "everything":
        box.kill_all()
        copy_stopped(box, where)
        return time.monotonic_ns
    supervisor, worker = box.pid("supervisor"), box.pid("worker")
    os.kill(supervisor, signal.SIGSTOP)  # it would start a new worker
    old = box.kill(victim)
    if victim == "worker":
        wait_until(lambda: not is_there(old), "the worker's end")
        copy_stopped(box, where)
        os.kill(supervisor, signal.SIGCONT)
        return time.monotonic_ns
    now = copy_stopped(box, where, worker)
    os.kill(supervisor, signal.SIGCONT)
    return lambda: now


def list_all(box):
    """id: number of every row, as the API lists them."""
    rows, connection, after = {}, box.connect(), 0
    while True:
        filters = urllib.parse.quote(json.dumps({"number": {"$gt": after}}))
        answer = box.get(f"/v1/data/{TABLE}?sortBy=number&sortDirection=asc&limit=100&andFilters={filters}", key="sk",
                         connection=connection)
        assert answer.status == 200, answer
        rows.update((item["id"], item["number"]) for item in answer.json["items"])
        if not answer.json["pagination"]["hasNext"]:
            assert len(rows) > 0
            return rows
        after = answer.json["items"][-1]["number"]


def check_listing(box, history):
    """Every acknowledged row is listed as it was acknowledged, and nothing is that nobody wrote."""
    rows = list_all(box)
    sure, unsure = history.present()
    lost = {row: number for row, number in sure.items() if rows.get(row) != number}
    assert not lost, lost
    strange = {row: number for row, number in rows.items()
               if row not in sure and row not in unsure and number not in history.unanswered}
    assert not strange, strange
    return len(rows)


def repeated_nonces(lines):
    """Of lines "seal <table> <salt> <kind> <counter> <digest>": those whose first four are there with two digests."""
    seen, repeated = {}, []
    for line in lines:
        if line.startswith("seal "):
            _, table, salt, kind, counter, digest = line.split()
            if seen.setdefault((table, salt, kind, counter), digest) != digest:
                repeated.append(line)
    return len(seen), repeated


@pytest.mark.parametrize("seed", range(KILL_BOXES))
def test_nothing_acknowledged_is_lost_and_no_nonce_repeats_when_processes_are_killed_under_load(make_box, seed):
    box = make_box()
    prepare(box)
    history = History()
    dice = random.Random(seed)
    commands, flights = [], []
    for number in range(KILLS):
        victim = ("worker", "keeper", "everything")[number % 3]
        with Writers(box, history, connections=50, depth=20, seed=seed * KILLS + number) as writers:
            wanted = dice.randrange(20, 400)
            wait_until(lambda: writers.in_flight() >= 1000 and writers.answered >= wanted, "load")
            flights.append(writers.in_flight())
            worker = box.pid("worker")
            time_of = kill_under_load(box, victim, box.directory / f"copy{number}")
            if victim == "keeper":
                writers.stopping = True
        assert {status for _, status, _ in writers.refused} <= {503}, writers.refused
        commands += [f"check {box.directory}/copy{number} {time_of()}", f"seals {box.directory}/copy{number}"]
        if victim == "everything":
            box.start()
        else:
            box.wait_for_new("worker", worker)
        assert box.state()["state"] == "operational"
    rows = check_listing(box, history)
    assert box.stop() == 0, box.log_text()
    history.write(box.directory / "history")
    commands += [f"check {box.data}/db {time.monotonic_ns()}", f"seals {box.data}/db"]

    # An older copy put back, as a restore does: what is sealed from then on is sealed anew.
    shutil.copytree(box.data / "db", box.directory / "newest")
    for name in ("data.mdb", "lock.mdb"):
        with open(box.data / "db" / name, "wb") as out:  # in place: the files keep their owner
            out.write((box.directory / "copy1" / name).read_bytes())
    box.start()
    with Writers(box, History(), connections=4, depth=4) as writers:
        wait_until(lambda: writers.answered >= 200, "answers after the restore")
    assert box.stop() == 0, box.log_text()
    commands[-2:] = [f"check {box.directory}/newest {time.monotonic_ns()}", f"seals {box.directory}/newest",
                     f"seals {box.data}/db"]

    lines, sound = look_at(box, [f"history {box.directory}/history", *commands])
    told = [line for line in lines if not line.startswith("seal ")]
    assert sound, "\n".join(told)
    seals, repeated = repeated_nonces(lines)
    assert repeated == []
    shutil.rmtree(box.directory)
    print(f"{KILLS} kills, at least {min(flights)} writes in flight at each; {history.acknowledged()} acknowledged, "
          f"{rows} rows, {len(history.unanswered)} inserts unanswered; {seals} sealed values, no nonce twice")


def test_a_nonce_that_is_used_twice_would_be_found():
    once = "seal 256 aa 1 0000000000000001 d1"

    assert repeated_nonces([once, once, once.replace(" 1 ", " 2 "), once.replace("256", "1")]) == (3, [])
    assert repeated_nonces([once, once.replace("d1", "d2")]) == (1, [once.replace("d1", "d2")])
