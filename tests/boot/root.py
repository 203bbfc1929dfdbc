#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the kernel to the root file system, without firmware: only the root that the command line names is entered, whichever slot it
is in, and no block of it may differ."""
import json
import re
import sys

from lab import DIRECT_S, ROOT_CHECKED, ensure, flip_bit, main, partition, read_at, write_at

NOT_STARTED = r'^\{.*"process":"stage1","event":"not_started".*\}\n'


def blocks_of(machine):
    return int(re.search(r"rowlock\.blocks=(\d+)", (machine.image / "cmdline").read_text()).group(1))


def the_root_of_slot_a_is_entered(lab):
    machine = lab.machine()
    machine.start(direct=True)
    return machine.expect(rf"root file system in root-a, {ROOT_CHECKED}", DIRECT_S).group()


def the_root_is_found_in_slot_b(lab):
    machine = lab.machine()
    (a, size), (b, _) = partition(machine.disk, "root-a"), partition(machine.disk, "root-b")
    write_at(machine.disk, b, read_at(machine.disk, a, size))
    write_at(machine.disk, a, bytes(size))
    machine.start(direct=True)
    return machine.expect(rf"root file system in root-b, {ROOT_CHECKED}", DIRECT_S).group()


def refusal(machine, cmdline=None):
    """What stage1 says; the machine must end without having entered a root."""
    machine.start(direct=True, cmdline=cmdline)
    said = json.loads(machine.expect(NOT_STARTED, DIRECT_S).group())
    machine.wait_end(DIRECT_S)
    ensure(ROOT_CHECKED not in machine.console.text, "a root was entered")
    return said["trail"]


def a_command_line_with_another_root_hash_is_refused(lab):
    machine = lab.machine()
    line = (machine.image / "cmdline").read_text()
    return refusal(machine, re.sub(r"verity=.", lambda found: "verity=" + ("1" if found.group()[-1] == "0" else "0"), line))


def one_bit_in_the_top_of_the_tree_is_refused(lab):
    machine = lab.machine()
    flip_bit(machine.disk, partition(machine.disk, "root-a")[0] + blocks_of(machine) * 4096)
    return refusal(machine)


def one_bit_in_the_root_stops_the_machine(lab):
    """In the superblock, which every mount reads."""
    machine = lab.machine()
    flip_bit(machine.disk, partition(machine.disk, "root-a")[0] + 8)
    machine.start(direct=True)
    said = machine.expect(r"device-mapper: verity: [^\n]*corrupted|dm-verity device corrupted", DIRECT_S).group()
    machine.wait_end(DIRECT_S)
    ensure(ROOT_CHECKED not in machine.console.text, "the root was entered")
    return said


if __name__ == "__main__":
    sys.exit(main([the_root_of_slot_a_is_entered, the_root_is_found_in_slot_b, a_command_line_with_another_root_hash_is_refused,
                   one_bit_in_the_top_of_the_tree_is_refused, one_bit_in_the_root_stops_the_machine]))
