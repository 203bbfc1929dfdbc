# SPDX-License-Identifier: GPL-3.0-or-later
"""The time by NTS (RFC 8915) from a server that is not ours: chronyd, over GnuTLS and nettle. TLS ends in the courier, so over the
stack in user space the exchange of keys and the questions after it both go by way of the worker. What becomes of forged answers is in
tests/unit/courier_time_server_test.c."""

import os
import pwd
import socket
import subprocess

import pytest

import userspace
from authority import Authority
from conftest import WAIT_S, wait_until
from relay import free_port
from test_clock import NETWORK, Owner, clock_of

CHRONYD = os.environ.get("CHRONYD", "chronyd")
CONFIGURATION = """
local stratum 5
allow
bindaddress {address}
port {port}
ntsport {key_port}
ntsservercert {leaf}
ntsserverkey {leaf}
ntsprocesses 0
cmdport 0
bindcmdaddress /
pidfile {directory}/chronyd.pid
"""


class Chrony:
    """A time server with this machine's time, which it does not set (-x)."""

    def __init__(self, directory, authority):
        self.port, self.key_port = free_port(), free_port()
        configuration = directory / "chrony.conf"
        configuration.write_text(CONFIGURATION.format(
            address=userspace.SERVERS_LISTEN, port=self.port, key_port=self.key_port, leaf=authority.write_leaf(directory, "localhost"),
            directory=directory))
        self.log = open(directory / "chronyd.log", "w+", encoding="utf-8")
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.process = subprocess.Popen([CHRONYD, "-x", "-d", "-U", "-u", user, "-f", str(configuration)],
                                        stdout=self.log, stderr=subprocess.STDOUT)
        wait_until(self.answers, "chronyd")

    def answers(self):
        self.log.seek(0)
        assert self.process.poll() is None, self.log.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.key_port)) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(WAIT_S)
        self.log.close()


@pytest.fixture
def make_chrony(directory, authority):
    made = []

    def make():
        made.append(Chrony(directory, authority))
        return made[-1]
    yield make
    for each in made:
        each.stop()


def ask(owner, server, ca):
    answer = owner.put(NETWORK, {"time": {"servers": [{"host": "localhost", "port": server.key_port, "nts": True, "ca": ca}]}})
    assert answer.status == 200, answer


def test_a_server_that_is_not_ours_tells_the_time_by_nts_and_proves_itself(make_box, make_chrony, authority):
    owner, server = Owner(make_box()), make_chrony()

    ask(owner, server, authority.pem)

    wait_until(lambda: clock_of(owner)["state"] not in ("off", "waiting"), "the server's answer")
    clock = clock_of(owner)
    assert (clock["state"], clock["source"], clock["authenticated"]) == ("synchronized", "localhost", True), owner.box.log_text()
    assert abs(clock["offsetMs"]) < 1000 and 0 < clock["errorMs"] < 1000
    if owner.box.cable is not None:  # both ways went by the stack in user space
        assert owner.box.cable.names.asked.count("localhost") >= 1


def test_a_server_whose_certificate_is_of_another_ca_tells_nothing(make_box, make_chrony):
    owner, server = Owner(make_box()), make_chrony()

    ask(owner, server, Authority("CA of somebody else").pem)

    wait_until(lambda: clock_of(owner)["state"] not in ("off", "waiting"), "the end of the question")
    assert clock_of(owner)["state"] == "unreachable"
    line = owner.box.wait_for_event("time_server")
    assert (line["host"], line["stage"]) == ("localhost", "tls")
