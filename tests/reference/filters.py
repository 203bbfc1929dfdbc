# SPDX-License-Identifier: GPL-3.0-or-later
"""Contract 4.3 and 4.4, read a second time: which rows a filter and a search let through, and in which order they come.
Naive on purpose; the firmware is compared with it."""

import datetime
import re

MISSING = object()
SYSTEM_FIELDS = ("id", "createdBy", "createdAt", "updatedAt")
TIMES = ("createdAt", "updatedAt")


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
    for types, name in ((bool, "bool"), ((int, float), "number"), (str, "text"), (list, "list"), (dict, "object"),
                        (datetime.datetime, "instant")):
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


def candidates(value):
    return [value, *(value if isinstance(value, list) else [])]


def ordered(value, operand, test):
    scalar = [each for each in candidates(value)
              if kind(each) in ("bool", "number", "text", "instant") and kind(each) == kind(operand)]
    as_order = (lambda each: each.encode()) if isinstance(operand, str) else (lambda each: each)
    return any(test(as_order(each), as_order(operand)) for each in scalar)


def texts(value):
    return [each for each in candidates(value) if isinstance(each, str)]


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
    "$regex": lambda value, operand: any(re.search(operand, each) for each in texts(value)),
    "$contains": lambda value, operand: any(operand.lower() in each.lower() for each in texts(value)),
}


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def conditions(operand):
    """(operator, its operand)..., all of which have to hold."""
    if isinstance(operand, dict) and operand and all(name.startswith("$") for name in operand):
        return list(operand.items())
    return [("$eq", operand)]


def condition_holds(row, field, name, operand):
    value = look_up(row, field)
    if field in TIMES:
        value = instant(value)
        if isinstance(operand, str):
            operand = instant(operand)
        elif isinstance(operand, list):
            operand = [instant(each) for each in operand]
    return OPERATORS[name](value, operand)


def member_holds(row, field, operand):
    return all(condition_holds(row, field, name, wanted) for name, wanted in conditions(operand))


def every(row, members, holds=member_holds):
    """andFilters, or one group of orFilters."""
    return all(holds(row, field, operand) for field, operand in (members or {}).items())


def some(row, either, holds=member_holds):
    """orFilters; None restricts nothing."""
    groups = either if isinstance(either, list) else [{field: operand} for field, operand in (either or {}).items()]
    return either is None or any(every(row, group, holds) for group in groups)


def row_holds(row, and_filters, or_filters, holds=member_holds):
    return every(row, and_filters, holds) and some(row, or_filters, holds)


def found(value, word):
    """Whether a search for the word finds this value of a row."""
    return any(word.lower() in each.lower() for each in texts(value))


def sort_key(row, field):
    value = look_up(row, field)
    rank = {"null": 0, "number": 1, "text": 2, "bool": 5}[kind(None if value is MISSING else value)]
    comparable = 0 if rank == 0 else value.encode() if rank == 2 else value
    return rank, comparable, row["id"]
