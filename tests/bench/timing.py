#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make timing: does the time of an answer tell what its text does not?

Requests whose answers are the same, whoever the address belongs to, form a group. Each of its cases is asked SAMPLES
times, in turn and in random order over one connection, and every two cases are compared by Welch's t: of all samples,
and of those below the 90th and the 50th percentile of both, where what disturbs a machine is left out. |t| above 4.5
means that the means differ (a chance of 1 in 100,000 if they do not); by how much is beside it. `the same case twice`
says what a difference of nothing looks like in this run. It is a report: nothing fails by it.

Hashes cost the least that is allowed in this build (timing.defconfig), which makes whatever lies beside them stand out."""

import argparse
import itertools
import json
import math
import os
import random
import socket
import ssl
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import servers

ROOT = Path(__file__).resolve().parents[2]
CLIENT_CORE = 1
T_LIMIT = 4.5
KEPT = (1.0, 0.9, 0.5)
ATTEMPTS = 4            # of the five that an address may fail from one source (contract 1.9) ...
SOURCES = 10            # ... and 40 of the 50 that it may fail from all
CHECKS = 30             # of accounts/check a minute from one source
MAIL_WAIT_S = 31        # one mail to an address in 30 seconds
MAIL_PART = 4           # one in so many samples: each is held for some 20 ms
LOCKED = 20
PASSWORD, WRONG = "abc123", "abc124"
WRITERS = 16


def say(text):
    print(text, file=sys.stderr, flush=True)


class Wire:
    """One kept TLS connection from an address of its own. Requests are bytes that were made before the clock starts."""

    def __init__(self, box, source):
        plain = socket.create_connection(("127.0.0.1", box.port), 60, (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = box.tls.wrap_socket(plain, server_hostname="localhost")

    def ask(self, request):
        """(status, microseconds until the whole answer was there)"""
        began = time.perf_counter_ns()
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        head, body = answer.split(b"\r\n\r\n", 1)
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        while len(body) < length:
            body += self.socket.recv(65536)
        return int(head[9:12]), (time.perf_counter_ns() - began) / 1000

    def close(self):
        self.socket.close()


class Timing:
    def __init__(self, box, samples, seed):
        self.box, self.samples, self.random = box, samples, random.Random(seed)
        self.groups = {}  # title: {case: [microseconds...]}

    # --- what is asked ---

    def request(self, path, body):
        text = json.dumps(body).encode()
        return (f"POST /v1/auth/{path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {self.box.info['publishableKey']}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text

    def email(self):
        return f"{self.random.getrandbits(64):016x}@example.com"

    def emails(self, count):
        return [self.email() for _ in range(count)]

    def sign_in(self, email, password):
        return self.request("email/signin", {"email": email, "password": password})

    def users(self, count, **more):
        """Made by the secret key. Answers their addresses."""
        emails = self.emails(count)
        with ThreadPoolExecutor(WRITERS) as pool:
            for status, _, answer in pool.map(lambda part: self.make(part, more), [emails[i::WRITERS] for i in range(WRITERS)]):
                if status != 201:
                    raise RuntimeError(f"a user was answered {status}: {answer}")
        return emails

    def make(self, emails, more):
        connection, answer = self.box.connection(), (201, None, None)
        for email in emails:
            answer = self.box.call("POST", "/v1/users", self.box.info["secretKey"],
                                   {"email": email, "name": "A user", **more}, connection)
            if answer[0] != 201:
                break
            if email in self.to_ban:
                path = f"/v1/users/{answer[2]['id']}/ban"
                banned = self.box.call("PATCH", path, self.box.info["secretKey"], {"banned": True}, connection)
                if banned[0] != 200:
                    return banned
        connection.close()
        return answer

    to_ban = frozenset()

    # --- sampling ---

    def take(self, group, wire, cases, status):
        """One request of each case, in random order. cases: {name: request}"""
        order = list(cases)
        self.random.shuffle(order)
        for case in order:
            got, us = wire.ask(cases[case])
            if got != status:
                raise RuntimeError(f"{group}, {case}: answered {got}, not {status}")
            self.groups.setdefault(group, {}).setdefault(case, []).append(us)

    def failed_sign_ins(self):
        count = math.ceil(self.samples / (ATTEMPTS * SOURCES))
        say(f"sign-ins that fail: {count} accounts of each kind")
        known, bare = self.users(count, password=PASSWORD), self.users(count)
        banned = self.emails(count)
        self.to_ban, made = frozenset(banned), iter(banned)
        self.email, kept = lambda: next(made), self.email
        self.users(count, password=PASSWORD)
        self.email, self.to_ban = kept, frozenset()
        unknown, other = self.emails(count), self.emails(count)
        for source in range(SOURCES):
            wire = Wire(self.box, f"127.0.1.{source + 1}")
            for i, _ in itertools.product(range(count), range(ATTEMPTS)):
                self.take("sign-in, 401", wire, {
                    "unknown account": self.sign_in(unknown[i], WRONG),
                    "unknown account (the same case twice)": self.sign_in(other[i], WRONG),
                    "wrong password": self.sign_in(known[i], WRONG),
                    "banned, wrong password": self.sign_in(banned[i], WRONG),
                    "account without a password": self.sign_in(bare[i], WRONG)}, 401)
            wire.close()

    def lock(self, wire, emails):
        for email in emails:
            for _ in range(6):
                status, _ = wire.ask(self.sign_in(email, WRONG))
            if status != 429:
                raise RuntimeError(f"six failures are answered {status}")

    def locked_sign_ins(self):
        """The windows of limits begin at multiples of 15 minutes: some rounds lock anew."""
        say("sign-ins of locked accounts")
        for _ in range(math.ceil(self.samples / 1000)):
            wire = Wire(self.box, "127.0.2.1")
            known, unknown, other = self.users(LOCKED, password=PASSWORD), self.emails(LOCKED), self.emails(LOCKED)
            if time.time() % 900 > 840:
                time.sleep(900 - time.time() % 900)
            self.lock(wire, [*known, *unknown, *other])
            for i in range(min(1000, self.samples)):
                at = i % LOCKED
                self.take("sign-in, 429", wire, {
                    "unknown account": self.sign_in(unknown[at], PASSWORD),
                    "unknown account (the same case twice)": self.sign_in(other[at], PASSWORD),
                    "right password": self.sign_in(known[at], PASSWORD),
                    "wrong password": self.sign_in(known[at], WRONG)}, 429)
            wire.close()

    def mails(self):
        count = math.ceil(self.samples / MAIL_PART)
        say(f"what sends mail: {count} accounts")
        known = self.users(count)
        for name, path, more in (("password reset", "password/reset/request", {}),
                                 ("magic link", "email/signin", {"method": "magiclink"}),
                                 ("confirmation again", "signup/email/resend", {}),
                                 ("address verification", "email/verify/send", {})):
            wire, began = Wire(self.box, "127.0.3.1"), time.monotonic()
            for email in known:
                self.take(f"{name}, 200", wire, {
                    "unknown address": self.request(path, {"email": self.email(), **more}),
                    "unknown address (the same case twice)": self.request(path, {"email": self.email(), **more}),
                    "known address": self.request(path, {"email": email, **more})}, 200)
            wire.close()
            say(f"  {name}: {time.monotonic() - began:.0f} s")
            time.sleep(MAIL_WAIT_S)

    def codes(self):
        say("codes that are none")
        known, wire = self.users(LOCKED, password=PASSWORD), Wire(self.box, "127.0.4.1")
        for i in range(self.samples):
            code = f"{self.random.getrandbits(256):064x}"
            body = {"token": code, "newPassword": "another1"}
            self.take("password reset by a wrong code, 404", wire, {
                "unknown address": self.request("password/reset/confirm", {"email": self.email(), **body}),
                "unknown address (the same case twice)": self.request("password/reset/confirm", {"email": self.email(), **body}),
                "known address": self.request("password/reset/confirm", {"email": known[i % LOCKED], **body})}, 404)
        wire.close()

    def checks(self):
        """In a project that keeps to itself who there is; others tell it (contract 5.8)."""
        say("accounts/check")
        self.settings({"enumerationProtection": True})
        known, rounds = self.users(LOCKED, password=PASSWORD), CHECKS // 3
        unknown, other = self.emails(LOCKED), self.emails(LOCKED)  # as warm in a processor's memory as those that are known
        for source in range(math.ceil(self.samples / rounds)):
            wire = Wire(self.box, f"127.1.{source // 250}.{source % 250 + 1}")
            for i in range(rounds):
                at = (source * rounds + i) % LOCKED
                ask = lambda email: self.request("accounts/check", {"type": "credentials", "providerAccountId": email})
                self.take("accounts/check with enumerationProtection, 200", wire, {
                    "unknown address": ask(unknown[at]),
                    "unknown address (the same case twice)": ask(other[at]),
                    "known address": ask(known[at])}, 200)
            wire.close()

    def settings(self, settings):
        status, _, answer = self.box.call("PATCH", f"/v1/admin/projects/{self.box.info['projectId']}",
                                          self.box.info["secretKey"], {"settings": settings})
        if status != 200:
            raise RuntimeError(f"settings answered {status}: {answer}")

    # --- what came out ---

    def show(self):
        print(f"\nTiming, {self.samples} samples of each case, load of the machine {os.getloadavg()[0]:.1f}; "
              "microseconds\nfor each pair: difference of means (Welch's t), of all samples, of those below the 90th and the "
              "50th percentile")
        different = []
        for group, cases in self.groups.items():
            print(f"\n{group}")
            for case, times in cases.items():
                print(f"  {case:42} mean {statistics.fmean(times):10.1f}  median {statistics.median(times):10.1f}  "
                      f"sd {statistics.stdev(times):9.1f}")
            for a, b in itertools.combinations(cases, 2):
                found = compare(cases[a], cases[b])
                mark = "DIFFERENT" if any(abs(t) > T_LIMIT for _, t in found) else ""
                print(f"  {a} - {b}:" + ";".join(f" {us:+.1f} ({t:+.2f})" for us, t in found), mark)
                if mark:
                    different.append(f"{group}: {a} - {b}")
        print("\n" + ("means that differ:\n  " + "\n  ".join(different) if different else "no two means differ"))


def welch(a, b):
    """(difference of the means, t)"""
    spread = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
    difference = statistics.fmean(a) - statistics.fmean(b)
    return difference, difference / spread if spread > 0 else 0.0


def compare(a, b):
    times = sorted(a + b)
    edges = [times[int(kept * len(times)) - 1] for kept in KEPT]
    return [welch([us for us in a if us <= edge], [us for us in b if us <= edge]) for edge in edges]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="*", default=["failed_sign_ins", "locked_sign_ins", "mails", "codes", "checks"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rowlock-timing-") as folder:
        os.chmod(folder, 0o755)
        with servers.Rowlock(ROOT, args.binary, folder) as box:
            os.sched_setaffinity(0, {CLIENT_CORE})
            timing = Timing(box, args.samples, args.seed)
            timing.settings({"requestsPerMinute": 2**24 - 1})
            for name in args.only:
                began = time.monotonic()
                getattr(timing, name)()
                say(f"{name}: {time.monotonic() - began:.0f} s")
            timing.show()


if __name__ == "__main__":
    main()
