# SPDX-License-Identifier: GPL-3.0-or-later
"""Contract 3 and 9.1, read a second time: who may do what, which rows and columns they meet, and what a whole request
answers. Written from the contract alone, by the plainest means; the firmware is compared with it.

A requester is {"group", "id" (None for none), "roles"}; a row is a dict with its system fields; a policy is the object
of contract 3.2. `table` is {"name", "policy", "preset"}."""

import re

import expressions
import filters
from expressions import Malformed
from filters import MISSING, SYSTEM_FIELDS

ALLOW, OWNER, DENY = "ALLOW", "OWNER", "DENY"
OPS = ("create", "read", "update", "delete", "list")
GROUPS = ("admin", "user", "guest", "self")
BUILT_IN = ("users", "accounts", "sessions", "files")
DENIED, SYSTEM, ABSENT = "data/permission-denied", "data/system-table-access", "data/not-found"
MEMBERS = ("permissions", "expressionPermissions", "columnPermissions", "rowFilters", "security")
FIELD = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")

DEFAULT_MATRIX = {"admin": {op: True for op in OPS},
                  "user": {"create": True, "read": True, "list": True},
                  "guest": {"read": True, "list": True}}

# name: (compat, hardened, other values)
SETTINGS = {"rowFilterScope": ("list", "all", ("read",)), "rowFilterNoMatch": ("deny", "deny", ("allow",)),
            "forbiddenRows": ("403", "404", ()), "requireExplicitPolicy": (False, True, ()),
            "guestAccess": ("policy", "off", ()), "additionalFields": ("allow", "reject", ("strip",)),
            "writeResponse": ("full", "minimal", ()), "policyInSpec": (True, False, ()),
            "auditReads": (False, False, (True,)), "maxRowsPerOwner": (None, None, ())}


class Refused(Exception):
    """The status and code of a request that is answered with an error."""

    def __init__(self, status, code):
        super().__init__(status, code)
        self.answer = status, code


def setting(table, name):
    stored = (table["policy"].get("security") or {})
    return stored.get(name, SETTINGS[name][1 if table.get("preset") == "hardened" else 0])


# --- 3.2: what is a policy ---

def check_permissions(permissions):
    for group, entry in permissions.items():
        if group not in GROUPS or not isinstance(entry, dict):
            raise Malformed(group)
        for op, value in entry.items():
            if op not in OPS or not isinstance(value, bool):
                raise Malformed(op)


def check_operations(by_op):
    if not by_op or any(op not in OPS for op in by_op):
        raise Malformed(by_op)
    for text in by_op.values():
        expressions.parse(text)


def check_columns(columns):
    for name, rule in columns.items():
        if not FIELD.fullmatch(name) or name in SYSTEM_FIELDS or not isinstance(rule, dict):
            raise Malformed(name)
        for access, text in rule.items():
            if access not in ("read", "write"):
                raise Malformed(access)
            expressions.parse(text)


def check_row_filters(entries):
    if len(entries) > 20:
        raise Malformed("too many")
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"expression", "filter"} or not isinstance(entry["filter"],
                                                                                                   dict):
            raise Malformed(entry)
        expressions.parse(entry["expression"])


def check_policy(policy):
    """Raises Malformed where the contract says 400. Filters themselves are 4.4's business."""
    for name, shape, check in (("permissions", dict, check_permissions),
                               ("expressionPermissions", dict, check_operations),
                               ("columnPermissions", dict, check_columns), ("rowFilters", list, check_row_filters)):
        value = policy.get(name)
        if value is not None:
            if not isinstance(value, shape):
                raise Malformed(name)
            check(value)


# --- 3.1 and 3.5: the decision ---

def identified(who):
    return who["id"] is not None and who["id"] != ""


def owns(who, row):
    return identified(who) and row["createdBy"] == who["id"]


def lookup(permissions, group, op):
    matrix = DEFAULT_MATRIX if permissions is None else permissions
    entry = matrix.get(group, {})
    if op == "list" and "list" not in entry:
        op = "read"
    return entry.get(op, False)


