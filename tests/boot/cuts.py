#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that a power cut ends: at random moments of writing, of installing, of the first start and of the blessing. The disk forgets
at each cut what was not flushed (volatile_disk.py); the TPM and the firmware's variables are whole, as chips are.

After each cut the box must start by itself, with the image before or with the new one, open, and have its rows. BOOT_CUTS=20
BOOT_SEED=7 make boot T=cuts: how many, and which; BOOT_LONG=1 has 20.
"""
import http.client
import os
import random
import re
import ssl
import sys
import threading
import time

from boxes import NEXT, PIECE, Owner, ensure_row, first_box, next_image, operational
from lab import DIRECT_S, USER_SPACE_S, CutMachine, ensure, main

TRIAL_S = 12.0  # emulated: from the first process of an image on trial to its blessing
UNFLUSHED_MAX = 4096  # sectors: 2 MiB


class Sending(threading.Thread):
    """A request whose answer may never come."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send, self.answer = send, None
        self.start()

    def run(self):
        try:
            self.answer = self.send()
        except (OSError, http.client.HTTPException, ssl.SSLError):
            pass  # the cut


def cut_in_a_piece(machine, owner, file, chance):
    """It is on its way: in the network, in the kernel, or on the disk, as are those before it."""
    owner.begin()
    at, last, piece_s = 0, chance.randrange(1, len(file) // PIECE) * PIECE, 0.0
    while at < last:
        began = time.monotonic()
        status, body = owner.piece(file, at)
        ensure(status == 200, f"at {at}: {status} {body}")
        piece_s, at = time.monotonic() - began, at + PIECE
    while True:  # until one is caught
        sending = Sending(lambda: owner.piece(file, at))
        sending.join(chance.uniform(0, piece_s))
        if sending.is_alive():
            machine.cut()
            return f"within the piece at {at // PIECE} MiB"
        ensure(sending.answer and sending.answer[0] == 200, f"at {at}: {sending.answer}")
        at += PIECE
        ensure(at < len(file), "no piece was under way when it should have been cut")


def cut_while_much_is_unflushed(machine, owner, file, chance):
    """While the other slot is synced, mostly."""
    sectors = chance.randrange(64, UNFLUSHED_MAX)
    full = machine.server.when_unflushed(sectors)
    sending = Sending(lambda: (owner.send(file), owner.install()))
    ensure(full.wait(USER_SPACE_S), f"there never were {sectors} sectors unflushed")
    machine.cut()
    sending.join(DIRECT_S)
    ensure(machine.last.lost > 0, "nothing was lost of so much")
    return f"with {sectors} sectors unflushed"


def cut_after_installing(machine, owner, file, chance):
    owner.send(file)
    owner.install()
    wait = chance.uniform(0, 2)
    time.sleep(wait)
    machine.cut()
    return f"{wait:.2f} s after it was installed"


def begin_trial(machine, owner, file):
    owner.send(file)
    owner.install()
    machine.expect(rf"rowlock: version {re.escape(NEXT)} starts", USER_SPACE_S)


def cut_in_the_trial(machine, owner, file, chance):
    begin_trial(machine, owner, file)
    wait = chance.uniform(0, TRIAL_S)
    time.sleep(wait)
    machine.cut()
    return f"{wait:.1f} s into the trial"


def cut_at_the_blessing(machine, owner, file, chance):
    """It is blessed on the ESP as soon as it answers requests, and then in the TPM."""
    begin_trial(machine, owner, file)
    after = chance.choice(("worker_ready", "image_blessed"))
    machine.expect(f'"event":"{after}"', USER_SPACE_S)
    wait = chance.uniform(0, 0.05)
    time.sleep(wait)
    machine.cut()
    done = [word for word in ("image_blessed", "minimum_version") if machine.console.find(f'"event":"{word}"')]
    return f"{wait:.3f} s after {after} ({', '.join(done) or 'not yet blessed'})"


MOMENTS = (cut_in_a_piece, cut_while_much_is_unflushed, cut_at_the_blessing, cut_after_installing, cut_in_the_trial)


def version_of(machine):
    return machine.console.find(r"rowlock: version (\S+) starts").group(1)


def one_cut(machine, first, file, moment, chance):
    """A start, an update, a cut, a start: (words, sectors lost). Leaves the box cut off."""
    report = operational(machine, restarts=True)
    owner = Owner(machine, report)
    where = moment(machine, owner, file, chance)
    owner.close()
    lost = machine.last.lost
    again = operational(machine, restarts=True)
    ensure(again.ca == report.ca, "it provisioned itself again")
    ensure_row(machine, again, first)
    machine.cut()
    return f"{where}, {lost} versions of sectors lost: {version_of(machine)}", lost


def a_cut_at_any_moment_of_an_update_leaves_a_box_that_starts_with_its_rows(lab):
    count = int(os.environ.get("BOOT_CUTS", "20" if os.environ.get("BOOT_LONG") == "1" else "3"))
    seed = int(os.environ.get("BOOT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    print(f"# BOOT_SEED={seed}", flush=True)
    first = first_box(lab)
    file = (next_image(lab) / "rowlock.update").read_bytes()
    saw, lossy = [], 0
    for number in range(count):
        machine = lab.copy_of(first[0], CutMachine)
        machine.seed = chance.getrandbits(32)
        began = time.monotonic()
        words, lost = one_cut(machine, first, file, MOMENTS[number % len(MOMENTS)], chance)
        saw.append(words)
        lossy += lost > 0
        print(f"# {number + 1}: {words} ({time.monotonic() - began:.0f} s)", flush=True)
        machine.forget()
    ensure(lossy > 0, "no cut has lost what was not flushed: nothing was tried")
    return f"{count} cuts, {lossy} of which lost what was not flushed; each left a box that opened and had its row; seed {seed}: " \
           f"{'; '.join(saw[:len(MOMENTS)])}"


if __name__ == "__main__":
    sys.exit(main([a_cut_at_any_moment_of_an_update_leaves_a_box_that_starts_with_its_rows]))
