# SPDX-License-Identifier: GPL-3.0-or-later
"""Row filters (contract 3.8, 9.1) as a guest and a secret key meet them: which rows are listed, counted, found and
reached, and that the rest cannot be told from what is not there. Classes 2, 4, 7 and 10 of the attacks."""

import json

import pytest
from app import DENIED, INVALID, NO_ROW, SYSTEM_FIELDS, error, without_id

ALL = {op: True for op in ("create", "read", "update", "delete", "list")}
SCHEMA = {"title": {"type": "string"}, "status": {"type": "string"}, "n": {"type": "int"}, "at": {"type": "date"},
          "tags": {"type": "array"}}
PUBLISHED = [{"expression": "guest", "filter": {"status": "published"}}]
ABSENT = (404, "data/not-found")


def policy(filters=None, **security):
    return {"permissions": {"guest": ALL}, "rowFilters": PUBLISHED if filters is None else filters, "security": security}


def fill(table, count=12):
    """count rows, every third published; their ids by status."""
    ids = {"published": [], "draft": []}
    for n in range(count):
        status = "draft" if n % 3 else "published"
        ids[status].append(table.add({"title": f"word{n}", "status": status, "n": n})["id"])
    return ids


@pytest.fixture
def posts(app):
    table = app.table(SCHEMA, **policy())
    table.ids = fill(table)
    return table


def listed(table, client, **parameters):
    answer = table.list(client, **parameters)
    assert answer.status == 200, answer
    return [item["id"] for item in answer.json["items"]], answer.json["pagination"]["total"]


def test_a_list_shows_and_counts_what_a_filter_lets_through(app, posts):
    seen, total = listed(posts, app.pk)

    assert (seen, total) == (posts.ids["published"][::-1], 4)
    assert listed(posts, app.sk)[1] == 12  # row filters are not for administrators


QUESTIONS = [{}, {"sortBy": "n"}, {"sortBy": "n", "sortDirection": "asc"}, {"sortBy": "createdAt"}, {"search": "word"},
             {"search": "word1"}, {"search": "draft"}, {"search": "draft", "searchType": "status"}, {"limit": 1},
             {"limit": 3}, {"limit": 3, "page": 2}, {"offset": 2}, {"page": 99}, {"andFilters": {"status": "draft"}},
             {"andFilters": {"status": {"$ne": "published"}}}, {"orFilters": {"status": "draft", "n": {"$gte": 0}}},
             {"andFilters": {"n": {"$gt": 3}}}, {"andFilters": {"n": {"$in": [1, 3]}}}, {"andFilters": {"n": {"$exists": True}}},
             {"andFilters": {"status": {"$regex": "^d"}}}, {"select": "n", "limit": 2}, {"sortBy": "status", "limit": 2}]


def test_attack_02_no_question_tells_of_hidden_rows(app):
    """The same visible rows with and without hidden ones between them: every page, count and order is the same."""
    tables = [app.table(SCHEMA, **policy()) for _ in range(2)]
    for n in range(12):
        for table in tables:
            if n % 3 == 0 or table is tables[1]:
                table.add({"title": f"word{n}", "status": "draft" if n % 3 else "published", "n": n})

    for question in QUESTIONS:
        one, other = (table.list(app.pk, **question) for table in tables)
        assert one.status == other.status == 200
        assert one.json["pagination"] == other.json["pagination"], question
        assert [plain(item) for item in one.json["items"]] == [plain(item) for item in other.json["items"]], question


def plain(item):
    return {name: value for name, value in item.items() if name not in ("id", "createdAt", "updatedAt")}


def test_attack_02_costly_hidden_rows_do_not_use_up_a_clients_budget(app):
    """What a client's filter costs is paid for visible rows alone: text in hidden ones must not be felt."""
    table = app.table({"status": {"type": "string"}, "text": {"type": "string"}}, **policy())
    table.add({"status": "published", "text": "short"})
    for _ in range(8):
        table.add({"status": "draft", "text": "a" * 900000})

    question = {"andFilters": {"text": {"$regex": "(a|b|c|d){1,40}x"}}}

    assert table.list(app.pk, **question).json["pagination"]["total"] == 0
    assert error(table.list(app.sk, **question))[0] == 400  # who sees them pays for them


