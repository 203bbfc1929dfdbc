#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench, last part: how long an appliance takes from power-on to its first answer, emulated by QEMU, and how large its image is.

A box is made for each way of starting; its first start, which provisions, is told apart from RUNS later ones, each after the power
button. Power-on is the moment in which QEMU's processor begins; the answer is a request's over the forwarded port."""
import shutil
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "boot"))

import lab  # noqa: E402

RUNS = 3
END_S = 60
MIB = 1 << 20


def start(machine, direct):
    """Seconds from power-on to an answer, and milliseconds that the keeper took to unseal (None at the first start)."""
    machine.start(direct=direct)
    began = time.monotonic()
    report = lab.report_of(machine, lab.USER_SPACE_S)
    answer = lab.ask(machine, report, "GET", "/v1/system/state")
    seconds = time.monotonic() - began
    lab.ensure((answer.status, answer.body["state"]) == (200, "operational"), f"state: {answer.status} {answer.body}")
    unsealed = machine.console.find(r'"event":"unsealed","ms":(\d+)')
    machine.press_power_button()
    machine.wait_end(END_S)
    return seconds, unsealed and int(unsealed.group(1))


def measure(laboratory, title, direct, goal_s):
    machine = laboratory.machine()
    first, _ = start(machine, direct)
    later = [start(machine, direct) for _ in range(RUNS)]
    seconds = [each for each, _ in later]
    print(f"{title:34} first {first:5.1f} s, then {statistics.median(seconds):5.1f} s  "
          f"(runs {min(seconds):.1f}..{max(seconds):.1f}, goal {goal_s}); unsealed in {statistics.median(ms for _, ms in later):.0f} ms  (goal 1000)",
          flush=True)


def main():
    laboratory = lab.Lab(*sys.argv[1:4])
    print(f"\nfrom power-on to the first answer, {laboratory.board}, emulated; median of {RUNS}")
    try:
        measure(laboratory, "the kernel handed over", True, 8)
        measure(laboratory, "UEFI, Secure Boot, measured", False, 40)
    finally:
        laboratory.clear()
        shutil.rmtree(laboratory.folder)
    parts = [laboratory.image / name for name in ("rowlock.efi", "root.img")]
    print(f"image: {sum(part.stat().st_size for part in parts) / MIB:.1f} MiB compressed  (goal 40)")


if __name__ == "__main__":
    main()
