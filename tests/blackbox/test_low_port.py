# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that only root may open. The test runs this file as a program in a network of its own, where they are free."""

import fcntl
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys

import pytest

import userspace
from conftest import SERVICE_USER, Box

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def run_in_its_network(directory):
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    low = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
    box = Box(directory, ["--port", "443", "--http-port", "80"]).start()
    before = box.get("/healthz").status
    worker = box.kill("worker")
    box.wait_for_new("worker", worker)
    status = pathlib.Path(f"/proc/{box.pid('supervisor')}/status").read_text()
    field = {line.split(":")[0]: line.split()[1:] for line in status.splitlines() if line.split()[1:]}
    print(json.dumps({
        "unprivileged from": int(low), "url": box.report["url"], "ports": [box.port, box.http_port],
        "answers": [before, box.get("/healthz").status], "supervisor": field["Uid"],
        "capabilities": field["CapPrm"], "end": box.stop()}))


def has_networks():
    try:
        return subprocess.run(["unshare", "--net", "true"], capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a low port")
@pytest.mark.skipif(not has_networks(), reason="no network of one's own here: unshare --net is refused")
@pytest.mark.skipif(userspace.IS_CHOSEN, reason="lwIP has every port without root")
def test_started_as_root_the_box_listens_on_443_and_80_and_is_the_service_user_all_the_same(tmp_path):
    done = subprocess.run(["unshare", "--net", sys.executable, __file__, str(tmp_path)], stdout=subprocess.PIPE,
                          text=True, timeout=300, check=False)

    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "unprivileged from": 1024, "url": "https://localhost:443", "ports": [443, 80], "answers": [200, 200],
        "supervisor": [str(SERVICE_USER)] * 4, "capabilities": ["0" * 16], "end": 0}


if __name__ == "__main__":
    run_in_its_network(sys.argv[1])
