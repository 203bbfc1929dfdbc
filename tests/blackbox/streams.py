# SPDX-License-Identifier: GPL-3.0-or-later
"""Two boxes that differ only in what some requesters may not read, and one random stream of requests to both.

What those requesters may not read is worked out with tests/reference, for every policy that the stream will set: a cell
whose column no policy opens to them in that row, a row that no policy lets them read, list, update or delete. Such cells
get other values in the second box, such rows are left out of it or of the first. Every answer must then be the same,
byte for byte, but for what is declared here (person 0 is the guest, person n is user n - 1):

  row ids, user ids   replaced by their position: the rows in the order in which they were created, the users by rank
  createdAt, updatedAt   masked
  X-RateLimit-Remaining, X-RateLimit-Reset   left out

Requests name rows and users by position, too: ~r3~ is the id of row 3, ~t3~ when it was created, ~u1~ the id of user 1."""

import datetime
import json
import re
import socket
import time
import urllib.parse

from app import Unexpected
from conftest import reference
from wire import Wire

policy = reference("policy")

FIELDS = {"title": "string", "body": "string", "n": "number", "score": "number", "secret": "string", "diary": "string",
          "tags": "array", "meta": "object", "status": "string", "owner": "string", "code": "string", "due": "date",
          "any": "mixed"}
INDEXES = [{"name": "by_secret", "fields": {"secret": 1}}, {"name": "by_score", "fields": {"score": -1}},
           {"name": "by_diary", "fields": {"diary": 1}},
           {"name": "by_status", "fields": {"status": 1, "n": -1}}, {"name": "by_title", "fields": {"title": 1}},
           {"name": "one_code", "fields": {"code": 1}, "unique": True, "sparse": True}]
# Words that no id can hold, so that no search depends on which ids the boxes drew.
WORDS = ["zebra", "Zebra", "quux", "yak", "no such", "\u00e9t\u00e9", "zz"]
LONG = "z" * 6000 + "!"  # with z{900} more than the steps of a request, should it be looked at
VALUES = {
    "string": [None, "", "zebra", "Zebra crossing", "quux", "yak zebra", "zz", "10", "\u00e9t\u00e9", LONG],
    "number": [None, 0, 1, -3, 2.5, 10, 1000000],
    "array": [None, [], ["zebra"], ["quux", 1], [[1], {"x": 1}]],
    "object": [None, {}, {"x": 1}, {"x": "zebra"}, {"x": [1, 2]}, {"y": {"z": "quux"}}],
    "date": [None, "2025-01-01T00:00:00.000Z", "2026-06-30T12:00:00.000Z"],
    "mixed": [None, True, 1, "zebra", ["quux"], {"x": 1}]}
SPECIAL = {"status": ["published", "draft", "internal", "hidden"],
           "owner": ["", "~u0~", "~u1~", "~u2~", "~u3~", "yak"], "code": []}
PATHS = [*FIELDS, "meta.x", "meta.y.z", "tags.0", "tags.1.x", "secret.x", "secret.0", "diary.x", "any.x", "nosuch",
         "nosuch.x", "createdBy",
         "createdAt", "updatedAt", "id", "_id"]
OPEN = ["title", "n", "status", "owner", "due", "createdAt", "id"]  # that most policies let everybody read
OPS = policy.OPS
SYSTEM = {"id": "", "createdAt": "2026-01-01T00:00:00.000Z",
          "updatedAt": "2026-01-01T00:00:00.000Z"}  # for the reference alone
ABSENT_ROW = "0123456789abcdef01234567"
IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24}")
CREATED, UPDATED = (re.compile(rb'"%s":"[^"]*"' % name) for name in (b"createdAt", b"updatedAt"))
CLOSES = re.compile(rb"\r\nconnection:[ \t]*close", re.I)
PLACES = re.compile(r"~([rtu])(\d+)~")
UNEQUAL_HEADERS = re.compile(rb"\r\nX-RateLimit-(?:Remaining|Reset): \d+(?=\r\n|$)", re.I)
TICK_S = 0.0011  # after which a box writes another time than before


def may_write(request):
    """A row or a time of one."""
    return request[0] in ("POST", "PATCH")


