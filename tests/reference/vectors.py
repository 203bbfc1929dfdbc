# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference against the contract's own tables, tests/data/policy_vectors.json: that it reads them as they are meant."""

import json
import pathlib

import policy

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/policy_vectors.json"
ME, OTHER = "uA", "uB"
WHO = {"G": ("guest", None, []), "A": ("user", ME, []), "M": ("user", ME, ["moderator"]), "R": ("guest", ME, []), "J": ("admin", ME, []),
       "S": ("admin", None, []), "S for A": ("admin", ME, [])}
SYSTEM = {"id": "1", "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}


def requester(name):
    group, user_id, roles = WHO[name]
    return {"group": group, "id": user_id, "roles": roles}


def row(label, who):
    owner = {"own": who["id"], "other": OTHER, "anon": ""}[label]
    return {**SYSTEM, "title": "x", "createdBy": owner}


def listed(table, who):
    rows = [row(label, requester("A")) for label in ("own", "other", "anon")]
    total = policy.outcome(policy.list_rows, table, who, rows, {})
    if total[0] != 200:
        return total[0], total[1], None
    return 200, None, "all" if total[1][1] == 3 else "own" if [each["createdBy"] for each in total[1][0]] == [ME] else "none"


def answered(vector, table):
    """(status, code, which rows of a list)"""
    who, label = requester(vector["who"]), vector["row"]
    if vector["op"] == "list":
        return listed(table, who)
    target = None if label in (None, "none") else row(label, who)
    arguments = {"create": ({"title": "x"}, SYSTEM), "read": (target,), "update": (target, {"title": "y"}), "delete": (target,)}[vector["op"]]
    status, told = policy.outcome(getattr(policy, vector["op"]), table, who, *arguments)
    return status, told if status >= 400 else None, None


def asked_plainly(vector):
    """No filters beside the list: those are the business of the black-box tests."""
    return vector["op"] in policy.OPS and vector.get("rows") in (None, "all", "own")


def wrong():
    """The vectors that the reference answers in another way, and how many there were."""
    data = json.loads(DATA.read_text())
    found, count = [], 0
    for vector in filter(asked_plainly, data["vectors"]):
        table = {"name": vector["table"], "preset": "compat", "policy": data["policies"][vector["policy"]]}
        wanted = vector["status"], vector.get("code"), vector.get("rows")
        got = answered(vector, table)
        count += 1
        if got != wanted:
            found.append(f"vector {vector['n']}: {got}, and the contract says {wanted}")
    return found, count
