# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters: every operator on every kind of value. Contract 4.4."""

import json

import pytest
from app import BAD_PARAMETERS, error

DECLARED = {"k": {"bsonType": "string"}, "when": {"bsonType": "date"}}
ROWS = [
    {"k": "a", "n": 18, "s": "Apple pie", "b": True, "t": ["x", "y"], "o": {"p": 1, "q": [1, 2]}, "when": "2024-01-01"},
    {"k": "b", "n": "18", "s": "apple", "b": False, "t": ["y"], "o": {"q": [1, 2], "p": 1},
     "when": "2024-06-01T12:00:00+02:00"},
    {"k": "c", "n": None, "s": "banana", "t": [], "o": {"p": 2, "q": []}, "u": [{"v": 1}, {"v": 7}]},
    {"k": "d", "s": "", "t": "x", "l": [["x"], 4]},
    {"k": "e", "n": 18.5, "s": "line\nbreak 42", "t": [3, None], "when": None},
]
ALL = "abcde"


@pytest.fixture(scope="module")
def table(app):
    table = app.table(DECLARED)
    table.ids = {row["k"]: table.add(row)["id"] for row in ROWS}
    return table


def found(answer):
    return "".join(row["k"] for row in answer.json["items"])


HOLDS = [
    # equality
    ({"n": 18}, "a"), ({"n": 18.0}, "a"), ({"n": "18"}, "b"), ({"n": True}, ""), ({"b": True}, "a"), ({"b": 1}, ""),
    ({"b": "true"}, ""),
    ({"n": {"$eq": 18}}, "a"), ({"s": "apple"}, "b"), ({"s": "APPLE"}, ""), ({"s": ""}, "d"),
    # null and missing
    ({"n": None}, "cd"), ({"n": {"$eq": None}}, "cd"), ({"n": {"$ne": None}}, "abe"), ({"nosuch": None}, ALL),
    ({"nosuch": 1}, ""),
    ({"nosuch": {"$ne": 1}}, ALL), ({"nosuch": {"$ne": None}}, ""),
    # $ne
    ({"n": {"$ne": 18}}, "bcde"), ({"n": {"$ne": "18"}}, "acde"),
    # order, within one type only
    ({"n": {"$gt": 18}}, "e"), ({"n": {"$gte": 18}}, "ae"), ({"n": {"$lt": 18.5}}, "a"), ({"n": {"$lte": 18.5}}, "ae"),
    ({"n": {"$gt": "1"}}, "b"), ({"n": {"$gte": "18"}}, "b"), ({"n": {"$lt": "18"}}, ""),
    ({"n": {"$gte": 18, "$lt": 18.2}}, "a"),
    ({"nosuch": {"$lt": 1}}, ""), ({"b": {"$gt": False}}, "a"), ({"b": {"$lte": False}}, "b"),
        ({"s": {"$gt": "b"}}, "ce"),
    ({"s": {"$lt": "a"}}, "ad"), ({"k": {"$gte": "b", "$lte": "d"}}, "bcd"),
    # $in, $nin
    ({"n": {"$in": [18, "18"]}}, "ab"), ({"n": {"$in": [None]}}, "cd"), ({"n": {"$in": []}}, ""),
        ({"n": {"$nin": []}}, ALL),
    ({"n": {"$nin": [18, None]}}, "be"), ({"n": {"$nin": ["18"]}}, "acde"), ({"b": {"$in": [True, False]}}, "ab"),
    # $exists
    ({"n": {"$exists": True}}, "abce"), ({"n": {"$exists": False}}, "d"), ({"when": {"$exists": True}}, "abe"),
    ({"nosuch": {"$exists": True}}, ""),
    ({"o.p": {"$exists": True}}, "abc"), ({"o.zz": {"$exists": False}}, ALL),
    # $regex: anywhere, case-sensitive
    ({"s": {"$regex": "pp"}}, "ab"), ({"s": {"$regex": "^app"}}, "b"),
        ({"s": {"$regex": "^app", "$options": "i"}}, "ab"),
    ({"s": {"$regex": "ana$"}}, "c"), ({"s": {"$regex": "^(an|ba|na){2,3}$"}}, "c"), ({"s": {"$regex": "\\d+$"}}, "e"),
    ({"s": {"$regex": "[A-F]"}}, "a"), ({"s": {"$regex": "\\bpie\\b"}}, "a"), ({"s": {"$regex": "e\\s\\w"}}, "ae"),
    ({"s": {"$regex": "^$"}}, "d"),
    ({"s": {"$regex": ""}}, ALL), ({"n": {"$regex": "18"}}, "b"), ({"t": {"$regex": "^y$"}}, "ab"),
    ({"s": {"$regex": "[^a-z]"}}, "ae"),
    ({"s": {"$regex": "a?b+n*"}}, "ce"),
    # $contains
    ({"s": {"$contains": "APPLE"}}, "ab"), ({"s": {"$contains": "a.a"}}, ""), ({"t": {"$contains": "Y"}}, "ab"),
    # arrays: any element, or the whole
    ({"t": "x"}, "ad"), ({"t": ["x", "y"]}, "a"), ({"t": ["y", "x"]}, ""), ({"t": []}, "c"),
    ({"t": {"$ne": "x"}}, "bce"), ({"t": {"$in": ["y", 3]}}, "abe"),
    ({"t": {"$nin": ["y"]}}, "cde"), ({"t": {"$gt": 2}}, "e"), ({"t": None}, "e"), ({"t.0": "x"}, "a"),
    ({"t.1": "y"}, "a"), ({"t.7": {"$exists": True}}, ""),
    ({"t": {"$ne": ["x", "y"]}}, "bcde"), ({"l": [["x"], 4]}, "d"), ({"l": ["x"]}, "d"), ({"u.0.v": 1}, "c"),
    ({"u.1.v": {"$gte": 7}}, "c"),
    # objects
    ({"o": {"q": [1, 2], "p": 1}}, "ab"), ({"o": {"p": 1}}, ""), ({"o": {"$ne": {"p": 1, "q": [1, 2]}}}, "cde"),
    ({"o.p": 1}, "ab"), ({"o.p": {"$gte": 1}}, "abc"),
    ({"o.q": 2}, "ab"), ({"o.q.1": 2}, "ab"), ({"o.q": []}, "c"), ({"s.x": 1}, ""), ({"s.x": None}, ALL),
    # dates as instants
    ({"when": "2024-01-01"}, "a"), ({"when": "2024-01-01T00:00:00.000Z"}, "a"), ({"when": "2024-06-01T10:00:00Z"}, "b"),
    ({"when": "2024-06-01T12:00:00+02:00"}, "b"),
    ({"when": {"$gt": "2024-01-01T00:00:00.000Z"}}, "b"), ({"when": {"$gte": "2024-01-01"}}, "ab"),
    ({"when": {"$lt": "2024-01-01T00:00:00.001"}}, "a"),
    ({"when": None}, "cde"), ({"when": {"$in": ["2024-01-01T01:00:00+01:00", None]}}, "acde"),
    ({"when": {"$ne": "2024-01-01"}}, "bcde"),
    # system fields
    ({"createdAt": {"$gt": "2000-01-01"}}, ALL), ({"createdAt": {"$lt": "2000-01-01"}}, ""),
    ({"updatedAt": {"$gte": "2000-01-01T00:00:00Z"}}, ALL),
    ({"createdBy": ""}, ALL), ({"createdBy": {"$exists": True}}, ALL), ({"createdBy": "$userId"}, ""),
    ({"id": "x"}, ""), ({"id": {"$regex": "^[0-9a-f]{24}$"}}, ALL),
    # several members: all of them
    ({}, ALL), ({"k": "a", "n": 18}, "a"), ({"k": "a", "n": "18"}, ""),
]


