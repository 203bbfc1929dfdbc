# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine for the image of a board: QEMU, the board's firmware, and a software TPM as its chip.

What the machine is made of stands in board/<name>/machine.conf. Its disk and the firmware's variables lie in one folder, the TPM's state
in another, and both are kept from start to start: together they are the box. The serial console is read by a thread from the first
byte on; `expect` waits for words on it. Ports of the box are forwarded from free ports of 127.0.0.1, which QEMU chooses.
Everything that is started here ends with this process, whatever ends it.
"""
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import enrol

HERE = Path(__file__).resolve().parent
ADMIN_NET, ADMIN_BOX, ADMIN_PORT = "192.168.77.0/24,host=192.168.77.2", "192.168.77.1", 9443  # see admin_address in board.c
PORTS = (443, 80)  # of the box: HTTPS, and HTTP that leads there
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?=]*[A-Za-z]|c|\([0-9A-Za-z])")
UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;?=]*|\()?$")
STARTED = "rowlock: version "  # of stage1: the kernel has reached user space
PROBE_S = 20
END_S = 20
SECURE_BOOT, NO_KEYS = "keys", "no keys"  # what the firmware's variables hold at first


class MachineError(Exception):
    """The machine did not do what was waited for; says what it printed last."""


def words_of(path):
    """The lines NAME=value of a table."""
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)


class Qmp:
    """QEMU's own control channel."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(END_S)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("r", encoding="utf-8")
        self.stream.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self.stream:
            answer = json.loads(line)
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise MachineError(f"{command}: QEMU has ended")

    def quit(self):
        try:
            self.ask("quit")
        except (OSError, ValueError, MachineError):
            pass  # it has ended already
        self.stream.close()
        self.socket.close()


