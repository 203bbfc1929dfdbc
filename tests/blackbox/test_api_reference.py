# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole requests against tests/reference: random policies, rows and requests, and for each the status, the code, the rows
and the columns that the contract says, read a second time. ROWLOCK_SEED: other cases."""

import json
import os
import random

import pytest
from app import NO_ROW, error, query
from conftest import reference
from people import Person, people_of

cases, policy = reference("cases"), reference("policy")

SEED = os.environ.get("ROWLOCK_SEED", "1")
POLICIES, QUESTIONS = int(os.environ.get("ROWLOCK_REFERENCE_POLICIES", "40")), 30
ROWS_MAX = 40  # before a policy: with one more for each question they still fit on a page
FIELDS = ("v", "o", "title", "c", "c1", "C")
SYSTEM = policy.SYSTEM_FIELDS
WORDS = ("zebra", "Quux", "yak")
SCALARS = (None, 0, 1, 2.5, True, "", "zebra", "quux yak", "Zebra", "1")


class World:
    """One table of a box, its rows as the administrator sees them, and who asks."""

    def __init__(self, app, people, dice):
        self.app, self.people, self.dice = app, people, dice
        self.ids = dict(zip(cases.IDS, [person.id for person in people if person.id]))
        self.table = app.table({field: {} for field in FIELDS},
                               indexes=[{"name": f"by_{field}", "fields": {field: 1}} for field in ("title", "c", "v")])
        self.rows = {}
        for _ in range(12):
            self.add_row()

    def real(self, value):
        """With the ids of this box in place of those of the cases."""
        text = json.dumps(value)
        for name, user_id in self.ids.items():
            text = text.replace(json.dumps(name), json.dumps(user_id))
        return json.loads(text)

    def any_row(self):
        row = {**cases.any_row(self.dice), "title": self.dice.choice(SCALARS), "c": self.dice.choice(SCALARS),
               "c1": self.dice.choice((["zebra", 1], ["yak"], None, "zebra"))}
        return self.real({name: value for name, value in row.items() if name == "createdBy" or self.dice.randrange(5)})

    def add_row(self):
        row = self.any_row()
        owner = row.pop("createdBy")
        self.app.sk.request("POST", self.table.path, row, headers={"X-On-Behalf-Of": owner} if owner else {})
        self.look_again()

    def look_again(self):
        self.rows = {row["id"]: row for row in self.table.list(limit="100").json["items"]}

    def drop_rows(self):
        """What the reference knows of the rows is one page that the administrator reads: they must fit on it."""
        for row_id in list(self.rows)[ROWS_MAX:]:
            assert self.table.delete(row_id).status == 200
        self.look_again()

    def set_policy(self):
        if len(self.rows) > ROWS_MAX:
            self.drop_rows()
        members = self.real(cases.any_policy(self.dice))
        answer = self.table.policy(**members)
        assert answer.status == 200, (members, answer)
        stored = {name: answer.json[name] for name in policy.MEMBERS}
        assert stored == {name: members.get(name, {} if name == "security" else None) for name in policy.MEMBERS}
        return {"name": self.table.name, "preset": "compat", "policy": members}


def any_operand(dice, ids):
    pool = (*SCALARS, *ids, "$userId")
    return dice.choice((dice.choice(pool), {dice.choice(("$eq", "$ne")): dice.choice(pool)},
                        {dice.choice(("$gt", "$gte", "$lt", "$lte")): dice.choice((1, 2.5, "quux", True))},
                        {dice.choice(("$in", "$nin")): dice.sample(pool, 3)}, {"$exists": dice.choice((True, False))},
                        {"$regex": dice.choice(("^z", "a$", "[xyz]+", "."))}, {"$contains": dice.choice(WORDS)}))


def any_filter(dice, ids):
    return {field: any_operand(dice, ids)
            for field in dice.sample((*FIELDS, "createdBy", "c1.0", "nosuch"), dice.choice((1, 1, 2)))}


def any_question(dice, ids):
    asked = {"limit": dice.choice((1, 3, 100, 100)), "page": dice.choice((1, 1, 1, 2))}
    if dice.randrange(2):
        asked["andFilters"] = any_filter(dice, ids)
    if dice.randrange(4) == 0:
        asked["orFilters"] = any_filter(dice, ids) if dice.randrange(2) else [any_filter(dice, ids) for _ in range(2)]
    if dice.randrange(3) == 0:
        asked["search"] = dice.choice(WORDS)
        if dice.randrange(2):
            asked["searchType"] = dice.choice((*FIELDS, "createdBy", "c1.0"))
    if dice.randrange(2):
        asked["sortBy"], asked["sortDirection"] = dice.choice((*FIELDS[2:4], "v", "id",
                                                               "createdBy")), dice.choice(("asc", "desc"))
    if dice.randrange(4) == 0:
        asked["select"] = dice.sample((*FIELDS, "nosuch"), 2)
    return asked


def told(answer, wanted_status):
    """What the reference's outcome is compared with."""
    status, code = error(answer)
    return (status, answer.json) if status < 400 and status == wanted_status else (status, code)


