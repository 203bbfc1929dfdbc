# SPDX-License-Identifier: GPL-3.0-or-later
"""A box whose database somebody changed while it was off."""

import http.client
import os
import random
import re

import pytest

from conftest import wait_until

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
            ("operational", None), ("failed", "storage-damaged"), ("failed", "rollback-detected")), state
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
