#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the appliance of a board in QEMU, with a software TPM as its chip: board/<name>/run.

The box prints its report on the serial console. What it says there comes to standard error, and the report to standard output, with
the address that the box has on this machine and with the file that its CA certificate was written to. The disk and the TPM's state are
kept, so the next start is the same box's. Ctrl-C, SIGTERM and SIGHUP are the power button: the box ends in order. If that takes too
long, or at a second one, they are the mains switch: what the box has answered is on its disk.
"""
import argparse
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from machine import Machine, MachineError, accelerator_of

ROOT = Path(__file__).resolve().parents[2]
HEADING = "Rowlock is "
PAIR = re.compile(r"^  (url|administrator|CA file|project|environment|publishable key|secret key|recovery key|setup code) {2,}(\S.*)$", re.M)
NAMES = {"url": "url", "administrator": "adminUrl", "CA file": "caFile", "project": "projectId", "environment": "environment",
         "publishable key": "publishableKey", "secret key": "secretKey", "recovery key": "recoveryKey", "setup code": "setupCode"}
ALWAYS = ("url", "caFile", "projectId", "environment")  # null where there is none
POWER_OFF_S = 20  # an emulated box takes a second
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def values_of(report):
    """The values of a report, by their names in JSON."""
    return {NAMES[name]: value for name, value in PAIR.findall(report)}


class Printer:
    """Sorts the lines of the console. A report goes from its heading to the end of the CA certificate that follows it."""

    def __init__(self, ports, ca_file, as_json):
        self.ports, self.ca_file, self.as_json = ports, ca_file, as_json
        self.report = None  # its lines so far

    def line(self, line):
        if line.startswith("{"):
            if self.report is not None:  # one of a box that has no certificate yet
                self._tell()
            self._log(line)
        elif line.startswith(HEADING):
            self.report = [line]
        elif self.report is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self.report.append(line)
            if line == END:
                self._tell()

    def _log(self, line):
        """Ports are those of this machine, here as in the report."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {}
        if isinstance(entry, dict) and entry.get("event") == "listening":
            entry.update(port=self.ports[443], plain_port=self.ports[80])
            line = json.dumps(entry, separators=(",", ":"))
        print(line, file=sys.stderr, flush=True)

    def _tell(self):
        lines, self.report = self.report, None
        begin = lines.index(BEGIN) if BEGIN in lines else len(lines)
        if BEGIN in lines:
            self.ca_file.write_text("\n".join(lines[begin:]) + "\n", encoding="ascii")
        text = "\n".join(line for line in lines[:begin] if "CA certificate" not in line).strip()
        values = values_of(text)
        here = {"url": f"https://localhost:{self.ports[443]}", "caFile": str(self.ca_file)}
        for name, value in here.items():
            text = text.replace(values.get(name, "\0"), value)
        if self.as_json:
            print(json.dumps({**dict.fromkeys(ALWAYS), **values, **here}), flush=True)
        else:
            print(f"\n{text}\n", flush=True)


def options_of(words):
    board = words[0]
    build = ROOT / "build" / board
    parser = argparse.ArgumentParser(prog=f"board/{board}/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, default=build / "image", help="folder that `make image` has made")
    parser.add_argument("--keys", type=Path, default=ROOT / "board/keys/qemu", help="whose images the firmware of a new box starts")
    parser.add_argument("--data", type=Path, help="folder of the disk and the firmware's variables")
    parser.add_argument("--tpm-state", type=Path, help="folder of the TPM's state")
    parser.add_argument("--port", type=int, default=8443, help="of 127.0.0.1, for HTTPS; 0: a free one")
    parser.add_argument("--http-port", type=int, default=0, help="the same for HTTP")
    parser.add_argument("--json", action="store_true", help="one line for the report")
    parser.add_argument("--direct", action="store_true", help="without firmware, which measures nothing but is quicker")
    parser.add_argument("--new", action="store_true", help="forget the box that was kept there")
    options = parser.parse_args(words[1:])
    options.board, options.build = board, build
    options.data = options.data or build / "data"
    return options


def say(text):
    print(f"qemu: {text}", file=sys.stderr, flush=True)


def prepare(machine, options):
    """A box that is kept goes on from its own disk, whatever was built since."""
    line, kept = options.image / "cmdline", options.data / "cmdline"
    if not line.exists():
        raise MachineError(f"{options.image} holds no image: make image BOARD={options.board}")
    if options.new:
        machine.forget()
    if machine.is_new():
        say(f"a new box in {options.data}")
        options.data.mkdir(parents=True, exist_ok=True)
        kept.write_text(line.read_text())
        machine.make(options.keys)
    elif kept.read_text() != line.read_text():
        if options.direct:
            raise MachineError(f"the box in {options.data} has another image than {options.image}: without --direct, or with --new")
        say(f"the box in {options.data} has another image than the one that was built: `rowlock update` it, or --new")


def at_end(act):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, act)


def interrupt(*_):
    raise KeyboardInterrupt


def interrupt_once(*_):
    at_end(signal.SIG_IGN)
    interrupt()


def run(options):
    machine = Machine(options.board, options.image, options.data.absolute(), options.tpm_state)
    prepare(machine, options)
    accelerator = accelerator_of(options.board, options.image, options.build / "accelerator")
    printer = Printer(machine.ports, options.data.absolute() / "ca.pem", options.json)
    machine.start(direct=options.direct, accelerator=accelerator, restarts=True, ports=(options.port, options.http_port),
                  on_line=printer.line)
    say(f"{accelerator}; port {machine.ports[443]} of 127.0.0.1 leads to the box; its console:")
    try:
        at_end(interrupt)
        return machine.qemu.wait()
    except KeyboardInterrupt:
        return press_power_button(machine)
    finally:
        at_end(signal.SIG_IGN)
        machine.stop()


def press_power_button(machine):
    say("power button")
    machine.press_power_button()
    try:
        return machine.qemu.wait(POWER_OFF_S)
    except subprocess.TimeoutExpired:
        say(f"it runs {POWER_OFF_S} s later: power cut")
    except KeyboardInterrupt:
        say("power cut")
    return 0


def main(words):
    options = options_of(words)
    at_end(interrupt_once)
    try:
        return run(options)
    except KeyboardInterrupt:
        return 0
    except (MachineError, OSError) as why:
        say(why)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