def check_list(world, table, person):
    asked = any_question(world.dice, list(world.ids.values()))
    sent = {name: ",".join(value) if name == "select" else value for name, value in asked.items()}

    wanted = policy.outcome(policy.list_rows, table, person.requester(), list(world.rows.values()), asked)
    answer = world.app.pk.get(world.table.path + query(**sent), headers=person.headers())

    got = told(answer, wanted[0])
    if got[0] == 200:
        got = 200, (answer.json["items"], answer.json["pagination"]["total"])
    return f"list {asked}", wanted, got


def check_read(world, table, person):
    row_id = world.dice.choice((*world.rows, NO_ROW))
    wanted = policy.outcome(policy.read, table, person.requester(), world.rows.get(row_id))
    answer = world.app.pk.get(f"{world.table.path}/{row_id}", headers=person.headers())
    return f"read {world.rows.get(row_id)}", wanted, told(answer, wanted[0])


def any_body(world):
    body = world.any_row()
    names = world.dice.sample(list(body), min(len(body), world.dice.choice((0, 1, 1, 2))))
    return {name: body[name] for name in names}


def check_create(world, table, person):
    body = any_body(world)
    answer = world.app.pk.post(world.table.path, body, headers=person.headers())
    system = {name: (answer.json or {}).get(name) for name in SYSTEM}
    wanted = policy.outcome(policy.create, table, person.requester(), body, system)
    world.look_again()
    return f"create {body}", wanted, told(answer, wanted[0])


def check_update(world, table, person):
    row_id, body = world.dice.choice((*world.rows, NO_ROW)), any_body(world)
    before = world.rows.get(row_id)
    answer = world.app.pk.patch(f"{world.table.path}/{row_id}", body, headers=person.headers())
    wanted = policy.outcome(policy.update, table, person.requester(), before, body,
                            (answer.json or {}).get("updatedAt"))
    world.look_again()
    if answer.status != 200:
        assert world.rows.get(row_id) == before, "a refused update changed the row"
    return f"update {before} by {body}", wanted, told(answer, wanted[0])


def check_delete(world, table, person):
    row_id = world.dice.choice((*world.rows, NO_ROW))
    wanted = policy.outcome(policy.delete, table, person.requester(), world.rows.get(row_id))
    answer = world.app.pk.delete(f"{world.table.path}/{row_id}", headers=person.headers())
    world.look_again()
    assert answer.status == 200 or row_id == NO_ROW or row_id in world.rows
    if len(world.rows) < 8:
        world.add_row()
    return f"delete {row_id}", wanted, told(answer, wanted[0])


def check_spec(world, table, person):
    wanted = policy.outcome(policy.described, table, person.requester(), FIELDS)
    answer = world.app.pk.get(f"{world.table.path}/spec", headers=person.headers())
    got = told(answer, wanted[0])
    if got[0] == 200:
        got, wanted = (200, sorted(answer.json["schema"]["properties"])), (200, sorted(wanted[1]))
    return "spec", wanted, got


CHECKS = (check_list, check_list, check_list, check_list, check_read, check_read, check_create, check_update,
          check_update, check_delete, check_spec)


@pytest.mark.parametrize("part", range(2))
def test_requests_are_answered_as_the_reference_answers_them(app, part):
    dice = random.Random(f"{SEED}/{part}")
    people = people_of(app, [("user", ["a", "editor"]), ("guest", ["b", "c"]), ("user", [])])
    admin = Person(app.sk.key, "admin")
    world = World(app, people, dice)

    for number in range(POLICIES // 2):
        table = world.set_policy()
        for _ in range(QUESTIONS):
            person = dice.choice((*people, *people, admin))
            what, wanted, got = dice.choice(CHECKS)(world, table, person)
            by = f"by {person.requester()} under {table['policy']}"
            assert got == wanted, f"ROWLOCK_SEED={SEED}, part {part}, policy {number}: {what} {by}"