@pytest.mark.parametrize("limit", ["0", "-1", "null", "1e9", "99999999999999999999", "x"])
def test_attack_04_no_limit_widens_a_list(app, posts, limit):
    answer = app.pk.get(f"{posts.path}?limit={limit}")

    assert answer.status in (200, 400)
    if answer.status == 200:
        assert {item["id"] for item in answer.json["items"]} <= set(posts.ids["published"])


def test_contributions_are_joined_and_an_empty_filter_is_every_row(app):
    table = app.table(SCHEMA, **policy([{"expression": "public", "filter": {"n": {"$lt": 2}}},
                                        {"expression": "user", "filter": {}},
                                        {"expression": "guest", "filter": {"status": "draft", "n": {"$gt": 9}}}]))
    fill(table)

    assert sorted(item["n"] for item in table.list(app.pk).json["items"]) == [0, 1, 10, 11]
    table.policy(**policy([{"expression": "public", "filter": {}}]))
    assert listed(table, app.pk)[1] == 12
    table.policy(**policy([]))
    assert listed(table, app.pk)[1] == 12


def test_no_contribution_is_no_row_or_every_row_as_the_setting_says(app):
    table = app.table(SCHEMA, **policy([{"expression": "user", "filter": {}}, {"expression": "self", "filter": {}}]))
    fill(table)

    assert table.list(app.pk, page=2).json == {"items": [], "pagination": {
        "total": 0, "page": 2, "limit": 20, "totalPages": 0, "hasNext": False, "hasPrev": False}}
    assert error(table.list(app.pk, sortBy="nosuch"))[0] == 400  # parameters are checked all the same
    table.policy(**policy([{"expression": "user", "filter": {}}], rowFilterNoMatch="allow"))
    assert listed(table, app.pk)[1] == 12


def test_vector_108_nobodys_id_equals_nothing(app):
    operands = ["$userId", {"$ne": "$userId"}, {"$in": ["$userId", ""]}, {"$nin": ["$userId"]}, {"$gte": "$userId"}]
    for operand in operands:
        table = app.table({}, **policy([{"expression": "public", "filter": {"owner": operand}}]))
        for owner in ("", "$userId", "x", None):
            table.add({"owner": owner})
        table.add()

        assert listed(table, app.pk) == ([], 0), operand


def test_vector_112_the_placeholder_is_a_plain_text_for_clients(app):
    table = app.table({}, **policy([]))
    ids = [table.add({"owner": owner})["id"] for owner in ("", "$userId")]

    assert listed(table, app.pk, andFilters={"owner": "$userId"}) == ([ids[1]], 1)
    assert listed(table, app.pk, andFilters={"createdBy": "$userId"}) == ([], 0)


def test_a_row_that_cannot_be_decided_within_its_steps_is_not_shown(app):
    table = app.table({}, **policy([{"expression": "public", "filter": {"text": {"$regex": "(a|b|c|d){1,40}x"}}}]))
    fits, costly = table.add({"text": "aaax"}), table.add({"text": "a" * 900000 + "x"})

    assert listed(table, app.pk) == ([fits["id"]], 1)
    assert listed(table, app.sk) == ([costly["id"], fits["id"]], 2)


# --- rowFilterScope and forbiddenRows ---

def reach(table, client, row_id):
    """The answers to a read, an update and a delete."""
    return [table.read(row_id, client), table.update(row_id, {"title": "new"}, client), table.delete(row_id, client)]


@pytest.mark.parametrize("scope,refused", [("list", []), ("read", [0]), ("all", [0, 1, 2])])
def test_attack_04_the_scope_says_which_requests_the_filters_cover(app, scope, refused):
    table = app.table(SCHEMA, **policy(rowFilterScope=scope))
    ids = fill(table, 6)

    hidden, shown = reach(table, app.pk, ids["draft"][0]), reach(table, app.pk, ids["published"][0])

    assert [error(answer) for answer in hidden] == [DENIED if at in refused else (200, None) for at in range(3)]
    assert [error(answer) for answer in shown] == [(200, None)] * 3
    assert [answer.status for answer in reach(table, app.sk, ids["draft"][1])] == [200] * 3