@pytest.mark.parametrize("filters,expected", HOLDS, ids=[json.dumps(case[0]) for case in HOLDS])
def test_an_and_filter_finds_the_rows_for_which_it_holds(table, filters, expected):
    answer = table.list(andFilters=filters, sortBy="k", sortDirection="asc")

    assert answer.status == 200, answer
    assert found(answer) == expected
    assert answer.json["pagination"]["total"] == len(expected)


EITHER = [
    ({"orFilters": {"k": "a", "n": "18"}}, "ab"), ({"orFilters": {"k": {"$in": ["c", "d"]}, "b": True}}, "acd"),
    ({"orFilters": {"k": "zz"}}, ""),
    ({"orFilters": [{"k": "a", "n": "18"}, {"k": "b", "n": "18"}]}, "b"),
        ({"orFilters": [{"k": "a"}, {"k": "b"}]}, "ab"),
    ({"orFilters": {"k": "a", "s": "banana"}, "andFilters": {"b": True}}, "a"),
    ({"orFilters": {"k": "a"}, "andFilters": {"k": "b"}}, ""),
    ({"orFilters": {"k": "a", "s": "banana"}, "search": "PIE"}, "a"),
]


@pytest.mark.parametrize("parameters,expected", EITHER, ids=[json.dumps(case[0]) for case in EITHER])
def test_an_or_filter_finds_rows_for_which_one_member_holds(table, parameters, expected):
    answer = table.list(sortBy="k", sortDirection="asc", **parameters)

    assert answer.status == 200, answer
    assert found(answer) == expected
    assert answer.json["pagination"]["total"] == len(expected)


