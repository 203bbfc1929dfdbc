# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference against the contract's own tables, tests/data/policy_vectors.json, which says what its members mean."""

import json
import pathlib

import policy

DATA = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data/policy_vectors.json").read_text())
SYSTEM = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}


def requester(name):
    return {"id": None, "roles": [], **DATA["who"][name]}


def rows_of(vector, who):
    """By label; the ids in the order of the labels."""
    data = DATA["data"][vector.get("data", "plain")]
    return {label: {**SYSTEM, **row, "id": f"{at:024x}", "createdBy": who["id"] or ""
                    if row["createdBy"] == "$self" else row["createdBy"]}
            for at, (label, row) in enumerate(data.items())}


def schema_of(vector):
    return DATA["schemas"][vector.get("data", "plain")]


def answered(vector, table, who, rows):
    """policy.outcome of the vector's request. Undeclared fields are the schema's business, so they are looked at here."""
    row, body = rows.get(vector["row"]), vector.get("body", {"title": "n"})
    extra = policy.setting(table, "additionalFields")
    if vector["op"] in ("create", "update") and extra != "allow":
        undeclared = set(body) - set(schema_of(vector))
        if undeclared and extra == "reject":
            return 400, "data/validation-error"
        body = {name: value for name, value in body.items() if name not in undeclared}
    call = {"list": (policy.list_rows, list(rows.values()), vector.get("query", {})),
            "read": (policy.read, row, (vector.get("query") or {}).get("select")),
            "create": (policy.create, body, {**SYSTEM, "id": "new"}), "update": (policy.update, row, body),
            "delete": (policy.delete, row),
            "spec": (policy.described, list(schema_of(vector)))}[vector["op"]]
    return policy.outcome(call[0], table, who, *call[1:])


def faults(vector, table, who, rows):
    """What of the expectations the reference's answer does not meet."""
    status, told = answered(vector, table, who, rows)
    if (status, told if status >= 400 else None) != (vector["status"], vector.get("code")):
        yield status, told
    elif status < 400:
        items, total = told if vector["op"] == "list" else ([], 0)
        answer = told if isinstance(told, dict) else {}
        labels = {row["id"]: label for label, row in rows.items()}
        wanted = vector.get("rows")
        if wanted == "all" and total != len(rows) or wanted == "own" and any(not policy.owns(who, row)
                                                                             for row in items):
            yield "rows", items
        if isinstance(wanted, list) and (sorted(labels[row["id"]] for row in items) != sorted(wanted) or
                                         total != len(wanted)):
            yield "rows", items
        shown, hidden = set(vector.get("shown", ())), set(vector.get("hidden", ()))
        if vector["op"] != "spec" and shown - set(answer) or hidden & set(answer):
            yield "columns", answer
        if "exact" in vector and vector["op"] != "spec" and set(answer) != set(vector["exact"]):
            yield "columns", answer
        if any(answer.get(name) != value for name, value in vector.get("values", {}).items()):
            yield "values", answer
        for field, where in vector.get("shown_on", {}).items():
            if sorted(labels[row["id"]] for row in items if field in row) != sorted(rows if where == "all" else where):
                yield "shown", field, items


def wrong():
    """The vectors that the reference answers in another way, and how many there were; without those of `then`."""
    found, count = [], 0
    for vector in DATA["vectors"]:
        if vector["row"] == "made":
            continue
        who = requester(vector["who"])
        table = {"name": vector["table"], "preset": "compat", "policy": DATA["policies"][vector["policy"]]}
        count += 1
        found += [f"vector {vector['n']}: {fault}, and the contract says {json.dumps(vector)}"
                  for fault in faults(vector, table, who, rows_of(vector, who))]
    for each in DATA["rejected"]:
        count += 1
        try:
            policy.check_policy(each["policy"])
            found.append(f"vector {each['n']}: {each['policy']} is taken")
        except policy.Malformed:
            pass
    return found, count