@pytest.mark.parametrize("op", range(3), ids=["read", "update", "delete"])
def test_attack_10_a_hidden_row_is_as_absent_as_one_that_never_was(app, op):
    table = app.table(SCHEMA, **policy(rowFilterScope="all", forbiddenRows="404"))
    ids = fill(table, 6)
    gone = table.add({})["id"]
    table.delete(gone)

    answers = [reach(table, app.pk, row_id)[op] for row_id in (ids["draft"][0], gone, NO_ROW, "f" * 24, "0" * 24, "x")]

    assert {error(answer) for answer in answers} == {ABSENT}
    assert len({json.dumps(without_id(answer), sort_keys=True) for answer in answers}) == 1
    assert len({len(answer.body) for answer in answers}) == 1
    assert set(answers[0].headers) == set(answers[1].headers)
    assert table.read(ids["draft"][0]).json["title"] == "word1"


def test_attack_10_an_update_that_is_not_valid_does_not_tell_a_hidden_row_from_none(app):
    table = app.table(SCHEMA, **policy(rowFilterScope="all", forbiddenRows="404"))
    hidden = fill(table, 3)["draft"][0]

    for body in ({"n": "no number"}, [], {"$x": 1}, b"{"):
        headers = {"headers": {"Content-Type": "application/json"}} if isinstance(body, bytes) else {}
        there, none = (app.pk.patch(f"{table.path}/{row_id}", body, **headers) for row_id in (hidden, NO_ROW))
        assert error(there) == error(none) == ABSENT
        assert without_id(there) == without_id(none)


def test_a_row_may_be_changed_out_of_ones_own_sight(app):
    """The filter is asked about the row as it was; the answer to the change says no more than a read would."""
    table = app.table(SCHEMA, **policy(rowFilterScope="all", writeResponse="minimal"))
    row_id = fill(table, 3)["published"][0]

    seen = table.update(row_id, {"title": "seen"}, app.pk)
    lost = table.update(row_id, {"status": "draft"}, app.pk)

    assert (seen.status, seen.json["title"]) == (200, "seen")
    assert (lost.status, set(lost.json)) == (200, SYSTEM_FIELDS)
    assert error(table.update(row_id, {"status": "published"}, app.pk)) == DENIED
    assert set(table.create({"status": "draft"}, app.pk).json) == SYSTEM_FIELDS
    assert table.create({"status": "published", "n": 5}, app.pk).json["n"] == 5


def test_attack_07_a_row_cannot_be_written_into_anothers_name(app):
    table = app.table(SCHEMA, **policy([{"expression": "public", "filter": {"createdBy": "victim"}}]))

    made = table.create({"createdBy": "victim", "title": "x"}, app.pk)

    assert (made.status, made.json["createdBy"]) == (201, "")
    assert listed(table, app.pk) == ([], 0)


def test_dates_and_lists_are_compared_as_in_a_clients_filter(app):
    table = app.table(SCHEMA, **policy([{"expression": "public", "filter": {
        "at": {"$gte": "2026-01-01"}, "tags": {"$in": ["open", None]}}}]))
    kept = table.add({"at": "2026-01-01T00:00:00Z", "tags": ["x", "open"]})
    table.add({"at": "2025-12-31T23:59:59Z", "tags": ["open"]})
    table.add({"at": "2026-05-01", "tags": ["shut"]})

    assert listed(table, app.pk) == ([kept["id"]], 1)


