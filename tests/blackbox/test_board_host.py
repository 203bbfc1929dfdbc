# SPDX-License-Identifier: GPL-3.0-or-later
"""board/host: where its start script keeps what, how it ends, and the devices that are signals and log lines there."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BASIC, KEYS, PROGRAM, ROOT, RUN, SETUP, WAIT_S, children, is_there, wait_until


@pytest.fixture
def runtime(directory):
    """TMPDIR: the TPM's sockets lie there."""
    return directory


def start(script, runtime, *options, **more):
    environment = {**os.environ, "ROWLOCK": PROGRAM, "TMPDIR": str(runtime), **more}
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    # A shell cannot catch what was ignored before it began, as Ctrl-C is for what runs in the background.
    return subprocess.Popen(["env", "--default-signal=INT", script, "--port", "0", "--json", *options], stdout=subprocess.PIPE, text=True, env=environment,
                            start_new_session=True)


def names_below(directory):
    return {path.name for path in directory.rglob("*")}


@pytest.mark.parametrize("data, state, options", [
    ("build/host/data", "build/host/data.tpm", []),
    ("elsewhere", "elsewhere.tpm", ["--data", "elsewhere"]),
    ("elsewhere", "of the tpm", ["--data", "elsewhere", "--tpm-state", "of the tpm"]),
])
def test_data_and_tpm_state_lie_beside_each_other_where_they_are_told_or_by_default(tmp_path, runtime, data, state, options):
    script = tmp_path / "board/host/run"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "board/host/run", script)

    with start(script, runtime, *[str(tmp_path / word) if not word.startswith("--") else word for word in options]) as box:
        report = json.loads(box.stdout.readline())
        box.terminate()
        assert box.stdout.read() == ""

    assert box.returncode == 0
    assert set(report) == BASIC | KEYS | SETUP and report["caFile"] == str(tmp_path / data / "ca.pem")
    assert "tpm2-00.permall" in names_below(tmp_path / state)
    assert "tpm2-00.permall" not in names_below(tmp_path / data) and "ca.pem" not in names_below(tmp_path / state)
    wait_for_the_end_of([], runtime)


def below(pid):
    """The processes that this one started, and theirs."""
    try:
        return [each for child in children(pid) for each in (child, *below(child))]
    except (FileNotFoundError, ProcessLookupError):
        return []


def end(box):
    """Waits for it; one that does not end is killed, so that the test fails and does not hang."""
    try:
        return box.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        box.kill()
        raise


def wait_for_the_end_of(pids, runtime):
    """And nothing of theirs is left."""
    wait_until(lambda: not [pid for pid in pids if is_there(pid)], "the end of all that was started")
    wait_until(lambda: list(runtime.iterdir()) == [], "the directory of the TPM's sockets to go")


MOMENTS_S = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.2, 0.25, 0.3)


def test_a_signal_at_any_moment_of_the_start_ends_all_and_harms_nothing(tmp_path, runtime):
    for number, wait_s in enumerate(MOMENTS_S):
        with start(RUN, runtime, "--data", str(tmp_path / "data")) as box:
            time.sleep(wait_s)
            started = below(box.pid)
            if number % 2:
                os.killpg(box.pid, signal.SIGINT)  # Ctrl-C
            else:
                box.terminate()
            end(box)
        wait_for_the_end_of(started, runtime)

    with start(RUN, runtime, "--data", str(tmp_path / "data")) as box:
        assert set(json.loads(box.stdout.readline())) >= BASIC
        started = below(box.pid)
        box.terminate()
        assert end(box) == 0
    assert len(started) >= 4
    wait_for_the_end_of(started, runtime)


def test_a_tpm_that_does_not_hear_the_first_signal_is_stopped_all_the_same(tmp_path, runtime):
    deaf = tmp_path / "bin/swtpm"
    deaf.parent.mkdir()
    deaf.write_text(f"#!/bin/sh\ntrap 'trap - TERM' TERM\n: >{tmp_path}/runs\nwhile :; do sleep 0.02; done\n")
    deaf.chmod(0o755)

    with start(RUN, runtime, "--data", str(tmp_path / "data"), PATH=f"{deaf.parent}:{os.environ['PATH']}") as box:
        wait_until((tmp_path / "runs").exists, "the TPM")
        started = below(box.pid)
        box.terminate()
        status = end(box)

    assert status == -signal.SIGTERM
    wait_for_the_end_of(started, runtime)


def test_a_box_that_is_killed_takes_its_tpm_with_it_and_the_next_start_finds_it_free(tmp_path, runtime):
    for _ in range(2):
        with start(RUN, runtime, "--data", str(tmp_path / "data")) as box:
            assert set(json.loads(box.stdout.readline())) >= BASIC
            started = below(box.pid)
            box.kill()
            assert end(box) == -signal.SIGKILL

    wait_for_the_end_of(started, runtime)


def test_a_tpm_in_use_is_not_started_twice(tmp_path, runtime):
    with start(RUN, runtime, "--data", str(tmp_path / "data")) as box:
        assert set(json.loads(box.stdout.readline())) >= BASIC

        with start(RUN, runtime, "--data", str(tmp_path / "other"), "--tpm-state", str(tmp_path / "data.tpm")) as second:
            assert end(second) == 1

        box.terminate()
        assert end(box) == 0


@pytest.mark.host_only("sends signals")
def test_button_and_tamper_line_are_signals_that_are_logged_and_heard(box):
    supervisor = box.pid("supervisor")

    os.kill(supervisor, signal.SIGUSR1)
    box.wait_for_event("status-sound")
    os.kill(supervisor, signal.SIGUSR2)
    box.wait_for_event("status-sound", 2)

    assert [line["what"] for line in box.events("hardware")] == ["button", "case-opened"]
    assert [line["sound"] for line in box.events("status-sound")] == ["acknowledge", "alarm"]
    assert box.get("/healthz").status == 200
