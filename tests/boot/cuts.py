#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates that a power cut ends: at random moments of writing, of installing, of the first start and of the blessing. The disk forgets
at each cut what was not flushed (volatile_disk.py); the TPM and the firmware's variables are whole, as chips are.

After each cut the box must start by itself, with the image before or with the new one, open, and have its rows. BOOT_CUTS=20
BOOT_SEED=7 make boot T=cuts: how many, and which; BOOT_LONG=1 has 20.
"""
import os
import random
import sys
import time

from boxes import PIECE, Owner, ensure_row, first_box, operational
from lab import CutMachine, ensure, main

VERSION = "0.9.1"
# From the request to install on: the rest of writing, the firmware, the first start, the blessing.
INSTALL_S = 30.0


def cut_while_sending(owner, file, chance):
    """The moment is in a piece: what is written of it, and of those before, is in the kernel, on its way, or on the disk."""
    last = chance.randrange(0, len(file) // PIECE)
    owner.begin()
    for at in range(0, last * PIECE, PIECE):
        status, body = owner.piece(file, at)
        ensure(status == 200, f"at {at}: {status} {body}")
    time.sleep(chance.uniform(0, 0.5))
    return f"after {last} MiB"


def cut_while_installing(owner, file, chance):
    owner.send(file)
    owner.install()
    wait = chance.uniform(0, 2)
    time.sleep(wait)
    return f"{wait:.2f} s after it was installed"


def cut_later(owner, file, chance):
    owner.send(file)
    owner.install()
    wait = chance.uniform(2, INSTALL_S)
    time.sleep(wait)
    return f"{wait:.1f} s after it was installed"


MOMENTS = (cut_while_sending, cut_while_installing, cut_later)


def version_of(machine):
    return machine.console.find(r"rowlock: version (\S+) starts").group(1)


def one_cut(machine, first, file, moment, chance):
    """A start, an update, a cut, a start: (what was done and seen, the version that runs afterwards). Leaves the box cut off."""
    report = operational(machine, restarts=True)
    owner = Owner(machine, report)
    where = moment(owner, file, chance)
    owner.close()
    machine.cut()
    lost = machine.last.lost
    again = operational(machine, restarts=True)
    ensure(again.ca == report.ca, "it provisioned itself again")
    ensure_row(machine, again, first)
    machine.cut()
    return f"{where}, {lost} sectors lost: {version_of(machine)}"


def a_cut_at_any_moment_of_an_update_leaves_a_box_that_starts_with_its_rows(lab):
    count = int(os.environ.get("BOOT_CUTS", "20" if os.environ.get("BOOT_LONG") == "1" else "3"))
    seed = int(os.environ.get("BOOT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    chance = random.Random(seed)
    print(f"# BOOT_SEED={seed}", flush=True)
    first = first_box(lab)
    file = (lab.build("next", VERSION=VERSION) / "rowlock.update").read_bytes()
    saw = []
    for number in range(count):
        machine = lab.copy_of(first[0], CutMachine)
        machine.seed = chance.getrandbits(32)
        saw.append(one_cut(machine, first, file, MOMENTS[number % len(MOMENTS)], chance))
        print(f"# {number + 1}: {saw[-1]}", flush=True)
        machine.forget()
    return f"{count} cuts, each left a box that opened and had its row; seed {seed}: {'; '.join(saw[:3])}"


if __name__ == "__main__":
    sys.exit(main([a_cut_at_any_moment_of_an_update_leaves_a_box_that_starts_with_its_rows]))
