# SPDX-License-Identifier: GPL-3.0-or-later
"""A box whose database somebody changed while it was off, and one whose disk is full."""

import http.client
import os
import random
import re
import resource
import shutil
import subprocess

import pytest

from conftest import wait_until
from test_durability import look_at

PAGE = 4096
HOSTILE = int(os.environ.get("ROWLOCK_HOSTILE", "12"))  # changed files
SCHEMA = {"bsonType": "object", "properties": {"number": {"bsonType": "number", "unique": True},
                                               "text": {"bsonType": "string"}}}
PATH = "/v1/data/kept"


def fill(box, count, size=lambda number: 20 + number % 50):
    """Rows of some sizes: id -> (number, text)."""
    connection, rows = box.connect(), {}
    for number in range(count):
        text = chr(97 + number % 26) * size(number)
        answer = box.post(PATH, {"number": number, "text": text}, key="sk", connection=connection)
        assert answer.status == 201, answer
        rows[answer.json["id"]] = (number, text)
    return rows


def put_database(box, content):
    """In place, so that the file stays its owner's; the lock file is made anew."""
    with open(box.data / "db" / "data.mdb", "r+b") as out:
        out.write(content)
        out.truncate()
    (box.data / "db" / "lock.mdb").unlink(missing_ok=True)


def stored(box):
    return (box.data / "db" / "data.mdb").read_bytes()


# --- hostile files ---

def change(content, dice):
    """The file with one change, and a name for it."""
    pages = len(content) // PAGE
    page, other = dice.randrange(pages), dice.randrange(pages)
    changed = bytearray(content)
    kind = dice.choice(("flip", "flips", "meta", "header", "cut", "swap", "copy", "zero"))
    if kind == "flip":
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    elif kind == "flips":
        for _ in range(200):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    elif kind == "meta":
        changed[dice.randrange(2) * PAGE + dice.randrange(160)] ^= 1 << dice.randrange(8)
    elif kind == "header":
        changed[page * PAGE + dice.randrange(10, 32)] ^= 1 << dice.randrange(8)
    elif kind == "cut":
        del changed[dice.randrange(len(changed)):]
    elif kind == "swap":
        one, two = slice(page * PAGE, (page + 1) * PAGE), slice(other * PAGE, (other + 1) * PAGE)
        changed[one], changed[two] = changed[two], changed[one]
    elif kind == "copy":
        changed[page * PAGE:(page + 1) * PAGE] = content[other * PAGE:(other + 1) * PAGE]
    else:
        changed[page * PAGE:(page + 1) * PAGE] = bytes(PAGE)
    return bytes(changed), kind


def is_right(rows, item):
    return rows.get(item["id"]) == (item["number"], item["text"])


def read_all(box, rows):
    """Reads as clients do. What is answered must be right; that a worker ends or refuses is allowed. Says what came."""
    seen = set()
    for path in [PATH + f"?limit=100&page={page}" for page in (1, 2)] + [f"{PATH}/{row}" for row in list(rows)[::15]]:
        try:
            answer = box.get(path, key="sk")
        except (OSError, http.client.HTTPException):
            seen.add("ended")
            continue
        seen.add(answer.status)
        assert answer.status in (200, 404, 500, 503), answer
        if answer.status == 200:
            items = answer.json["items"] if "items" in answer.json else [answer.json]
            wrong = [item for item in items if not is_right(rows, item)]
            assert not wrong, wrong
    return seen


def test_attack_20_a_hostile_database_gives_no_wrong_row_and_at_worst_the_state_failed(make_box):
    box = make_box()
    box.make_table("kept", SCHEMA)
    rows = fill(box, 150, lambda number: 9000 if number % 10 == 0 else 20 + number % 50)
    assert box.stop() == 0
    content, dice, outcomes = stored(box), random.Random(20), []

    for _ in range(HOSTILE):
        changed, kind = change(content, dice)
        put_database(box, changed)
        box.start()
        seen = read_all(box, rows)
        state = wait_until(lambda: answered_state(box), "an answer")
        assert (state["state"], state["reason"]) in (
            ("operational", None), ("failed", "storage-damaged"), ("failed", "rollback-detected"),
            ("failed", "worker-failed")), state  # of too many ends of its worker
        assert box.stop() == 0, box.log_text()
        found = re.findall(r"AddressSanitizer: (?!SEGV|BUS|ABRT|FPE|DEADLYSIGNAL)\S+|runtime error.*", box.log_text())
        assert not found, box.log_text()
        outcomes.append(f"{kind}: {state['state']} {sorted(map(str, seen))}")

    put_database(box, content)
    box.start()
    assert read_all(box, rows) == {200}
    print("\n".join(outcomes))


