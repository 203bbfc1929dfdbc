# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision vectors of contract 3.9 and 9.1 over the wire, as far as keys alone can ask them: a guest (pk_) and a
server (sk_). Those of users are played in tests/unit/firmware_rls_test.c."""

import json
import pathlib
import uuid

import pytest

DATA = json.loads((pathlib.Path(__file__).resolve().parents[1] / "data/policy_vectors.json").read_text())
KEY = {"G": "pk", "S": "sk"}
METHOD = {"create": "POST", "read": "GET", "list": "GET", "update": "PATCH", "delete": "DELETE"}
ABSENT = "0" * 24


def answer_to(box, name, vector, key):
    op = vector["op"]
    path = f"/v1/data/{name}"
    if op not in ("create", "list"):
        row = ABSENT
        if vector["row"] != "none":
            made = box.post(path, {"title": "x"}, key="sk")
            row = made.json["id"] if made.status == 201 else ABSENT
        path += "/" + row
    return box.request(METHOD[op], path, {} if op in ("create", "update") else None, key=key)


def expect(answer, vector):
    assert answer.status == vector["status"], (vector, answer)
    if "code" in vector:
        assert answer.json["error"]["code"] == vector["code"], (vector, answer)
    if answer.status == 201:
        assert answer.json["createdBy"] == ""


def table_for(box, vector):
    policy = DATA["policies"][vector["policy"]]
    name = vector["table"]
    if name in ("users", "accounts", "sessions", "files"):
        return name
    unique = uuid.uuid4().hex[:12]
    system = name.startswith("_")
    name = f"{name}{unique}"
    box.make_table(name, system=system, **policy)
    return name


@pytest.mark.parametrize("vector", [v for v in DATA["vectors"] if v["who"] in KEY], ids=lambda v: str(v["n"]))
def test_a_decision_is_the_contracts(box, vector):
    name = table_for(box, vector)
    if vector.get("rows") == "all":
        box.post(f"/v1/data/{name}", {}, key="sk")
    answer = answer_to(box, name, vector, KEY[vector["who"]])
    expect(answer, vector)
    if vector.get("rows") == "all":
        assert answer.json["pagination"]["total"] == 1


@pytest.mark.parametrize("vector", [v for v in DATA["scopes"] if v["who"] in KEY], ids=lambda v: str(v["n"]))
def test_a_scope_is_the_contracts(box, vector):
    unique = uuid.uuid4().hex[:12]
    name = f"{vector['table']}{unique}"
    if vector["table"] != "nosuch":
        box.make_table(name, **DATA["policies"][vector["policy"]])
    scopes = vector["scopes"]
    if scopes is not None:
        scopes = [s if s.startswith("*") else s.replace(":", f"{unique}:", 1) for s in scopes]
    key = box.post("/v1/admin/api-keys", {"name": "k", "scopes": scopes,
                                          "type": "secret" if vector["key"] == "sk" else "publishable"}, key="sk")
    assert key.status == 201, key
    expect(answer_to(box, name, vector, key.json["value"]), vector)
