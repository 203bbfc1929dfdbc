# SPDX-License-Identifier: GPL-3.0-or-later
"""What policy costs: the same point read and the same list of 20 rows, by the secret key on a table without a policy, and
by a guest and a signed-in user on tables with policies that show them all of it.

Every table holds the same 20 rows, all of them of one user, so that every answer is the same but for ids. The secret key
goes before each other requester, and their ratio is taken within the pair: what disturbs the machine disturbs both. A
user without a policy shows what the access token costs (its header, its digest, the account); the rest is policy."""

import statistics

import load

ROWS = 20
FIELDS = {"title": {"type": "string"}, "status": {"type": "string"}, "body": {"type": "string"}}
EVERYTHING = {"create": True, "read": True, "list": True}
EXPRESSIONS = {"create": "user", "read": "user|guest&public|role:editor", "update": "self|role:editor",
               "delete": "self&role:editor|admin", "list": "user|guest&public|role:editor"}
# All three filters are asked about each row for a user; the last shows it.
RULES = {
    "expressionPermissions": EXPRESSIONS,
    "columnPermissions": {"title": {"read": "public", "write": "user"}, "status": {"read": "user|guest"},
                          "body": {"read": "self|public", "write": "user|role:editor"}},
    "rowFilters": [{"expression": "user|guest", "filter": {"status": "draft"}},
                   {"expression": "self|guest", "filter": {"title": "another headline"}},
                   {"expression": "public", "filter": {"status": "published"}}],
    "security": {"rowFilterScope": "read"},
}
POLICIES = {
    "no policy": {},
    "matrix": {"permissions": {"guest": {"read": True, "list": True}, "user": EVERYTHING, "self": {"update": True}}},
    "expressions": {"expressionPermissions": EXPRESSIONS},
    "rules": RULES,
}
GOALS = {"no policy": "none", "matrix": "<= 1.10", "expressions": "<= 1.10", "rules": "<= 1.25"}
BASE = "sk_, no policy"


def must(answer, status):
    if answer[0] != status:
        raise RuntimeError(f"answered {answer[0]}: {answer[2]}")
    return answer[2]


class Requests:
    """The tables, their rows, and a wrk script for each (shape, requester, policy)."""

    def __init__(self, box, row, lua):
        """row: the body of each row. lua: what makes a script of (method, headers, paths)."""
        self.box, self.lua = box, lua
        account = {"email": "bench@example.com", "password": "abc123", "name": "A user"}
        signed = must(box.call("POST", "/v1/auth/email/signup", box.info["publishableKey"], account), 201)
        token = {"Authorization": "Bearer " + signed["accessToken"]}
        public = {"X-API-Key": box.info["publishableKey"]}
        self.headers = {"sk_": {"X-API-Key": box.info["secretKey"]}, "guest": public, "user": {**public, **token}}
        self.ids = {name: self.make_table(name, row, token) for name in POLICIES}

    def table(self, policy):
        return "policy_" + policy.replace(" ", "_")

    def make_table(self, policy, row, token):
        table = self.table(policy)
        key, public = self.box.info["secretKey"], self.box.info["publishableKey"]
        must(self.box.call("POST", "/v1/admin/tables", key,
                           {"tableName": table, "schema": FIELDS, **POLICIES[policy]}), 201)
        return [must(self.box.call("POST", f"/v1/data/{table}", public, row, headers=token), 201)["id"]
                for _ in range(ROWS)]

    def script(self, shape, who, policy):
        path = f"/v1/data/{self.table(policy)}"
        paths = [f"{path}/{row}" for row in self.ids[policy]] if shape == "point read" else [f"{path}?limit={ROWS}"]
        self.check(shape, who, paths[0])
        return self.lua("GET", self.headers[who], paths)

    def check(self, shape, who, path):
        """Everything is shown: a figure for less would flatter."""
        headers = dict(self.headers[who])
        answer = must(self.box.call("GET", path, headers.pop("X-API-Key"), headers=headers), 200)
        rows = [answer] if shape == "point read" else answer["items"]
        if len(rows) != (1 if shape == "point read" else ROWS) or any(FIELDS.keys() - row.keys() for row in rows):
            raise RuntimeError(f"{shape} by {who}: not everything is shown")


class Policies:
    def __init__(self, requests):
        self.requests = requests
        self.pairs = {}  # (shape, who, policy): [(sample of the secret key, sample)...]

    def measure(self, seconds):
        for shape in ("point read", "list of 20"):
            base = self.requests.script(shape, "sk_", "no policy")
            for who in ("guest", "user"):
                for policy in POLICIES:
                    script = self.requests.script(shape, who, policy)
                    pair = [self.run(text, seconds) for text in (base, script)]
                    self.pairs.setdefault((shape, who, policy), []).append(pair)

    def run(self, script, seconds):
        sample = load.wrk(self.requests.box.url, self.requests.box.pid, seconds, script)
        if sample.errors:
            raise RuntimeError(f"{sample.errors} failed requests; a figure with errors is no figure")
        return sample

    def show(self):
        print(f"\n{'what, beside the same by sk_ without policy':44} {'req/s':>9} {'CPU us':>8} {'cost by CPU':>12} {'by rate':>8}")
        for (shape, who, policy), pairs in self.pairs.items():
            rate = statistics.median(b.rate for _, b in pairs)
            cpu = statistics.median(b.cpu_us for _, b in pairs)
            cost = [b.cpu_us / a.cpu_us for a, b in pairs]
            print(f"{shape + ', ' + who + ', ' + policy:44} {rate:9.0f} {cpu:8.2f} {statistics.median(cost):12.2f} "
                  f"{statistics.median(a.rate / b.rate for a, b in pairs):8.2f}  "
                  f"(runs {min(cost):.2f}..{max(cost):.2f}, goal {GOALS[policy]})")


class Evaluator:
    """The C tool: nanoseconds of the evaluator alone, in the order that it prints them."""

    NAMES = ("open of 256 bytes", "decision, matrix", "decision, expressions", "decision, rules", "row, three conditions",
             "compile")

    def __init__(self):
        self.runs = []

    def add(self, numbers):
        self.runs.append(dict(zip(self.NAMES, numbers, strict=True)))

    def show(self):
        opened = "open of 256 bytes"
        print(f"\nevaluator alone: {opened} with AES-256-GCM takes {statistics.median(run[opened] for run in self.runs):.0f} ns")
        for name, goal in (("decision, matrix", 1), ("decision, expressions", 1), ("decision, rules", 1),
                           ("row, three conditions", 1 / 3)):
            ratio = statistics.median(run[name] / run[opened] for run in self.runs)
            print(f"{name:44} {statistics.median(run[name] for run in self.runs):8.0f} ns {ratio:6.2f} of it (goal <= {goal:.2f})")
        print(f"{'policies compiled a second':44} {1e9 / statistics.median(run['compile'] for run in self.runs):8.0f}    "
              "(goal >= 10000)")
