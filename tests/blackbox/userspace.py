# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes whose TCP/IP is lwIP: STACK=lwip in the environment makes the whole suite run over it. This process then lives in a
network namespace of its own; each box hangs on a cable (a tap) there, in a network of its own, 10.64.0.0/16 and onwards.
Clients come from any address of that network: 127.a.b.c of a test becomes 10.n.b.c. What the box connects to, by the name
localhost, is found at the tests' end of the cable: a name server there says so."""

import ctypes
import itertools
import os
import pathlib
import socket
import struct
import subprocess
import threading

IS_CHOSEN = os.environ.get("STACK") == "lwip"
CLONE_NEWNET = 0x40000000
NUMBERS = itertools.count(64)
SERVERS_LISTEN = "0.0.0.0" if IS_CHOSEN else "127.0.0.1"  # for what boxes connect to


class NameServer:
    """Says what its table of names and addresses (IPv4) says, and that there is nothing else. asked lists the names."""

    def __init__(self, address, table):
        self.table, self.asked = table, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, source = self.socket.recvfrom(512)
            except OSError:
                return
            answer = self.answer(question)
            if answer is not None:
                self.socket.sendto(answer, source)

    def answer(self, question):
        name, end = [], 12
        while question[end]:
            name.append(question[end + 1:end + 1 + question[end]].decode())
            end += 1 + question[end]
        kind, = struct.unpack("!H", question[end + 1:end + 3])
        self.asked.append(".".join(name))
        address = self.table.get(".".join(name))
        records = b"" if address is None or kind != 1 else b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
        flags = 0x8180 if address is not None else 0x8183
        return question[:2] + struct.pack("!HHHHH", flags, 1, bool(records), 0, 0) + question[12:end + 5] + records

    def close(self):
        self.socket.close()


def enter_namespace():
    """Before the first thread of this process; why it is impossible here, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return f"no network namespace here: {os.strerror(ctypes.get_errno())}"
    if not pathlib.Path("/dev/net/tun").exists():
        return "no /dev/net/tun here"
    ip("link", "set", "lo", "up")
    return None


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Cable:
    """The tests' end of a box's cable."""

    def __init__(self):
        self.number = number = next(NUMBERS)
        self.name = f"box{number}"
        self.host = f"10.{number}.0.2"
        self.host6 = f"fd00:{number:x}::2"
        self.near = f"10.{number}.0.1"
        self.near6 = f"fd00:{number:x}::1"
        self.prefix = f"10.{number}"
        ip("tuntap", "add", "dev", self.name, "mode", "tap")
        ip("addr", "add", f"{self.near}/16", "dev", self.name)
        ip("link", "set", self.name, "up")
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{self.name}/accept_dad").write_text("0")
        ip("addr", "add", f"{self.near6}/64", "dev", self.name, "nodad")
        self.names = NameServer(self.near, {"localhost": self.near})

    def options(self):
        """A port of its own, for some tests tell boxes apart by it."""
        return ["--net-interface", f"tap:{self.name}", "--net-address", f"{self.host}/16", "--net-address", f"{self.host6}/64",
                "--net-dns", self.near,
                "--port", str(20000 + self.number), "--http-port", str(30000 + self.number), "--name", "localhost"]

    def source(self, address):
        """The address of this network that stands for 127.a.b.c. All but the box's own are this machine's."""
        if address is None or address == "127.0.0.1":
            return None
        _, _, third, last = address.split(".")
        mine = f"{self.prefix}.{int(third) + 1}.{last}"  # not the box's own .0.2
        subprocess.run(["ip", "addr", "replace", f"{mine}/32", "dev", self.name], check=True, capture_output=True)
        return mine