BAD_FILTERS = {
    "operator": ({"n": {"$near": 1}}, "rowFilters.1.filter.n"), "top": ({"$or": []}, "rowFilters.1.filter.$or"),
    "name": ({"a..b": 1}, "rowFilters.1.filter.a..b"), "mixed": ({"n": {"$gt": 1, "x": 2}}, "rowFilters.1.filter.n"),
    "date": ({"at": {"$gt": "soon"}}, "rowFilters.1.filter.at"), "list": ([], "rowFilters.1"),
    "text": ("x", "rowFilters.1"), "null": (None, "rowFilters.1"), "set": ({"n": {"$in": 1}}, "rowFilters.1.filter.n"),
    "regex": ({"title": {"$regex": "("}}, "rowFilters.1.filter.title"),
    "regex_user": ({"title": {"$regex": "$userId"}}, "rowFilters.1.filter.title"),
    "contains_user": ({"title": {"$contains": "$userId"}}, "rowFilters.1.filter.title"),
    "date_user": ({"at": "$userId"}, "rowFilters.1.filter.at"), "deep": ({"x": {"a": {"b": [[1]]}}}, "rowFilters.1.filter"),
    "clauses": ({f"f{n}": 1 for n in range(65)}, "rowFilters.1.filter"),
    "set_size": ({"n": {"$in": list(range(501))}}, "rowFilters.1.filter.n"), "size": ({"n": "x" * 17000}, "rowFilters.1.filter")}


@pytest.mark.parametrize("name", BAD_FILTERS)
def test_a_filter_that_cannot_be_asked_is_refused_by_its_place(app, posts, name):
    wrong, where = BAD_FILTERS[name]
    entries = PUBLISHED + [{"expression": "guest", "filter": wrong}]

    answer = posts.policy(**policy(entries))
    made = app.sk.post("/v1/admin/tables", dict({"tableName": app.name(), "schema": SCHEMA}, **policy(entries)))

    assert error(answer) == error(made) == INVALID
    assert where in answer.json["message"] and where in made.json["message"]
    assert app.sk.get(posts.admin).json["rowFilters"] == PUBLISHED


def test_a_schema_that_a_filter_no_longer_fits_is_refused(app):
    """A text column that becomes a date makes the filter's text impossible: the policy must change first."""
    table = app.table({"at": {"type": "string"}}, **policy([{"expression": "guest", "filter": {"at": {"$gt": "soon"}}}]))

    answer = app.sk.post(f"{table.admin}/fields", {"fieldsToAddOrUpdate": {"at": {"type": "date"}}})

    assert error(answer) == INVALID
    assert "rowFilters.0.filter.at" in answer.json["message"]
    assert app.sk.get(table.admin).json["schemaVersion"] == 1


def test_filters_hold_after_a_restart(make_app):
    app = make_app()
    table = app.table(SCHEMA, **policy(rowFilterScope="all"))
    ids = fill(table, 6)

    app.box.stop()
    app.box.start()

    assert listed(table, app.pk) == (ids["published"][::-1], 2)
    assert error(table.read(ids["draft"][0], app.pk)) == DENIED


def test_audit_reads_leaves_a_line_for_each_row_that_an_answer_shows_and_for_no_other(make_app):
    app = make_app()
    user = app.user()
    table = app.table({"title": {"type": "string"}}, permissions={"user": {"read": True, "list": True}},
                      rowFilters=[{"expression": "user", "filter": {"title": "open"}}], security={"auditReads": True})
    quiet = app.table({"title": {"type": "string"}}, permissions={"user": {"read": True, "list": True}})
    shown, hidden = table.add({"title": "open"}), table.add({"title": "shut"})
    other = quiet.add({"title": "open"})
    before = len(reads(app))

    assert table.list(user.pk).status == 200
    assert table.read(hidden["id"], user.pk).status == 200
    assert table.read("0" * 24, user.pk).status == 404
    assert quiet.read(other["id"], user.pk).status == 200
    assert app.box.stop() == 0

    lines = reads(app)[before:]
    assert [(line["row"], line["table"], line["group"], line["user"]) for line in lines] == [
        (row["id"], table.name, "user", user.id) for row in (shown, hidden)]
    assert all("open" not in str(line) and "shut" not in str(line) for line in lines)


def reads(app):
    return [event for event in map(json.loads, app.box.raw) if event["event"] == "row_read"]
