#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way with firmware, Secure Boot and TPM: who gets at the rows, and what a box says that is locked."""
import shutil
import sys

from lab import DIRECT_S, USER_SPACE_S, ask, ensure, esp, esp_put, main, partition, report_of, write_at

ROW = {"text": "kept"}
_first = []  # the box of the first test: machine (stopped), report, id of its row


def operational(machine):
    """Starts it and waits until it is operational; its report."""
    machine.start()
    report = report_of(machine, USER_SPACE_S)
    ensure(report.state == "operational", f"it is {report}")
    return report


def make_row(machine, report):
    key = report.values["secretKey"]
    made = ask(machine, report, "POST", "/v1/admin/tables", {"tableName": "notes", "schema": {"text": {"type": "string"}}}, key)
    ensure(made.status == 201, f"no table: {made.status} {made.body}")
    row = ask(machine, report, "POST", "/v1/data/notes", ROW, key)
    ensure(row.status == 201, f"no row: {row.status} {row.body}")
    return row.body["id"]


def ensure_row(machine, report, first):
    _, before, row = first
    got = ask(machine, report, "GET", f"/v1/data/notes/{row}", key=before.values["secretKey"])
    ensure(got.status == 200 and got.body["text"] == ROW["text"], f"the row: {got.status} {got.body}")


def first_box(lab):
    """A box that has provisioned itself and has a row; made once. Tests take copies."""
    if not _first:
        machine = lab.machine(kept=True)
        report = operational(machine)
        ensure({"recoveryKey", "secretKey", "setupCode"} <= set(report.values), f"values: {sorted(report.values)}")
        row = make_row(machine, report)
        machine.cut()
        _first.append((machine, report, row))
    return _first[0]


def locked(machine, reason):
    machine.start()
    report = report_of(machine, USER_SPACE_S)
    ensure((report.state, report.reason) == ("locked", reason), f"it is {report}")
    ensure(not {"recoveryKey", "secretKey"} & set(report.values), "it tells keys")
    return report


def unlocked_and_sealed_again(machine, report, first):
    """By the recovery key; a start later it opens by itself."""
    refused = ask(machine, report, "GET", f"/v1/data/notes/{first[2]}", key=first[1].values["secretKey"], verify=False)
    ensure(refused.status == 503, f"a locked box answers {refused.status}")
    done = ask(machine, report, "POST", "/v1/system/unlock", {"recoveryKey": first[1].values["recoveryKey"]}, verify=False)
    ensure(done.status == 200, f"unlock: {done.status} {done.body}")
    machine.expect(r'"event":"worker_ready","state":"operational"', DIRECT_S)
    ensure_row(machine, report, first)
    machine.cut()
    ensure_row(machine, operational(machine), first)
    machine.cut()


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
    other = lab.build("other", VERSION="0.0.9")
    esp(machine.disk, "mdel", f"::/{lab.kernel_image}")
    esp_put(machine.disk, other / "rowlock.efi", "EFI/Linux/rowlock-0.0.9.efi")
    esp_put(machine.disk, other / "policy", "EFI/Linux/rowlock-0.0.9.policy")
    write_at(machine.disk, partition(machine.disk, "root-a")[0], (other / "root.img").read_bytes())
    report = locked(machine, "image-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


def another_tpm_locks(lab):
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    shutil.rmtree(machine.tpm)
    report = locked(machine, "tpm-changed")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it, and the next start opened by itself"


if __name__ == "__main__":
    sys.exit(main([the_first_boot_provisions_and_the_second_unseals, secure_boot_off_locks, another_tpm_locks,
                   another_image_that_the_vendor_signed_locks]))
