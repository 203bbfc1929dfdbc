# SPDX-License-Identifier: GPL-3.0-or-later
"""The box and its TPM: what somebody on the bus or with the disk finds, and a root key that is bound to a PCR."""

import subprocess

from test_attacks import contains, files_below
from test_durability import BUILD, look_at
from tpm_bus import SHUTDOWN_CLEAR, STARTUP_CLEAR, ask, pcr_extend, record

WATCHED = str(BUILD / "rowlock-watched")
SEAL_PARTS_AT = 62  # of root.seal: see crypto/seal.c


def sealed_blob(box):
    """The root key as the TPM encrypted it, which every start loads: it crosses the bus as it stands in the file."""
    content = (box.data / "keeper" / "root.seal").read_bytes()
    public_bytes = int.from_bytes(content[SEAL_PARTS_AT:SEAL_PARTS_AT + 2], "big")
    return content[SEAL_PARTS_AT + 2 + public_bytes + 2:]


def test_attack_16_a_thief_of_the_disk_who_recorded_the_tpm_finds_no_row_no_key_and_not_the_root_key(make_box):
    box = make_box(start=False)
    bus = record(box)
    box.start()
    box.make_table("notes", {"text": {"type": "string"}})
    row = box.post("/v1/data/notes", {"text": "value-of-the-thief"}, key="sk").json["id"]
    box.restart()
    assert box.get(f"/v1/data/notes/{row}", key="sk").json["text"] == "value-of-the-thief"
    assert box.stop() == 0

    lines, sound = look_at(box, ["secrets"])

    assert sound, lines
    secrets = dict(line.split()[1:] for line in lines if line.startswith("secret "))
    assert {"root", "tables", "config", "pepper", "backup", "owner-auth", "lockout-auth", "tls-ca", "tls-leaf"} <= set(secrets)
    needles = {name: bytes.fromhex(key) for name, key in secrets.items()}
    assert len(set(needles.values())) == len(needles) and all(len(key) == 32 for key in needles.values())
    needles |= {f"half of {name}": key[:16] for name, key in needles.items()}
    needles |= {"row": b"value-of-the-thief", "recovery": box.recovery_key.encode()}
    for name, key in {"sk": box.sk, "pk": box.pk}.items():
        needles |= {f"{name} text": key.encode(), f"{name} bytes": bytes.fromhex(key[3:])}
    assert sealed_blob(box) in bus.read_bytes()  # the recorder records
    assert bus.read_bytes().count(SHUTDOWN_CLEAR) == 2  # orderly, at the end of each start
    assert {name: contains([bus, *files_below(box.data)], needle) for name, needle in needles.items()
            if contains([bus, *files_below(box.data)], needle)} == {}


def test_attack_17_a_box_configured_for_pcr_16_opens_only_while_it_is_unchanged(make_box):
    box = make_box(start=False)
    box.program, box.cwd = WATCHED, box.directory
    (box.directory / "watchdog").touch()
    (box.directory / "generation").write_bytes(bytes(16))
    box.start()
    box.make_table("notes", {"text": {"type": "string"}})
    assert box.restart().state()["state"] == "operational"
    assert box.stop() == 0

    with box.tpm_alone() as tcti:
        assert ask(tcti.split("path=", 1)[1], STARTUP_CLEAR, pcr_extend(16, b"\1" * 32)) == [0, 0]
        checked = subprocess.run([WATCHED, "fsck", "--data", str(box.data), "--tcti", tcti], cwd=box.directory,
                                 capture_output=True, text=True, timeout=60, check=False)

    assert checked.returncode == 2 and "the box is locked (pcr-changed)" in checked.stderr, checked.stderr
    assert box.start().state()["state"] == "operational"  # with its TPM switched off and on again
    assert box.get("/v1/data/notes", key="sk").status == 200
