# SPDX-License-Identifier: GPL-3.0-or-later
"""What was acknowledged stays: after power cuts at any moment, after kills under load, beside hostile files."""

import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import wait_until
from writers import History, Writers, prepare

BUILD = pathlib.Path(os.environ.get("ROWLOCK_BUILD", "build/host")) / "asan"
RECORDED = str(BUILD / "rowlock-recorded")
TOOL = str(BUILD / "tests/fault/box_tool")
CUTS = int(os.environ.get("ROWLOCK_CUTS", "60"))  # places in the log; four states of the disk at each


def look_at(box, commands, tpm=None):
    """box_tool with the box's TPM, the box being stopped: its output lines, and whether all was well."""
    keeper = box.directory / "keeper-copy"
    shutil.rmtree(keeper, ignore_errors=True)
    shutil.copytree(box.data / "keeper", keeper)
    keeper.chmod(0o700)
    with box.tpm_alone() as tcti:
        done = subprocess.run([TOOL, str(keeper), tcti], input="\n".join(commands) + "\n", capture_output=True,
                              text=True, timeout=600, check=False)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.stdout.splitlines(), done.returncode == 0


def record(make_box, no_sync):
    """A box whose worker is recorded, under load for a while, and then stopped; and what its clients know."""
    box = make_box(start=False)
    box.program = RECORDED
    (box.directory / "recorded").touch()
    if no_sync:
        (box.directory / "no-sync").touch()
    box.start()
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
                                 f"cuts {box.directory}/recorded {CUTS} {box.directory}/cut"])

    print("\n".join(lines[-3:]))
    assert not sound and lines[-1].startswith("bad ")
    assert any(re.match(r"cut at .*: (an acknowledged row is not there|does not open|not as it was|fsck)", line)
               for line in lines)
