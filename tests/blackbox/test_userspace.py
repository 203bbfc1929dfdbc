# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack in user space on an interface of the machine: what a neighbour on that cable reaches of the box, and of the
kernel below it. The box lives in one network namespace and the neighbour in another; a pair of veth is the cable."""

import contextlib
import ctypes
import os
import pathlib
import queue
import random
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import userspace
from conftest import ROOT, wait_until

BOX, BOX6 = "192.0.2.2", "2001:db8::2"
NEAR, NEAR6 = "192.0.2.1", "2001:db8::1"
HIDDEN = "198.51.100.9"  # an address of the kernel below the box, on another interface
ADMIN, ADMIN_NEAR, ADMIN_PORT = "203.0.113.2", "203.0.113.1", 9443  # the administrator's cable: the kernel's
KERNEL_PORT = 2222
PORT = 8443
SYNS_A_SECOND = 10000
FLOOD_S = 4


class Namespace:
    """A thread whose sockets and children live in a network namespace of their own."""

    def __init__(self):
        self.jobs = queue.Queue()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()
        self.pid = self.run(threading.get_native_id)
        self.problem = self.run(lambda: self.entered)

    def _work(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.entered = None
        if libc.unshare(userspace.CLONE_NEWNET) != 0:
            self.entered = f"no network namespace here: {os.strerror(ctypes.get_errno())}"
        for act, answer in iter(self.jobs.get, None):
            try:
                answer.put((act(), None))
            except BaseException as problem:  # pylint: disable=broad-except
                answer.put((None, problem))

    def run(self, act):
        answer = queue.Queue()
        self.jobs.put((act, answer))
        value, problem = answer.get()
        if problem is not None:
            raise problem
        return value

    def end(self):
        self.jobs.put(None)
        self.thread.join()


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def sides():
    """The namespaces of the neighbour and of the box, with a cable between them: "near0" and "eth0"."""
    near, far = Namespace(), Namespace()
    if near.problem:
        pytest.skip(near.problem)
    near.run(lambda: ip("link", "add", "near0", "type", "veth", "peer", "name", "eth0", "netns", str(far.pid)))
    near.run(lambda: [ip("link", "set", "lo", "up"), ip("addr", "add", f"{NEAR}/24", "dev", "near0"), ip("link", "set", "near0", "up"),
                      ip("addr", "add", f"{NEAR6}/64", "dev", "near0", "nodad")])
    # What the kernel below the box would show: an address on the cable, one on another interface, and an open port on all.
    far.run(lambda: [ip("link", "set", "lo", "up"), ip("addr", "add", "192.0.2.77/24", "dev", "eth0"), ip("link", "set", "eth0", "up"),
                     ip("tuntap", "add", "dev", "other0", "mode", "tap"), ip("addr", "add", f"{HIDDEN}/32", "dev", "other0"),
                     ip("link", "set", "other0", "up")])
    near.run(lambda: ip("route", "add", HIDDEN, "via", BOX))
    near.run(lambda: ip("link", "add", "near1", "type", "veth", "peer", "name", "eth1", "netns", str(far.pid)))
    near.run(lambda: [ip("addr", "add", f"{ADMIN_NEAR}/24", "dev", "near1"), ip("link", "set", "near1", "up")])
    far.run(lambda: [ip("addr", "add", f"{ADMIN}/24", "dev", "eth1"), ip("link", "set", "eth1", "up")])
    yield near, far
    near.end()
    far.end()


@pytest.fixture(scope="module")
def kernel(sides):
    """The kernel's own service below the box, on each of its addresses."""
    _, far = sides

    def open_port():
        listener = socket.create_server(("::", KERNEL_PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        return listener

    listener = far.run(open_port)
    yield far
    listener.close()


def reaches(address, port, timeout=1):
    """"open", "refused" or "silent"."""
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][4])
            return "open"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"


def link_local(namespace, name):
    """What the kernel would call itself there: the card's address as RFC 4291 appendix A has it."""
    mac = namespace.run(lambda: (pathlib.Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}") / "net/dev").read_text()
                        and ip("-o", "link", "show", name)).split("link/ether ")[1].split()[0].split(":")
    return f"fe80::{int(mac[0], 16) ^ 2:02x}{mac[1]}:{mac[2]}ff:fe{mac[3]}:{mac[4]}{mac[5]}%near0"


