# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that write as fast as they are answered, and remember what they were promised.

Each of some connections keeps a number of requests in flight: inserts, and changes and deletions of rows that it
inserted itself. `History` says, for each row, what was sent and when it was acknowledged; tests/fault/box_tool.c
compares databases with it."""

import asyncio
import itertools
import json
import random
import socket
import threading
import time

TABLE = "kept"
SCHEMA = {"bsonType": "object", "properties": {"number": {"bsonType": "number", "unique": True}}}
GONE = "gone"


class History:
    """Of all rows ever written to one box. Numbers are never used twice."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.rows = {}        # id: [[ns of the acknowledgement or 0, number or GONE], ...]
        self.unanswered = []  # numbers of inserts whose answer never came

    def acknowledged(self):
        return sum(1 for changes in self.rows.values() for acked, _ in changes if acked)

    def present(self):
        """id: number of the rows that are certainly there with that number; and ids whose last change was not answered."""
        sure = {row: changes[-1][1] for row, changes in self.rows.items() if changes[-1][0] and changes[-1][1] != GONE}
        unsure = {row for row, changes in self.rows.items() if not changes[-1][0]}
        return sure, unsure

    def write(self, path):
        with open(path, "w", encoding="ascii") as out:
            for row in sorted(self.rows):
                for acked, number in self.rows[row]:
                    out.write(f"{row} {acked} {number}\n")
            for number in self.unanswered:
                out.write(f"? 0 {number}\n")


class _Client:
    """One connection."""

    def __init__(self, writers, seed):
        self.writers = writers
        self.random = random.Random(seed)
        self.idle = []     # ids of own rows that no request in flight is about
        self.sent = []     # (method, id or None, change or number), oldest first
        self.ended = False

    def _request(self, method, path, body=b""):
        return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {self.writers.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    def _next(self):
        """The bytes of another request; what it promises is noted before it is sent."""
        history = self.writers.history
        dice = self.random.random()
        if dice < 0.7 or not self.idle:
            number = next(history.numbers)
            self.sent.append(("POST", None, number))
            return self._request("POST", f"/v1/data/{TABLE}", json.dumps({"number": number}).encode())
        row = self.idle.pop(self.random.randrange(len(self.idle)))
        method, number = ("PATCH", next(history.numbers)) if dice < 0.9 else ("DELETE", GONE)
        change = [0, number]
        history.rows[row].append(change)
        self.sent.append((method, row, change))
        body = b"" if method == "DELETE" else json.dumps({"number": number}).encode()
        return self._request(method, f"/v1/data/{TABLE}/{row}", body)

    def _answered(self, status, body):
        method, row, change = self.sent.pop(0)
        if not 200 <= status < 300:
            self.writers.refused.append((method, status, body[:300]))
            if row is not None:
                self.writers.history.rows[row].remove(change)  # refused: it must not have happened
            return
        now = time.monotonic_ns()
        if method == "POST":
            row = json.loads(body)["id"]
            self.writers.history.rows[row] = [[now, change]]
        else:
            change[0] = now
        self.writers.answered += 1
        if method != "DELETE":
            self.idle.append(row)

    async def _read(self, reader):
        while self.sent or not self.writers.stopping:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")), 0)
            self._answered(int(head[0].split()[1]), await reader.readexactly(length))
            self.turn.set()

    async def _write(self, writer):
        while not self.writers.stopping:
            while len(self.sent) < self.writers.depth and not self.writers.stopping:
                writer.write(self._next())
            await writer.drain()
            self.turn.clear()
            await self.turn.wait()
        if not self.sent:
            self.reading.cancel()  # it may wait for an answer to nothing

    async def run(self):
        self.turn = asyncio.Event()
        try:
            reader, writer = await asyncio.open_connection(
                self.writers.host, self.writers.port, ssl=self.writers.context, server_hostname="localhost",
                ssl_handshake_timeout=60)
        except (OSError, asyncio.IncompleteReadError):
            return
        notice_the_dead(writer.get_extra_info("socket"))
        self.reading = asyncio.ensure_future(self._read(reader))
        writing = asyncio.ensure_future(self._write(writer))
        try:
            await self.reading
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        writing.cancel()
        for method, _, change in self.sent:  # no answer came: they may have happened
            if method == "POST":
                self.writers.history.unanswered.append(change)
        self.sent = []
        writer.transport.abort()


def notice_the_dead(connection):
    """A worker that is killed takes the stack in user space with it, and nobody tells its clients: one that only waits asks now
    and then whether the other side is there, and the next worker's stack says no."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 5),
                          (socket.TCP_USER_TIMEOUT, 30000)):  # ms, for what nobody acknowledges: the kernel tries for 15 minutes
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Writers:
    """with Writers(box, history, connections, depth) as writers: ... they write meanwhile, in a thread."""

    def __init__(self, box, history, connections, depth, seed=1):
        self.host, self.port, self.key, self.context = box.host, box.port, box.sk, box.context()
        self.history, self.connections, self.depth, self.seed = history, connections, depth, seed
        self.answered = 0
        self.refused = []
        self.stopping = False
        self.clients = [_Client(self, seed * 1000 + number) for number in range(connections)]

    def in_flight(self):
        return sum(len(client.sent) for client in self.clients)

    async def _run(self):
        await asyncio.gather(*(client.run() for client in self.clients))

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """No further requests; returns when those in flight are answered or their connections have ended."""
        self.stopping = True
        self.thread.join()


def prepare(box):
    """The table, and a limit of requests that is not reached."""
    settings = {"settings": {"requestsPerMinute": 0xffffff}}
    assert box.patch(f"/v1/admin/projects/{box.project}", settings, key="sk").status == 200
    box.make_table(TABLE, SCHEMA)
