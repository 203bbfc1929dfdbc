# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks that are set, while the box runs and while it is off: what was over stays over, and who signs in is served. The
program's calendar is tests/preload/set_clock.c's. attacks.md class 19, clock set back; the edges of each limit, to the second, are in
tests/unit/api_sign_test.c."""

import socket
import struct
import threading
import time

import pytest
import userspace
from app import INSTANT, App, Client, error
from conftest import wait_until
from forge import parts
from test_durability import BUILD

DATED = str(BUILD / "rowlock-dated")
HOUR, DAY, YEAR = 3600, 24 * 3600, 365 * 24 * 3600
ACCESS_S = HOUR  # contract 5.4
ENDED = (401, "auth/session-expired")


class Dated:
    def __init__(self, box):
        self.box, self.file = box, box.directory / "clock"
        self.set(0)
        box.program, box.cwd = DATED, box.directory
        box.directory.chmod(0o711)  # for children, which are other users
        self.file.chmod(0o644)

    def set(self, ahead_s):
        """The clock, from now on: so far from the machine's. In place, for the file is mapped."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("=q", ahead_s))

    def restart(self, ahead_s):
        assert self.box.stop() == 0
        self.set(ahead_s)
        self.box.start()


@pytest.fixture
def dated(make_box):
    made = Dated(make_box(start=False))
    made.box.start()
    # Certificates are dated by the clock; whether this machine's agrees is not what is tested here.
    connect = made.box.connect
    made.box.connect = lambda verify=True, **how: connect(verify=False, **how)
    made.app = App(made.box)
    return made


def issued(token):
    return parts(token)[1]["iat"]


def me(user):
    return error(user.pk.get("/v1/auth/me"))


def refresh(user):
    return error(user.app.pk.post("/v1/auth/refresh", {"refreshToken": user.refresh}))


def fresh(app):
    """Clients of the keys that keep no connection from before."""
    return App(app.box)


def test_attack_19_a_clock_set_back_while_the_box_is_off_brings_no_token_back(dated):
    user = dated.app.user()
    first = issued(user.token)
    dated.set(ACCESS_S + 1)
    ended = me(user)
    assert ended[0] == 401

    dated.restart(-YEAR)
    user.app = fresh(dated.app)

    assert me(user) == ended
    lag = dated.box.wait_for_event("clock_went_back")["seconds"]
    assert YEAR < lag < YEAR + ACCESS_S + 600
    user.sign_in()
    assert me(user) == (200, None)
    assert first + ACCESS_S < issued(user.token) < first + ACCESS_S + 600  # the date goes on, and is not the clock's


def test_attack_19_a_clock_set_back_by_a_crash_of_the_power_brings_no_refresh_token_back(dated):
    user = dated.app.user()
    dated.set(8 * DAY)
    dated.restart(8 * DAY)  # here the date is kept
    user.app = fresh(dated.app)
    assert refresh(user) == ENDED

    dated.box.kill_all()
    dated.set(0)
    dated.box.start()
    user.app = fresh(dated.app)

    assert refresh(user) == ENDED
    assert me(user)[0] == 401
    user.sign_in()
    assert me(user) == (200, None)


def test_a_clock_set_forward_by_a_year_ends_sessions_and_set_back_ends_none_that_began_there(dated):
    user = dated.app.user()
    old = user.refresh
    dated.set(YEAR)
    assert me(user)[0] == 401
    user.sign_in()
    ahead = issued(user.token)
    assert me(user) == (200, None)

    dated.set(0)
    assert me(user) == (200, None)
    assert dated.box.wait_for_event("clock_went_back")["seconds"] > YEAR - 600
    dated.restart(0)
    user.app = fresh(dated.app)

    assert me(user) == (200, None)
    user.refresh, mine = old, user.refresh
    assert refresh(user) == ENDED
    user.refresh = mine
    assert refresh(user) == (200, None)
    assert issued(user.sign_in().token) >= ahead


@pytest.mark.parametrize("content", [b"", bytes(60)], ids=["empty", "forged"])
def test_a_date_that_is_none_of_this_box_is_told_and_the_clock_believed(dated, content):
    user = dated.app.user()
    assert dated.box.stop() == 0
    (dated.box.data / "keeper" / "date.seal").write_bytes(content)
    dated.box.start()
    user.app = fresh(dated.app)

    assert dated.box.wait_for_event("date_not_known")["level"] == "error"
    assert me(user) == (200, None)
    dated.restart(0)
    assert dated.box.events("date_not_known") == []


