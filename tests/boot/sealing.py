#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way with firmware, Secure Boot and TPM: who gets at the rows, and what a box says that is locked."""
import shutil
import sys

import bare_tpm
from bare_tpm import BareTpm
from boxes import ensure_row, first_box, locked, operational, unlocked, unlocked_and_sealed_again
from lab import ensure, esp, esp_put, main, partition, write_at


def the_first_boot_provisions_and_the_second_unseals(lab):
    machine, report, _ = first = first_box(lab)
    again = lab.copy_of(machine)
    second = operational(again)
    ensure("recoveryKey" not in second.values and second.ca == report.ca, "it provisioned itself again")
    unsealed = again.console.find(r'"event":"unsealed","ms":(\d+)')
    ensure_row(again, second, first)
    return f"first: {report}, with keys; second, after a power cut: {second}, unsealed in {unsealed.group(1)} ms, the row is there"


def secure_boot_off_locks(lab):
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    machine.set_keys(None)
    report = locked(machine, "secure-boot-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


def another_image_that_the_vendor_signed_locks(lab):
    """All of it is genuine, and put there by whoever has the disk in hand: no update has approved it."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    other = lab.build("older", VERSION="0.0.9")
    esp(machine.disk, "mdel", f"::/{lab.kernel_image}")
    esp_put(machine.disk, other / "rowlock.efi", "EFI/Linux/rowlock-0.0.9.efi")
    esp_put(machine.disk, other / "policy", "EFI/Linux/rowlock-0.0.9.policy")
    write_at(machine.disk, partition(machine.disk, "root-a")[0], (other / "root.img").read_bytes())
    report = locked(machine, "image-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


def a_new_entry_in_dbx_locks(lab):
    """Of a program that has nothing to do with the box."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    machine.set_keys(lab.keys, [bytes(range(32))])
    report = locked(machine, "secure-boot-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


def another_tpm_locks(lab):
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    shutil.rmtree(machine.tpm)
    report = locked(machine, "tpm-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


COUNTER, COUNTER_BYTES = 0x01800052, 8  # HAL_TPM_COUNTER_HANDLE


def a_minimum_that_a_stranger_defined_anew_locks(lab):
    """Who has the chip in hand may take the index away, by the platform's authorisation, and put one like it in its place. The owner's
    he does not know, and so cannot make the same one."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    with BareTpm(machine.tpm) as tpm:
        attributes = tpm.attributes(COUNTER) & ~bare_tpm.WRITTEN
        refused = tpm.undefine(bare_tpm.OWNER, COUNTER)
        ensure(refused != bare_tpm.OK, "the owner's authorisation is empty")
        done = [tpm.undefine(bare_tpm.PLATFORM, COUNTER),
                tpm.define(bare_tpm.PLATFORM, COUNTER, attributes | bare_tpm.PLATFORM_WRITE | bare_tpm.PLATFORM_CREATE, COUNTER_BYTES),
                tpm.increment(bare_tpm.PLATFORM, COUNTER)]
        ensure(done == [bare_tpm.OK] * 3, f"the TPM answers {done}")
    report = locked(machine, "counter-changed")
    unlocked(machine, report, first)
    machine.cut()
    with BareTpm(machine.tpm) as tpm:
        ensure(tpm.undefine(bare_tpm.PLATFORM, COUNTER) == bare_tpm.OK, "the box has put its own there, which no owner can do")
    again = locked(machine, "counter-changed")
    unlocked_and_sealed_again(machine, again, first)
    return f"as the owner: {refused:#x}; as the platform it was done: {report}; the recovery key opened it for that start. Then it was taken " \
           f"away: {again}; the recovery key opened it, and the next start opened by itself"


if __name__ == "__main__":
    sys.exit(main([the_first_boot_provisions_and_the_second_unseals, secure_boot_off_locks, another_tpm_locks,
                   a_minimum_that_a_stranger_defined_anew_locks, another_image_that_the_vendor_signed_locks], [a_new_entry_in_dbx_locks]))
