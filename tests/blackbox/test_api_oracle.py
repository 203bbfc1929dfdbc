# SPDX-License-Identifier: GPL-3.0-or-later
"""The box against a second reading of contract 4.3 and 4.4: naive, in another language, on random rows and questions.
Seeds are fixed, and a difference names its own."""

import json
import random

import pytest
from app import error

MISSING = object()
SEEDS = range(4)
ROWS, QUESTIONS = 60, 200
SCALARS = [None, True, False, 0, 1, 2, 2.5, -7, "", "a", "A", "ab", "b", "1", "\u00e9", "\U0001f600"]
FIELDS = ["p", "q", "o", "o.x", "o.y.z", "l", "l", "l", "l.0", "l.1", "l.x", "q.0", "nosuch"]


# --- the second reading ---

def look_up(row, path):
    value = row
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def kind(value):
    for types, name in ((bool, "bool"), ((int, float), "number"), (str, "text"), (list, "list"), (dict, "object")):
        if isinstance(value, types):
            return name
    return "null"


def same(one, other):
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one is other if one is MISSING or other is MISSING else one == other


def equals(value, operand):
    if operand is None and (value is MISSING or value is None):
        return True
    if value is MISSING:
        return False
    return same(value, operand) or isinstance(value, list) and any(same(each, operand) for each in value)


def ordered(value, operand, test):
    candidates = [value, *(value if isinstance(value, list) else [])]
    scalar = [each for each in candidates if kind(each) in ("bool", "number", "text") and kind(each) == kind(operand)]
    as_order = (lambda each: each.encode()) if isinstance(operand, str) else (lambda each: each)
    return any(test(as_order(each), as_order(operand)) for each in scalar)


OPERATORS = {
    "$eq": equals,
    "$ne": lambda value, operand: not equals(value, operand),
    "$gt": lambda value, operand: ordered(value, operand, lambda a, b: a > b),
    "$gte": lambda value, operand: ordered(value, operand, lambda a, b: a >= b),
    "$lt": lambda value, operand: ordered(value, operand, lambda a, b: a < b),
    "$lte": lambda value, operand: ordered(value, operand, lambda a, b: a <= b),
    "$in": lambda value, operand: any(equals(value, each) for each in operand),
    "$nin": lambda value, operand: not any(equals(value, each) for each in operand),
    "$exists": lambda value, operand: (value is not MISSING) == operand,
}


def member_holds(row, field, operand):
    value = look_up(row, field)
    if isinstance(operand, dict) and operand and all(name.startswith("$") for name in operand):
        return all(OPERATORS[name](value, wanted) for name, wanted in operand.items())
    return equals(value, operand)


def row_holds(row, every, some):
    either = some if isinstance(some, list) else [{field: operand} for field, operand in (some or {}).items()]
    return (all(member_holds(row, field, operand) for field, operand in (every or {}).items()) and
            (some is None or any(all(member_holds(row, field, operand) for field, operand in group.items())
                                 for group in either)))


def sort_key(row, field):
    value = look_up(row, field)
    rank = {"null": 0, "number": 1, "text": 2, "bool": 5}[kind(None if value is MISSING else value)]
    comparable = 0 if rank == 0 else value.encode() if rank == 2 else value
    return rank, comparable, row["id"]


# --- random rows and questions ---

def any_value(dice, depth=0):
    turn = dice.randrange(10)
    if turn == 0 and depth < 2:
        return [any_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    if turn == 1 and depth < 2:
        return {name: any_value(dice, depth + 1) for name in dice.sample("xyz", dice.randrange(3))}
    return dice.choice(SCALARS)


def any_row(dice):
    row = {"p": dice.choice(SCALARS), "q": any_value(dice), "l": [any_value(dice, 2 - dice.randrange(4) // 3) for _ in range(dice.randrange(4))],
           "o": {"x": any_value(dice, 1), "y": {"z": dice.choice(SCALARS)}}}
    return {name: value for name, value in row.items() if dice.randrange(8)}


def any_operand(dice):
    if dice.randrange(3) == 0:
        return any_value(dice, 1)  # a filter nests four levels at most
    operators = {}
    for name in dice.sample(sorted(OPERATORS), dice.choice((1, 1, 1, 1, 2))):
        if name in ("$in", "$nin"):
            operators[name] = [dice.choice(SCALARS) for _ in range(dice.randrange(4))]
        elif name == "$exists":
            operators[name] = dice.choice((True, False))
        elif name in ("$eq", "$ne"):
            operators[name] = any_value(dice, 1)
        else:
            operators[name] = dice.choice([each for each in SCALARS if each is not None])
    return operators


def any_filter(dice, most):
    return {field: any_operand(dice) for field in dice.choices(FIELDS, k=dice.randrange(1, most + 1))}


def any_question(dice):
    question = {}
    if dice.randrange(4):
        question["andFilters"] = any_filter(dice, dice.choice((1, 1, 2)))
    if dice.randrange(3) == 0 or not question:
        question["orFilters"] = any_filter(dice, 3) if dice.randrange(2) else [any_filter(dice, 2) for _ in range(2)]
    return question


@pytest.mark.parametrize("seed", SEEDS)
def test_random_questions_are_answered_as_the_second_reading_answers_them(app, seed):
    dice = random.Random(seed)
    table = app.table()
    rows = [table.add(any_row(dice)) for _ in range(ROWS)]

    for turn in range(QUESTIONS):
        question = any_question(dice)
        order, ascending = dice.choice(("p", "id", "o.y.z")), dice.choice((True, False))
        expected = [row for row in rows if row_holds(row, question.get("andFilters"), question.get("orFilters"))]
        expected.sort(key=lambda row: sort_key(row, order), reverse=not ascending)

        answer = table.list(limit="100", sortBy=order, sortDirection="asc" if ascending else "desc", **question)

        where = f"seed {seed}, turn {turn}: {json.dumps(question)} by {order}"
        assert error(answer) == (200, None), f"{where}: {answer}"
        assert [row["id"] for row in answer.json["items"]] == [row["id"] for row in expected], where
        assert answer.json["pagination"]["total"] == len(expected), where
        assert all(row in rows for row in answer.json["items"]), where
