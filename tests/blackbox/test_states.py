# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a box from outside: locked, unlocked, without a TPM, failed; PIN, recovery key and damage."""

import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess

import pytest

from conftest import BASIC, KEYS, PROGRAM, RUN, SETUP, WAIT_S, wait_until


def presented_certificate(box):
    return ssl.get_server_certificate((box.host, box.port))


def test_keys_that_were_never_printed_are_made_anew_at_the_next_start(make_box):
    box = make_box(start=False)
    with open("/dev/full", "w") as full:
        done = subprocess.run([RUN, "--data", str(box.data), "--tpm-state", str(box.tpm), "--port", "0", "--json"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env=dict(os.environ, ROWLOCK=PROGRAM))
    assert done.returncode == 1 and "writing to standard output" in done.stderr

    box.start()

    assert set(box.report) == BASIC | KEYS | SETUP
    assert box.get("/v1/admin/tables", key="sk").status == 200
    assert len(box.get("/v1/admin/api-keys", key="sk").json["items"]) == 2
    box.restart()
    assert set(box.report) == BASIC | SETUP


def test_the_one_line_stays_true_when_the_keeper_dies_as_it_is_printed(make_box, tmp_path):
    box = make_box(start=False)
    killed = []
    box.at_report = lambda: killed.append(box.kill("keeper"))
    box.start()
    box.at_report = None

    box.wait_for_event("worker_ready", count=2)

    assert box.pid("keeper") != killed[0]
    assert box.get("/v1/admin/tables", key="sk").status == 200
    assert len(box.get("/v1/admin/api-keys", key="sk").json["items"]) == 2
    assert box.stop() == 0
    assert len(box.output) == 1 and set(box.report) == BASIC | KEYS | SETUP
    box.start(tpm=tmp_path / "other.tpm")
    assert set(box.report) == BASIC  # and what was shown is not shown again
    answer = box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key}, verify=False)
    assert answer.status == 200, answer
    box.wait_for_state("operational")
    assert box.get("/v1/admin/tables", key="sk").status == 200


def test_attack_19_a_file_put_there_does_not_make_the_box_show_a_new_recovery_key(make_box):
    box = make_box()
    assert box.stop() == 0
    marker = box.data / "keeper" / "unseen"
    marker.write_text("")
    owner = marker.parent.stat()
    os.chown(marker, owner.st_uid, owner.st_gid)
    marker.chmod(0o600)

    box.start()

    assert set(box.report) == BASIC | SETUP


def test_attack_19_the_data_directory_with_another_tpm_stays_locked(make_box, tmp_path):
    box = make_box()
    operational = presented_certificate(box)
    assert box.stop() == 0

    box.start(tpm=tmp_path / "other.tpm")

    assert not (KEYS | SETUP) & set(box.report)
    assert box.state(verify=False) == {"state": "locked", "reason": "tpm-changed",
                                       "version": box.state(verify=False)["version"]}
    assert box.get("/healthz", verify=False).status == 200
    for path in ("/v1/data/notes", "/v1/admin/tables", "/v1/openapi.json", "/nothing"):
        answer = box.get(path, key="sk", verify=False)
        assert answer.status == 503, (path, answer)
        assert answer.json["error"]["code"] == "common/unavailable"
        assert int(answer.headers["retry-after"]) >= 1
    assert presented_certificate(box) != operational
    with pytest.raises(ssl.SSLCertVerificationError):
        box.get("/healthz")


def test_the_recovery_key_unlocks_under_another_tpm_and_seals_to_it(make_box, tmp_path):
    box = make_box()
    other = tmp_path / "other.tpm"
    table = box.make_table("notes", {"text": {"type": "string"}})
    row = box.post("/v1/data/notes", {"text": "kept"}, key="sk").json
    assert box.stop() == 0
    box.start(tpm=other)

    answer = box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key}, verify=False)

    assert answer.status == 200, answer
    box.wait_for_state("operational")
    assert box.get(f"/v1/data/notes/{row['id']}", key="sk").json["text"] == "kept"
    assert table["tableName"] == "notes"
    box.restart(tpm=other)
    assert box.state()["state"] == "operational"


