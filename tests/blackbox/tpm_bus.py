# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a box and its TPM: commands of our own to a TPM, and a program that starts rowlock and writes down what crosses.

As a program (`tpm_bus.py serve ... --tcti swtpm:path=SOCKET ...`, see `record`) it becomes the rowlock named in the
file `program` beside it, and leaves a process between the two that appends everything to `bus`."""

import os
import pathlib
import socket
import struct
import sys
import threading

STARTUP_CLEAR = struct.pack(">HIIH", 0x8001, 12, 0x144, 0)
SHUTDOWN_CLEAR = struct.pack(">HIIH", 0x8001, 12, 0x145, 0)


def pcr_extend(pcr, digest):
    """TPM2_PCR_Extend of the SHA-256 bank, with the empty authorisation that PCRs have."""
    session = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
    body = struct.pack(">I", pcr) + struct.pack(">I", len(session)) + session + struct.pack(">IH", 1, 0x000B) + digest
    return struct.pack(">HII", 0x8002, 10 + len(body), 0x182) + body


def ask(path, *commands):
    """Sends commands to the TPM behind a socket; their response codes."""
    codes = []
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        for command in commands:
            wire.sendall(command)
            codes.append(struct.unpack(">I", wire.recv(4096)[6:10])[0])
    return codes


def record(box):
    """From its next start on, what crosses between the box and its TPM is appended to the file that this gives."""
    here = box.directory / "recorder"
    here.mkdir()
    (here / "program").write_text(os.path.abspath(box.program))
    box.program = str(here / "rowlock")
    source = pathlib.Path(__file__).read_text(encoding="utf-8")
    pathlib.Path(box.program).write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    os.chmod(box.program, 0o755)
    return here / "bus"


def _copy(source, target, recording, lock):
    while True:
        data = source.recv(65536)
        if not data:
            target.shutdown(socket.SHUT_RDWR)
            return
        with lock:
            recording.write(data)
            recording.flush()
        target.sendall(data)


def _serve(listener, real, recording, parent):
    listener.settimeout(0.2)
    while os.getppid() == parent:  # rowlock is another user's: its end would send no signal here
        try:
            near, _ = listener.accept()
        except socket.timeout:
            continue
        near.setblocking(True)
        far = socket.socket(socket.AF_UNIX)
        far.connect(real)
        lock = threading.Lock()
        for pair in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=(*pair, recording, lock), daemon=True).start()


def _main():
    here = pathlib.Path(__file__).parent
    arguments = sys.argv[1:]
    at = arguments.index("--tcti") + 1
    real = arguments[at].split("path=", 1)[1]
    near = pathlib.Path(real).parent / "recorded"  # where the keeper, another user's, finds it
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(near))
    near.chmod(0o666)
    listener.listen()
    arguments[at] = f"swtpm:path={near}"
    program = (here / "program").read_text()
    parent = os.getpid()
    if os.fork() == 0:
        for descriptor in (0, 1, 2):  # the box's readers wait for their end
            os.close(descriptor)
        with open(here / "bus", "ab") as recording:
            _serve(listener, real, recording, parent)
        os._exit(0)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    _main()
