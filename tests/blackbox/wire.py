# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes on a TLS connection, as written: for requests that no client library would send."""

import re
import socket
import ssl

ANSWER_SECONDS = 30
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.I)


class Wire:
    """One TLS connection. send() writes bytes; answers() reads until the peer closes or `count` answers have come."""

    def __init__(self, box, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=box.ca)
        plain = socket.create_connection((box.host, box.port), timeout=ANSWER_SECONDS, source_address=box.source(source))
        self.tls = context.wrap_socket(plain, server_hostname="localhost")
        self.rest = b""

    def send(self, data):
        self.tls.sendall(data)

    def _more(self):
        try:
            part = self.tls.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            part = b""
        self.rest += part
        return bool(part)

    def raw_answer(self):
        """The next answer as (head, body), the bytes that came, or None when the connection has ended."""
        while b"\r\n\r\n" not in self.rest:
            if not self._more():
                return None
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        length = LENGTH.search(head)
        length = int(length.group(1)) if length else 0
        while len(self.rest) < length:
            if not self._more():
                return None
        body, self.rest = self.rest[:length], self.rest[length:]
        return head, body

    def answer(self):
        """The next answer as (status, headers, body), or None when the connection has ended."""
        raw = self.raw_answer()
        if raw is None:
            return None
        lines = raw[0].decode("ascii").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        return int(lines[0].split(" ")[1]), headers, raw[1]

    def ended(self):
        """True when the peer has closed and nothing more came."""
        while self._more():
            pass
        return self.rest == b""

    def close(self):
        self.tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_request(path, key, body):
    """The bytes of a POST of JSON with a key."""
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def first_answer(box, data):
    """Sends bytes on a connection of their own; answers (status of the first answer, whether the peer then closed)."""
    with Wire(box) as wire:
        wire.send(data)
        answer = wire.answer()
        if answer is None:
            return None, True
        return answer[0], answer[1].get("connection", "").lower() == "close" and wire.ended()
