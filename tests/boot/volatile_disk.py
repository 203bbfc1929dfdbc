# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with a cache that a power cut empties.

QEMU's own caches are no test of a cut: what a killed QEMU has written is in the memory of this machine, and stays. So the disk is
served by this process (NBD, the protocol of network block devices, over a local socket), and a write is kept in memory, by sectors, until the box
asks for a flush or wrote with FUA. When QEMU goes without saying so, that is the cut: of each sector that was written since the last
flush the disk then holds any of the versions that it had, the one from before included, by chance from a seed. So writes get lost,
overtake one another, and tear at sectors, as on a real disk; what was flushed is there. A QEMU that ends in order loses nothing.
Spec: NBD, doc/proto.md of the network block device project: fixed newstyle negotiation, simple replies.
"""
import random
import socket
import struct
import threading
from pathlib import Path

SECTOR = 512
MAGIC, OPTION_MAGIC, REPLY_MAGIC = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPTION_ABORT, OPTION_GO = 2, 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
INFO_EXPORT = 0
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
READ, WRITE, DISCONNECT, FLUSH = range(4)
FUA = 1
EIO = 5


class VolatileDisk:
    """Serves the file at `path` to one client on the socket `address`, which must not exist yet. `lost` and `kept`: how many of
    the versions of sectors that were written and not flushed a cut has dropped, and how many sectors got a newer one."""

    def __init__(self, path, address, seed):
        self.file = open(path, "r+b", buffering=0)
        self.bytes = Path(path).stat().st_size
        self.chance = random.Random(seed)
        self.pending = {}  # sector: its versions since the last flush, oldest first
        self.lost = self.kept = self.flushes = 0
        self.was_cut = False
        self.failure = None
        self.awaited, self.is_full = None, threading.Event()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(address))
        self.listening.listen(1)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def join(self, seconds):
        """Until the client is gone and the file holds what is left."""
        self.listening.close()
        self.thread.join(seconds)
        if self.thread.is_alive() or self.failure:
            raise RuntimeError(f"the disk: {self.failure or 'its client is still there'}")

    def when_unflushed(self, sectors):
        """An event, set as soon as so many sectors are written and not flushed."""
        self.awaited = sectors
        return self.is_full

    def _run(self):
        try:
            client, _ = self.listening.accept()
            with client:
                self.was_cut = not self._serve(client)
            self._settle()
        except Exception as error:  # told by join()
            self.failure = error
        finally:
            self.file.close()

    def _settle(self):
        for sector, versions in sorted(self.pending.items()):
            taken = self.chance.randint(0, len(versions)) if self.was_cut else len(versions)
            self.lost += len(versions) - taken
            if taken:
                self.kept += 1
                self._put(sector, versions[taken - 1])
        self.pending = {}

    # --- the protocol ---

    def _serve(self, client):
        """True: the client has ended in order."""
        try:
            return self._agree(client) and self._answer(client)
        except (ConnectionError, EOFError):
            return False

    @staticmethod
    def _take(client, count):
        data = bytearray(count)
        view, at = memoryview(data), 0
        while at < count:
            got = client.recv_into(view[at:])
            if not got:
                raise EOFError
            at += got
        return bytes(data)

    def _agree(self, client):
        client.sendall(struct.pack(">QQH", MAGIC, OPTION_MAGIC, FIXED_NEWSTYLE | NO_ZEROES))
        self._take(client, 4)
        while True:
            magic, option, count = struct.unpack(">QII", self._take(client, 16))
            if magic != OPTION_MAGIC:
                raise EOFError
            self._take(client, count)

            def reply(kind, data=b"", option=option):
                client.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

            if option == OPTION_ABORT:
                reply(REPLY_ACK)
                return False
            if option == OPTION_GO:
                reply(REPLY_INFO, struct.pack(">HQH", INFO_EXPORT, self.bytes, HAS_FLAGS | SEND_FLUSH | SEND_FUA))
                reply(REPLY_ACK)
                return True
            reply(REPLY_UNSUPPORTED)

    def _answer(self, client):
        while True:
            magic, flags, kind, handle, offset, count = struct.unpack(">IHHQQI", self._take(client, 28))
            if magic != REQUEST_MAGIC:
                raise EOFError
            if kind == DISCONNECT:
                return True
            data, error = b"", 0
            if kind == READ:
                data = self._read(offset, count)
            elif kind == WRITE:
                self._write(offset, self._take(client, count), bool(flags & FUA))
            elif kind == FLUSH:
                self._flush()
            else:
                error = EIO
            client.sendall(struct.pack(">IIQ", ANSWER_MAGIC, error, handle) + data)

    # --- the disk ---

    def _put(self, sector, data):
        self.file.seek(sector * SECTOR)
        self.file.write(data)

    def _read(self, offset, count):
        self.file.seek(offset)
        data = bytearray(self.file.read(count))
        if self.pending:
            for sector in range(offset // SECTOR, -(-(offset + count) // SECTOR)):
                if sector in self.pending:
                    whole = self.pending[sector][-1]
                    begin, end = max(sector * SECTOR, offset), min((sector + 1) * SECTOR, offset + count)
                    data[begin - offset:end - offset] = whole[begin - sector * SECTOR:end - sector * SECTOR]
        return bytes(data)

    def _write(self, offset, data, now):
        if offset % SECTOR or len(data) % SECTOR:
            raise ValueError("a write of half a sector")
        for at in range(0, len(data), SECTOR):
            sector, piece = (offset + at) // SECTOR, data[at:at + SECTOR]
            if now:
                self.pending.pop(sector, None)
                self._put(sector, piece)
            else:
                self.pending.setdefault(sector, []).append(piece)
        if self.awaited is not None and len(self.pending) >= self.awaited:
            self.is_full.set()

    def _flush(self):
        self.flushes += 1
        for sector, versions in sorted(self.pending.items()):
            self._put(sector, versions[-1])
        self.pending.clear()
