# SPDX-License-Identifier: GPL-3.0-or-later
"""Supervisor, keeper and worker from outside: start, report, orderly end, death of each, and what rights they have."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from conftest import BASIC, KEYS, PROGRAM, RUN, SERVICE_USER, SETUP, is_there, wait_until
from wire import Wire, write_request

on_this_machine = pytest.mark.host_only("looks at processes and files of this machine")


def test_the_first_start_reports_one_json_line_with_keys_and_later_starts_without(make_box):
    box = make_box()

    assert set(box.report) == BASIC | KEYS | SETUP
    assert re.fullmatch(r"https://localhost:\d+", box.report["url"])
    assert box.report["environment"] == "dev"
    assert box.report["publishableKey"].startswith("pk_") and box.report["secretKey"].startswith("sk_")
    assert re.fullmatch(r"([a-z]{5}-){16}[a-z]{5}", box.report["recoveryKey"])
    assert re.fullmatch(r"[A-Z2-7]{16}", box.report["setupCode"])
    first = box.report
    box.restart()
    assert set(box.report) == BASIC | SETUP
    assert box.report["setupCode"] != first["setupCode"]
    assert box.report["projectId"] == first["projectId"] and box.report["environment"] == "dev"
    assert box.stop() == 0
    assert len(box.output) == 1


def test_health_is_answered_over_tls_with_the_pinned_ca(box):
    answer = box.get("/healthz")

    assert answer.status == 200 and answer.json == {"status": "ok"}
    assert box.state() == {"state": "operational", "reason": None, "version": box.state()["version"]}


def test_a_client_that_pins_another_ca_refuses_the_box(box, make_box):
    other = make_box()

    with pytest.raises(ssl.SSLCertVerificationError):
        connection = box.connect(context=ssl.create_default_context(cafile=other.ca))
        connection.request("GET", "/healthz")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_worker_keeper_supervisor_and_tpm_in_order(make_box, number):
    box = make_box()
    pids = [box.pid(name) for name in ("worker", "keeper", "supervisor", "swtpm")]

    os.kill(box.pid("supervisor"), number)
    assert box.wait_end() == 0

    ended = [(line["child"], line["how"], line["number"]) for line in box.events("child_ended")]
    assert ended == [("worker", "exit", 0), ("keeper", "exit", 0)]
    assert not any(is_there(pid) for pid in pids)


@on_this_machine
def test_password_hashes_give_way_to_everything_else(box):
    tasks = pathlib.Path(f"/proc/{box.pid('worker')}/task").iterdir()
    steps = [int((task / "stat").read_text().rsplit(")", 1)[1].split()[16]) for task in tasks]

    usual = min(steps)
    lower = [step - usual for step in steps if step != usual]
    assert lower == [min(13, 19 - usual)] * 2, steps  # CONFIG_AUTH_HASH_NICE of each of CONFIG_AUTH_HASH_THREADS


def test_a_write_that_is_under_way_at_sigterm_is_answered_and_others_are_closed_or_refused(make_box):
    box = make_box()
    box.make_table("notes", {"text": {"type": "string"}})
    healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    write = write_request("/v1/data/notes", box.sk, json.dumps({"text": "x" * 4000}).encode())
    with Wire(box) as idle, Wire(box) as busy:
        idle.send(healthz)
        busy.send(healthz + write[:-1000])  # in one record: whoever answered the one has read the other
        assert idle.answer()[0] == 200 and busy.answer()[0] == 200

        box.process.send_signal(signal.SIGTERM)
        assert idle.ended()
        for port in (box.port, box.http_port):  # others need not wait for the end of that one
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((box.host, port), timeout=30)
        busy.send(write[-1000:])
        status, headers, body = busy.answer()

        assert status == 201 and headers["connection"] == "close" and busy.ended()
    assert box.wait_end() == 0, box.log_text()
    assert [line["child"] for line in box.events("child_ended")] == ["worker", "keeper"]
    assert box.start().get(f"/v1/data/notes/{json.loads(body)['id']}", key="sk").json["text"] == "x" * 4000


def test_a_killed_worker_is_replaced(make_box):
    box = make_box()

    old = box.kill("worker")
    box.wait_for_new("worker", old)

    assert box.get("/healthz").status == 200
    assert box.state()["state"] == "operational"
    assert box.stop() == 0


def test_a_killed_keeper_unseals_again_and_gets_a_new_worker(make_box):
    box = make_box()
    worker = box.pid("worker")

    box.kill("keeper")
    box.wait_for_new("worker", worker)

    assert box.get("/healthz").status == 200
    assert box.state()["state"] == "operational"
    assert box.stop() == 0


def test_a_connection_lives_on_while_the_keeper_is_replaced(make_box):
    box = make_box()
    connection = box.connect()
    assert box.get("/healthz", connection=connection).status == 200

    os.kill(box.pid("keeper"), 9)

    assert box.get("/healthz", connection=connection).status == 200


def test_everything_killed_at_once_starts_again_without_the_recovery_key(make_box):
    box = make_box()

    box.kill_all()
    box.start()

    assert box.state()["state"] == "operational"
    assert not KEYS & set(box.report)


def test_a_second_box_in_the_same_directory_is_refused(make_box):
    box = make_box()

    done = subprocess.run([PROGRAM, "serve", "--data", str(box.data), "--tcti", "swtpm:path=/nonexistent", "--port", "0"],
                          capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "another process uses this directory" in done.stderr
    assert box.get("/healthz").status == 200


def test_the_tpm_state_inside_the_data_directory_is_refused(tmp_path):
    done = subprocess.run([RUN, "--data", str(tmp_path / "d"), "--tpm-state", str(tmp_path / "d" / "tpm")],
                          capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ, ROWLOCK=PROGRAM))

    assert done.returncode == 1
    assert "must not lie inside the data directory" in done.stderr
    assert not (tmp_path / "d").exists()


def test_the_text_report_has_curl_lines_that_work_when_pasted(make_box, tmp_path):
    data = tmp_path / "data"
    process = subprocess.Popen([RUN, "--data", str(data), "--port", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, env=dict(os.environ, ROWLOCK=PROGRAM))
    try:
        lines = []
        while len([line for line in lines if line.startswith("curl ")]) < 3:
            line = process.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        answers = [subprocess.run(["sh", "-c", line.replace("curl ", "curl -sS ", 1)], capture_output=True, text=True,
                                  timeout=60, check=False) for line in lines if line.startswith("curl ")]
        assert [answer.returncode for answer in answers] == [0, 0, 0], answers
        assert json.loads(answers[0].stdout)["tableName"] == "notes"
        assert json.loads(answers[1].stdout)["text"] == "hello"
        assert [row["text"] for row in json.loads(answers[2].stdout)["items"]] == ["hello"]
    finally:
        process.terminate()
        assert process.wait(60) == 0


@on_this_machine
def test_nobody_else_can_read_what_lies_on_disk(box):
    for path in [box.data, *box.data.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.name == "ca.pem":
            assert mode == 0o644
        else:
            assert mode & 0o077 == 0, path


@on_this_machine
def test_ps_and_top_show_what_a_process_is(box):
    for name in ("keeper", "worker"):
        process = pathlib.Path(f"/proc/{box.pid(name)}")
        assert (process / "comm").read_text() == f"rowlock {name}\n"
        assert (process / "cmdline").read_bytes() == f"rowlock\0{name}\0".encode()
    assert pathlib.Path(f"/proc/{box.pid('supervisor')}/comm").read_text() == "rowlock\n"


@on_this_machine
def test_worker_and_keeper_cannot_be_traced_and_leave_no_core(box):
    for name in ("worker", "keeper"):
        pid = box.pid(name)
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits)
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status)
        if os.geteuid() == 0:
            assert re.search(r"^Uid:\s+65534\s+65534\s+65534\s+65534$", status, re.M)
            assert re.search(r"^CapEff:\s+0+$", status, re.M)


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: value.split() for name, value in (line.split(":", 1) for line in text.splitlines())}


def assert_has_no_rights(box):
    none = ["0" * 16]
    for name in ("supervisor", "keeper", "worker"):
        status = status_of(box.pid(name))
        assert status["Uid"] == status["Gid"] == [str(SERVICE_USER)] * 4, name
        assert status["Groups"] == [], name
        assert status["CapInh"] == status["CapPrm"] == status["CapEff"] == status["CapAmb"] == none, name
        assert status["CapBnd"] == none or box.events("bounding-set-kept"), name
        assert status["NoNewPrivs"] == ["1"], name
        limits = pathlib.Path(f"/proc/{box.pid(name)}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits), name


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


@needs_root
def test_started_as_root_every_process_is_the_service_user_without_rights_also_after_a_kill(make_box):
    box = make_box()
    assert_has_no_rights(box)
    assert status_of(box.pid("swtpm"))["Uid"] == ["0"] * 4

    worker = box.pid("worker")
    box.kill("keeper")
    box.wait_for_new("worker", worker)

    assert box.state()["state"] == "operational"
    assert_has_no_rights(box)
    assert box.stop() == 0
    assert box.fsck()[0] == 0


@needs_root
def test_a_data_directory_of_roots_from_an_earlier_start_still_opens(make_box):
    box = make_box()
    box.make_table("kept", {"text": {"type": "string"}})
    assert box.stop() == 0
    for name in (".", "lock", "ca.pem", "project"):  # as a supervisor that stayed root left them
        os.chown(box.data / name, 0, 0)

    box.start()

    assert box.get("/v1/data/kept", key="sk").status == 200
    for name in (".", "lock", "ca.pem", "project"):
        assert (box.data / name).stat().st_uid == SERVICE_USER, name
    assert box.stop() == 0


@needs_root
def test_a_directory_in_which_root_keeps_other_things_stays_roots(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "letter").write_text("not of a box")

    done = subprocess.run([PROGRAM, "serve", "--data", str(data), "--tcti", "swtpm:path=/nonexistent", "--port", "0"],
                          capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1 and "holds other things" in done.stderr
    assert data.stat().st_uid == (data / "letter").stat().st_uid == 0
    assert [entry.name for entry in data.iterdir()] == ["letter"]


@needs_root
def test_a_program_that_the_service_user_may_not_execute_ends_with_the_reason(tmp_path):
    program = tmp_path / "rowlock"
    shutil.copy(PROGRAM, program)
    program.chmod(0o700)

    done = subprocess.run([program, "serve", "--data", str(tmp_path / "data"), "--tcti", "swtpm:path=/nonexistent",
                           "--port", "0"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1 and "not executable for this user" in done.stderr
    assert "child_started" not in done.stderr


@needs_root
def test_keeper_and_worker_refuse_to_run_as_root():
    for name in ("keeper", "worker"):
        done = subprocess.run([PROGRAM, name], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 1 and "must not run as root" in done.stderr


def test_the_version_report_names_the_libraries_that_were_taken():
    done = subprocess.run([PROGRAM, "version"], capture_output=True, text=True, timeout=60, check=True)

    report = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(report) == {"rowlock", "wolfSSL", "libsodium", "AES"}
    assert tuple(map(int, report["wolfSSL"].split("."))) >= (5, 9, 1)


def test_the_log_holds_no_key_and_no_recovery_word(make_box):
    box = make_box()
    box.get("/healthz")
    box.restart()
    log = box.log_text()

    for secret in (box.sk, box.pk, box.recovery_key):
        assert secret not in log
    wait_until(lambda: box.events("worker_ready"), "the worker")


def names_of(box):
    connection = box.connect()
    connection.connect()
    names = {value for _, value in connection.sock.getpeercert()["subjectAltName"]}
    connection.close()
    return names


def test_another_name_gives_another_certificate_of_the_same_ca(make_box):
    box = make_box()
    before = names_of(box)
    ca = pathlib.Path(box.ca).read_text()
    assert {"localhost", "127.0.0.1"} <= before and "box.example" not in before

    box.options = ["--name", "box.example"]
    box.restart()

    assert box.report["url"].startswith("https://box.example:")
    assert names_of(box) == before | {"box.example"}
    assert pathlib.Path(box.ca).read_text() == ca


def test_kills_under_writes_lose_no_row_that_was_acknowledged(make_box):
    box = make_box()
    box.make_table("notes", {"n": {"type": "int"}})
    acknowledged = {}
    for round_number in range(4):
        name = ("worker", "keeper", "worker", "all")[round_number]
        enough, killed = len(acknowledged) + 24, threading.Event()

        def write(writer):
            count = 0
            try:
                connection = box.connect(timeout=10)
                while not killed.is_set():
                    number = round_number * 1000000 + writer * 10000 + count
                    answer = box.post("/v1/data/notes", {"n": number}, key="sk", connection=connection)
                    if answer.status == 201:
                        acknowledged[answer.json["id"]] = number
                    count += 1
            except (OSError, http.client.HTTPException):
                pass

        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for writer in writers:
            writer.start()
        try:
            wait_until(lambda: len(acknowledged) >= enough, "rows to be written")
            if name == "all":
                box.kill_all()
            else:
                worker = box.pid("worker")
                box.kill(name)
                box.wait_for_new("worker", worker)
        finally:
            killed.set()
        for writer in writers:
            writer.join()
        if name == "all":
            box.start()
    box.restart()
    stored, page, more = {}, 1, True
    while more:
        answer = box.get(f"/v1/data/notes?page={page}&limit=100", key="sk").json
        stored.update({row["id"]: row["n"] for row in answer["items"]})
        page, more = page + 1, answer["pagination"]["hasNext"]
    assert {row: stored.get(row) for row in acknowledged} == acknowledged
    assert box.stop() == 0
    assert box.fsck()[0] == 0


def test_a_keeper_that_hangs_delays_new_handshakes_and_nothing_else(make_box):
    box = make_box()
    connection = box.connect()
    assert box.get("/healthz", connection=connection).status == 200
    os.kill(box.pid("keeper"), signal.SIGSTOP)
    late = []

    def shake_hands():
        try:
            late.append(box.get("/healthz", connection=box.connect()).status)
        except OSError:
            late.append(None)

    callers = [threading.Thread(target=shake_hands) for _ in range(20)]
    for caller in callers:
        caller.start()
    statuses = [box.get("/healthz", connection=connection).status for _ in range(200)]
    parked = len(late)
    os.kill(box.pid("keeper"), signal.SIGCONT)
    for caller in callers:
        caller.join()

    assert statuses == [200] * 200
    assert parked == 0
    assert late == [200] * 20


def test_a_worker_that_is_killed_as_soon_as_it_starts_does_not_end_the_box(make_box):
    box = make_box()
    for _ in range(2):
        pid = box.kill("worker")
        wait_until(lambda: box.pid("worker") != pid, "a new worker")
    box.kill("worker")

    box.wait_for_state("operational")

    assert box.stop() == 0
