# SPDX-License-Identifier: GPL-3.0-or-later
"""`rowlock update` and `plan-secure-boot`: against a box of this board, which has no slots, and against a server that answers as a box with slots does."""

import contextlib
import http.server
import json
import os
import pty
import select
import socket
import subprocess
import threading
import time

import pytest

from authenticator import Authenticator, step_now
from authority import Authority
from conftest import PROGRAM, WAIT_S
from endpoints import OPERATOR
from relay import free_port

DONE, REFUSED, USAGE, NOT_SIGNED, NOT_REACHED = range(5)
MIB = 1 << 20
VERSION = "9.9.9"


def update_file(path, body=2 * MIB + 4321, version=VERSION):
    """The front of an update file, as far as the sender reads it, and something behind."""
    head = b"RLUPDATE" + (1).to_bytes(4, "big") + b"board".ljust(32, b"\0") + version.encode().ljust(32, b"\0")
    head += (7).to_bytes(4, "big") + b"".join(number.to_bytes(4, "big") for number in (1, 2, 3))
    path.write_bytes(head + os.urandom(body - len(head)))
    return path


PLAN = "rowlock-secure-boot-plan 1\nboard host\n"  # as far as the sender reads it


def plan_file(path, text=PLAN):
    path.write_text(text)
    return path