def test_a_wrong_recovery_key_does_not_unlock_and_tries_are_limited(make_box, tmp_path):
    box = make_box()
    stranger = make_box().recovery_key
    assert box.stop() == 0
    box.start(tpm=tmp_path / "other.tpm")

    connection = box.connect(verify=False)  # one for both tries: the second follows within the second
    wrong = box.post("/v1/system/unlock", {"recoveryKey": stranger}, connection=connection)
    at_once = box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key}, connection=connection)

    assert 400 <= wrong.status < 500
    assert at_once.status == 429, at_once
    assert box.state(verify=False)["state"] == "locked"


def test_unlocking_an_operational_box_is_refused(box):
    answer = box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key})

    assert answer.status == 503 and answer.json["error"]["code"] == "common/unavailable"


def test_a_box_without_a_tpm_says_so_over_tls(tmp_path):
    with open(tmp_path / "console", "wb") as console, subprocess.Popen(
            [PROGRAM, "serve", "--data", str(tmp_path / "data"), "--tcti", "swtpm:path=/nonexistent", "--port", "0",
             "--json"], stdout=subprocess.PIPE, stderr=console) as program:
        try:
            port = int(json.loads(program.stdout.readline())["url"].rsplit(":", 1)[1])
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # nobody has signed for this box yet
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=WAIT_S)

            connection.request("GET", "/v1/system/state")
            answer = json.loads(connection.getresponse().read())
            connection.request("GET", "/v1/data/posts")
            data = connection.getresponse().status
            shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True)).hexdigest()

            told = [json.loads(line) for line in (tmp_path / "console").read_text().splitlines()]
            assert [line["sha256"] for line in told if line["event"] == "ephemeral_certificate"] == [shown]
            assert answer["state"] == "unprovisioned" and answer["reason"] == "tpm-missing"
            assert data == 503
        finally:
            program.terminate()
    assert program.returncode == 0


@pytest.mark.parametrize("pin", [b"", b"\n", b"1" * 65, b"1" * 500], ids=["empty", "line", "longer", "much-longer"])
def test_a_pin_that_cannot_be_one_does_not_make_a_box_without(tmp_path, pin):
    reader, writer = os.pipe()
    os.write(writer, pin)
    os.close(writer)

    ended = subprocess.run(
        [PROGRAM, "serve", "--data", str(tmp_path / "data"), "--tcti", "swtpm:path=/nonexistent", "--port", "0",
         "--pin-fd", str(reader)], pass_fds=[reader], capture_output=True, timeout=WAIT_S, check=False)

    os.close(reader)
    assert ended.returncode == 1
    assert b"a PIN is one to 64 bytes" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_pin_is_asked_for_at_each_start_of_box_or_keeper_and_over_the_network(make_box):
    box = make_box(pin="1234-abcd")
    assert box.state()["state"] == "operational"
    box.restart(pin="1234-abcd")
    assert box.state()["state"] == "operational"

    box.restart()

    assert box.state() == {"state": "locked", "reason": "pin-required", "version": box.state()["version"]}
    answer = box.post("/v1/system/unlock", {"pin": "0000"})
    assert 400 <= answer.status < 500, answer
    tries = []
    wait_until(lambda: tries.append(box.post("/v1/system/unlock", {"pin": "1234-abcd"}).status) or tries[-1] != 429,
               "the next try, one a second")
    assert tries[-1] == 200
    box.wait_for_state("operational")


def test_the_locked_box_shows_a_certificate_of_the_pinned_ca_and_never_the_operational_one(make_box):
    box = make_box(pin="1234-abcd")
    operational = presented_certificate(box)

    box.restart()

    assert box.get("/healthz").status == 200  # verified against the CA file
    assert presented_certificate(box) != operational


