# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions of the comparison: everything in a small scope, and random ones. A case is a dict
{"table", "preset", "policy", "who": [requester...], "columns": [name...], "rows": [row...],
"asked": [andFilters...]}."""

import itertools

from policy import OPS

ATOMS = ("user", "guest", "admin", "self", "public", "role:a", "role:b", "role:*")
# One id that owns a row, none; the roles that the atoms name, and one that they do not.
ROLE_SETS = ([], ["a"], ["b"], ["a", "b"])
REQUESTERS = [{"group": group, "id": user_id, "roles": roles}
              for group in ("admin", "user", "guest") for user_id in (None, "u1") for roles in ROLE_SETS]
ROWS = [{"createdBy": "u1", "v": 1, "o": "u1", "c": 3}, {"createdBy": "u2", "v": 1, "o": "u1", "c": 3},
        {"createdBy": "", "v": 2, "o": ""}]
COLUMNS = ["c", "v", "createdBy"]


def case(policy, table="t", preset="compat", who=None, rows=None, columns=None, asked=()):
    return {"table": table, "preset": preset, "policy": policy, "who": REQUESTERS if who is None else who,
            "rows": ROWS if rows is None else rows, "columns": COLUMNS if columns is None else columns,
            "asked": list(asked)}


def expressions(atoms):
    """Every expression of that many atoms."""
    for words in itertools.product(ATOMS, repeat=atoms):
        for joints in itertools.product("|&", repeat=atoms - 1):
            yield words[0] + "".join(joint + word for joint, word in zip(joints, words[1:]))


def every_expression(atoms):
    """Each expression as that of every operation, of a column and of a row filter."""
    for text in expressions(atoms):
        yield case({"expressionPermissions": {op: text for op in OPS},
                    "columnPermissions": {"c": {"read": text, "write": text}},
                    "rowFilters": [{"expression": text, "filter": {}}]}, rows=ROWS[:1] if atoms > 2 else ROWS)


EXPRESSION_KINDS = ("user", "guest", "self", "user & self", "role:a")


def every_set_of_operations():
    """Which operation has which kind of expression, or none: list falls back to read, and nothing else does."""
    kinds = (None, *EXPRESSION_KINDS)
    for values in itertools.product(kinds, repeat=2):
        for op in ("create", "update", "delete"):
            by_op = {name: text for name, text in zip(("read", "list"), values) if text is not None}
            for text in kinds:
                whole = {**by_op, **({} if text is None else {op: text})}
                if whole:
                    yield case({"expressionPermissions": whole, "permissions": {"user": {"create": True}}},
                               rows=ROWS[:2], columns=[])


GUARDS = [{}, {"requireExplicitPolicy": True}, {"requireExplicitPolicy": False}, {"guestAccess": "off"},
          {"guestAccess": "policy"},
          {"guestAccess": "off", "requireExplicitPolicy": True}]


def every_guard():
    """Names of tables, presets and settings around policies that are null, empty or open."""
    policies = [{}, {"permissions": {}}, {"permissions": {"guest": {"read": True}, "user": {"list": True}}},
                {"expressionPermissions": {"read": "guest"}}, {"permissions": {"self": {op: True for op in OPS}}}]
    for table, preset, guard, policy in itertools.product(("t", "_t", "users", "accounts", "sessions", "files",
                                                           "Users"),
                                                          ("compat", "hardened"), GUARDS, policies):
        yield case({**policy, "security": guard}, table, preset)


def entries(ops):
    """An entry of the boolean matrix: absent, empty, or each operation of ops absent, refused or granted."""
    yield None
    for values in itertools.product((None, False, True), repeat=len(ops)):
        yield {op: value for op, value in zip(ops, values) if value is not None}


def every_matrix():
    """Boolean mode: read and list of every group together, then each other operation with its groups."""
    for ops in (("read", "list"), ("create",), ("update",), ("delete",)):
        for values in itertools.product(entries(ops), repeat=3):
            permissions = {group: entry for group, entry in zip(("user", "guest", "self"), values) if entry is not None}
            yield case({"permissions": permissions}, rows=ROWS[:2], columns=[])
    for value in entries(OPS[:2]):
        yield case({"permissions": {"admin": value or {}}})


def every_column_rule():
    """Shapes of column rules around tables that let all rows, own rows or none through."""
    tables = [{"permissions": {"user": {op: True for op in OPS}, "guest": {"read": True}}},
              {"permissions": {"self": {op: True for op in OPS}}},
              {"expressionPermissions": {op: "self" for op in OPS}}]
    kinds = (None, *EXPRESSION_KINDS, "admin", "public")
    for table, read, write in itertools.product(tables, kinds, kinds):
        rule = {access: text for access, text in (("read", read), ("write", write)) if text is not None}
        for columns in ({"c": rule}, {"c": rule, "v": {"read": "self"}}, {"cc": rule, "C": rule}):
            yield case({**table, "columnPermissions": columns},
                       asked=({"c": 3}, {"c.x": {"$exists": False}, "v": 1}, {"createdBy": "u1"}))


FILTERS = ({}, {"v": 1}, {"createdBy": "$userId"}, {"o": "$userId"}, {"v": {"$in": [1, "$userId"]}},
           {"o": {"$ne": "$userId"}})


def every_row_filter(most):
    """Lists of up to `most` entries, with each setting that changes what they do."""
    table = {"permissions": {"user": {op: True for op in OPS}, "self": {op: True for op in OPS}}}
    kinds = ("guest", "user", "self", "user & self", "role:a", "admin")
    settings = [{"rowFilterNoMatch": no_match, "rowFilterScope": scope}
                for no_match in ("deny", "allow") for scope in ("list", "read", "all")]
    for count in range(most + 1):
        for texts in itertools.product(kinds, repeat=count):
            for objects in itertools.product(FILTERS if count < 2 else FILTERS[1:4], repeat=count):
                for security in settings if count < 2 else settings[:1] + settings[-1:]:
                    listed = [{"expression": text, "filter": members} for text, members in zip(texts, objects)]
                    yield case({**table, "rowFilters": listed, "security": security})


TOKENS = ("user", "self", "role:", "role:a", "role:*", "role:A", "a", "|", "&", " ", "(", "!", "")


def every_text(tokens):
    """What may and what may not be an expression: every sequence of that many tokens."""
    for words in itertools.product(TOKENS, repeat=tokens):
        yield case({"expressionPermissions": {"read": "".join(words)}}, who=REQUESTERS[-2:-1], rows=ROWS[:1],
                   columns=[])


# --- random cases ---

NAMES = ("a", "b", "c", "c1", "editor", "x_y-z", "a" * 32)
# Nobody has a role of such a name.
WITHOUT_OWNER = ("admin", "user", "public", "z" * 33)
COLUMN_NAMES = ("c", "v", "o", "title", "C", "c1")
IDS = ("u1", "u2", "9f1c2d3e-0000-4000-8000-000000000001")


def blanks(dice):
    return " " * dice.choice((0, 0, 0, 1, 2))


def any_atom(dice):
    return dice.choice(ATOMS[:5]) if dice.randrange(3) else "role:" + dice.choice(("*", *NAMES, *WITHOUT_OWNER))


def any_expression(dice):
    words = [blanks(dice) + any_atom(dice) + blanks(dice) for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4, 6)))]
    return words[0] + "".join(dice.choice("|&") + word for word in words[1:])


def damaged(dice, text):
    at = dice.randrange(len(text))
    put = dice.choice(("", "|", "&", " ", "x", ":", "(", "\t", "A", "*", "\u00e9"))
    return text[:at] + put + text[at + dice.randrange(2):]


def any_text(dice, damage):
    text = any_expression(dice)
    return damaged(dice, text) if damage and dice.randrange(12) == 0 else text


def some_of(dice, names, value):
    return {name: value() for name in names if dice.randrange(2)}


def any_filter(dice):
    fields = dice.sample(("v", "o", "createdBy", "title"), dice.choice((0, 1, 1, 2)))
    operands = (1, "u1", "$userId", {"$in": ["$userId", 1]}, {"$nin": ["$userId"]}, {"$ne": "u1"},
                {"$ne": "$userId"}, {"$gt": 0},
                {"$exists": True}, None)
    return {field: dice.choice(operands) for field in fields}


def any_asked(dice):
    """A client's filter: there $userId is a text like any other."""
    asked = any_filter(dice)
    if dice.randrange(3) == 0:
        asked[dice.choice(("c", "title.x", "C", "o.0"))] = dice.choice((1, None, {"$exists": False}))
    return asked


