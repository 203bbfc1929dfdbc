#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates as an owner installs them, over the API: one that proves itself, those that do not, and those that come from behind."""
import re
import subprocess
import sys
from pathlib import Path

from boxes import NEXT, Owner, ensure_row, first_box, locked, next_image, operational, unlocked, unlocked_and_sealed_again
from lab import DIRECT_S, TOOLS, USER_SPACE_S, ask, copy_sparse, ensure, esp, esp_put, main, report_of, seen

_kept = []  # the box that runs NEXT


def wrong_root_update(lab):
    """The vendor signed all of it, and the parts do not belong together: the root is that of the image that runs."""
    image, out = next_image(lab), lab.place("update")
    subprocess.run([TOOLS / "update.py", "--key", lab.keys / "update.key", "--board", lab.board, "--version", NEXT, "--security", "2",
                    "--uki", image / "rowlock.efi", "--root", lab.image / "root.img", "--policy", image / "policy", "--out", out], check=True)
    return out


def blind_image(lab):
    """Of a program that does not find the kernel's target for the tags of the data volume, by another word in it."""
    program = Path(lab.given["PROGRAM"]).read_bytes()
    word = b"\0integrity\0"
    ensure(program.count(word) == 1, f"the word is there {program.count(word)} times")
    changed = lab.place("rowlock")
    changed.write_bytes(program.replace(word, b"\0integritY\0"))
    return lab.build("blind", VERSION=NEXT, PROGRAM=str(changed))


def installed(machine, file, **how):
    """Starts it and has the update installed: what follows is on the console."""
    report = operational(machine, **how)
    owner = Owner(machine, report)
    owner.send(file)
    owner.install()
    owner.close()
    machine.expect(r'"event":"update_installed"', DIRECT_S)


def updated_box(lab):
    """A box that runs NEXT, blessed, with the minimum raised; stopped."""
    if not _kept:
        first = first_box(lab)
        machine = lab.copy_of(first[0])
        lab.machines.remove(machine)
        lab.kept.append(machine)
        installed(machine, (next_image(lab) / "rowlock.update").read_bytes(), restarts=True)
        machine.expect(rf"rowlock: version {re.escape(NEXT)} starts", USER_SPACE_S)
        machine.expect(r'"event":"slots","version":"[^"]*","image":"on trial"', USER_SPACE_S)
        report = report_of(machine, USER_SPACE_S)
        ensure(report.state == "operational", f"on trial it is {report}")
        seen(machine, rf'"process":"updater","event":"image_blessed","version":"{re.escape(NEXT)}"', DIRECT_S)
        seen(machine, r'"event":"minimum_version","security":2', DIRECT_S)
        ensure_row(machine, report, first)
        machine.cut()
        _kept.append(machine)
    return _kept[0]


def an_update_over_the_api_is_tried_and_blessed(lab):
    updated = updated_box(lab)
    names = esp(updated.disk, "mdir", "-b", "::/EFI/Linux").split()
    ensure(f"::/EFI/Linux/rowlock-{NEXT}.efi" in names, f"the ESP has {names}")
    machine = lab.copy_of(updated)
    report = operational(machine)
    ensure(machine.console.find(rf'"event":"slots","version":"{re.escape(NEXT)}","image":"blessed"'), "it is on trial again")
    slot = machine.console.find(r"root file system in (root-.)").group(1)
    ensure(slot == "root-b", f"it runs from {slot}")
    owner = Owner(machine, report)
    told = [ask(machine, report, "GET", "/v1/system/state").body["version"], owner.ask("GET", "/v1/system/version")[1]["version"],
            owner.ask("GET", "/v1/admin/updates")[1]["running"]]
    owner.close()
    ensure(told == [NEXT] * 3, f"it says it is {told}")
    ensure_row(machine, report, first_box(lab))
    return f"version {NEXT} was tried, answered from its rows, and was blessed; after a power cut it runs from {slot}, the row is there"


