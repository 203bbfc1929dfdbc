# SPDX-License-Identifier: GPL-3.0-or-later
"""The box as its image: APPLIANCE, in the environment, has the words that start a board's image in QEMU (`make qemu-check`). Tests
that only talk to the box that all share then talk to that one, over its own stack. What else a test may want of a box (its processes,
files and options, a disk to damage, clients of many addresses) is out of reach there; the run says how many it left out, and why.

Emulated, hashing a password takes two seconds, and all of it has ten minutes: files that do it in each test are left to the host."""

import collections
import os
import pathlib
import shlex

import pytest

WORDS = shlex.split(os.environ.get("APPLIANCE", ""))
IS_CHOSEN = bool(WORDS)
START_S = 200  # as for the boot tests: a busy machine without KVM
SHARED = {"box", "app"}  # of conftest.py
OWN = {"make_box", "make_app", "module_app"}
PASSWORDS = "hashes passwords, of which an emulated box does one in two seconds"
ADDRESSES = "comes from many addresses, and the box sees one"
CABLE = "has another cable"
LEFT_OUT = {
    "test_auth_connection": PASSWORDS,
    "test_auth_jwt": ADDRESSES,
    "test_auth_mail": PASSWORDS,
    "test_auth_mfa": PASSWORDS,
    "test_auth_outbox": PASSWORDS,
    "test_auth_sessions": PASSWORDS,
    "test_auth_sign": PASSWORDS,
    "test_users_access": PASSWORDS,
    "test_users_profile": PASSWORDS,
    "test_userspace": CABLE,
}


def why_left_out(item):
    """The reason, or None."""
    names = set(item.fixturenames)
    mark = item.get_closest_marker("host_only")
    if mark is not None:
        return mark.args[0]
    if item.get_closest_marker("appliance") is not None:
        return None
    if names & OWN:
        return "has boxes of its own"
    if not names & SHARED:
        return "does not ask the box that all share"
    return LEFT_OUT.get(pathlib.Path(item.path).stem)


def choose(config, items):
    """Takes the tests that are left out from the list; how many for which reason."""
    reasons = collections.Counter()
    chosen, others = [], []
    for item in items:
        reason = why_left_out(item)
        (others if reason else chosen).append(item)
        reasons.update([reason] if reason else [])
    items[:] = chosen
    config.hook.pytest_deselected(items=others)
    return reasons


def command(box):
    """What starts it."""
    if box.options:
        pytest.fail("an appliance has no options")
    return [*WORDS, "--data", str(box.data), "--tpm-state", str(box.tpm), "--port", "0", "--http-port", "0", "--json"]
