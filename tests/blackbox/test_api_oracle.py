# SPDX-License-Identifier: GPL-3.0-or-later
"""The box against a second reading of contract 4.3 and 4.4, tests/reference/filters.py, on random rows and questions.
Seeds are fixed, and a difference names its own."""

import json
import random

import pytest
from app import error
from conftest import reference

filters = reference("filters")
SEEDS = range(4)
ROWS, QUESTIONS = 60, 200
SCALARS = [None, True, False, 0, 1, 2, 2.5, -7, "", "a", "A", "ab", "b", "1", "\u00e9", "\U0001f600"]
OPERATORS = ["$eq", "$exists", "$gt", "$gte", "$in", "$lt", "$lte", "$ne", "$nin"]
FIELDS = ["p", "q", "o", "o.x", "o.y.z", "l", "l", "l", "l.0", "l.1", "l.x", "q.0", "nosuch"]


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
    for name in dice.sample(OPERATORS, dice.choice((1, 1, 1, 1, 2))):
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
        expected = [row for row in rows if filters.row_holds(row, question.get("andFilters"), question.get("orFilters"))]
        expected.sort(key=lambda row: filters.sort_key(row, order), reverse=not ascending)

        answer = table.list(limit="100", sortBy=order, sortDirection="asc" if ascending else "desc", **question)

        where = f"seed {seed}, turn {turn}: {json.dumps(question)} by {order}"
        assert error(answer) == (200, None), f"{where}: {answer}"
        assert [row["id"] for row in answer.json["items"]] == [row["id"] for row in expected], where
        assert answer.json["pagination"]["total"] == len(expected), where
        assert all(row in rows for row in answer.json["items"]), where
