# SPDX-License-Identifier: GPL-3.0-or-later
"""What boot tests share: machines, disks to tamper with, images to be signed by somebody, and TAP that says what was seen.

A program of tests is started as tests/boot/<name>.py <what build.sh was given> <image that it made of it> <folder for trials>, and calls
main() with its tests in order. A test takes the Lab, returns the words of what it saw, and fails by an exception. Machines are never
shared, ports are free ones, folders are the program's own: programs may run side by side. Images and the box that others are copied from
are made once in a run of several programs, which share the folder ROWLOCK_RUN.
"""
import fcntl
import http.client
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
TOOLS = TREE / "board/image"
sys.path.insert(0, str(TOOLS))
sys.dont_write_bytecode = True

import authenticode  # noqa: E402
import pe  # noqa: E402
from cryptography import x509  # noqa: E402
from machine import Machine, MachineError, copy_sparse  # noqa: E402
from qemu import BEGIN, END, values_of  # noqa: E402
from volatile_disk import VolatileDisk  # noqa: E402

MAKE_WORDS = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")  # those of the make that runs this
SECTOR = 512
# An emulated machine on a busy one: generous, and only ever waited for in full by a failure.
USER_SPACE_S = 300
DIRECT_S = 120
LOADER = "EFI/BOOT/BOOTX64.EFI"
ROOT_CHECKED = "every block is checked"


class Failed(Exception):
    """The box did something else."""


def ensure(condition, why):
    if not condition:
        raise Failed(why)


# --- disks ----------------------------------------------------------------------------------------------------------------

def partition(disk, label):
    """(offset, bytes). Spec: UEFI 2.10 section 5.3."""
    with open(disk, "rb") as file:
        file.seek(SECTOR)
        header = file.read(SECTOR)
        file.seek(int.from_bytes(header[72:80], "little") * SECTOR)
        entries, size = (int.from_bytes(header[at:at + 4], "little") for at in (80, 84))
        for _ in range(entries):
            entry = file.read(size)
            if entry[56:128].decode("utf-16-le").rstrip("\0") == label:
                first, last = (int.from_bytes(entry[at:at + 8], "little") for at in (32, 40))
                return first * SECTOR, (last - first + 1) * SECTOR
    raise Failed(f"no partition {label}")


def read_at(disk, offset, count):
    with open(disk, "rb") as file:
        file.seek(offset)
        return file.read(count)


def write_at(disk, offset, data):
    with open(disk, "r+b") as file:
        file.seek(offset)
        file.write(data)


def flip_bit(disk, offset):
    write_at(disk, offset, bytes([read_at(disk, offset, 1)[0] ^ 1]))


def esp(disk, tool, *words):
    offset, _ = partition(disk, "esp")
    done = subprocess.run([tool, "-i", f"{disk}@@{offset}", *words], capture_output=True, text=True, check=False)
    ensure(done.returncode == 0, f"{tool} {words}: {done.stderr}")
    return done.stdout


def esp_put(disk, source, name):
    esp(disk, "mcopy", "-o", str(source), f"::/{name}")


class CutMachine(Machine):
    """One whose disk loses at a cut what was not flushed: volatile_disk.py."""
    seed = 0
    server = None

    def drive(self):
        address = self.runtime / "disk"
        self.server = VolatileDisk(self.disk, address, self.seed)
        return f"nbd+unix:///?socket={address}"

    def stop(self):
        super().stop()
        if self.server is not None:
            self.last, self.server = self.server, None
            self.last.join(DIRECT_S)


# --- signatures -----------------------------------------------------------------------------------------------------------

def unsigned(program, out):
    image = pe.Image(program)
    image.unsign()
    Path(out).write_bytes(image.data)
    return out


def signed(program, keys, out):
    image = pe.Image(program)
    authenticode.sign(image, str(Path(keys, "db.key")), x509.load_pem_x509_certificate(Path(keys, "db.crt").read_bytes()))
    Path(out).write_bytes(image.data)
    return out


# --- boxes ----------------------------------------------------------------------------------------------------------------

REPORT = re.compile(r"^Rowlock is (?P<state>[a-z]+)(?:: (?P<reason>[a-z-]+))?\n", re.M)


class Report:
    """What a box says on its console when it answers: state, reason (None where there is none), values, and its CA."""

    def __init__(self, text):
        heading = REPORT.match(text)
        self.text, self.values, self.ca = text, values_of(text), text[text.index(BEGIN):]
        self.state, self.reason = heading["state"], heading["reason"]

    def __str__(self):
        return f"{self.state}: {self.reason}" if self.reason else self.state


def report_of(machine, seconds):
    heading = machine.expect(REPORT.pattern, seconds)
    machine.expect(END, DIRECT_S)
    return Report(machine.console.text[heading.start():machine.console.at])


def seen(machine, pattern, seconds):
    """Waits for it, wherever on the console it stands; what is expected next is not moved."""
    at, machine.console.at = machine.console.at, 0
    try:
        return machine.expect(pattern, seconds)
    finally:
        machine.console.at = at


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body


def connected(machine, context, port=443):
    """A connection, before anything is asked. The box has its address from DHCP, a moment after it is ready."""
    end = time.monotonic() + DIRECT_S
    while True:
        connection = http.client.HTTPSConnection("localhost", machine.ports[port], timeout=DIRECT_S, context=context)
        try:
            connection.connect()
            return connection
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