def answered_state(box):
    try:
        return box.state()
    except (OSError, http.client.HTTPException):
        return None


@pytest.mark.parametrize("instead", ["nothing", "no database", "an empty one"])
def test_attack_20_without_its_database_a_box_is_failed_until_the_file_is_back_and_makes_no_new_keys(make_box, instead):
    box = make_box()
    box.make_table("kept", SCHEMA)
    rows = fill(box, 3)
    assert box.stop() == 0
    content, key = stored(box), box.sk

    put_database(box, b"" if instead == "an empty one" else b"\xff" * len(content))
    if instead == "nothing":
        (box.data / "db" / "data.mdb").rename(box.directory / "away.mdb")
    box.start()

    assert box.state()["state"] == "failed" and box.state()["reason"] == "storage-damaged"
    assert "secretKey" not in box.report and box.sk == key
    assert box.get("/healthz").status == 200
    assert box.get(PATH, key="sk").status == 503
    assert box.stop() == 0
    if instead == "nothing":
        (box.directory / "away.mdb").rename(box.data / "db" / "data.mdb")
    put_database(box, content)
    box.start()
    assert box.state()["state"] == "operational" and read_all(box, rows) == {200}


def test_attack_20_a_database_that_stops_its_reader_ends_fsck_with_a_message_and_the_box_is_failed(make_box):
    box = make_box()
    box.make_table("kept", SCHEMA)
    assert box.stop() == 0
    content = stored(box)
    put_database(box, content[:2 * PAGE])  # its first pages point behind its end: SIGBUS

    status, output, errors = box.fsck()
    box.start()

    assert status == 2 and "checked:" not in output, (output, errors)
    assert "rowlock: what checks the database was stopped before the end" in errors
    assert box.state()["state"] == "failed" and box.get(PATH, key="sk").status == 503


# --- old values put back ---

KEYS_TABLE = 5    # where API keys are stored
USERS_TABLE = 256  # where the users of the first environment are
FIRST_TABLE = 263  # behind the seven tables of the people of the first environment


def put_old_value_back(box, table, change):
    """change(box) is done between two copies of the database; then one row is as it was before, in the newer one."""
    assert box.stop() == 0
    shutil.copytree(box.data / "db", box.directory / "older")
    box.start()
    change(box)
    assert box.stop() == 0
    shutil.copytree(box.data / "db", box.directory / "newer")
    lines, sound = look_at(box, [f"put_old {box.directory}/older {box.directory}/newer {table}"])
    assert sound, lines
    put_database(box, (box.directory / "newer" / "data.mdb").read_bytes())
    return lines[-1].split()[1]


def test_attack_19_an_old_value_of_one_row_put_back_is_found(make_box):
    box = make_box()
    box.make_table("kept", SCHEMA)
    rows = fill(box, 5)
    row = list(rows)[3]

    put_back = put_old_value_back(box, FIRST_TABLE, lambda box: box.patch(f"{PATH}/{row}", {"text": "new"}, key="sk"))

    assert put_back == row
    status, output, errors = box.fsck()
    assert status == 1, (output, errors)
    assert re.findall("^damaged: .*", output, re.M) == [f"damaged: freshness table {FIRST_TABLE} index 0 row -"], output