def run(*words, command="update"):
    done = subprocess.run([PROGRAM, command, *map(str, words)], capture_output=True, text=True, timeout=WAIT_S, check=False,
                          stdin=subprocess.DEVNULL, start_new_session=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text(OPERATOR["password"] + "\n")
    return path


# --- a box without slots ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def owned(module_app):
    """A box with an owner: the words that lead to it."""
    box = module_app.box
    box.post("/v1/admin/auth/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OPERATOR})
    return box


def words_to(box, password, **changed):
    words = {"--url": f"https://{box.host}:{box.port}", "--name": "localhost", "--ca": box.report["caFile"],
             "--email": OPERATOR["email"], "--password-file": password, **changed}
    return [word for option, value in words.items() if value is not None for word in (option, value)]


def test_a_board_without_slots_takes_no_update_and_says_so(owned, password, tmp_path):
    file = update_file(tmp_path / "update")

    status, said, complained = run(file, *words_to(owned, password))

    assert (status, said) == (REFUSED, "")
    assert complained == "rowlock: refused: This board has no slots for updates (409)\n"
    status, said, complained = run(file, *words_to(owned, password), "--json")
    assert (status, complained) == (REFUSED, "")
    assert json.loads(said)["errorCode"] == "CONFLICT"


def test_the_session_of_the_command_is_over_when_it_ends(owned, password, tmp_path):
    run(update_file(tmp_path / "update"), *words_to(owned, password))

    pair = owned.post("/v1/admin/auth/signin", OPERATOR).json
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    assert len(owned.get("/v1/admin/auth/sessions", headers=bearer).json["items"]) == 1
    owned.post("/v1/admin/auth/signout", headers=bearer)


def test_a_wrong_password_is_not_signed_in(owned, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("Wrong-horse-battery-7")

    status, _, complained = run(update_file(tmp_path / "update"), *words_to(owned, wrong))

    assert status == NOT_SIGNED and complained.startswith("rowlock: signing in: ")
    assert "Wrong-horse" not in complained


def test_without_a_terminal_and_without_a_file_nobody_is_signed_in(owned, tmp_path):
    status, _, complained = run(update_file(tmp_path / "update"), *words_to(owned, None))

    assert status == NOT_SIGNED and complained.startswith("rowlock: password: ")


def test_attack_14_another_ca_or_another_name_is_not_that_box(owned, password, tmp_path):
    file, other = update_file(tmp_path / "update"), tmp_path / "other.pem"
    other.write_text(Authority("another").pem)

    for change in ({"--ca": other}, {"--name": "box.example"}):
        status, _, complained = run(file, *words_to(owned, password, **change))
        assert status == NOT_REACHED and "not the box whose CA was given" in complained


def test_where_nobody_listens_nothing_is_reached(owned, password, tmp_path):
    port = free_port()

    status, _, complained = run(update_file(tmp_path / "update"), *words_to(owned, password, **{"--url": f"https://localhost:{port}"}))

    assert status == NOT_REACHED and "nobody answers" in complained


def test_a_file_that_is_none_is_told_before_anybody_is_asked(owned, password, tmp_path):
    text = tmp_path / "text"
    text.write_text("no update" * 99)

    for file in (text, tmp_path / "absent", tmp_path):
        status, _, complained = run(file, *words_to(owned, password))
        assert status == REFUSED and complained.startswith(f"rowlock: {file}: ")


@pytest.mark.parametrize("words", [[], ["file"], ["file", "--url", "http://x", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://x:y", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://127.0.0.1", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://[::1]:8443", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://x/path", "--ca", "c", "--email", "e"],
                                   ["file", "more", "--url", "https://x", "--ca", "c", "--email", "e"],
                                   ["file", "--url", "https://x", "--ca", "c", "--email"],
                                   ["file", "--url", "https://x", "--ca", "c", "--email", "e", "--password", "p"]])
def test_words_that_are_not_understood_are_told(words):
    status, said, complained = run(*words)

    assert (status, said) == (USAGE, "") and complained.startswith("rowlock: ")


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(PROGRAM, [PROGRAM, "update", *map(str, words)])
        self.shown = b""

    def wait_for(self, text):
        end = time.monotonic() + WAIT_S
        while text not in self.shown:
            assert time.monotonic() < end and select.select([self.fd], [], [], WAIT_S)[0], self.shown
            self.shown += os.read(self.fd, 4096)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """The exit status; all that was shown is read."""
        with contextlib.suppress(OSError):  # the other side is gone
            while True:
                assert select.select([self.fd], [], [], WAIT_S)[0], self.shown
                self.shown += os.read(self.fd, 4096)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_the_password_is_asked_for_at_the_terminal_and_not_shown(owned, tmp_path):
    terminal = Terminal(update_file(tmp_path / "update"), *words_to(owned, None))
    terminal.wait_for(b"Password: ")

    terminal.type(OPERATOR["password"] + "\n")

    assert terminal.end() == REFUSED
    assert b"no slots" in terminal.shown and OPERATOR["password"].encode() not in terminal.shown


def test_giving_up_at_the_password_leaves_the_terminal_as_it_was(owned, tmp_path):
    terminal = Terminal(update_file(tmp_path / "update"), *words_to(owned, None))
    terminal.wait_for(b"Password: ")

    terminal.type("half\x03")

    assert terminal.end() == NOT_SIGNED
    assert b"half" not in terminal.shown and b"given up" in terminal.shown


def test_a_code_of_the_second_factor_is_asked_for(make_box, password, tmp_path):
    box = make_box()
    box.post("/v1/admin/auth/setup", {"setupCode": box.report["setupCode"], "name": "Root", **OPERATOR})
    bearer = {"Authorization": f"Bearer {box.post('/v1/admin/auth/signin', OPERATOR).json['accessToken']}"}
    made = box.post("/v1/admin/auth/mfa/enable", {"password": OPERATOR["password"]}, headers=bearer).json
    app = Authenticator(None, made)
    assert box.post("/v1/admin/auth/mfa/confirm", {"code": app.code_of(step_now())}, headers=bearer).status == 200
    file = update_file(tmp_path / "update")

    status, _, complained = run(file, *words_to(box, password))
    assert status == NOT_SIGNED and "a code is needed" in complained
    terminal = Terminal(file, *words_to(box, password))
    terminal.wait_for(b"Code: ")
    terminal.type(app.backup[0] + "\n")

    assert terminal.end() == REFUSED and b"no slots" in terminal.shown


def test_a_board_that_is_not_measured_plans_no_change_of_secure_boot(owned, password, tmp_path):
    """From the command through worker and supervisor to the keeper, and back."""
    for _ in range(2):
        status, said, complained = run(plan_file(tmp_path / "plan"), *words_to(owned, password), command="plan-secure-boot")

        assert (status, said, complained) == (REFUSED, "", "rowlock: refused: The boot of this board is not measured (409)\n")


@pytest.mark.parametrize("words", [[], ["--pcr7", "ab" * 32], ["plan", "--install"], ["plan", "more"]])
def test_words_about_a_plan_that_are_not_understood_are_told(owned, password, words):
    status, said, complained = run(*words, *words_to(owned, password), command="plan-secure-boot")

    assert (status, said) == (USAGE, "") and complained.startswith("rowlock: ")


@pytest.mark.parametrize("content", [None, b"", b"x" * 401, b"caf\xc3\xa9", b"a\0b", b"\x1b[2J"])
def test_a_file_that_is_no_short_text_is_told_before_anybody_is_asked(tmp_path, password, content):
    file = tmp_path / "plan"
    if content is not None:
        file.write_bytes(content)

    status, said, complained = run(file, "--url", f"https://localhost:{free_port()}", "--ca", "/nowhere", "--email", "e",
                                   "--password-file", password, command="plan-secure-boot")

    assert (status, said) == (REFUSED, "") and complained.startswith(f"rowlock: {file}: ")


# --- a server that answers as a box with slots does ------------------------------------------------------------------------


NO_VENDORS = "\x9b2J\x7f\u202eé\u2028\U0001f600 The file is not signed by the vendor, \x1b[2Jor was changed"  # with what terminals obey


class Slots:
    """What a box with slots does with updates. plan: what becomes of the next requests instead ("drop", "503", "401", "400"), or after
    it ("drop after", "over": so is the token's time)."""

    def __init__(self, authority):
        self.received, self.state, self.version, self.asked, self.plan, self.knows = b"", "none", None, [], [], False
        self.token, self.refreshed, self.signed_out = "access-1", 0, 0
        self.whole = self.code = None
        self.busy = 0  # so many refreshes are answered 503
        self.is_gone = False  # where a code comes
        self.is_deaf = False  # takes pieces, and keeps none
        self.planned, self.plans_are = [], (200, {"success": True})  # of Secure Boot; what is answered
        self.hung_up = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.socket = authority.context().wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port

    def status(self):
        return 200, {"running": "1.0", "trial": False, "state": self.state, "received": len(self.received), "version": self.version,
                     "securityVersion": 7 if self.version else None}

    def answer(self, method, path, bearer, body):
        if path == "/v1/admin/auth/signin":
            given = json.loads(body)
            if self.code and given == OPERATOR:
                return 403, {"message": "a code is needed", "errorCode": "MFA_REQUIRED"}
            right = given == ({**OPERATOR, "mfaCode": self.code} if self.code else OPERATOR)
            return (200, self.pair()) if right else (401, {"message": "no", "errorCode": "INVALID_CREDENTIALS"})
        if path == "/v1/admin/auth/refresh":
            if self.busy:
                self.busy -= 1
                return 503, {"message": "later"}
            self.refreshed += 1
            self.token = f"access-{self.refreshed + 1}"
            return 200, self.pair()
        if bearer != f"Bearer {self.token}":
            return 401, {"message": "over"}
        if path == "/v1/admin/auth/signout":
            self.signed_out += 1
            return 200, {"message": "bye"}
        if path == "/v1/admin/secure-boot/plan":
            self.planned.append((method, json.loads(body)))
            return self.plans_are
        self.asked.append((method, path, len(body)))
        return self.update(method, path, body)

    def pair(self):
        return {"accessToken": self.token, "refreshToken": "refresh", "tokenType": "Bearer", "expiresIn": 3600}

    def update(self, method, path, body):
        if method == "GET":
            return self.status()
        if path == "/v1/admin/updates":
            self.received, self.state, self.version = b"", "receiving", None
        elif path == "/v1/admin/updates/install":
            self.state = "installed"
        elif path != f"/v1/admin/updates/bytes?offset={len(self.received)}":
            return 409, {"message": "offset is not where the last piece ended", "errorCode": "CONFLICT"}
        elif self.is_deaf:
            self.version = VERSION
        else:
            self.received += body
            self.version = VERSION
            if not self.whole.startswith(self.received):
                self.state, self.received = "none", b""
                return 400, {"message": NO_VENDORS}
            self.state = "complete" if self.received == self.whole else "receiving"
        return self.status()

    def handler(self):
        slots = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                planned = slots.plan.pop(0) if slots.plan and "/updates" in self.path else None
                if planned == "drop" or (slots.is_gone and b"mfaCode" in body):
                    return self.drop()
                if planned == "401":
                    slots.token = "another"
                status, told = (503, {"message": "later"}) if planned == "503" else \
                    slots.answer(self.command, self.path, self.headers.get("Authorization"), body)
                if planned == "drop after":
                    return self.drop()
                text = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                if planned == "over":
                    slots.token = "another"
                if status == 403:  # it does not wait for who looks for his telephone
                    self.drop()
                    slots.hung_up.set()

            do_POST = do_GET

            def drop(self):
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
                self.close_connection = True

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def slots(tmp_path, password):
    """slots.run(*more) sends slots.file."""
    authority = Authority()
    made = Slots(authority)
    made.file = update_file(tmp_path / "update")
    made.whole = made.file.read_bytes()
    ca = tmp_path / "ca.pem"
    ca.write_text(authority.pem)
    words = ["--url", f"https://localhost:{made.port}", "--ca", ca, "--email", OPERATOR["email"], "--password-file", password]
    made.run = lambda *more: run(made.file, *words, *more)
    made.run_plan = lambda file, *more: run(file, *words, *more, command="plan-secure-boot")
    yield made
    made.close()


def pieces(slots):
    return [asked for asked in slots.asked if "/bytes" in asked[1]]


def test_a_file_is_brought_in_pieces_of_a_mib(slots):
    status, said, complained = slots.run()

    assert (status, said) == (DONE, "")
    assert complained == f"rowlock: all of it is there; --install has it tried: {VERSION}\n"
    assert slots.received == slots.whole and slots.state == "complete" and slots.signed_out == 1
    assert [length for _, _, length in pieces(slots)] == [MIB, MIB, 4321]


def test_install_has_it_tried_and_json_tells_it_in_one_line(slots):
    status, said, complained = slots.run("--install", "--json")

    assert (status, complained) == (DONE, "")
    assert json.loads(said) == slots.status()[1] and slots.state == "installed"
    assert slots.signed_out == 0


def test_a_second_command_goes_on_where_the_first_was_cut_off(slots):
    slots.received, slots.state, slots.version = slots.whole[:MIB + 5], "receiving", VERSION

    assert slots.run()[0] == DONE

    assert pieces(slots)[0] == ("POST", f"/v1/admin/updates/bytes?offset={MIB + 5}", MIB)
    assert slots.received == slots.whole and ("POST", "/v1/admin/updates", 2) not in slots.asked


def test_what_is_there_already_is_not_sent_again(slots):
    slots.received, slots.state, slots.version = slots.whole, "complete", VERSION

    assert slots.run("--install")[0] == DONE

    assert pieces(slots) == [] and slots.state == "installed"


def test_an_update_of_another_version_gives_way(slots):
    slots.received, slots.state, slots.version = b"x" * 99, "receiving", "8.8.8"

    assert slots.run()[0] == DONE

    assert slots.received == slots.whole


def test_another_file_of_the_same_version_is_begun_anew_once(slots):
    slots.received, slots.state, slots.version = b"x" * MIB, "receiving", VERSION

    assert slots.run()[0] == DONE

    assert slots.received == slots.whole and slots.asked.count(("POST", "/v1/admin/updates", 2)) == 1


def test_a_file_that_is_refused_is_told_without_what_a_terminal_would_obey(slots):
    slots.whole = b"other" + slots.whole

    status, said, complained = slots.run()

    assert (status, said) == (REFUSED, "") and "not signed by the vendor, ?[2Jor was changed (400)" in complained
    assert slots.signed_out == 1


def test_json_tells_a_terminal_nothing_that_it_would_obey_either(slots):
    slots.whole = b"other" + slots.whole

    status, said, complained = slots.run("--json")

    assert (status, complained) == (REFUSED, "")
    assert said.isascii() and said.removesuffix("\n").isprintable()
    assert json.loads(said)["message"] == NO_VENDORS


@pytest.mark.parametrize("plan", [["ok", "ok", "drop"], ["ok", "ok", "drop after"], ["ok", "ok", "503", "503"], ["drop"],
                                  ["ok", "drop after"]])
def test_a_connection_that_breaks_and_a_box_that_is_busy_are_waited_for(slots, plan):
    slots.plan = plan

    assert slots.run()[0] == DONE

    assert slots.received == slots.whole


def test_a_session_whose_time_is_over_goes_on_with_the_next_token(slots):
    slots.plan = ["ok", "ok", "401"]

    assert slots.run()[0] == DONE

    assert slots.refreshed == 1 and slots.received == slots.whole


def test_a_box_that_is_busy_when_a_token_is_exchanged_is_waited_for(slots):
    slots.plan, slots.busy = ["ok", "ok", "401"], 1

    assert slots.run()[0] == DONE

    assert slots.refreshed == 1 and slots.received == slots.whole


def test_the_session_is_ended_where_the_time_of_its_token_is_over(slots):
    slots.plan = ["ok", "ok", "ok", "ok", "over"]

    assert slots.run()[0] == DONE

    assert slots.signed_out == 1


def test_a_box_that_keeps_no_piece_is_not_sent_them_for_ever(slots):
    slots.is_deaf = True

    status, said, complained = slots.run()

    assert (status, said) == (REFUSED, "") and "does not keep them" in complained
    assert len(pieces(slots)) == 1


def test_a_code_that_is_typed_after_the_box_has_hung_up_is_sent(slots, tmp_path, password):
    slots.code = "123456"
    terminal = Terminal(slots.file, "--url", f"https://localhost:{slots.port}", "--ca", tmp_path / "ca.pem",
                        "--email", OPERATOR["email"], "--password-file", password)
    terminal.wait_for(b"Code: ")
    assert slots.hung_up.wait(WAIT_S)

    terminal.type(slots.code + "\n")

    assert terminal.end() == DONE
    assert slots.received == slots.whole


def test_no_answer_to_the_code_is_no_want_of_one(slots, tmp_path, password):
    slots.code, slots.is_gone = "123456", True
    terminal = Terminal(slots.file, "--url", f"https://localhost:{slots.port}", "--ca", tmp_path / "ca.pem",
                        "--email", OPERATOR["email"], "--password-file", password)
    terminal.wait_for(b"Code: ")

    terminal.type(slots.code + "\n")

    assert terminal.end() == NOT_REACHED
    assert b"a code is needed" not in terminal.shown


def test_the_bar_is_drawn_on_a_terminal(slots, tmp_path, password):
    terminal = Terminal(slots.file, "--url", f"https://localhost:{slots.port}", "--ca", tmp_path / "ca.pem",
                        "--email", OPERATOR["email"], "--password-file", password)

    assert terminal.end() == DONE

    assert b"] 100 % of 2052 KiB" in terminal.shown and b"[####" in terminal.shown


def test_the_commands_and_their_exit_statuses_stand_in_the_usage():
    done = subprocess.run([PROGRAM, "nothing"], capture_output=True, text=True, timeout=WAIT_S, check=False)

    assert done.returncode == USAGE
    assert "rowlock update FILE" in done.stderr and "3 not signed in, 4 no connection" in done.stderr


# --- plans of Secure Boot --------------------------------------------------------------------------------------------------


def test_a_plan_is_sent_byte_for_byte_and_said_to_be_planned(slots, tmp_path):
    file = plan_file(tmp_path / "plan", PLAN + '"\\' + "x" * (400 - len(PLAN) - 2))

    status, said, complained = slots.run_plan(file)

    assert (status, said) == (DONE, "")
    assert complained == f"rowlock: planned; the box opens as it is today, and as the plan says: {file}\n"
    assert slots.planned == [("POST", {"plan": file.read_text()})] and slots.signed_out == 1


def test_json_tells_what_the_box_said_of_a_plan_in_one_line(slots, tmp_path):
    status, said, complained = slots.run_plan(plan_file(tmp_path / "plan"), "--json")

    assert (status, complained) == (DONE, "") and json.loads(said) == {"success": True} and said.count("\n") == 1


def test_a_plan_that_is_refused_is_told_with_the_reason(slots, tmp_path):
    slots.plans_are = 409, {"message": "The plan is older than one that this box has taken", "errorCode": "CONFLICT"}

    status, said, complained = slots.run_plan(plan_file(tmp_path / "plan"))

    assert (status, said) == (REFUSED, "")
    assert complained == "rowlock: refused: The plan is older than one that this box has taken (409)\n"
    assert slots.signed_out == 1
