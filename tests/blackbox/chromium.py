# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium driven over its debugging pipe, with nothing but the standard library.

It trusts the CA that it is given (through the NSS database of a home directory of its own) and talks to loopback only."""

import json
import os
import select
import shutil
import subprocess
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"]


def installed():
    return shutil.which("chromium") is not None and shutil.which("certutil") is not None


class Chromium:
    def __init__(self, folder, ca_file):
        self.folder = str(folder)
        nss = f"{self.folder}/.pki/nssdb"
        os.makedirs(nss)
        subprocess.run(["certutil", "-d", f"sql:{nss}", "-N", "--empty-password"], check=True, capture_output=True)
        subprocess.run(["certutil", "-d", f"sql:{nss}", "-A", "-n", "box", "-t", "C,,", "-i", ca_file], check=True,
                       capture_output=True)
        their_in, self.out = os.pipe()
        self.back, their_out = os.pipe()
        self.rest = b""
        self.last_id = 0
        self.events = []
        # bash: the other shell knows no descriptors above 9
        command = f'exec 3<&{their_in} 4>&{their_out}; exec chromium "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", *FLAGS, f"--user-data-dir={self.folder}/profile", "about:blank"],
            pass_fds=(their_in, their_out), env={**os.environ, "HOME": self.folder}, stderr=subprocess.DEVNULL)
        os.close(their_in)
        os.close(their_out)
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.call("Network.enable")
        self.call("Page.enable")

    session = None

    def _read(self, seconds):
        until = time.monotonic() + seconds
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.back], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser did not answer")
            part = os.read(self.back, 1 << 16)
            if not part:
                raise EOFError("the browser ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, params=None, seconds=60):
        """One command; events that arrive meanwhile are kept in self.events."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params or {}}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(seconds)
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_event(self, method, seconds=60):
        """The parameters of the next event of that name, also of one that came before."""
        until = time.monotonic() + seconds
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self._read(until - time.monotonic()))

    def open(self, url):
        """Goes to a page and answers its response: status, securityDetails, headers."""
        self.events.clear()
        self.call("Page.navigate", {"url": url})
        return self.wait_event("Network.responseReceived")["response"]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.back)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
