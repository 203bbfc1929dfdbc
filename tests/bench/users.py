# SPDX-License-Identifier: GPL-3.0-or-later
"""What users cost: a point read with an access token beside the same with the publishable key alone; sign-ins beside the
bare hash; reads while there is a flood of sign-ins beside reads alone; refreshes beside durable inserts, with all
processes of the appliance on one core, and with the keeper on the other, which it shares with the client.

The two sides of each ratio follow one another, and the ratio is taken within the pair. Reads under a flood share the
server's core with the hashes, as on an appliance whose cores are all busy. Sessions for refreshes are made by sign-in
links, which cost no hash."""

import json
import statistics
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import load
import servers

PEOPLE = 8               # who sign in
SESSIONS = 1600          # of which each run loses those under way at its end
FLOOD_CONNECTIONS = 16
WRITERS = 16
SETTLE_S, STEP_S = 10, 0.2
PASSWORD = "abc123"
# Each answer brings the token of another request. What is left is written down by the state that has `done`, which is not
# the one that has `response`.
REFRESH = """
wrk.headers["X-API-Key"] = "%s"
wrk.headers["Content-Type"] = "application/json"
tokens, first, last = {}, 1, 0
local worker
function setup(thread) worker = thread end
function init()
  for token in io.lines("%s") do last = last + 1; tokens[last] = token end
end
function request()
  local token = tokens[first] or "none"
  tokens[first], first = nil, first + 1
  return wrk.format("POST", "/v1/auth/refresh", nil, '{"refreshToken":"' .. token .. '"}')
end
function response(status, headers, body)
  local token = body:match('"refreshToken":"([^"]*)"')
  if token then last = last + 1; tokens[last] = token end
end
function done()
  local out = io.open("%s", "w")
  for _, token in pairs(worker:get("tokens")) do out:write(token, "\\n") end
  out:close()
end
"""


def must(answer, status):
    if answer[0] != status:
        raise RuntimeError(f"answered {answer[0]}: {answer[2]}")
    return answer[2]