class Console:
    """What the machine has printed so far, without the escape sequences of firmware; `at` is how far `expect` has come."""

    def __init__(self, stream, on_line=None):
        self.text, self.at, self.has_ended = "", 0, False
        self.changed = threading.Condition()
        self.on_line = on_line
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        rest, line = b"", ""
        while True:
            chunk = os.read(stream.fileno(), 65536)
            rest += chunk
            held = UNFINISHED.search(rest) if chunk else None
            taken = rest[:held.start()] if held else rest
            rest = rest[len(taken):]
            text = ESCAPES.sub(b"", taken).decode("utf-8", "replace").replace("\r", "")
            with self.changed:
                self.text += text
                self.has_ended = not chunk
                self.changed.notify_all()
            *lines, line = (line + text).split("\n")
            self._tell(lines + ([line] if not chunk and line else []))
            if not chunk:
                return

    def _tell(self, lines):
        try:
            for line in lines if self.on_line else []:
                self.on_line(line)
        except OSError:  # nobody reads any more; the machine goes on
            self.on_line = None

    def expect(self, pattern, seconds):
        """The match of the first text after the one found before; MachineError when it does not come in time."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                match = re.compile(pattern, re.M).search(self.text, self.at)
                if match:
                    self.at = match.end()
                    return match
                left = end - time.monotonic()
                if self.has_ended or left <= 0:
                    why = "the machine ended" if self.has_ended else f"not within {seconds} s"
                    raise MachineError(f"{pattern!r}: {why}; last printed:\n{self.text[self.at:][-3000:]}")
                self.changed.wait(left)

    def find(self, pattern):
        """The first match in all of it, or None."""
        with self.changed:
            return re.search(pattern, self.text, re.M)


class Machine:
    """One machine of a board. data: folder of disk.img and variables.fd; tpm: folder of the TPM's state."""

    def __init__(self, board, image, data, tpm=None):
        self.table = words_of(HERE.parent / board / "machine.conf")
        self.image, self.data = Path(image), Path(data)
        self.tpm = Path(tpm or f"{data}.tpm")
        self.disk, self.variables = self.data / "disk.img", self.data / "variables.fd"
        self.runtime = self.lock = self.swtpm = self.qemu = self.qmp = self.console = None
        self.ports = {}
        self.has_admin = False  # a second network card, that of the administrator

    # --- what is kept ---

    def is_new(self):
        return not self.disk.exists()

    def make(self, keys):
        """A box as it leaves the factory: the disk of the image, and firmware that knows the vendor's keys (keys: their folder),
        or none and so has Secure Boot off (keys: None)."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.set_keys(keys)
        copy_sparse(self.image / "disk.img", self.data / "disk.new")
        os.replace(self.data / "disk.new", self.disk)

    def set_keys(self, keys, forbidden=()):
        """forbidden: hashes of programs, for dbx."""
        store = bytearray(Path(self.table["MACHINE_VARIABLES"]).read_bytes())
        enrol.empty(store)
        if keys is not None:
            enrol.enrol(store, keys, forbidden)
        self.variables.write_bytes(store)

    def forget(self):
        """Removes the disk, the variables and the TPM."""
        for folder in (self.data, self.tpm):
            shutil.rmtree(folder, ignore_errors=True)

    # --- life ---

    def start(self, direct=False, cmdline=None, accelerator="tcg", restarts=False, ports=(0, 0), on_line=None):
        """direct: the kernel is handed over by QEMU, with the image's command line or another one, and nothing is measured.
        restarts: a machine that starts again goes on; without, QEMU ends. ports: of 127.0.0.1, 0 for a free one."""
        self._hold()
        try:
            self._start_tpm()
            forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in zip(ports, PORTS))
            self._start_qemu([
                *self._boot_words(direct, cmdline), *([] if restarts else ["-no-reboot"]), "-accel", accelerator,
                "-cpu", "host" if accelerator == "kvm" else self.table["MACHINE_CPU"],
                "-drive", f"file={self.drive()},format=raw,if=none,id=disk", "-device", self.table["MACHINE_DISK"] + ",drive=disk",
                "-chardev", f"socket,id=tpm,path={self.runtime}/tpm", "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", self.table["MACHINE_TPM"] + ",tpmdev=tpm", *self.table["MACHINE_MORE"].split(),
                "-netdev", "user,id=net" + forwards, "-device", self.table["MACHINE_NET"] + ",netdev=net,romfile=",
                *(["-netdev", f"user,id=admin,net={ADMIN_NET},hostfwd=tcp:127.0.0.1:0-{ADMIN_BOX}:{ADMIN_PORT}",
                   "-device", self.table["MACHINE_NET"] + ",netdev=admin,romfile="] if self.has_admin else []),
            ], on_line)
            self._connect()
            self.ports.update(self._forwarded())
            self.qmp.ask("cont")
        except BaseException:
            self.stop()
            raise
        return self

    def drive(self):
        """Where QEMU finds the disk. Tests have others."""
        return str(self.disk)

    def _hold(self):
        """A disk is for one machine."""
        if self.lock is not None:
            raise MachineError("the machine runs already")
        self.lock = open(self.data / "lock", "w", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.lock.close()
            self.lock = None
            raise MachineError(f"another machine uses {self.data}") from None
        self.runtime = Path(tempfile.mkdtemp(prefix="rowlock-qemu-"))  # sockets want a short path

    def _boot_words(self, direct, cmdline):
        if direct:
            line = cmdline or (self.image / "cmdline").read_text()
            return ["-machine", self.table["MACHINE_TYPE"], "-kernel", str(self.image / "vmlinuz"),
                    "-initrd", str(self.image / "initramfs.cpio"), "-append", line]
        return ["-machine", self.table["MACHINE_FIRMWARE_TYPE"], *self.table["MACHINE_FIRMWARE_OPTIONS"].split(),
                "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={self.table['MACHINE_FIRMWARE']}",
                "-drive", f"if=pflash,format=raw,unit=1,file={self.variables}"]

    def _spawn(self, words, name, **how):
        # In sessions of their own: Ctrl-C is for who started this, who then ends them in order. setpriv: they never outlive it.
        with open(self._errors_of(name), "wb") as errors:
            return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], stderr=errors, start_new_session=True, **how)

    def _errors_of(self, name):
        return self.runtime / f"{name}.errors"

    def _make_tpm(self):
        """One bank of PCRs, as a box uses it: into each bank that is there the firmware hashes all that it measures once more."""
        self.tpm.mkdir(mode=0o700, parents=True)
        done = subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", str(self.tpm), "--pcr-banks", "sha256"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(self.tpm)
            raise MachineError(f"swtpm_setup: {done.stdout.strip()}")

    def _start_tpm(self):
        if not self.tpm.exists():
            self._make_tpm()
        control = self.runtime / "tpm"
        self.swtpm = self._spawn(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.tpm},mode=0600", "--ctrl",
                                  f"type=unixio,path={control},mode=0600", "--terminate"], "swtpm",
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._wait(control.exists, self.swtpm, "swtpm")

    def _start_qemu(self, words, on_line):
        self.qemu = self._spawn([self.table["MACHINE_QEMU"], "-nodefaults", "-display", "none", "-m", self.table["MACHINE_MIB"],
                                 "-smp", self.table["MACHINE_CPUS"], "-serial", "stdio", "-S",
                                 "-qmp", f"unix:{self.runtime}/qmp,server=on,wait=off", *words], "qemu",
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.console = Console(self.qemu.stdout, on_line)

    def _connect(self):
        """Its socket is there a moment before anybody listens, and also when it ends at once: there is no KVM for this processor."""
        self._wait((self.runtime / "qmp").exists, self.qemu, "qemu")
        self._wait(self._reaches_qmp, self.qemu, "qemu")

    def _reaches_qmp(self):
        try:
            self.qmp = Qmp(self.runtime / "qmp")
        except OSError:
            return False
        return True

    def _wait(self, condition, process, name):
        end = time.monotonic() + END_S
        while not condition():
            if process.poll() is not None or time.monotonic() > end:
                raise MachineError(f"{name} does not start: {self._errors_of(name).read_text().strip()}")
            time.sleep(0.02)

    def _forwarded(self):
        """{port of the box: port of this machine}"""
        told = self.qmp.ask("human-monitor-command", **{"command-line": "info usernet"})
        found = re.findall(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)", told)
        return {int(there): int(here) for here, there in found}

    def expect(self, pattern, seconds):
        return self.console.expect(pattern, seconds)

    def type(self, text):
        """On the serial console, where an image for debugging has a shell."""
        os.write(self.qemu.stdin.fileno(), text.encode("ascii"))

    def wait_end(self, seconds):
        """Until the machine ends by itself."""
        try:
            self.qemu.wait(seconds)
        except subprocess.TimeoutExpired:
            raise MachineError(f"still running after {seconds} s; last printed:\n{self.console.text[-3000:]}") from None
        self.stop()

    def press_power_button(self):
        self.qmp.ask("system_powerdown")

    def cut(self):
        """The mains plug: QEMU is killed, and with it the TPM. What the box has written is on its disk, and nothing else."""
        self.qemu.kill()
        self.stop()

    def stop(self):
        """Ends QEMU, which to the box is the mains switch, and then the TPM."""
        if self.qmp is not None:
            self.qmp.quit()
        for process in (self.qemu, self.swtpm):
            if process is not None:
                self._end(process)
        if self.qemu is not None:
            self.console.thread.join(END_S)
            self.qemu.stdout.close()
            self.qemu.stdin.close()
        if self.runtime is not None:
            shutil.rmtree(self.runtime)
        if self.lock is not None:
            self.lock.close()
        self.runtime = self.lock = self.swtpm = self.qemu = self.qmp = None

    def _end(self, process):
        """QEMU was told to quit, and the TPM ends with it; a start that failed may have left either."""
        try:
            process.wait(END_S if self.qmp is not None else 0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def boots_with_kvm(board, image):
    """Does the kernel of the image reach user space with KVM? A /dev/kvm that exists may hang it."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory(prefix="rowlock-kvm-") as folder:
        machine = Machine(board, image, folder, Path(folder, "tpm"))
        machine.disk.write_bytes(bytes(1 << 20))
        try:
            machine.start(direct=True, accelerator="kvm")
            machine.expect(re.escape(STARTED), PROBE_S)
            return True
        except MachineError:
            return False
        finally:
            machine.stop()


def accelerator_of(board, image, remembered):
    """`kvm` or `tcg`. The answer is kept in the file `remembered` until this machine starts again."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if remembered.exists() and remembered.read_text().split()[:1] == [boot]:
        return remembered.read_text().split()[1]
    found = "kvm" if boots_with_kvm(board, image) else "tcg"
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(f"{boot} {found}\n")
    return found
