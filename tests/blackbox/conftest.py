# SPDX-License-Identifier: GPL-3.0-or-later
"""The appliance as its users have it: board/host/run with a software TPM, on free ports, in a directory of its own.

box        one appliance for all tests of a process that only talk to it
make_box   makes appliances of a test's own, for those that stop, kill, lock or damage them; all are gone afterwards
"""

import contextlib
import http.client
import importlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import appliance
import userspace
from app import Answer, App, Client
from authority import Authority

ROOT = pathlib.Path(os.environ.get("ROWLOCK_ROOT", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("ROWLOCK", str(ROOT / "build/host/release/rowlock"))
RUN = str(ROOT / "board/host/run")
REFERENCE = ROOT / "tests/reference"
SERVICE_USER = 65534  # of board/host, for a box that root starts
ACCESS = '"event":"request"'  # in the log's line of a request
KEYS = {"publishableKey", "secretKey", "recoveryKey"}  # of the report, at the first start only
SETUP = {"setupCode"}  # while there is no operator
BASIC = {"url", "caFile", "projectId", "environment"}
WAIT_S = 60  # a loaded machine and a program with sanitizers: generous, and only ever waited for in full by a failure


def reference(module):
    """A module of tests/reference, which reads the contract a second time."""
    if str(REFERENCE) not in sys.path:
        sys.path.append(str(REFERENCE))
    return importlib.import_module(module)


def wait_until(condition, what, seconds=WAIT_S):
    """The first true value of condition(); fails with the words of what when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def at_once(count, act):
    """act(0) .. act(count - 1), each in a thread that starts when all are ready; their results."""
    ready = threading.Barrier(count)
    results = [None] * count

    def run(number):
        ready.wait(WAIT_S)
        results[number] = act(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return results


def posts_at_once(app, count, path, body, headers=None):
    """The answers to one request sent count times at once, each over a connection of its own that is there before."""
    clients = [Client(app.box, app.pk.key) for _ in range(count)]
    for client in clients:
        client.get("/healthz")
    answers = at_once(count, lambda number: clients[number].post(path, body, headers=headers))
    for client in clients:
        client.close()
    return answers


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid):
    """Does the process run? A zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


NO_NAMESPACE = userspace.enter_namespace() if userspace.IS_CHOSEN else None


class Connection(http.client.HTTPSConnection):
    """To the address of a box whatever name is asked for: /etc/hosts of a small container may not know localhost."""

    address = "127.0.0.1"

    def connect(self):
        plain = socket.create_connection((self.address, self.port), self.timeout, self.source_address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Box:
    """One appliance. Keys stay known after the first start; `report` is the JSON line of the latest one."""

    def __init__(self, directory, options=()):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.tpm = self.directory / "data.tpm"
        self.options = list(options)
        self.cable = None  # of a box whose TCP/IP is lwIP
        self.host = self.client = "127.0.0.1"  # its address, and that of who asks from this machine
        if userspace.IS_CHOSEN:
            self.lay_cable()
        self.program = PROGRAM
        self.cwd = None
        self.preload = None  # a library for all its processes; for a program without sanitizers only
        self.keeps_access = True  # the log's lines of requests
        self.at_report = None  # called once, as the first line comes; nothing is waited for after it then
        self.process = None
        self.swtpm = None  # its process id
        self.report = None
        self.lines = []  # of the log, as dicts
        self.raw = []    # of standard error, as text
        self.pk = self.sk = self.recovery_key = self.project = self.environment = None

    def lay_cable(self):
        """Takes the box off the kernel's sockets."""
        if NO_NAMESPACE:
            pytest.skip(NO_NAMESPACE)
        self.cable = userspace.Cable()
        self.host, self.client = self.cable.host, self.cable.near

    def source(self, address):
        """127.a.b.c as this box sees it: a (address, port) to come from."""
        if address is None:
            return None
        if self.cable is not None:
            address = self.cable.source(address)
        return address and (address, 0)

    # --- life ---

    def start(self, pin=None, tpm=None, expect_report=True):
        """Starts the appliance and waits for its report. tpm: another directory for the TPM's state."""
        assert self.process is None
        self.lines, self.raw, self.report = [], [], None
        # setpriv: a test run that is killed takes its appliances with it.
        command = ["setpriv", "--pdeathsig", "TERM", *(appliance.command(self) if appliance.IS_CHOSEN else [
            RUN, "--data", str(self.data), "--tpm-state", str(tpm or self.tpm), "--port", "0", "--http-port", "0", "--json",
            *self.options, *(self.cable.options() if self.cable else [])])]
        pass_fds = ()
        if pin is not None:
            reader, writer = os.pipe()
            os.write(writer, pin.encode())
            os.close(writer)
            command += ["--pin-fd", str(reader)]
            pass_fds = (reader,)
        environment = dict(os.environ, ROWLOCK=self.program)
        if self.preload is not None:
            environment["LD_PRELOAD"] = str(self.preload)
        # The leak checker stops its process by ptrace, which the sandbox forbids: leaks are the unit tests' business.
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment, pass_fds=pass_fds,
                                        cwd=self.cwd, start_new_session=True)
        for descriptor in pass_fds:
            os.close(descriptor)
        self.reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        self.output = []
        self.printer = threading.Thread(target=self._read_output, args=(self.process.stdout,), daemon=True)
        self.printer.start()
        if expect_report:
            wait_until(lambda: self.output or self.process.poll() is not None, "the report",
                       appliance.START_S if appliance.IS_CHOSEN else WAIT_S)
            self.swtpm = None if appliance.IS_CHOSEN else self.pid("swtpm")
            assert self.output, f"no report, exit {self.process.poll()}\n{self.log_text()}"
            self._take_report(self.output[0])
            if "recoveryKey" in self.report and self.at_report is None and not appliance.IS_CHOSEN:
                # From here on a kill finds a box that knows that its keys were shown.
                wait_until(lambda: not (self.data / "keeper" / "unseen").exists(), "the keys to count as shown")
        return self

    def _read_log(self, stream):
        for line in stream:
            if not self.keeps_access and ACCESS in line:
                continue
            self.raw.append(line)
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                pass

    def _read_output(self, stream):
        for line in stream:
            if self.at_report is not None and not self.output:
                self.at_report()
            self.output.append(line)

    def _take_report(self, line):
        self.report = json.loads(line)
        self.pk = self.report.get("publishableKey", self.pk)
        self.sk = self.report.get("secretKey", self.sk)
        self.recovery_key = self.report.get("recoveryKey", self.recovery_key)
        self.project = self.report.get("projectId") or self.project
        self.environment = self.report.get("environment") or self.environment

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def wait_end(self):
        status = self.process.wait(WAIT_S)
        self.reader.join(WAIT_S)
        self.printer.join(WAIT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        self.process = None
        if self.swtpm is not None:
            wait_until(lambda: not is_there(self.swtpm), "the end of the TPM")
        return status

    def restart(self, **how):
        assert self.stop() == 0, self.log_text()
        return self.start(**how)

    def pid(self, name):
        """Of the newest "keeper" or "worker", or of "supervisor" or "swtpm"."""
        if name == "supervisor":
            return self.process.pid
        if name == "swtpm":
            return self._swtpm_pid()
        return [line["pid"] for line in self.lines if line.get("event") == "child_started" and line["child"] == name][-1]

    def _swtpm_pid(self):
        """A child of the one that run leaves behind to wait for the end of the box."""
        for child in children(self.process.pid):
            for pid in children(child):
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "swtpm\n":
                    return pid
        raise AssertionError("swtpm does not run")

    def kill(self, name):
        """SIGKILL to one of the processes; what started after it can be waited for with wait_for_new."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_new(self, name, old_pid):
        """Waits until another process of that name was started and requests are answered again."""
        wait_until(lambda: self.pid(name) != old_pid, f"a new {name}")
        ready = [line for line in self.lines if line.get("event") == "worker_ready"]
        newest = self.pid("worker")
        wait_until(lambda: self._is_ready(), f"the worker after {name} {old_pid}, newest {newest}, {len(ready)} ready")

    def _is_ready(self):
        started = [i for i, line in enumerate(self.lines)
                   if line.get("event") == "child_started" and line["child"] == "worker"]
        return any(line.get("event") == "worker_ready" for line in self.lines[started[-1]:])

    def kill_all(self):
        """SIGKILL to everything at once, the TPM included: a power cut. Nobody is left to remove the TPM's sockets then."""
        words = pathlib.Path(f"/proc/{self.process.pid}/cmdline").read_text()  # empty if it has ended by itself
        sockets = re.findall(r"\0swtpm:path=([^\0]+/rowlock-run-\w+)/tpm\0", words)
        os.killpg(self.process.pid, signal.SIGKILL)
        status = self.wait_end()
        for directory in sockets:
            shutil.rmtree(directory)
        return status

    # --- what it says ---

    def log_text(self):
        return "".join(self.raw)

    def events(self, name):
        return [line for line in self.lines if line.get("event") == name]

    def wait_for_event(self, name, count=1):
        return wait_until(lambda: self.events(name)[count - 1:], f"the event {name}")[0]

    @property
    def url(self):
        return self.report["url"]

    @property
    def browser_url(self):
        """As url, for a browser, which looks names up by itself."""
        return self.url if self.cable is None else f"https://{self.host}:{self.port}"

    @property
    def ca(self):
        return self.report["caFile"]

    @property
    def port(self):
        return self.wait_for_event("listening")["port"]

    @property
    def https_port(self):
        """As the box itself writes it: QEMU leads another one to it, and 443 is not written."""
        return "" if appliance.IS_CHOSEN else f":{self.port}"

    @property
    def http_port(self):
        return self.wait_for_event("listening")["plain_port"]

    # --- talking to it ---

    def context(self, verify=True):
        if verify:
            return ssl.create_default_context(cafile=self.ca)
        context = ssl._create_unverified_context()
        return context

    def connect(self, verify=True, timeout=WAIT_S, context=None, source=None):
        """A new connection: http.client with TLS and the CA file pinned, or with another context. source: the address
        it comes from, one of 127.0.0.0/8."""
        connection = Connection("localhost", self.port, context=context or self.context(verify), timeout=timeout,
                                source_address=self.source(source))
        connection.address = self.host
        return connection

    def request(self, method, path, body=None, key=None, headers=None, connection=None, verify=True, user=None):
        """One request; body is JSON unless it is bytes. key: "sk", "pk" or a key's value. user: of app.user()."""
        own = connection is None
        connection = connection or self.connect(verify)
        sent = dict(headers or {})
        if key is not None:
            sent["X-API-Key"] = {"sk": self.sk, "pk": self.pk}.get(key, key)
        if user is not None:
            sent["Authorization"] = f"Bearer {user.token}"
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.request("POST", path, body, **how)

    def patch(self, path, body=None, **how):
        return self.request("PATCH", path, body, **how)

    def delete(self, path, body=None, **how):
        return self.request("DELETE", path, body, **how)

    def state(self, verify=True):
        return self.get("/v1/system/state", verify=verify).json

    def wait_for_state(self, state, verify=True):
        def reached():
            try:
                return self.state(verify)["state"] == state
            except (OSError, http.client.HTTPException):
                return False
        return wait_until(reached, f"the state {state}")

    def make_table(self, name, schema=None, **more):
        """A table of the bootstrap environment; the answer's JSON."""
        answer = self.post("/v1/admin/tables", dict({"tableName": name, "schema": schema or {}}, **more), key="sk")
        assert answer.status == 201, answer
        return answer.json

    @contextlib.contextmanager
    def tpm_alone(self):
        """The TPM of the box that is stopped; gives its TCTI."""
        assert self.process is None
        runtime = pathlib.Path(tempfile.mkdtemp(prefix="rowlock-alone-", dir="/tmp"))
        server, control = runtime / "tpm", runtime / "control"
        owner = ""
        if os.geteuid() == 0:  # for the user that fsck changes to
            owner = f",uid={SERVICE_USER},gid={SERVICE_USER}"
            os.chown(runtime, 0, SERVICE_USER)
            runtime.chmod(0o710)
        swtpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.tpm}",
                                  "--server", f"type=unixio,path={server},mode=0600{owner}", "--ctrl", f"type=unixio,path={control}",
                                  "--flags", "not-need-init"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: server.exists() and control.exists() and server.stat().st_gid == runtime.stat().st_gid,
                       "swtpm")
            yield f"swtpm:path={server}"
        finally:
            swtpm.terminate()
            swtpm.wait(WAIT_S)
            shutil.rmtree(runtime, ignore_errors=True)

    def fsck(self):
        """`board/host/run fsck` on the box that is stopped: exit status, standard output, standard error."""
        assert self.process is None
        done = subprocess.run([RUN, "fsck", "--data", str(self.data), "--tpm-state", str(self.tpm)], capture_output=True,
                              text=True, timeout=WAIT_S, check=False, env=dict(os.environ, ROWLOCK=PROGRAM))
        return done.returncode, done.stdout, done.stderr


def pytest_configure(config):
    config.addinivalue_line("markers", "host_only(why): left out where the box is an appliance")
    config.addinivalue_line("markers", "appliance: also for one, though the box is the test's own")


def pytest_collection_modifyitems(config, items):
    if appliance.IS_CHOSEN:
        config.left_out = appliance.choose(config, items)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(getattr(session.config, "left_out", {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Of one of the processes that share the tests out: each has collected all of them."""
    node.config.left_out = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter, config):
    for reason, count in sorted(getattr(config, "left_out", {}).items()):
        terminalreporter.write_line(f"left out: {count:4} tests: each {reason}")


@pytest.fixture
def make_box(tmp_path):
    """make_box() makes and starts an appliance; make_box(start=False) only makes it; options go to `rowlock serve`."""
    made = []

    def make(start=True, options=(), **how):
        directory = tmp_path / f"box{len(made)}"
        directory.mkdir(mode=0o700)
        new = Box(directory, options)
        made.append(new)
        return new.start(**how) if start else new

    yield make
    for each in made:
        if each.process is not None:
            each.stop()


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    shared = Box(tmp_path_factory.mktemp("box"))
    shared.start()
    yield shared
    status = shared.stop()
    assert status == 0, shared.log_text()


# Requests of tests that share a box are not to be counted against its ordinary rate.
SHARED_REQUESTS_PER_MINUTE = 1000000


@pytest.fixture(scope="session")
def app(box):
    """The project of the shared box: see app.py."""
    return App(box, SHARED_REQUESTS_PER_MINUTE)


@pytest.fixture(scope="module")
def module_app(tmp_path_factory):
    """The project of a box that the tests of one file share, because they change its settings."""
    own = Box(tmp_path_factory.mktemp("module"))
    own.start()
    yield App(own, SHARED_REQUESTS_PER_MINUTE)
    status = own.stop()
    assert status == 0, own.log_text()


@pytest.fixture(scope="module")
def authority():
    """A CA that a test has the box trust."""
    return Authority("CA ours")


@pytest.fixture
def directory():
    """One with a short path that every user may enter, unlike pytest's own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="rowlock-tmp-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_app(make_box):
    """make_app() is the project of a box of the test's own, with the ordinary settings."""
    return lambda **how: App(make_box(**how))