def decide(table, op, who):
    """(verdict, code, step): the code of a refusal, and the number of the step of 3.5 that decided."""
    policy = table["policy"]
    permissions, by_op = policy.get("permissions"), policy.get("expressionPermissions")
    if who["group"] == "admin":
        return ALLOW, None, 1
    if table["name"] in BUILT_IN:
        return DENY, SYSTEM, 2
    if table["name"].startswith("_") and permissions is None and by_op is None:
        return DENY, SYSTEM, 3
    if setting(table, "guestAccess") == "off" and who["group"] == "guest":
        return DENY, DENIED, 4
    if by_op is not None:
        text = by_op.get(op)
        if text is None and op == "list":
            text = by_op.get("read")
        if text is None:
            return DENY, DENIED, 5
        if expressions.holds(text, who, False):
            return ALLOW, None, 5
        if who["id"] is not None and expressions.holds(text, who, True):
            return (ALLOW if op == "create" else OWNER), None, 5
        return DENY, DENIED, 5
    if permissions is None and setting(table, "requireExplicitPolicy"):
        return DENY, DENIED, 6
    if lookup(permissions, who["group"], op):
        return ALLOW, None, 6
    if op != "create" and who["id"] is not None and permissions is not None and lookup(permissions, "self", op):
        return OWNER, None, 6
    return DENY, DENIED, 6


def require(table, op, who):
    verdict, code, _ = decide(table, op, who)
    if verdict == DENY:
        raise Refused(403, code)
    return verdict


# --- 3.7: columns ---

def column(table, who, field, access):
    """The verdict on a column: for every row, for the requester's own, for none. access: read or write."""
    if field in SYSTEM_FIELDS:
        return ALLOW if access == "read" else DENY
    if who["group"] == "admin":
        return ALLOW
    text = (table["policy"].get("columnPermissions") or {}).get(field, {}).get(access)
    if text is None or expressions.holds(text, who, False):
        return ALLOW
    return OWNER if expressions.holds(text, who, True) else DENY


def column_open(table, who, field, access, owner):
    verdict = column(table, who, field, access)
    return verdict == ALLOW or verdict == OWNER and owner


def project(table, who, row, select=None):
    return {name: value for name, value in row.items()
            if column_open(table, who, name, "read", owns(who, row)) and
            (select is None or name in select or name in SYSTEM_FIELDS)}


# --- 3.8: row filters ---

def contribution(who, entry):
    """What an entry adds for this requester: its filter for all rows, for own rows, or nothing."""
    if expressions.holds(entry["expression"], who, False):
        return ALLOW
    return OWNER if who["id"] is not None and expressions.holds(entry["expression"], who, True) else DENY


def uses_requester(value):
    if isinstance(value, dict):
        return any(uses_requester(each) for each in value.values())
    return any(uses_requester(each) for each in value) if isinstance(value, list) else value == "$userId"


def with_requester(value, user_id):
    if isinstance(value, dict):
        return {name: with_requester(each, user_id) for name, each in value.items()}
    if isinstance(value, list):
        return [with_requester(each, user_id) for each in value]
    return user_id if value == "$userId" else value


def policy_member_holds(who):
    def holds(row, field, operand):
        for name, wanted in filters.conditions(operand):
            if uses_requester(wanted):
                if not identified(who):
                    return False
                wanted = with_requester(wanted, who["id"])
            if not filters.condition_holds(row, field, name, wanted):
                return False
        return True
    return holds


def filtered_in(table, who, row):
    """Whether the row filters let the row through."""
    entries = table["policy"].get("rowFilters") or []
    if who["group"] == "admin" or not entries:
        return True
    kinds = [contribution(who, entry) for entry in entries]
    if all(kind == DENY for kind in kinds):
        return setting(table, "rowFilterNoMatch") == "allow"
    return any((kind == ALLOW or kind == OWNER and owns(who, row)) and
               filters.every(row, entry["filter"], policy_member_holds(who))
               for kind, entry in zip(kinds, entries))


def covered(table, op):
    scope = setting(table, "rowFilterScope")
    return op == "list" or scope == "all" or scope == "read" and op == "read"


def reachable(table, who, op, row, verdict=None):
    """Whether a request of this kind reaches this row. verdict: that of decide, if it is known already."""
    verdict = verdict or decide(table, op, who)[0]
    return (verdict == ALLOW or verdict == OWNER and owns(who, row)) and (not covered(table, op) or
                                                                          filtered_in(table, who, row))


# --- 3.6: whole requests ---