def test_the_recovery_key_sets_a_false_date_back_and_nobody_who_was_signed_in_still_is(dated, tmp_path):
    box, user = dated.box, dated.app.user()
    before = user.refresh
    dated.restart(YEAR)  # false, and kept
    user.app = fresh(dated.app)
    user.sign_in()
    ahead = issued(user.token)
    dated.restart(0)
    assert box.wait_for_event("clock_went_back")["seconds"] > YEAR - 600
    assert box.stop() == 0
    other = tmp_path / "other.tpm"
    box.start(tpm=other)  # locks it

    refused = box.post("/v1/system/unlock", {"pin": "1234", "setDateBack": True}, verify=False)
    answer = box.post("/v1/system/unlock", {"recoveryKey": box.recovery_key, "setDateBack": True}, verify=False)

    assert refused.status == 400 and answer.status == 200, (refused, answer)
    box.wait_for_state("operational")
    assert box.wait_for_event("date_set_back")["level"] == "warn"
    user.app = fresh(dated.app)
    assert me(user)[0] == 401 and refresh(user)[0] == 401
    user.refresh = before  # by the clock it is not over yet, and it was
    assert refresh(user)[0] == 401
    user.sign_in()
    assert me(user) == (200, None) and issued(user.token) < ahead - YEAR + HOUR
    box.restart(tpm=other)
    user.app = fresh(dated.app)
    assert me(user) == (200, None) and box.events("clock_went_back") == []


# --- servers -----------------------------------------------------------------------------------------------------------

NTP_EPOCH_S = 2208988800  # from 1900 to 1970: RFC 5905
NETWORK = "/v1/admin/network"


class TimeServer(threading.Thread):
    """Plain NTP on a port of its own, as far ahead of this machine as a test likes."""

    def __init__(self, ahead_s=0.0):
        super().__init__(daemon=True)
        self.ahead_s, self.asked = ahead_s, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((userspace.SERVERS_LISTEN, 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def now(self):
        return struct.pack(">Q", int((time.time() + self.ahead_s + NTP_EPOCH_S) * 2 ** 32) & (2 ** 64 - 1))

    def run(self):
        while True:
            question, client = self.socket.recvfrom(1024)
            if question == b"":
                return
            self.asked += 1
            received = self.now()
            answer = bytes((0x24, 2, 6, 0xEC)) + bytes(4) + struct.pack(">I", 1 << 10) + b"TEST" + received
            self.socket.sendto(answer + question[40:48] + received + self.now(), client)

    def end(self):
        if self.is_alive():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"", ("127.0.0.1", self.port))
            self.join(10)
            self.socket.close()


@pytest.fixture
def time_server():
    server = TimeServer()
    yield server
    server.end()


class Owner:
    """The owner of a new box."""

    def __init__(self, box):
        self.box, client = box, Client(box)
        who = {"email": "root@example.com", "password": "Correct-horse-battery-7"}
        assert client.post("/v1/admin/auth/setup", {"setupCode": box.report["setupCode"], "name": "Root", **who}).status == 201
        pair = client.post("/v1/admin/auth/signin", who).json
        self.client, self.header = client, {"Authorization": f"Bearer {pair['accessToken']}"}

    def get(self, path):
        return self.client.get(path, headers=self.header)

    def put(self, path, body):
        return self.client.put(path, body, headers=self.header)


@pytest.fixture
def owner(make_box):
    return Owner(make_box())


def clock_of(owner):
    return owner.get(NETWORK).json["time"]["clock"]


def test_a_host_asks_time_servers_tells_what_they_say_and_leaves_its_clock_alone(owner, time_server):
    time_server.ahead_s = 5.0
    before = clock_of(owner)
    assert (before["state"], before["isSet"], before["source"]) == ("off", False, None)

    answer = owner.put(NETWORK, {"time": {"servers": [{"host": "localhost", "port": time_server.port, "nts": False}]}})

    assert answer.status == 200 and answer.json == {"time": {"servers": [
        {"host": "localhost", "port": time_server.port, "nts": False}]}}
    wait_until(lambda: clock_of(owner)["state"] == "synchronized", "the server's answer")
    clock = clock_of(owner)
    assert (clock["source"], clock["authenticated"], clock["isSet"]) == ("localhost", False, False)
    assert 4900 < clock["offsetMs"] < 5100 and 0 < clock["errorMs"] < 1000
    assert INSTANT.fullmatch(clock["now"]) and INSTANT.fullmatch(clock["checkedAt"])
    box = owner.box
    assert box.events("clock_stepped") == [] and box.events("clock_step_refused") == []
    assert owner.put(NETWORK, {"time": None}).json == {"time": {"servers": []}}
    wait_until(lambda: clock_of(owner)["state"] == "off", "the settings to be taken")


def test_a_server_that_does_not_answer_is_told_as_out_of_reach(owner, time_server):
    time_server.end()

    owner.put(NETWORK, {"time": {"servers": [{"host": "localhost", "port": time_server.port, "nts": False}]}})

    wait_until(lambda: clock_of(owner)["state"] == "unreachable", "the question's end")
    assert owner.box.wait_for_event("time_server")["host"] == "localhost"
    assert clock_of(owner)["offsetMs"] is None