class Connection:
    """To the server of this CA and no other, and with this key; a locked box has a certificate of the moment."""

    def __init__(self, machine, report, key=None, verify=True, port=443):
        context = ssl.create_default_context(cadata=report.ca) if verify else ssl._create_unverified_context()
        self.headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}
        self.connection = connected(machine, context, port)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        return Answer(response.status, json.loads(response.read() or b"null"))

    def close(self):
        self.connection.close()


def ask(machine, report, method, path, body=None, key=None, verify=True, port=443):
    """One request over the forwarded port."""
    connection = Connection(machine, report, key, verify, port)
    try:
        return connection.ask(method, path, body)
    finally:
        connection.close()


class Lab:
    def __init__(self, given, image, trials):
        self.given = dict(word.split("=", 1) for word in shlex.split(Path(given).read_text()))
        self.board, self.version = self.given["BOARD"], self.given["VERSION"]
        self.image = Path(image).resolve()
        self.keys = (TREE / self.given["KEYS"]).resolve()
        trials = Path(trials).resolve()
        trials.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="boot-", dir=trials))
        self.kernel_image = f"EFI/Linux/rowlock-{self.version}.efi"
        self.count = 0
        self.machines, self.kept = [], []
        self._strangers = None

    def place(self, name):
        self.count += 1
        return self.folder / f"{self.count}-{name}"

    def machine(self, keys="vendor", kept=False, image=None):
        """A new box. keys: "vendor", or None for Secure Boot off. kept: also after the test, for others to copy. image: another one than
        the one that is tested."""
        made = self.box_in(self.place("box"), image)
        made.make(self.keys if keys == "vendor" else keys)
        (self.kept if kept else self.machines).append(made)
        return made

    def box_in(self, folder, image=None):
        return Machine(self.board, image or self.image, folder)

    def copy_of(self, machine, kind=Machine):
        """The same box once more, of one that is stopped: disk, variables and the TPM's state."""
        made = kind(self.board, self.image, self.place("copy"))
        made.data.mkdir()
        copy_sparse(machine.disk, made.disk)
        shutil.copy(machine.variables, made.variables)
        shutil.copytree(machine.tpm, made.tpm)
        self.machines.append(made)
        return made

    def shared(self, name, make):
        """What make(folder) has put into a folder that the programs of one run share; the first that asks for it makes it."""
        run = Path(os.environ.get("ROWLOCK_RUN") or self.folder)
        folder, done = run / name, run / f"{name}.done"
        with open(run / f"{name}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                make(folder)
                done.touch()
        return folder

    def strangers(self):
        """A folder of keys that the box does not know."""
        if self._strangers is None:
            self._strangers = self.place("strangers")
            subprocess.run([str(TOOLS / "keys.sh"), str(self._strangers)], check=True, stdout=subprocess.DEVNULL)
        return self._strangers

    def build(self, name, **changed):
        """Another image of the same program: VERSION, CONFIG_H and the like as build.sh takes them. The name says which."""
        return self.shared(name, lambda folder: self._build(folder, changed))

    def _build(self, out, changed):
        environment = {name: value for name, value in os.environ.items() if name not in MAKE_WORDS}
        done = subprocess.run([str(TOOLS / "build.sh"), str(out)], cwd=TREE, env={**environment, **self.given, **changed},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        ensure(done.returncode == 0, f"build.sh: {done.stdout[-2000:]}")

    def keep_consoles(self):
        """What the boxes of a test that failed have printed; their paths."""
        for machine in self.machines + self.kept:
            if machine.console is not None:
                path = Path(f"{machine.data}.console")
                path.write_text(machine.console.text)
                yield path

    def clear(self):
        """Ends what a test has left running, and removes its boxes."""
        for machine in self.machines + self.kept:
            machine.stop()
        for machine in self.machines:
            machine.forget()
        self.machines = []


def main(tests, long=()):
    """Runs them; the exit status. long: those that BOOT_LONG=1 or their name asks for."""
    lab = Lab(*sys.argv[1:4])
    only = sys.argv[4:]
    os.nice(10)
    failures = 0
    everything = [*tests, *long]
    taken = [test for test in everything if not only or test.__name__ in only]
    left_out = [] if only or os.environ.get("BOOT_LONG") == "1" else taken[len(tests):]
    taken = taken[:len(taken) - len(left_out)]
    for number, test in enumerate(taken, 1):
        name, began = test.__name__.replace("_", " "), time.monotonic()
        try:
            saw = test(lab)
            print(f"ok {number} - {name}: {saw} ({time.monotonic() - began:.0f} s)", flush=True)
        except Exception:
            failures += 1
            print(f"not ok {number} - {name}", flush=True)
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
            print("".join(f"# console: {path}\n" for path in lab.keep_consoles()), end="", flush=True)
        finally:
            lab.clear()
    for number, test in enumerate(left_out, len(taken) + 1):
        print(f"ok {number} - {test.__name__.replace('_', ' ')} # SKIP only with BOOT_LONG=1, as in make check-all")
    print(f"1..{len(taken) + len(left_out)}")
    if not failures:
        shutil.rmtree(lab.folder)
    return 1 if failures else 0
