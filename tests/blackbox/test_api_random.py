# SPDX-License-Identifier: GPL-3.0-or-later
"""Random requests, most of them wrong: each gets an answer of the contract, none fails inside, and the box goes on."""

import json
import random

import pytest
from app import query

SEEDS = range(4)
REQUESTS = 1000
NAMES = ["n", "s", "d", "o", "a", "o.x", "a.0", "zz", "id", "_id", "createdAt", "updatedAt", "createdBy", "a.b.c.d.e.f",
         "",
         "$in", "$nin", "$gt", "$lt", "$ne", "$eq", "$regex", "$options", "$exists", "$contains", "$or", "$",
         "__proto__"]
TEXTS = ["", "a", "$x", "2024-01-01", "\0", "\ud800", "a" * 300, "*", "(", "[", "\\", "a{1000}", "(a|b)*", "$userId",
         "asc"]
NUMBERS = [0, 1, -1, 5, 2**53, 2**63, -(2**63), 2**64, 1e308, 0.1, -0.0]
PARAMETERS = ["andFilters", "orFilters", "page", "limit", "offset", "sortBy", "sortDirection", "search", "searchType",
              "select"]
DEFINITIONS = ["bsonType", "enum", "default", "minimum", "maxLength", "pattern", "items", "properties", "required",
               "unique"]
MEMBERS = ["tableName", "schema", "permissions", "security", "indexes", "displayName", "system", "rowFilters", "name",
           "type",
           "scopes", "expiresAt", "origins", "environment", "environmentType", "version", "confirmName", "description",
           "fieldsToAddOrUpdate", "fieldsToRemove", "requiredFieldsToAdd", "requiredFieldsToRemove",
           "indexesToAddOrUpdate", "indexesToRemove", "columnPermissions", "expressionPermissions"]
ANSWERS = {200, 201, 400, 403, 404, 409, 413}


class Dice(random.Random):
    def value(self, depth=0):
        turn = self.randrange(12)
        if turn < 2 and depth < 6:
            return [self.value(depth + 1) for _ in range(self.randrange(5))]
        if turn < 5 and depth < 6:
            return self.members(NAMES, 4, depth)
        return self.choice([None, True, False, self.choice(NUMBERS), self.choice(TEXTS), self.choice(NAMES)])

    def members(self, names, most, depth=0):
        return {self.choice(names): self.value(depth + 1) for _ in range(self.randrange(most))}

    def management(self):
        """A body for /v1/admin of which some parts are likely right."""
        likely = [{"f": self.members(DEFINITIONS, 4)}, {"f": {"bsonType": self.choice(["int", "string", "array", 5])}},
                  [{"name": "i", "fields": {self.choice(NAMES): 1}}], {"guest": {"read": True}},
                  ["f"], ["*:*"], "secret", "2099-01-01"]
        return {self.choice(MEMBERS): self.choice([self.value(), self.choice(likely)])
                for _ in range(self.randrange(1, 6))}


def any_request(dice, app, table, row_id):
    """(method, path, body)"""
    manage = [("POST", "/v1/admin/tables"), ("POST", "/v1/admin/api-keys"), ("POST", "/v1/admin/environments"),
              ("PUT", f"{app.project}/cors"), ("PUT", f"{table.admin}/policy"), ("PATCH", table.admin),
              ("POST", f"{table.admin}/fields"), ("POST", f"{table.admin}/indexes"),
              ("POST", f"{table.admin}/schema/rollback"), ("DELETE", table.admin)]
    turn = dice.randrange(4)
    if turn == 0:
        asked = {dice.choice(PARAMETERS): json.dumps(dice.value()) for _ in range(dice.randrange(1, 4))}
        return "GET", table.path + query(**asked), None
    if turn == 1:
        return "POST", table.path, dice.members(NAMES, 5)
    if turn == 2:
        return "PATCH", f"{table.path}/{row_id}", dice.members(NAMES, 5)
    return *dice.choice(manage), dice.management()


@pytest.mark.parametrize("seed", SEEDS)
def test_attack_13_random_requests_are_answered_and_nothing_fails_inside(module_app, seed):
    dice, app = Dice(seed), module_app
    table = app.table({"n": {"bsonType": "int"}, "s": {"bsonType": "string", "unique": True}, "d": {"bsonType": "date"},
                       "o": {"bsonType": "object"}, "a": {"bsonType": "array"}})
    row_id = table.add({"n": 1, "s": "x", "d": "2024-01-01", "o": {"x": 1}, "a": [1, "2"]})["id"]

    for turn in range(REQUESTS):
        method, path, body = any_request(dice, app, table, row_id)
        answer = app.sk.request(method, path, body)
        assert answer.status in ANSWERS and isinstance(answer.json, dict), (seed, turn, method, path, body, answer)
    assert table.read(row_id).status == 200