def test_the_tpm_gone_while_running_leaves_the_box_operational(make_box):
    box = make_box()

    box.kill("swtpm")

    assert box.get("/healthz").status == 200
    assert box.state()["state"] == "operational"
    assert box.stop() == 0


def test_fsck_finds_nothing_in_a_sound_box_and_says_when_it_cannot_look(make_box):
    box = make_box()
    box.make_table("notes", {"text": {"type": "string"}})
    for number in range(20):
        assert box.post("/v1/data/notes", {"text": f"row {number}"}, key="sk").status == 201
    assert box.stop() == 0

    status, output, errors = box.fsck()
    assert status == 0, (output, errors)
    assert re.search(r"^checked: \d+ tables, \d+ rows, \d+ index entries, 0 damaged$", output, re.M)

    shutil.move(box.tpm, box.directory / "away")
    box.tpm.mkdir()
    status, output, errors = box.fsck()
    assert status == 2
    assert "tpm-changed" in errors


def test_a_dropped_table_takes_its_key_along_and_the_others_open_after_a_restart(make_box):
    box = make_box()
    gone = box.make_table("gone", {"text": {"type": "string"}})
    box.make_table("kept", {"text": {"type": "string"}})
    assert box.post("/v1/data/gone", {"text": "x"}, key="sk").status == 201
    row = box.post("/v1/data/kept", {"text": "y"}, key="sk").json

    answer = box.delete(f"/v1/admin/tables/{gone['id']}", {"confirmName": "gone"}, key="sk")

    assert answer.status == 200, answer
    box.restart()
    assert box.get("/v1/data/gone", key="sk").status == 404
    assert box.get(f"/v1/data/kept/{row['id']}", key="sk").json["text"] == "y"
    assert box.stop() == 0
    assert box.fsck()[0] == 0


def damage(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x01]))


def test_fsck_names_a_changed_row_and_the_box_says_it_is_damaged(make_box):
    box = make_box()
    box.make_table("notes", {"text": {"type": "string"}})
    rows = [box.post("/v1/data/notes", {"text": "a" * 600}, key="sk").json["id"] for _ in range(8)]
    assert box.stop() == 0
    database = box.data / "db" / "data.mdb"
    content = database.read_bytes()
    # Row keys lie in clear: table id and row id. The sealed row follows its key; a byte in its middle is changed in
    # every copy that old pages hold.
    key = bytes.fromhex(rows[3])
    places = [match.start() for match in re.finditer(re.escape(key), content)]
    assert places
    for place in places:
        damage(database, place + len(key) + 300)

    status, output, errors = box.fsck()

    assert status == 1, (output, errors)
    assert re.search(rf"^damaged: \S+ table \d+ index \d+ row {rows[3]}$", output, re.M), output
    assert not re.search(rf"row {rows[2]}$", output, re.M)


def test_attack_20_a_database_that_is_none_makes_the_state_failed(make_box):
    box = make_box()
    assert box.stop() == 0
    database = box.data / "db" / "data.mdb"
    content = bytearray(database.read_bytes())
    content[:8192] = os.urandom(8192)
    database.write_bytes(content)

    box.start()

    assert box.state() == {"state": "failed", "reason": "storage-damaged", "version": box.state()["version"]}
    assert box.get("/v1/data/notes", key="sk").status == 503
    assert box.stop() == 0
    assert box.fsck()[0] == 2


def test_attack_20_a_database_that_kills_the_worker_makes_the_state_failed(make_box):
    box = make_box()
    box.make_table("notes", {"text": {"type": "string"}})
    for _ in range(50):
        assert box.post("/v1/data/notes", {"text": "a" * 1000}, key="sk").status == 201
    assert box.stop() == 0
    database = box.data / "db" / "data.mdb"
    os.truncate(database, 8192)  # the pages that its head points to are gone: reading them is a bus error

    box.start()

    assert box.state()["state"] == "failed" and box.state()["reason"] == "storage-damaged"
    assert box.get("/v1/data/notes", key="sk").status == 503
    assert box.stop() == 0