def test_attack_19_a_key_from_before_its_revocation_put_back_keeps_the_box_from_opening_its_rows(make_box):
    box = make_box()
    box.make_table("kept", SCHEMA)
    key = box.post("/v1/admin/api-keys", {"name": "lost", "type": "secret"}, key="sk").json
    value = next(value for value in key.values() if isinstance(value, str) and value.startswith("sk_") and len(value) > 60)
    assert box.get(PATH, key=value).status == 200
    revoke = f"/v1/admin/api-keys/{key['id']}/revoke"

    put_old_value_back(box, KEYS_TABLE, lambda box: box.post(revoke, key="sk"))
    status, output, _ = box.fsck()
    box.start()

    assert status == 1 and f"damaged: freshness table {KEYS_TABLE} " in output
    assert (box.state()["state"], box.state()["reason"]) == ("failed", "rollback-detected")
    assert box.get(PATH, key=value).status == 503


def test_attack_19_a_user_from_before_the_loss_of_a_role_put_back_keeps_the_box_from_opening_its_rows(make_box):
    box = make_box()
    sent = {"email": "ada@example.com", "password": "abc123", "name": "Ada"}
    role = f"/v1/users/{box.post('/v1/auth/email/signup', sent, key='pk').json['user']['id']}/role"
    assert box.patch(role, {"role": "admin"}, key="sk").status == 200

    put_old_value_back(box, USERS_TABLE, lambda box: box.patch(role, {"role": "user"}, key="sk"))
    box.start()

    assert (box.state()["state"], box.state()["reason"]) == ("failed", "rollback-detected")
    assert box.get(role, key="sk").status == 503


# --- full disk ---

def mount_small_disk(box):
    box.data.mkdir(mode=0o700)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(box.data)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("may not mount: " + done.stderr.strip())


class SmallDisk:
    """The data directory lies on a disk of its own, which fills and is emptied again."""

    def __init__(self, box):
        mount_small_disk(box)
        self.box = box

    def fill(self):
        space = os.statvfs(self.box.data)
        with open(self.box.data / "ballast", "wb") as out:
            out.write(bytes(max(space.f_bavail * space.f_frsize - (1 << 20), 0)))

    def free(self):
        (self.box.data / "ballast").unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.box.data)], check=True)


class SmallFiles:
    """Files may not grow beyond a size: a limit that the processes are started with."""

    def __init__(self, box):
        self.box = box

    def _restart(self, size):
        assert self.box.stop() == 0
        former = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
        try:
            self.box.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)

    def fill(self):
        self._restart((self.box.data / "db" / "data.mdb").stat().st_size + (1 << 20))

    def free(self):
        self._restart(resource.RLIM_INFINITY)

    def close(self):
        pass


@pytest.mark.parametrize("kind", [SmallDisk, SmallFiles])
def test_a_full_disk_is_told_to_the_writer_while_reads_go_on_and_nothing_is_half_done(make_box, kind):
    box = make_box(start=False)
    disk = kind(box)
    try:
        box.start()
        box.make_table("kept", SCHEMA)
        rows = fill(box, 20)
        disk.fill()
        connection, refused = box.connect(), 0
        for number in range(100, 700):
            answer = box.post(PATH, {"number": number, "text": "x" * 20000}, key="sk", connection=connection)
            if answer.status == 507:
                assert answer.json["error"]["code"] == "common/insufficient-storage", answer
                refused += 1
                if refused == 5:
                    break
            else:
                assert answer.status == 201, answer
                rows[answer.json["id"]] = (number, "x" * 20000)
        assert refused == 5
        for row, (number, _) in rows.items():
            assert box.get(f"{PATH}/{row}", key="sk", connection=connection).json["number"] == number
        assert box.get(PATH, key="sk", connection=connection).json["pagination"]["total"] == len(rows)

        disk.free()
        connection = box.connect()
        again = box.post(PATH, {"number": 1000, "text": "after"}, key="sk", connection=connection)
        assert again.status == 201, again
        rows[again.json["id"]] = (1000, "after")

        assert box.get(PATH, key="sk", connection=connection).json["pagination"]["total"] == len(rows)
        assert len(box.events("child_started")) == 2
        assert box.stop() == 0, box.log_text()
        status, output, errors = box.fsck()
        assert status == 0, (output, errors)
    finally:
        if box.process is not None:
            box.kill_all()
        disk.close()