def target(table, who, op, row):
    """The row of a read, update or delete, None for an absent one; or what refuses it."""
    verdict = require(table, op, who)
    if row is None:
        raise Refused(404, ABSENT)
    if not (verdict == ALLOW or owns(who, row)) or covered(table, op) and not filtered_in(table, who, row):
        raise Refused(*((404, ABSENT) if setting(table, "forbiddenRows") == "404" else (403, DENIED)))
    return row


def check_writes(table, who, body, owner):
    for name in body:
        if name not in SYSTEM_FIELDS and name != "_id" and not column_open(table, who, name, "write", owner):
            raise Refused(403, DENIED)


def after_write(table, who, row):
    if setting(table, "writeResponse") == "minimal" and not reachable(table, who, "read", row):
        return {name: row[name] for name in SYSTEM_FIELDS}
    return project(table, who, row)


def read(table, who, row, select=None):
    return project(table, who, target(table, who, "read", row), select)


def create(table, who, body, system):
    """The answer's row. body: an object; system: the system fields that the store gives."""
    require(table, "create", who)
    check_writes(table, who, body, identified(who))
    row = {name: value for name, value in body.items() if name not in SYSTEM_FIELDS and name != "_id"}
    return after_write(table, who, {**row, **system, "createdBy": who["id"] or ""})


def update(table, who, row, body, updated_at=None):
    """The answer's row; the row itself is not changed."""
    target(table, who, "update", row)
    check_writes(table, who, body, owns(who, row))
    change = {name: value for name, value in body.items() if name not in SYSTEM_FIELDS and name != "_id"}
    return after_write(table, who, {**row, **change, "updatedAt": updated_at or row["updatedAt"]})


def delete(table, who, row):
    target(table, who, "delete", row)
    return {"success": True}


def named_in(question):
    either = question.get("orFilters") or {}
    groups = either if isinstance(either, list) else [either]
    return {field for group in (question.get("andFilters") or {}, *groups) for field in group}


def check_question(table, who, question):
    for field in named_in(question) | ({question["searchType"]} if question.get("search") and
                                       question.get("searchType") else set()):
        if column(table, who, field.split(".")[0], "read") == DENY:
            raise Refused(403, DENIED)
    if question.get("sortBy") and column(table, who, question["sortBy"].split(".")[0], "read") != ALLOW:
        raise Refused(403, DENIED)


def client_member_holds(table, who):
    """A clause on a column that is open on own rows only holds on own rows only."""
    def holds(row, field, operand):
        if not column_open(table, who, field.split(".")[0], "read", owns(who, row)):
            return False
        return filters.member_holds(row, field, operand)
    return holds


def search_finds(table, who, row, word, field):
    if not word:
        return True
    if field:
        value = filters.look_up(row, field)
        return (value is not MISSING and column_open(table, who, field.split(".")[0], "read", owns(who, row)) and
                filters.found(value, word))
    return any(filters.found(value, word) for name, value in row.items()
               if name not in SYSTEM_FIELDS and column_open(table, who, name, "read", owns(who, row)))


def matching(table, who, rows, question):
    """The rows of a list, all pages of it, in order."""
    require(table, "list", who)
    check_question(table, who, question)
    holds = client_member_holds(table, who)
    seen = [row for row in rows if reachable(table, who, "list", row) and
            filters.row_holds(row, question.get("andFilters"), question.get("orFilters"), holds) and
            search_finds(table, who, row, question.get("search"), question.get("searchType"))]
    seen.sort(key=lambda row: filters.sort_key(row, question.get("sortBy", "id")),
              reverse=question.get("sortDirection", "desc") == "desc")
    return seen


def list_rows(table, who, rows, question):
    """The answer's items and the total."""
    seen = matching(table, who, rows, question)
    limit = min(question.get("limit", 20), 100)
    first = (question.get("page", 1) - 1) * limit
    return [project(table, who, row, question.get("select")) for row in seen[first:first + limit]], len(seen)


def described(table, who, names):
    """The declared fields that spec and openapi may name."""
    require(table, "read", who)
    return [name for name in names if column(table, who, name, "read") != DENY]


def outcome(function, *arguments):
    """(200 or 201, what it answers) or (status, code)."""
    try:
        return (201 if function is create else 200), function(*arguments)
    except Refused as refused:
        return refused.answer