def values_of(field):
    return SPECIAL[field] if field in SPECIAL else VALUES[FIELDS[field]]


# --- one box ---

class Side:
    """A box as the stream meets it: a connection of those who ask and one of the administrator, and the ids at their
    positions. What is sent and what is taken are two calls, so that both boxes work at the same time."""

    def __init__(self, app, people):
        self.app, self.people, self.wire, self.admin, self.tables = app, people, None, None, 0
        self.users = [person.id for person in people if person.id]
        self.forget()

    def forget(self):
        self.rows, self.created, self.absent, self.table = [], [], set(), None
        self.names = {each.encode(): f"~u{at}~".encode() for at, each in enumerate(self.users)}

    def connection(self):
        """Each stream has a client address of its own: a box counts for each how often credentials were refused, and many
        streams a minute from one would be refused for that alone."""
        wire = Wire(self.app.box, source=f"127.1.{self.tables // 250 % 250}.{self.tables % 250 + 1}")
        wire.tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return wire

    def place(self, match):
        what, at = match.group(1), int(match.group(2))
        if what == "u":
            return self.users[at] if at < len(self.users) else f"nobody{at}"
        return self.rows[at] if what == "r" else self.created[at].replace(":", "%3A")

    def fill(self, text):
        return PLACES.sub(self.place, text) if "~" in text else text

    def name_row(self, row_id, created):
        self.names[row_id.encode()] = f"~r{len(self.rows)}~".encode()
        self.rows.append(row_id)
        self.created.append(created)

    def mask(self, body):
        named = IDS.sub(lambda match: self.names.get(match.group(), match.group()), body)
        return UPDATED.sub(b'"updatedAt":~t~', CREATED.sub(b'"createdAt":~t~', named))

    def send(self, requests, first):
        """One behind the other; the first has the number first."""
        if self.wire is None:
            self.wire = self.connection()
        self.wire.send(b"".join(self.bytes_of(request, number) for number, request in enumerate(requests, first)))

    def bytes_of(self, request, number):
        method, path, body, who, headers = request
        body = None if body is None else self.fill(body).encode("utf-8", "surrogatepass")
        lines = [f"{method} {self.fill(path)} HTTP/1.1", "Host: localhost", f"X-Request-Id: stream-{number}", *headers]
        if who is not None:
            lines += [f"{name}: {value}" for name, value in self.people[who].headers().items()]
        if body is not None:
            lines += [f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")

    def answer(self):
        """(status, head, body)"""
        answer = self.wire.raw_answer()
        if answer is None:
            raise Unexpected("the box hung up")
        if CLOSES.search(answer[0]):
            self.wire.close()
            self.wire = None
        return int(answer[0][9:12]), *answer

    # --- what the administrator does ---

    def ask(self, method, path, body, headers=()):
        """Sends what taken() answers. A place in body is filled."""
        if self.admin is None:
            self.admin = self.connection()
        data = self.fill(json.dumps(body)).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-API-Key: {self.app.box.sk}",
                 "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
        self.admin.send(("\r\n".join(lines) + "\r\n\r\n").encode() + data)

    def taken(self, status):
        answer = self.admin.raw_answer()
        if answer is None or int(answer[0][9:12]) != status:
            raise Unexpected(answer)
        return json.loads(answer[1])

    def make_table(self, name):
        self.close()  # a connection that was idle for long may have ended
        schema = {field: {} if kind == "mixed" else {"bsonType": {"number": "double"}.get(kind, kind)}
                  for field, kind in FIELDS.items()}
        self.forget()
        self.tables += 1
        self.table = self.app.table(schema, name=name, indexes=INDEXES)

    def drop_table(self):
        answer = self.app.sk.delete(self.table.admin, {"confirmName": self.table.name})
        if answer.status != 200:
            raise Unexpected(answer)

    def send_row(self, row):
        """row: None leaves the position empty; its id and its time are no row's, and after those of the row before."""
        if row is not None:
            self.ask("POST", self.table.path, {name: value for name, value in row.items() if name != "createdBy"},
                     [f"X-On-Behalf-Of: {self.fill(row['createdBy'])}"] if row["createdBy"] else [])

    def take_row(self, row):
        if row is not None:
            made = self.taken(201)
            self.name_row(made["id"], made["createdAt"])
            return
        before, at = self.rows[-1], self.created[-1]
        later = policy.filters.instant(at) + datetime.timedelta(milliseconds=1)
        self.name_row(f"{int(before, 16) + 1:024x}" if before in self.absent else before[:14] + "ffffff0000",
                      later.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        self.absent.add(self.rows[-1])

    def send_policy(self, members):
        self.ask("PUT", f"{self.table.admin}/policy", members)

    def close(self):
        for wire in (self.wire, self.admin):
            if wire is not None:
                wire.close()
        self.wire = self.admin = None


# --- what differs ---

def reached(table_of, policies, requesters, row, ops):
    return any(policy.reachable(table_of(each), who, op, row) for each in policies for who in requesters for op in ops)


def hidden_cell(table_of, policies, requesters, row, field):
    """Not open in this row to anybody, and not what decides whether the row is."""
    named = {name.split(".")[0] for each in policies for entry in each.get("rowFilters") or []
             for name in entry["filter"]}
    return field not in named and not any(policy.column_open(table_of(each), who, field, "read", policy.owns(who, row))
                                          for each in policies for who in requesters)


def any_row(dice, owners):
    row = {field: dice.choice(values_of(field)) for field in FIELDS if values_of(field) and dice.randrange(4)}
    row["createdBy"] = dice.choice(owners)
    return row


def other_values(dice, row, fields):
    changed = dict(row)
    for field in fields:
        value = dice.choice([*values_of(field), "absent"])
        changed.pop(field, None)
        if value != "absent":
            changed[field] = value
    return changed


class Pair:
    """The same table in two boxes, with the same policies to come; the rows differ where the requesters cannot tell."""

    def __init__(self, dice, sides, who, differ, preset):
        """who: the persons that ask, by number. differ: "cells", "rows" or "both". preset: under `compat` a row counts as
        hidden that no list shows."""
        self.dice, self.sides, self.who, self.preset = dice, sides, who, preset
        self.requesters = [self.requester(at) for at in who]
        self.owners = ["", *(f"~u{at}~" for at in range(len(sides[0].users)))]
        self.differ, self.alone = differ, ("list",) if preset == "compat" else OPS[1:]
        self.policies = self.choose_policies()
        self.cells = self.lone_rows = 0
        self.rows = []  # (as in the first box, as in the second); None where there is no such row
        self.number = 0
        self.policy = None
        self.wrote = 0.0

    def requester(self, at):
        return self.sides[0].people[at].requester(f"~u{at - 1}~")

    def table_of(self, members):
        return {"name": "t", "preset": self.preset, "policy": members}

    def choose_policies(self):
        """Such that hide some rows from all, if that can be had."""
        for _ in range(20):
            policies = any_policies(self.dice, self.table_of, self.requesters)
            rows = [any_row(self.dice, self.owners) for _ in range(8)]
            if self.differ == "cells" or not all(reached(self.table_of, policies, self.requesters, row, self.alone)
                                                 for row in rows):
                break
        return policies

    def prepare(self, name, rows):
        for side in self.sides:
            side.make_table(name)
        self.add_common()  # so that the ids and times that a box lacks lie among those that it has
        for _ in range(rows):
            self.add(*self.different(any_row(self.dice, self.owners)))
        self.change_policy()

    def drop(self):
        """A box keeps the keys of so many tables and no more."""
        for side in self.sides:
            side.drop_table()

    def different(self, row):
        """The row as in the first box and as in the second."""
        known = self.table_of, self.policies, self.requesters
        if self.differ != "cells" and self.dice.randrange(3) and not reached(*known, row, self.alone):
            self.lone_rows += 1
            return (row, None) if self.dice.randrange(2) else (None, row)
        if self.differ == "rows":
            return row, row
        fields = [field for field in FIELDS if values_of(field)]
        if not reached(*known, row, OPS[1:]):
            changed = other_values(self.dice, row, fields)
            if reached(*known, changed, OPS[1:]):
                return row, row
        else:
            changed = other_values(self.dice, row,
                                   [field for field in fields if self.dice.randrange(2) and
                                    hidden_cell(*known, row, field)])
        self.cells += sum(row.get(field, policy.MISSING) != changed.get(field, policy.MISSING) for field in fields)
        return row, changed

    def pause(self, ticks):
        """Until so many ticks have passed since the last write, that both boxes write other times than then, and an order
        by time is the same in both."""
        time.sleep(max(0.0, self.wrote + ticks * TICK_S - time.monotonic()))

    def add(self, *rows):
        self.pause(2)  # room for the time of a row that is not there
        self.rows.append(rows)
        for side, row in zip(self.sides, rows):
            side.send_row(row)
        for side, row in zip(self.sides, rows):
            side.take_row(row)
        self.wrote = time.monotonic()

    def add_common(self):
        """A row that is the same in both boxes."""
        row = {"title": "yak", "status": "published", "createdBy": self.dice.choice(self.owners)}
        self.add(row, row)

    def change_policy(self):
        self.policy = self.dice.choice(self.policies)
        for side in self.sides:
            side.send_policy(self.policy)
        for side in self.sides:
            side.taken(200)

    def lone(self, request):
        """The position of the row that is in one box alone and that the request names, or None."""
        named = re.search(r"~r(\d+)~(\?|$)", request[1].split("?")[0])
        at = named and int(named.group(1))
        return at if named and (self.rows[at][0] is None) != (self.rows[at][1] is None) else None

    def exchange(self, requests):
        """Asks both, one request behind the other without waiting; at most one of them may write. Yields for each whether
        the answers are the same and both answers; self.number is then the request's. A connection that ends before its
        turn is made again for those that are left."""
        first, ended = self.number + 1, True
        if any(map(may_write, requests)):
            self.pause(1)
        for at, request in enumerate(requests):
            if ended:
                for side in self.sides:
                    side.send(requests[at:], first + at)
            raw = [side.answer() for side in self.sides]
            self.number, ended = first + at, any(side.wire is None for side in self.sides)
            if may_write(request):
                self.take_note(request, raw)
            yield self.alike(raw), raw
            if ended:
                for side in self.sides:
                    side.close()

    def take_note(self, request, raw):
        """Of what was written."""
        self.wrote = time.monotonic()
        if request[0] == "POST" and all(status == 201 for status, _, _ in raw):
            for side, (_, _, body) in zip(self.sides, raw):
                row = json.loads(body)
                side.name_row(row["id"], row["createdAt"])
            self.rows.append(("created", "created"))

    def alike(self, raw):
        """Are both answers the same, but for what is declared to differ? Looks closer only where the bytes are not."""
        heads, bodies = zip(*(answer[1:] for answer in raw))
        return (heads[0] == heads[1] or len(set(UNEQUAL_HEADERS.sub(b"", head) for head in heads)) == 1) and \
            (bodies[0] == bodies[1] or len(set(map(Side.mask, self.sides, bodies))) == 1)


# --- the stream ---

def any_operand(dice, field):
    turn = dice.randrange(12)
    pool = values_of(field.split(".")[0]) if field.split(".")[0] in FIELDS else None
    pool = [*(pool or VALUES["mixed"]), *dice.choice(list(VALUES.values())), "$userId", "published", "hidden"]
    if field in policy.filters.TIMES or field == "due":
        pool = ["~t0~", "~t7~", "2026-01-01", "2025-01-01T00:00:00.000Z", "2026-06-30T12:00:00.000Z"]
        turn = dice.choice((0, 4, 4, 4, 7, 8, 9))
    if field in ("owner", "createdBy"):  # texts whose order among ids does not depend on the ids
        pool = ["", "~u0~", "~u1~", "~u2~", "~u3~", "yak", "zebra", "$userId", None, 1, LONG]
    if field == "id":
        pool = ["~r0~", "~r5~", ABSENT_ROW]
    if turn < 4:
        return dice.choice(pool)
    if turn < 7:
        return {name: dice.choice(pool)
                for name in dice.sample(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), dice.choice((1, 1, 2)))}
    if turn == 7:
        return {dice.choice(("$in", "$nin")): dice.sample(pool, min(3, len(pool)))}
    if turn == 8:
        return {"$exists": dice.choice((True, False))}
    if turn == 9:
        return {"$regex": dice.choice(("^z", "zebra$", "(z|zz)*!", "z{900}", "q+u", ".*yak.*", "(", "[^z]"))}
    if turn == 10 or dice.randrange(2):
        return {"$contains": dice.choice(WORDS)}
    return dice.choice(({"$where": "1"}, {"$eq": 1, "x": 2}, {"$in": "x"}, {"$gt": None},
                        {"a": {"b": {"c": {"d": {"e": 1}}}}}))


def any_path(dice):
    return dice.choice(OPEN if dice.randrange(5) < 3 else PATHS)


def any_filter(dice):
    return {field: any_operand(dice, field)
            for field in dict.fromkeys(any_path(dice) for _ in range(dice.choice((0, 1, 1, 1, 2, 3))))}


def any_list(dice):
    asked = []
    if dice.randrange(2):
        asked.append(("andFilters", json.dumps(any_filter(dice))))
    if dice.randrange(4) == 0:
        asked.append(("orFilters",
                      json.dumps(any_filter(dice) if dice.randrange(2) else [any_filter(dice), any_filter(dice)])))
    if dice.randrange(2):
        asked.append(("sortBy", any_path(dice)))
    if dice.randrange(3) == 0:
        asked.append(("sortDirection", dice.choice(("asc", "desc", "ASC", "asc", "desc", "up"))))
    if dice.randrange(4) == 0:
        asked.append(("search", dice.choice(WORDS)))
        if dice.randrange(2):
            asked.append(("searchType", any_path(dice)))
    if dice.randrange(3) == 0:
        asked.append(("limit", dice.choice(("1", "2", "3", "4", "5", "7", "10", "20", "100", "200", "0", "x"))))
    if dice.randrange(3) == 0:
        asked.append((dice.choice(("page", "page", "offset")),
                      dice.choice(("1", "1", "2", "2", "2", "3", "3", "9", "0", "99999999999999999999"))))
    if dice.randrange(4) == 0:
        asked.append((dice.choice(("select", "fields")), ",".join(dice.sample(PATHS, 3))))
    if dice.randrange(40) == 0 and asked:
        asked.append(dice.choice(asked))
    return "?" + urllib.parse.urlencode(asked) if asked else ""


def any_body(dice, fields):
    body = {field: dice.choice(values_of(field) or ["yak"])
            for field in dice.sample(list(FIELDS), dice.choice((0, 1, 2, 2, 3, 6)))}
    if fields:
        body.pop(dice.choice(fields), None)
    if "code" in body:
        body["code"] = dice.choice(("k1", "k2", "k3"))
    if dice.randrange(8) == 0:
        body[dice.choice(("createdBy", "id", "createdAt", "_id", "updatedAt"))] = dice.choice(("~u1~", "x", None))
    if dice.randrange(12) == 0:
        body[dice.choice(("undeclared", "secret2", "$set", "a.b"))] = 1
    if dice.randrange(12) == 0:
        body[dice.choice(list(FIELDS))] = dice.choice((1, "text", True, [1], {"x": 1}))
    return json.dumps(body)


BAD = [("GET", "?andFilters=%7B", None), ("GET", "?andFilters=[]", None),
       ("GET", "?andFilters=%7B%22$or%22:1%7D", None), ("GET", "?page=1&page=2", None),
       ("POST", "", "{"), ("POST", "", "[]"), ("POST", "", '{"title":1,"title":2}'), ("POST", "", '"x"'),
       ("PUT", "", "{}"), ("DELETE", "", None),
       ("PATCH", "", "{}"), ("GET", "/spec/x", None), ("POST", "", '{"title":"\\ud800"}'),
       ("GET", "?sortBy=%00", None), ("GET", "/%2e%2e", None),
       ("PATCH", "/~r0~", "{"), ("PATCH", "/~r1~", "[1]"), ("PATCH", "/~r2~", ""), ("PUT", "/~r3~", "{}"),
       ("POST", "/~r4~", "{}")]
JSON_BODY = "Content-Type: application/json"


def any_request(dice, pair):
    """(method, path, body, index of the requester, headers)"""
    path, who = pair.sides[0].table.path, dice.choice(pair.who)
    if dice.randrange(10) == 0:
        path = path.replace("/v1/data/", "/v1/")
    at = dice.randrange(len(pair.rows) + 2)
    one = f"{path}/~r{at}~" if at < len(pair.rows) else f"{path}/{dice.choice((ABSENT_ROW, 'x', ABSENT_ROW.upper()))}"
    turn = dice.randrange(100)
    if turn < 55:
        return "GET", path + any_list(dice), None, who, ()
    if turn < 75:
        return "GET", one + (dice.choice(("?select=secret", "?fields=title,diary", "?select=nosuch", "?limit=x"))
                             if dice.randrange(3) == 0 else ""), None, who, ()
    if turn < 82 and len(pair.rows) < 100:
        return "POST", path, any_body(dice, ()), who, (JSON_BODY,)
    if turn < 91:
        return "PATCH", one, any_body(dice, ("diary",)), who, (JSON_BODY,)
    if turn < 92:
        return "DELETE", one, None, who, ()
    if turn < 96:
        return "GET", path + dice.choice(("/spec", "/openapi")), None, who, ()
    method, rest, body = dice.choice(BAD)
    if method == "DELETE" and not rest:
        return method, path, None, who, ()
    return method, path + rest, body, dice.choice((who, None)), (JSON_BODY,) if body is not None else ()


# --- policies to come ---

def any_policies(dice, table_of, requesters):
    """Most of them let somebody list."""
    policies = []
    for _ in range(dice.choice((1, 2, 3))):
        tried = [any_policy(dice) for _ in range(4)]
        policies.append(next((each for each in tried
                              if any(policy.decide(table_of(each), "list", who)[0] != policy.DENY
                                     for who in requesters)), tried[0]))
    return policies


def any_policy(dice):
    """Opens much, so that there is much to ask, and keeps something back."""
    rights = {op: True for op in OPS}
    open_to = dice.choice((
        {"permissions": {"user": {**rights, "delete": False}, "guest": {"read": True}, "self": rights}},
        {"permissions": {"user": {"create": True}, "self": rights, "guest": {}}},
        {"permissions": {"guest": {"create": True, "read": True, "update": dice.choice((True, False))},
                         "user": {"list": True}}},
        {"permissions": {"guest": {"list": True}, "user": {"read": True, "create": True}, "self": {"update": True}}},
        {"permissions": {"guest": rights, "user": rights}},
        {"expressionPermissions": {"read": "guest", "create": "user", "update": "self | role:moderator",
                                   "delete": "self"}},
        {"expressionPermissions": {"read": "self | role:moderator", "create": "self", "update": "self",
                                   "list": "user & self"}},
        {"expressionPermissions": {"read": "public", "update": "public", "create": "public",
                                   "list": "role:* | guest"}}))
    closed = dice.choice(("admin", "admin", "role:nobody", "role:nobody & self", "admin | admin & user"))
    columns = {"secret": {"read": closed, "write": dice.choice(("user", "self", "admin", "public"))},
               "diary": {"read": dice.choice(("self", "self & user", "self | role:auditor"))}}
    for field in dice.sample(("score", "tags", "meta", "any", "body"), dice.choice((0, 1, 2))):
        columns[field] = {"read": dice.choice((closed, "self", "user", "role:moderator | self"))}
    listed = dice.choice((None, [], [{"expression": "guest", "filter": {"status": {"$ne": "hidden"}}}],
                          [{"expression": "guest", "filter": {"status": "published"}},
                           {"expression": "self", "filter": {"createdBy": "$userId"}}],
                          [{"expression": "user", "filter": {"status": {"$in": ["published", "internal"]}}},
                           {"expression": "public", "filter": {"owner": "$userId"}}],
                          [{"expression": "role:moderator", "filter": {"status": {"$ne": "hidden"}, "n": {"$gte": 0}}},
                           {"expression": "guest", "filter": {"status": "published", "secret": {"$ne": "quux"}}}]))
    security = {"guestAccess": dice.choice(("policy",) * 7 + ("off",)),
                "additionalFields": dice.choice(("allow", "strip", "reject"))}
    return {**open_to, "columnPermissions": columns, "rowFilters": listed, "security": security}