def any_security(dice):
    values = {"rowFilterScope": ("list", "read", "all"), "rowFilterNoMatch": ("deny", "allow"),
              "forbiddenRows": ("403", "404"),
              "requireExplicitPolicy": (True, False), "guestAccess": ("policy", "policy", "off"),
              "writeResponse": ("full", "minimal")}
    return {name: dice.choice(choices) for name, choices in values.items() if dice.randrange(3) == 0}


def any_policy(dice, damage=False):
    policy = {"security": any_security(dice)}
    if dice.randrange(3):
        policy["permissions"] = some_of(dice, ("user", "guest", "self", "admin"),
                                        lambda: some_of(dice, OPS, lambda: dice.randrange(3) > 0))
    if dice.randrange(2):
        by_op = some_of(dice, OPS, lambda: any_text(dice, damage))
        policy["expressionPermissions"] = by_op or {"read": any_text(dice, damage)}
    if dice.randrange(3) == 0:
        policy["columnPermissions"] = some_of(dice, COLUMN_NAMES,
                                              lambda: some_of(dice, ("read", "write"), lambda: any_text(dice, damage)))
    if dice.randrange(3) == 0:
        policy["rowFilters"] = [{"expression": any_text(dice, damage), "filter": any_filter(dice)}
                                for _ in range(dice.choice((0, 1, 1, 2, 3, 5)))]
    return policy


def any_requester(dice):
    return {"group": dice.choice(("user", "user", "user", "guest", "guest", "admin")), "id": dice.choice((None, *IDS)),
            "roles": dice.sample(NAMES, dice.choice((0, 0, 1, 1, 2, 3)))}


def any_row(dice):
    row = {"createdBy": dice.choice(("", *IDS)), "v": dice.choice((0, 1, 2, "1", None, True)),
           "o": dice.choice((*IDS, "", "$userId", [IDS[0]]))}
    return {name: value for name, value in row.items() if name == "createdBy" or dice.randrange(4)}


def any_case(dice):
    """Two requesters, five operations, one row: ten tuples."""
    return case(any_policy(dice, damage=True), dice.choice(("t", "t", "t", "t", "t", "t", "_t", "users")),
                dice.choice(("compat", "hardened")), [any_requester(dice) for _ in range(2)], [any_row(dice)],
                list(COLUMN_NAMES) + ["createdBy"], [any_asked(dice) for _ in range(2)])