class Users:
    def __init__(self, box, row, lua, hash_rate):
        """row: the body of a row. lua: what makes a script of (method, headers, paths, body). hash_rate: answers the
        hashes a second of the bare loop, and the CPU time of each."""
        self.box, self.row, self.lua, self.hash_rate = box, row, lua, hash_rate
        self.public = box.info["publishableKey"]
        self.people = [{"email": f"person{i}@example.com", "password": PASSWORD} for i in range(PEOPLE)]
        # The reader last, who signs in no more: the session before twenty others ends.
        for person in [*self.people, {"email": "reader@example.com", "password": PASSWORD}]:
            signed = must(box.call("POST", "/v1/auth/email/signup", self.public, {**person, "name": "A person"}), 201)
        self.token = {"Authorization": "Bearer " + signed["accessToken"]}
        must(box.call("POST", "/v1/admin/tables", box.info["secretKey"], {
            "tableName": "of_users", "schema": {name: {"type": "string"} for name in row},
            "permissions": {"guest": {"read": True}, "user": {"create": True, "read": True}}}), 201)
        self.ids = [must(box.call("POST", "/v1/data/of_users", self.public, row, headers=self.token), 201)["id"]
                    for _ in range(20)]
        self.tokens = self.make_sessions()
        self.pairs = {}  # name: [(sample, yardstick)...]
        self.floods = []  # (sign-ins a second, refusals a second, p99 of both)

    # --- sessions without hashes ---

    def make_sessions(self):
        with ThreadPoolExecutor(WRITERS) as pool:
            made = pool.map(lambda first: [self.make_session(i) for i in range(first, SESSIONS, WRITERS)], range(WRITERS))
            return [token for tokens in made for token in tokens]

    def make_session(self, number):
        email, secret = f"session{number}@example.com", self.box.info["secretKey"]
        call = self.box.call
        must(call("POST", "/v1/users", secret, {"email": email, "name": "A session"}), 201)
        must(call("POST", "/v1/auth/email/signin", self.public, {"method": "magiclink", "email": email}), 200)
        mails = must(call("GET", f"/v1/admin/outbox?limit=1&email={email}", secret), 200)["items"]
        return must(call("POST", "/v1/auth/email/callback", self.public, {"token": mails[0]["token"]}), 200)["refreshToken"]

    # --- scripts ---

    def read(self, headers):
        return self.lua("GET", {"X-API-Key": self.public, **headers}, [f"/v1/data/of_users/{row}" for row in self.ids])

    def sign_in(self):
        bodies = ",".join(f"[[{json.dumps(person)}]]" for person in self.people)
        return "\n".join([
            'wrk.method = "POST"', f'wrk.headers["X-API-Key"] = "{self.public}"',
            'wrk.headers["Content-Type"] = "application/json"', f"local bodies, at = {{{bodies}}}, 0",
            'function request() at = at % #bodies + 1; '
            'return wrk.format("POST", "/v1/auth/email/signin", nil, bodies[at]) end'])

    def insert(self):
        return self.lua("POST", {"X-API-Key": self.box.info["secretKey"], "Content-Type": "application/json"},
                        ["/v1/data/of_users"], self.row)

    # --- figures ---

    def run(self, script, seconds, connections=load.CONNECTIONS):
        sample = load.wrk(self.box.url, self.box.pid, seconds, script, connections)
        if sample.errors:
            raise RuntimeError(f"{sample.errors} failed requests; a figure with errors is no figure")
        return sample

    def add(self, name, sample, yardstick):
        self.pairs.setdefault(name, []).append((sample, yardstick))

    def refresh(self, seconds):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/tokens", "w") as out:
                out.write("\n".join(self.tokens) + "\n")
            sample = self.run(REFRESH % (self.public, f"{folder}/tokens", f"{folder}/left"), seconds)
            # What was under way at the end is lost, and with it its session.
            with open(f"{folder}/left") as left:
                self.tokens = left.read().split()
        return sample

    @contextmanager
    def flood(self, seconds):
        """Sign-ins all the while. More than the hashes that reads leave room for are told to come later (503)."""
        samples = []

        def sign_in():
            samples.append(load.wrk(self.box.url, self.box.pid, seconds, self.sign_in(), FLOOD_CONNECTIONS))

        thread = threading.Thread(target=sign_in)
        thread.start()
        yield
        thread.join()
        if not samples:
            raise RuntimeError("the flood of sign-ins failed")
        self.floods.append((samples[0].rate - samples[0].errors / seconds, samples[0].errors / seconds, samples[0].p99_ms))

    @contextmanager
    def keeper_apart(self):
        """As it runs where there are cores for keeper and worker: what it signs is a third of a refresh."""
        load.move(self.box.pid, "rowlock keeper", load.CLIENT_CORE)
        yield
        load.move(self.box.pid, "rowlock keeper", servers.SERVER_CORE)

    def settle(self):
        """Until the hashes are done that clients left behind."""
        for _ in range(int(SETTLE_S / STEP_S)):
            before = load.busy_us(self.box.pid)
            time.sleep(STEP_S)
            if load.busy_us(self.box.pid) - before < STEP_S * 1e6 / 10:
                return

    def measure(self, seconds):
        alone = self.run(self.read({}), seconds)
        self.add("point read, pk and token / pk", self.run(self.read(self.token), seconds), alone)
        rate, cpu_us = self.hash_rate(seconds)
        self.add("sign-in / bare hash", self.run(self.sign_in(), seconds), load.Sample(rate, 0.0, 0.0, 0, cpu_us))
        self.settle()
        alone = self.run(self.read({}), seconds)
        with self.flood(seconds + 2):
            flooded = self.run(self.read({}), seconds)
        flooded.cpu_us = alone.cpu_us = 0.0  # that of the hashes is in it
        self.add("reads in a flood of sign-ins / alone", flooded, alone)
        self.settle()
        short = max(1, seconds // 4)
        insert = self.run(self.insert(), short)
        self.add("refresh / durable insert", self.refresh(short), insert)
        with self.keeper_apart():
            insert = self.run(self.insert(), short)
            self.add("the same, keeper on the other core", self.refresh(short), insert)

    GOALS = {"point read, pk and token / pk": ">= 0.90", "sign-in / bare hash": ">= 0.90",
             "reads in a flood of sign-ins / alone": ">= 0.80", "refresh / durable insert": ">= 0.50",
             "the same, keeper on the other core": "none"}

    def show(self):
        print(f"\n{'users':40} {'a second':>10} {'CPU us':>10} {'beside':>10} {'CPU us':>10} {'by rate':>8} {'by CPU':>8}")
        for name, pairs in self.pairs.items():
            middle = [statistics.median(getattr(pair[side], what) for pair in pairs)
                      for side in (0, 1) for what in ("rate", "cpu_us")]
            rates = [a.rate / b.rate for a, b in pairs]
            by_cpu = f"{statistics.median(b.cpu_us / a.cpu_us for a, b in pairs):8.2f}" if middle[1] > 0 else f"{'-':>8}"
            print(f"{name:40} {middle[0]:10.1f} {middle[1]:10.1f} {middle[2]:10.1f} {middle[3]:10.1f} "
                  f"{statistics.median(rates):8.2f} {by_cpu}  (runs {min(rates):.2f}..{max(rates):.2f}, goal {self.GOALS[name]})")
        signed, refused, p99_ms = (statistics.median(flood[at] for flood in self.floods) for at in range(3))
        print(f"in the flood: {signed:.1f} sign-ins a second, {refused:.1f} refusals, 99 of 100 answered within "
              f"{p99_ms / 1000:.1f} s (clients give up after 10 s)")
