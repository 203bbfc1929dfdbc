# SPDX-License-Identifier: GPL-3.0-or-later
"""The TPM of a box that is off, in the hands of somebody who sends it commands of his own, before any firmware has spoken to it: so the
platform's authorisation is the empty one that each start gives it. Spec: TPM 2.0 Part 2 and 3; only what the tests need."""
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

OWNER, PLATFORM, PASSWORD = 0x40000001, 0x4000000C, 0x40000009
NO_SESSIONS, SESSIONS = 0x8001, 0x8002
STARTUP, SHUTDOWN, NV_UNDEFINE, NV_DEFINE, NV_INCREMENT, NV_READ_PUBLIC = 0x144, 0x145, 0x122, 0x12A, 0x134, 0x169
SHA256 = 0x000B
OK = 0
# Attributes of an index. Spec: Part 2, 13.4.
PLATFORM_WRITE, PLATFORM_CREATE, WRITTEN = 1 << 0, 1 << 30, 1 << 29
START_S = 20


class BareTpm:
    """with BareTpm(machine.tpm) as tpm: the state in that folder is its own. Each command answers its response code."""

    def __init__(self, state):
        self.state = state

    def __enter__(self):
        self.runtime = tempfile.TemporaryDirectory(prefix="rowlock-tpm-")  # sockets want a short path
        path = Path(self.runtime.name, "tpm")
        self.swtpm = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}",
                                       "--server", f"type=unixio,path={path}", "--flags", "not-need-init"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL)
        end = time.monotonic() + START_S
        while not path.exists():
            if self.swtpm.poll() is not None or time.monotonic() > end:
                raise RuntimeError("swtpm does not start")
            time.sleep(0.02)
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(str(path))
        self._need(self._command(NO_SESSIONS, STARTUP, struct.pack(">H", 0)))
        return self

    def __exit__(self, *_):
        try:
            self._need(self._command(NO_SESSIONS, SHUTDOWN, struct.pack(">H", 0)))
        finally:
            self.swtpm.kill()  # what it has answered is in its state
            self.swtpm.wait()
            self.wire.close()
            self.runtime.cleanup()

    @staticmethod
    def _need(answer):
        if answer[0] != OK:
            raise RuntimeError(f"the TPM answers {answer[0]:#x}")
        return answer[1]

    def _command(self, tag, code, rest):
        self.wire.sendall(struct.pack(">HII", tag, 10 + len(rest), code) + rest)
        answer = self.wire.recv(4096)
        return struct.unpack(">I", answer[6:10])[0], answer[10:]

    def _as(self, who, code, handles, parameters=b""):
        """By the empty password of a hierarchy."""
        session = struct.pack(">IHBH", PASSWORD, 0, 0, 0)
        words = struct.pack(f">{1 + len(handles)}I", who, *handles)
        return self._command(SESSIONS, code, words + struct.pack(">I", len(session)) + session + parameters)[0]

    def attributes(self, index):
        public = self._need(self._command(NO_SESSIONS, NV_READ_PUBLIC, struct.pack(">I", index)))
        return struct.unpack(">I", public[8:12])[0]

    def undefine(self, who, index):
        return self._as(who, NV_UNDEFINE, [index])

    def define(self, who, index, attributes, size):
        public = struct.pack(">IHIHH", index, SHA256, attributes, 0, size)
        return self._as(who, NV_DEFINE, [], struct.pack(">HH", 0, len(public)) + public)

    def increment(self, who, index):
        return self._as(who, NV_INCREMENT, [index])
