# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: parameters, order, pages, search, select. Contract 1.8, 4.3."""

import pytest
from app import BAD_PARAMETERS, SYSTEM_FIELDS, error, query

ROWS = 25


@pytest.fixture(scope="module")
def numbers(app):
    """25 rows, n = 0..24 in the order of their creation."""
    table = app.table({"n": {"bsonType": "int"}, "half": {"bsonType": "int"}, "text": {"bsonType": "string"},
                       "o": {"bsonType": "object"}})
    table.rows = [table.add({"n": n, "half": n // 2, "text": f"row {n}", "o": {"deep": -n}}) for n in range(ROWS)]
    return table


def ns(answer):
    return [row["n"] for row in answer.json["items"]]


# --- pages ---

@pytest.mark.parametrize("parameters,items,pagination", [
    ({}, 20, (25, 1, 20, 2, True, False)),
    ({"page": "2"}, 5, (25, 2, 20, 2, False, True)),
    ({"limit": "10", "page": "3"}, 5, (25, 3, 10, 3, False, True)),
    ({"limit": "25"}, 25, (25, 1, 25, 1, False, False)),
    ({"limit": "1", "page": "25"}, 1, (25, 25, 1, 25, False, True)),
    ({"page": "3"}, 0, (25, 3, 20, 2, False, True)),
    ({"page": "1000000"}, 0, (25, 1000000, 20, 2, False, True)),
    ({"limit": "100"}, 25, (25, 1, 100, 1, False, False)),
    ({"limit": "101"}, 25, (25, 1, 100, 1, False, False)),
    ({"limit": "200"}, 25, (25, 1, 100, 1, False, False)),
    ({"offset": "20"}, 5, (25, 2, 20, 2, False, True)),
    ({"offset": "5", "limit": "10"}, 10, (25, 1, 10, 3, True, False)),
    ({"offset": "15", "limit": "10"}, 10, (25, 2, 10, 3, True, True)),
    ({"offset": "20", "page": "1"}, 20, (25, 1, 20, 2, True, False)),
    ({"offset": "100"}, 0, (25, 6, 20, 2, False, True)),
    ({"andFilters": '{"n":99}'}, 0, (0, 1, 20, 0, False, False)),
    ({"andFilters": '{"n":99}', "page": "7"}, 0, (0, 7, 20, 0, False, False)),
    ({"search": ""}, 20, (25, 1, 20, 2, True, False)),
    ({"unknown": "x", "_": "1"}, 20, (25, 1, 20, 2, True, False)),
], ids=str)
def test_pages_and_their_object(numbers, parameters, items, pagination):
    answer = numbers.list(**parameters)

    assert answer.status == 200
    assert set(answer.json) == {"items", "pagination"}
    assert len(answer.json["items"]) == items
    names = ("total", "page", "limit", "totalPages", "hasNext", "hasPrev")
    assert answer.json["pagination"] == dict(zip(names, pagination))


def test_the_literal_that_a_documented_script_looks_for_is_there(numbers):
    assert b'"hasNext":true' in numbers.list().body


def test_the_default_order_is_newest_first(numbers):
    assert ns(numbers.list(limit="100")) == list(range(ROWS))[::-1]


@pytest.mark.parametrize("limit", [1, 3, 7, 20])
@pytest.mark.parametrize("order", [{}, {"sortBy": "half"}, {"sortBy": "half", "sortDirection": "asc"},
                                   {"sortBy": "text"}],
                         ids=str)
def test_pages_of_any_size_give_every_row_once_in_one_order(numbers, limit, order):
    whole = ns(numbers.list(limit="100", **order))

    paged = []
    for page in range(1, ROWS // limit + 2):
        paged += ns(numbers.list(limit=str(limit), page=str(page), **order))

    assert sorted(whole) == list(range(ROWS))
    assert paged == whole


# --- order ---

@pytest.mark.parametrize("parameters,expected", [
    ({"sortBy": "n", "sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "n", "sortDirection": "ASC"}, list(range(25))),
    ({"sortBy": "n", "sortDirection": "Desc"}, list(range(25))[::-1]),
    ({"sortBy": "n"}, list(range(25))[::-1]),
    ({"sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "id", "sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "createdAt", "sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "createdBy", "sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "o.deep", "sortDirection": "asc"}, list(range(25))[::-1]),
    ({"sortBy": "half", "sortDirection": "asc"}, list(range(25))),
    ({"sortBy": "half", "sortDirection": "desc"}, list(range(25))[::-1]),
    ({"sortBy": "o.nosuch", "sortDirection": "asc"}, list(range(25))),
], ids=str)
def test_rows_come_in_the_order_asked_for(numbers, parameters, expected):
    assert ns(numbers.list(limit="100", **parameters)) == expected


def test_updated_at_orders_by_the_last_change(app):
    table = app.table()
    rows = [table.add({"n": n}) for n in range(4)]
    changed = rows[1]
    while changed["updatedAt"] <= rows[3]["updatedAt"]:  # each update is later by a millisecond at least
        changed = table.update(changed["id"], {"x": 1}).json

    assert ns(table.list(sortBy="updatedAt"))[0] == 1
    assert ns(table.list(sortBy="updatedAt", sortDirection="asc"))[-1] == 1


def test_values_of_different_types_have_ranks(app):
    table = app.table({"v": {}, "when": {"bsonType": "date"}})
    rows = {}
    for label, row in (("true", {"v": True}), ("array", {"v": [1]}), ("b", {"v": "b"}), ("two", {"v": 2.5}),
                       ("object", {"v": {"a": 1}}),
                       ("missing", {}), ("false", {"v": False}), ("upper", {"v": "B"}), ("null", {"v": None}),
                       ("minus", {"v": -7}),
                       ("umlaut", {"v": "\u00e4"}), ("empty", {"v": ""}), ("ten", {"v": 10})):
        rows[table.add(row)["id"]] = label

    up = [rows[row["id"]] for row in table.list(sortBy="v", sortDirection="asc", limit="100").json["items"]]
    down = [rows[row["id"]] for row in table.list(sortBy="v", sortDirection="desc", limit="100").json["items"]]

    assert up == ["missing", "null", "minus", "two", "ten", "empty", "upper", "b", "umlaut", "object", "array", "false",
                  "true"]
    assert down == up[::-1]


def test_dates_sort_as_instants_after_the_missing_ones(app):
    table = app.table({"when": {"bsonType": "date"}})
    labels = {table.add(row)["id"]: label for label, row in (
        ("noon", {"when": "2024-05-01T12:00:00Z"}), ("none", {}), ("earlier", {"when": "2024-05-01T13:00:00+02:00"}),
        ("day", {"when": "2024-05-01"}), ("before 1970", {"when": "1969-12-31T23:59:59.999Z"}))}

    answer = table.list(sortBy="when", sortDirection="asc")

    assert [labels[row["id"]] for row in answer.json["items"]] == ["none", "before 1970", "day", "earlier", "noon"]


def test_a_table_that_declares_nothing_sorts_by_any_name_that_could_be_one(app):
    table = app.table()
    for n in (3, 1, 2):
        table.add({"n": n, "o": {"x": -n}})

    assert ns(table.list(sortBy="n", sortDirection="asc")) == [1, 2, 3]
    assert ns(table.list(sortBy="o.x", sortDirection="asc")) == [3, 2, 1]
    assert table.list(sortBy="nosuch").status == 200
    for name in ("$where", "a b", "1a", "a..b", ".a", "a."):
        assert error(table.list(sortBy=name)) == BAD_PARAMETERS


# --- refusals ---

@pytest.mark.parametrize("text", [
    "page=0", "page=-1", "page=1.5", "page=abc", "page=", "page=1e3", "page=+1", "page=0x1", "page=%201", "page=null",
    "limit=0", "limit=-1", "limit=1.5", "limit=abc", "limit=", "limit=NaN", "limit=null", "limit=[]",
    "offset=-1", "offset=x", "offset=1.5",
    "sortBy=nosuch", "sortBy=n;drop", "sortBy=$where", "sortBy=n.", "sortBy=nosuch.a", "sortBy=N", "sortBy=n,half",
    "sortDirection=up", "sortDirection=1", "sortDirection=",
    "search=" + "x" * 257, "search=x&searchType=nosuch", "search=x&searchType=$a",
    "andFilters=", "andFilters={", "andFilters=[]", "andFilters=1", "andFilters=null", "andFilters=%22x%22",
    "orFilters={", "orFilters=1", "orFilters=null", "orFilters=[1]", "orFilters=%22x%22",
    "page=1&page=1", "limit=1&limit=1", "offset=0&offset=0", "sortBy=n&sortBy=n", "sortDirection=asc&sortDirection=asc",
    "search=a&search=a", "search=a&searchType=text&searchType=text", "andFilters={}&andFilters={}",
    "orFilters={}&orFilters={}",
    "andFilters[n]=1", "andFilters%5Bn%5D%5B$gte%5D=1", "orFilters[n]=1", "andFilters={}&andFilters[n]=1",
])
def test_a_bad_parameter_is_refused(app, numbers, text):
    answer = app.sk.get(f"{numbers.path}?{text}")

    assert error(answer) == BAD_PARAMETERS
    assert answer.json["message"]


def test_a_search_type_without_a_search_does_not_count(numbers):
    assert numbers.list(searchType="text").json["pagination"]["total"] == ROWS


# --- class 4 of the attacks ---

@pytest.mark.parametrize("limit,shown", [("9007199254740993", 100), ("4294967297", 100), ("18446744073709551617", 100)])
def test_attack_04_a_huge_limit_is_clamped(numbers, limit, shown):
    answer = numbers.list(limit=limit)

    assert answer.status == 200
    assert answer.json["pagination"]["limit"] == shown
    assert len(answer.json["items"]) == ROWS


@pytest.mark.parametrize("page", ["4294967297", "9007199254740992", "184467440737095517"])
def test_attack_04_a_huge_page_lies_past_the_end_or_is_refused_and_never_wraps_around(numbers, page):
    answer = numbers.list(page=page)

    assert answer.status in (200, 400)
    assert answer.status == 400 or answer.json["items"] == []


@pytest.mark.parametrize("limit", ["0", "-1", "null", "", "00", "-0", "0.5"])
def test_attack_04_a_limit_that_is_none_is_not_without_limit(numbers, limit):
    assert error(numbers.list(limit=limit)) == BAD_PARAMETERS


# --- search ---

@pytest.fixture(scope="module")
def words(app):
    table = app.table({"k": {"bsonType": "string"}, "title": {"bsonType": "string"}, "tags": {"bsonType": "array"},
                       "body": {"bsonType": "string"}, "n": {"bsonType": "int"}})
    for row in ({"k": "1", "title": "Red Apple", "tags": ["Fruit", "round"], "body": "sweet"},
                {"k": "2", "title": "green tea", "tags": ["drink", 5, None], "n": 555, "body": "a.b*c"},
                {"k": "3", "title": "pear", "tags": [], "body": "not an apple"},
                {"k": "4", "body": None, "extra": "an APPLE that nobody declared"}):
        table.add(row)
    return table


@pytest.mark.parametrize("parameters,found", [
    ({"search": "apple"}, "134"), ({"search": "APPLE"}, "134"), ({"search": "apple", "searchType": "title"}, "1"),
    ({"search": "apple", "searchType": "body"}, "3"), ({"search": "fruit"}, "1"),
    ({"search": "round", "searchType": "tags"}, "1"),
    ({"search": "555"}, ""), ({"search": "a.b*c"}, "2"), ({"search": "a.b"}, "2"), ({"search": ".*"}, ""),
    ({"search": "%"}, ""),
    ({"search": "red apple"}, "1"), ({"search": "nothing"}, ""), ({"search": "T00:"}, ""), ({"search": "Z"}, ""),
    ({"search": "apple", "andFilters": '{"k":{"$ne":"1"}}'}, "34"), ({"search": "ea"}, "23"),
], ids=str)
def test_search_is_a_substring_in_texts_and_texts_of_arrays(words, parameters, found):
    answer = words.list(sortBy="k", sortDirection="asc", **parameters)

    assert "".join(row["k"] for row in answer.json["items"]) == found
    assert answer.json["pagination"]["total"] == len(found)


def test_case_is_ignored_in_other_alphabets_too(app):
    table = app.table({"s": {"bsonType": "string"}})
    for text in ("Ärger in Köln", "ΟΔΟΣ", "Привет, МИР", "Điện THOẠI"):
        table.add({"s": text})

    for word in ("ärger", "KÖLN", "οδος", "привет", "ПРИВЕТ, мир", "điện thoại"):
        assert table.list(search=word).json["pagination"]["total"] == 1, word
        assert table.list(andFilters={"s": {"$contains": word}}).json["pagination"]["total"] == 1, word


def test_a_plus_in_a_query_is_a_space(app, words):
    answer = app.sk.get(f"{words.path}?search=red+apple")

    assert [row["k"] for row in answer.json["items"]] == ["1"]


# --- select ---

@pytest.mark.parametrize("text,fields", [
    ("select=n", {"n"}), ("select=n,text", {"n", "text"}), ("select=n&select=text", {"n", "text"}), ("fields=n", {"n"}),
    ("select=n,,nosuch", {"n"}), ("select=nosuch", set()), ("select=id", set()), ("select=createdAt,n", {"n"}),
])
def test_select_narrows_the_columns_and_keeps_the_system_fields(app, numbers, text, fields):
    answer = app.sk.get(f"{numbers.path}?limit=2&{text}")

    assert answer.status == 200
    assert [set(row) for row in answer.json["items"]] == [SYSTEM_FIELDS | fields] * 2


def test_fifty_ids_fit_into_one_filter(app, numbers):
    ids = [row["id"] for row in numbers.rows] + [f"{n:024x}" for n in range(26)]
    path = numbers.path + query(andFilters={"id": {"$in": ids}}, limit="100")

    answer = app.sk.get(path)

    assert answer.json["pagination"]["total"] == ROWS