def what_is_older_or_not_the_vendors_is_refused(lab):
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    owner = Owner(machine, operational(machine))
    older = lab.build("older", VERSION="0.0.9") / "rowlock.update"
    owner.begin()
    said = owner.piece(older.read_bytes(), 0)
    ensure(said[0] == 409 and "not newer" in said[1]["error"]["message"], f"the older one: {said}")
    file = bytearray((next_image(lab) / "rowlock.update").read_bytes())
    file[-1] ^= 1
    owner.begin()
    answers = [owner.piece(bytes(file), at) for at in range(0, len(file), 1 << 20)]
    ensure([status for status, _ in answers[:-1]] == [200] * (len(answers) - 1) and answers[-1][0] == 400, f"one bit: {answers}")
    status, body = owner.ask("POST", "/v1/admin/updates/install", {})
    ensure(status == 409, f"it is installed all the same: {status} {body}")
    owner.close()
    machine.cut()
    ensure_row(machine, operational(machine), first)
    return f"older: {said[0]}, {said[1]['error']['message']}; one bit: {answers[-1][0]}, {answers[-1][1]['error']['message']}; " \
           "the box starts as before"


def a_disk_of_before_the_update_is_locked(lab):
    """All of it is genuine, and it knows of no later version: only the TPM does. Who has the recovery key may go back to it."""
    first = first_box(lab)
    machine = lab.copy_of(updated_box(lab))
    copy_sparse(first[0].disk, machine.disk)
    report = locked(machine, "version-revoked")
    unlocked_and_sealed_again(machine, report, first)
    return f"{report}; the recovery key opened it"


def the_image_before_is_locked_once_the_minimum_is_raised(lab):
    """It is in its slot as it was, whole and signed, and somebody tells the boot loader to start it."""
    first = first_box(lab)
    machine = lab.copy_of(updated_box(lab))
    words, old = lab.place("loader.conf"), f"rowlock-{lab.version}.efi"
    esp(machine.disk, "mcopy", "::/loader/loader.conf", str(words))
    ensure(f"::/EFI/Linux/{old}" in esp(machine.disk, "mdir", "-b", "::/EFI/Linux").split(), "it is there no more")
    told = lab.place("loader.conf")
    told.write_text(f"default {old}\n{words.read_text()}")
    esp_put(machine.disk, told, "loader/loader.conf")
    report = locked(machine, "version-revoked")
    ensure(machine.console.find(rf"rowlock: version {re.escape(lab.version)} starts"), "another one was started")
    unlocked(machine, report, first)
    machine.cut()
    again = locked(machine, "version-revoked")
    machine.cut()
    esp_put(machine.disk, words, "loader/loader.conf")
    ensure_row(machine, operational(machine), first)
    ensure(machine.console.find(rf"rowlock: version {re.escape(NEXT)} starts"), "the new one was not started")
    return f"version {lab.version} from its slot: {report}; the recovery key opened it for that start only: {again}; {NEXT} opens by itself"


def given_up(machine, first, version):
    """The image before runs again and says what became of the other one."""
    report = report_of(machine, USER_SPACE_S)
    ensure(report.state == "operational", f"it is {report}")
    said = machine.console.find(rf'"event":"image_given_up","version":"{re.escape(version)}","tries":(\d)')
    ensure(said, "nothing is said of the image that was given up")
    ensure_row(machine, report, first)
    return int(said.group(1))


def tried_in_vain(lab, file, reason):
    """The update is installed, tried three times, each of which prints the reason, and given up."""
    first = first_box(lab)
    machine = lab.copy_of(first[0])
    installed(machine, file, restarts=True)
    for _ in range(3):
        machine.expect(rf"rowlock: version {re.escape(NEXT)} starts", USER_SPACE_S)
        said = machine.expect(reason, USER_SPACE_S).group()
    machine.expect(rf"rowlock: version {re.escape(lab.version)} starts", USER_SPACE_S)
    tries = given_up(machine, first, NEXT)
    return f"{tries} times: {said}; then version {lab.version} again, the row is there"


def an_image_that_does_not_start_is_given_up(lab):
    """Its root is not the one that its command line names; stage1 ends before there is anybody to test anything."""
    return tried_in_vain(lab, wrong_root_update(lab).read_bytes(), "neither slot holds the root that the command line names")


def an_image_that_fails_its_test_is_given_up(lab):
    file = (blind_image(lab) / "rowlock.update").read_bytes()
    return tried_in_vain(lab, file, r'"event":"trial_failed",.*"state":"failed","reason":"storage-damaged"')


if __name__ == "__main__":
    sys.exit(main([an_update_over_the_api_is_tried_and_blessed, what_is_older_or_not_the_vendors_is_refused,
                   the_image_before_is_locked_once_the_minimum_is_raised, an_image_that_fails_its_test_is_given_up],
                  [a_disk_of_before_the_update_is_locked, an_image_that_does_not_start_is_given_up]))