@pytest.fixture(scope="module")
def box(sides, kernel, tmp_path_factory):
    from conftest import Box
    near, far = sides
    if "STACK" in os.environ:
        pytest.skip("these boxes have namespaces of their own: once is enough")
    # Before the box the kernel is there for everybody on the cable, so that a scan can find it.
    assert near.run(lambda: reaches("192.0.2.77", KERNEL_PORT, 5)) == "open"
    made = Box(tmp_path_factory.mktemp("userspace"),
               ["--net-interface", "eth0", "--net-address", f"{BOX}/24", "--net-gateway", NEAR, "--net-address", f"{BOX6}/64",
                "--port", str(PORT), "--http-port", "8080", "--admin-listen", ADMIN, "--admin-port", str(ADMIN_PORT)])
    made.host = BOX
    far.run(made.start)
    wait_until(lambda: near.run(lambda: reaches(BOX6, PORT)) == "open", "the IPv6 address")
    yield made
    assert made.stop() == 0, made.log_text()


def test_the_box_answers_over_both_protocols(box, sides):
    near, _ = sides
    context = box.context()
    for address in (BOX, BOX6):
        box.host = address
        answer = near.run(lambda: box.request("GET", "/healthz", connection=fresh(box, context)))
        assert answer.status == 200, address
    box.host = BOX


def fresh(box, context, host=None, port=PORT):
    from conftest import Connection
    connection = Connection("localhost", port, context=context, timeout=20)
    connection.address = host or box.host
    return connection


def test_the_administrator_has_an_interface_of_his_own(box, sides):
    """His address stands in the report and in the certificate, and on the cable of the data there is nothing of his, with
    whatever key."""
    near, _ = sides
    context = box.context()
    asked = {}
    for place, host, port in (("data", BOX, PORT), ("his", ADMIN, ADMIN_PORT)):
        for method, path in (("GET", "/v1/admin/tables"), ("DELETE", "/v1/admin/tables"), ("POST", "/v1/admin/auth/signin"),
                             ("GET", "/healthz"), ("GET", "/v1/users")):
            answer = near.run(lambda method=method, path=path, host=host, port=port: box.request(
                method, path, {} if method == "POST" else None, key="sk", connection=fresh(box, context, host, port)))
            asked[place, method, path] = answer.status
    with near.run(lambda: socket.create_connection((ADMIN, ADMIN_PORT), 20)) as plain:
        with context.wrap_socket(plain, server_hostname=ADMIN) as tls:
            names = {name for kind, name in tls.getpeercert()["subjectAltName"] if kind == "IP Address"}

    assert asked == {
        ("data", "GET", "/v1/admin/tables"): 404, ("data", "DELETE", "/v1/admin/tables"): 404,
        ("data", "POST", "/v1/admin/auth/signin"): 404, ("data", "GET", "/healthz"): 200, ("data", "GET", "/v1/users"): 200,
        ("his", "GET", "/v1/admin/tables"): 200, ("his", "DELETE", "/v1/admin/tables"): 405,
        ("his", "POST", "/v1/admin/auth/signin"): 401, ("his", "GET", "/healthz"): 200, ("his", "GET", "/v1/users"): 200}
    assert ADMIN in names
    assert box.report["adminUrl"] == f"https://{ADMIN}:{ADMIN_PORT}"
    assert near.run(lambda: reaches(BOX, ADMIN_PORT)) == "refused"
    assert near.run(lambda: reaches(ADMIN, PORT)) == "refused"


def test_a_box_that_nobody_gives_an_address_reports_all_the_same(box, sides, make_box):
    _, far = sides
    far.run(lambda: [ip("tuntap", "add", "dev", "quiet0", "mode", "tap"), ip("link", "set", "quiet0", "up")])
    alone = make_box(start=False, options=["--net-interface", "tap:quiet0"])

    far.run(alone.start)

    assert alone.report["url"].startswith("https://localhost:") and alone.events("address") == []