def test_an_id_finds_its_row(table):
    assert found(table.list(andFilters={"id": table.ids["c"]})) == "c"
    assert found(table.list(andFilters={"id": {"$in": [table.ids["c"], table.ids["e"]]}}, sortBy="k",
                            sortDirection="asc")) == "ce"


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"a": value}
    return value


REFUSED = {
    "or_inside": {"$or": [{"n": 1}]}, "and_inside": {"$and": []}, "where": {"$where": "1"}, "expr": {"$expr": {}},
    "empty_name": {"": 1},
    "digit_first": {"1a": 1}, "two_dots": {"a..b": 1}, "dot_last": {"a.": 1}, "dot_first": {".a": 1},
    "space": {"a b": 1}, "dollar_inside": {"a.$b": 1},
    "underscore": {"_x": 1}, "unknown_operator": {"n": {"$foo": 1}}, "not": {"n": {"$not": 1}},
    "nested_operator": {"o": {"p": {"$gt": 0}}}, "operator_in_eq": {"o": {"$eq": {"$gt": 0}}}, "in_list": {"t": [{"$gt": 0}]},
    "elemMatch": {"t": {"$elemMatch": {}}}, "size": {"t": {"$size": 1}},
    "mixed": {"n": {"$gt": 1, "x": 2}}, "in_scalar": {"n": {"$in": 1}}, "in_null": {"n": {"$in": None}},
    "in_object": {"n": {"$in": [{}]}}, "in_array": {"n": {"$in": [[1]]}},
    "nin_scalar": {"n": {"$nin": "x"}}, "gt_object": {"n": {"$gt": {}}}, "gt_array": {"n": {"$gt": [1]}},
    "exists_number": {"n": {"$exists": 1}}, "exists_text": {"n": {"$exists": "true"}},
    "contains_number": {"n": {"$contains": 1}}, "regex_number": {"s": {"$regex": 1}},
    "regex_long": {"s": {"$regex": "a" * 257}}, "regex_open": {"s": {"$regex": "("}},
    "regex_star": {"s": {"$regex": "*a"}}, "regex_class": {"s": {"$regex": "[a"}},
    "regex_back": {"s": {"$regex": "(a)\\1"}}, "regex_ahead": {"s": {"$regex": "(?=a)"}},
    "regex_behind": {"s": {"$regex": "(?<!a)b"}}, "regex_recursion": {"s": {"$regex": "(?R)"}},
    "regex_verb": {"s": {"$regex": "(*COMMIT)a"}}, "regex_callout": {"s": {"$regex": "(?C1)a"}},
    "regex_count": {"s": {"$regex": "a{1001}"}}, "regex_order": {"s": {"$regex": "a{3,2}"}},
    "options_alone": {"s": {"$options": "i"}}, "options_other": {"s": {"$regex": "a", "$options": "e"}},
    "date_text": {"when": "yesterday"}, "date_month": {"when": "2024-13-01"},
    "created_text": {"createdAt": {"$gt": "yesterday"}}, "created_in": {"updatedAt": {"$in": ["x"]}},
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("parameter", ["andFilters", "orFilters"])
def test_a_filter_outside_the_language_is_refused(table, parameter, name):
    assert error(table.list(**{parameter: REFUSED[name]})) == BAD_PARAMETERS


@pytest.mark.parametrize("text", ['{"n":1,"n":2}', '{"n":{"$gt":1,"$gt":2}}', '{"n":NaN}', '{"n":"\\ud800"}',
                                  '{"n":1}}', "{'n':1}", '{"n":"\\u0000"}'])
def test_a_filter_that_is_not_strict_json_is_refused(table, text):
    assert error(table.list(andFilters=text)) == BAD_PARAMETERS
    assert error(table.list(orFilters=text)) == BAD_PARAMETERS


# --- class 13 of the attacks: each limit, at it and over it ---

@pytest.mark.parametrize("name,at,over", [
    ("clauses", {f"f{n}": {"$exists": False} for n in range(64)}, {f"f{n}": {"$exists": False} for n in range(65)}),
    ("members_of_in", {"n": {"$in": list(range(500))}}, {"n": {"$in": list(range(501))}}),
    ("bytes_of_a_regex", {"s": {"$regex": "a" * 256}}, {"s": {"$regex": "a" * 257}}),
    ("repeats_of_a_regex", {"s": {"$regex": "a{0,1000}"}}, {"s": {"$regex": "a{0,1001}"}}),
    ("bytes", {"s": "a" * 16000}, {"s": "a" * 16385}),
])
def test_attack_13_a_filter_has_limits(table, name, at, over):
    assert table.list(andFilters=at).status == 200
    assert error(table.list(andFilters=over)) == BAD_PARAMETERS


def test_attack_13_a_filter_does_not_nest_deeply(table):
    assert table.list(andFilters={"o": nested(1)}).status == 200
    assert error(table.list(andFilters={"o": nested(8)})) == BAD_PARAMETERS


@pytest.fixture(scope="module")
def bomb(app):
    """20 rows of 60,000 times the same letter."""
    table = app.table()
    for _ in range(20):
        table.add({"s": "a" * 60000})
    return table


@pytest.mark.parametrize("pattern", ["(a|aa|aaa|aaaa|aaaaa|a{1,50})*b", "(a*)*b", "(a?){200}a{200}b", "(a|a)*b",
                                     "([a-z]+)*[0-9]"])
def test_attack_13_a_regex_is_answered_or_refused_within_a_budget_shared_by_all_rows(bomb, pattern):
    answer = bomb.list(andFilters={"s": {"$regex": pattern}})

    assert error(answer) in ((200, None), BAD_PARAMETERS)
    assert answer.status == 400 or answer.json["items"] == []


def test_attack_13_a_regex_over_its_budget_is_refused_and_the_next_request_is_not(bomb):
    answer = bomb.list(andFilters={"s": {"$regex": "(a|aa|aaa|aaaa|aaaaa|a{1,50})*b"}})

    assert error(answer) == BAD_PARAMETERS
    assert bomb.list(andFilters={"s": {"$regex": "^b"}}).status == 200


def test_attack_13_a_search_over_all_columns_is_answered(bomb):
    assert bomb.list(search="a" * 255 + "b").json["items"] == []
    assert bomb.list(search="a" * 256).json["pagination"]["total"] == 20