def test_a_port_scan_reaches_nothing_of_the_kernels(box, sides):
    """Each of these the kernel would have answered before: its own addresses, that of its other interface by way of the box,
    and the box's address on ports that only the kernel has."""
    near, far = sides
    card = link_local(far, "eth0")
    assert far.run(lambda: reaches("127.0.0.1", KERNEL_PORT)) == "open"  # it is still there

    # lwIP itself has a link-local address of the same name: it refuses what it does not serve, and the kernel would open.
    found = {address: near.run(lambda address=address: reaches(address, KERNEL_PORT))
             for address in ("192.0.2.77", HIDDEN, BOX, BOX6, card)}
    scanned = {address: near.run(lambda address=address: [port for port in (*range(1, 1025), KERNEL_PORT, 8080, PORT)
                                                          if reaches(address, port) == "open"])
               for address in (BOX, BOX6)}
    kept = far.run(lambda: ip("-o", "addr", "show", "dev", "eth0"))

    assert found == {"192.0.2.77": "silent", HIDDEN: "silent", BOX: "refused", BOX6: "refused", card: "refused"}
    assert scanned == {BOX: [8080, PORT], BOX6: [8080, PORT]}
    assert kept == ""


def checksum(data):
    words = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def forged_syn(ours, theirs, dice):
    """A SYN from anywhere: from this very network and from the rest of the world."""
    source = bytes([192, 0, 2, dice.randrange(3, 255)]) if dice.random() < 0.5 else bytes(
        [dice.randrange(11, 126), *(dice.randrange(256) for _ in range(3))])
    tcp = struct.pack("!HHIIBBHHH", dice.randrange(1024, 65536), PORT, dice.randrange(1 << 32), 0, 0x50, 2, 64000, 0, 0)
    pseudo = source + socket.inet_aton(BOX) + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, source, socket.inet_aton(BOX))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return theirs + ours + b"\x08\x00" + head + tcp


def flood(cards, seconds, sent):
    """Paced by the clock: as many as were due by now."""
    dice = random.Random(1)
    frames = [forged_syn(*cards, dice) for _ in range(20000)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("near0", 0))
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            due = int((time.monotonic() - began) * SYNS_A_SECOND)
            for number in range(sent[0], due):
                wire.send(frames[number % len(frames)])
            sent[0] = max(sent[0], due)
            time.sleep(0.002)


def card_of(namespace, name):
    shown = namespace.run(lambda: ip("-o", "link", "show", name))
    return bytes.fromhex(shown.split("link/ether ")[1].split()[0].replace(":", ""))


def test_attack_13_a_client_keeps_working_beside_ten_thousand_forged_syns_a_second(box, sides):
    near, far = sides
    context = box.context()
    cards = (card_of(near, "near0"), card_of(far, "eth0"))
    sent, times = [0], []
    # A process of its own: threads of this one would take turns with the client.
    flooder = near.run(lambda: subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import test_userspace as t; n = [0]; "
         "t.flood((bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])), float(sys.argv[4]), n); print(n[0])",
         str(ROOT / "tests/blackbox"), cards[0].hex(), cards[1].hex(), str(FLOOD_S + 2)], stdout=subprocess.PIPE, text=True))
    kept = fresh(box, context)
    near.run(lambda: box.request("GET", "/healthz", connection=kept))

    time.sleep(1)  # the flood is in full flow
    end = time.monotonic() + FLOOD_S
    while time.monotonic() < end:
        began = time.monotonic()
        new = fresh(box, context)
        assert near.run(lambda: box.request("GET", "/healthz", connection=new)).status == 200
        near.run(new.close)
        assert near.run(lambda: box.request("GET", "/healthz", connection=kept)).status == 200
        times.append(time.monotonic() - began)
    sent[0] = int(flooder.communicate(timeout=60)[0])

    assert sent[0] > SYNS_A_SECOND * FLOOD_S
    assert len(times) > 10 and sorted(times)[len(times) // 2] < 1, times


@pytest.mark.skipif(userspace.IS_CHOSEN, reason="this is that run")
def test_a_selection_of_the_suite_passes_over_lwip(sides):
    """The whole of it: STACK=lwip make blackbox, a step of check-all."""
    chosen = ["test_http_wire.py", "test_auth_connection.py", "test_api_rows.py", "test_processes.py", "test_courier.py"]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "--color=no", "-p", "no:cacheprovider",
                           *(str(ROOT / "tests/blackbox" / name) for name in chosen)], capture_output=True, text=True, timeout=600,
                          check=False, env={name: value for name, value in dict(os.environ, STACK="lwip").items()
                                            if not name.startswith("PYTEST_")})

    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout and "skipped" not in done.stdout
