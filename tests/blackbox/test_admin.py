# SPDX-License-Identifier: GPL-3.0-or-later
"""The management API over the wire: contract 6, as far as a secret key goes; one case per route and failure."""

import uuid

import pytest

NOBODY = "11111111-1111-4111-8111-111111111111"


def refused(answer, status, code):
    assert answer.status == status, answer
    assert answer.json["error"]["code"] == code


@pytest.fixture
def table(box):
    return box.make_table("t" + uuid.uuid4().hex, {"title": {"type": "string"}, "n": {"type": "int"}})


# Every route below /v1/admin that there is, with a body that it would read.
ROUTES = [("GET", "/projects"), ("POST", "/projects"), ("GET", "/projects/{p}"), ("PATCH", "/projects/{p}"),
          ("DELETE", "/projects/{p}"), ("GET", "/projects/{p}/cors"), ("PUT", "/projects/{p}/cors"),
          ("GET", "/environments"), ("POST", "/environments"), ("GET", "/environments/{x}"),
          ("DELETE", "/environments/{x}"), ("GET", "/tables"), ("POST", "/tables"), ("GET", "/tables/{x}"),
          ("PATCH", "/tables/{x}"), ("DELETE", "/tables/{x}"), ("PUT", "/tables/{x}/policy"),
          ("POST", "/tables/{x}/fields"), ("POST", "/tables/{x}/indexes"), ("GET", "/tables/{x}/schema/versions"),
          ("GET", "/tables/{x}/schema/versions/1"), ("POST", "/tables/{x}/schema/rollback"),
          ("GET", "/tables/{x}/indexes/versions"), ("GET", "/api-keys"), ("POST", "/api-keys"),
          ("GET", "/api-keys/{x}"), ("POST", "/api-keys/{x}/revoke"), ("DELETE", "/api-keys/{x}"),
          ("GET", "/organizations"), ("GET", "/operators"), ("POST", "/operators")]


@pytest.mark.parametrize("method, path", ROUTES)
def test_a_publishable_or_scoped_or_absent_key_manages_nothing(box, method, path):
    path = "/v1/admin" + path.format(p=box.project, x=NOBODY)
    scoped = box.post("/v1/admin/api-keys", {"name": "s", "type": "secret", "scopes": ["posts:*"]}, key="sk").json
    refused(box.request(method, path, {}, key="pk"), 403, "auth/forbidden")
    refused(box.request(method, path, {}, key=scoped["value"]), 403, "data/scope-insufficient")
    refused(box.request(method, path, {}), 401, "auth/unauthorized")


@pytest.mark.parametrize("method, path", [route for route in ROUTES if "{x}" in route[1]])
def test_what_is_not_there_or_not_the_keys_is_not_found(box, method, path):
    for ident in (NOBODY, "x"):
        answer = box.request(method, "/v1/admin" + path.format(x=ident), {"confirmName": "x", "version": 1}, key="sk")
        refused(answer, 404, "common/not-found")


@pytest.mark.parametrize("method, path", [("POST", "/projects"), ("DELETE", "/projects/{p}"), ("GET", "/organizations"),
                                          ("PATCH", "/organizations/{x}"), ("GET", "/operators"),
                                          ("POST", "/operators"), ("PATCH", "/operators/{x}"),
                                          ("DELETE", "/operators/{x}")])
def test_what_is_an_operators_is_forbidden_to_a_key(box, method, path):
    path = "/v1/admin" + path.format(p=box.project, x=NOBODY)
    refused(box.request(method, path, {"slug": "x", "name": "x", "confirmName": "x"}, key="sk"), 403, "auth/forbidden")


@pytest.mark.parametrize("method, path", [route for route in ROUTES if route[0] in ("POST", "PATCH", "PUT")
                                          and route[1] not in ("/projects", "/operators", "/api-keys/{x}/revoke")])
@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object(box, table, method, path, body):
    path = "/v1/admin" + path.format(p=box.project, x=table["id"])
    answer = box.request(method, path, body, key="sk")
    assert answer.status == 400, answer
    assert answer.json["error"]["code"] in ("common/invalid-parameters", "data/validation-error")


def test_the_own_project(box):
    project = box.get(f"/v1/admin/projects/{box.project}", key="sk").json
    assert {"id", "organizationId", "slug", "name", "description", "primaryCloud", "primaryRegion", "settings",
            "environmentCount", "status", "createdAt", "updatedAt"} == set(project)
    assert project["primaryCloud"] == "onprem"
    assert [item["id"] for item in box.get("/v1/admin/projects", key="sk").json["items"]] == [box.project]
    changed = box.patch(f"/v1/admin/projects/{box.project}", {"description": "words"}, key="sk").json
    assert changed["description"] == "words" and changed["name"] == project["name"]
    assert changed["slug"] == project["slug"] and changed["updatedAt"] > project["updatedAt"]


@pytest.mark.parametrize("settings", [{"nosuch": 1}, {"responseEnvelope": "x"}, {"errorEnvelope": True},
                                      {"requestsPerMinute": 0}, {"requestsPerMinute": "9"},
                                      {"refreshReuseGraceMs": 5000}, {"passwordPolicy": {"preset": "strict"}}, "x"])
def test_settings_that_are_not_to_be_had(box, settings):
    refused(box.patch(f"/v1/admin/projects/{box.project}", {"settings": settings}, key="sk"), 400,
            "common/invalid-parameters")


def test_a_wrapped_project(make_box):
    box = make_box()
    box.make_table("posts")
    path = f"/v1/admin/projects/{box.project}"
    wrapped = box.patch(path, {"settings": {"responseEnvelope": "wrapped", "errorEnvelope": "legacy"}}, key="sk")
    assert wrapped.status == 200
    made = box.post("/v1/data/posts", {"a": 1}, key="sk")
    assert made.status == 201 and made.json["success"] is True and made.json["data"]["a"] == 1
    listed = box.get("/v1/data/posts", key="pk").json
    assert listed["success"] is True and listed["data"]["pagination"]["total"] == 1
    error = box.get("/v1/data/nosuch", key="pk").json
    assert error["error"] == "TABLE_NOT_FOUND" and error["success"] is False
    assert box.get("/healthz").json == {"status": "ok"}


def test_the_hardened_preset_fills_what_a_table_does_not_say(make_box):
    box = make_box()
    box.make_table("posts", {"a": {"type": "int"}})
    assert box.get("/v1/data/posts", key="pk").status == 200
    path = f"/v1/admin/projects/{box.project}"
    assert box.patch(path, {"settings": {"securityPreset": "hardened"}}, key="sk").status == 200
    refused(box.get("/v1/data/posts", key="pk"), 403, "data/permission-denied")
    refused(box.post("/v1/data/posts", {"a": 1, "b": 2}, key="sk"), 400, "data/validation-error")


def test_environments(make_box):
    box = make_box()
    table = box.make_table("posts")
    own = box.get("/v1/admin/environments", key="sk").json["items"][0]
    assert own["environment"] == "dev" and own["projectId"] == box.project and own["status"] == "active"
    made = box.post("/v1/admin/environments", {"environment": "staging", "environmentType": "staging"}, key="sk")
    assert made.status == 201
    assert box.get(f"/v1/admin/environments/{made.json['id']}", key="sk").json == made.json
    refused(box.post("/v1/admin/environments", {"environment": "staging"}, key="sk"), 409, "common/conflict")
    for body in ({}, {"environment": "A"}, {"environment": "x" * 33}, {"environment": "x", "environmentType": "y"}):
        refused(box.post("/v1/admin/environments", body, key="sk"), 400, "common/invalid-parameters")
    refused(box.delete(f"/v1/admin/environments/{made.json['id']}", {"confirmName": "staging"}, key="sk"), 403,
            "auth/forbidden")
    refused(box.delete(f"/v1/admin/environments/{own['id']}", {"confirmName": "no"}, key="sk"), 400,
            "common/invalid-parameters")
    assert box.delete(f"/v1/admin/environments/{own['id']}", {"confirmName": "dev"}, key="sk").status == 200
    refused(box.get(f"/v1/admin/tables/{table['id']}", key="sk"), 404, "data/environment-not-found")
    box.restart()
    refused(box.get("/v1/data/posts", key="pk"), 404, "data/environment-not-found")
    box.stop()
    assert box.fsck()[0] == 0


def test_a_table_as_a_whole(box, table):
    shown = box.get(f"/v1/admin/tables/{table['id']}", key="sk").json
    assert {key: value for key, value in table.items() if key != "warnings"} == shown
    assert shown["status"] == "deployed" and shown["rowCount"] == 0 and shown["schemaVersion"] == 1
    assert shown["expressionPermissions"] is None and shown["permissions"] is None and shown["security"] == {}
    listed = box.get("/v1/admin/tables?limit=1", key="sk").json
    assert listed["items"][0]["id"] == table["id"] and "security" not in listed["items"][0]
    changed = box.patch(f"/v1/admin/tables/{table['id']}", {"displayName": "T", "permissions": {"guest": {}}}, key="sk")
    assert changed.json["displayName"] == "T" and changed.json["permissions"] == {"guest": {}}
    refused(box.delete(f"/v1/admin/tables/{table['id']}", {"confirmName": "no"}, key="sk"), 400,
            "common/invalid-parameters")
    gone = box.delete(f"/v1/admin/tables/{table['id']}", {"confirmName": table["tableName"]}, key="sk")
    assert gone.json == {"success": True}
    refused(box.get(f"/v1/data/{table['tableName']}", key="sk"), 404, "data/table-not-found")


@pytest.mark.parametrize("body, status, code", [
    ({}, 400, "common/invalid-parameters"),
    ({"tableName": "users"}, 400, "data/validation-error"),
    ({"tableName": "openapi.json"}, 400, "data/validation-error"),
    ({"tableName": "batch"}, 400, "data/validation-error"),
    ({"tableName": "_t"}, 400, "data/validation-error"),
    ({"tableName": "x" * 65}, 400, "common/invalid-parameters"),
    ({"tableName": "t", "system": 1}, 400, "common/invalid-parameters"),
    ({"tableName": "t", "schema": []}, 400, "data/validation-error"),
    ({"tableName": "t", "schema": {"a": {"type": "x"}}}, 400, "data/validation-error"),
    ({"tableName": "t", "schema": {"createdBy": {"type": "string"}}}, 400, "data/validation-error"),
    ({"tableName": "t", "schema": {"a": {"type": "string", "pattern": "("}}}, 400, "data/validation-error"),
    ({"tableName": "t", "permissions": {"x": {}}}, 400, "data/validation-error"),
    ({"tableName": "t", "permissions": {"guest": {"write": True}}}, 400, "data/validation-error"),
    ({"tableName": "t", "permissions": {"guest": {"read": "yes"}}}, 400, "data/validation-error"),
    ({"tableName": "t", "expressionPermissions": {"read": "public"}}, 400, "data/validation-error"),
    ({"tableName": "t", "columnPermissions": {"a": {"read": "admin"}}}, 400, "data/validation-error"),
    ({"tableName": "t", "rowFilters": [{"expression": "user", "filter": {}}]}, 400, "data/validation-error"),
    ({"tableName": "t", "security": {"guestAccess": "sometimes"}}, 400, "data/validation-error"),
    ({"tableName": "t", "indexes": [{"name": "i"}]}, 400, "common/invalid-parameters"),
    ({"tableName": "t", "indexes": [{"name": "uniq_a", "fields": {"a": 1}}]}, 400, "common/invalid-parameters"),
    ({"tableName": "t", "indexes": [{"name": f"i{n}", "fields": {"a": 1}} for n in range(21)]}, 400,
     "common/invalid-parameters"),
    ({"tableName": "t", "environment": "prod"}, 403, "auth/forbidden"),
    ({"tableName": "t", "projectId": NOBODY}, 403, "auth/forbidden"),
])
def test_a_table_that_cannot_be(box, body, status, code):
    refused(box.post("/v1/admin/tables", body, key="sk"), status, code)
    refused(box.get("/v1/data/t", key="sk"), 404, "data/table-not-found")


def test_a_name_is_taken_once_and_case_counts(box, table):
    refused(box.post("/v1/admin/tables", {"tableName": table["tableName"]}, key="sk"), 409, "common/conflict")
    assert box.post("/v1/admin/tables", {"tableName": table["tableName"].upper()}, key="sk").status == 201


def test_a_refused_policy_member_says_that_it_is_not_there_yet(box, table):
    path = f"/v1/admin/tables/{table['id']}/policy"
    for member, value in (("expressionPermissions", {"read": "user"}), ("columnPermissions", {"n": {"read": "admin"}}),
                          ("rowFilters", [{"expression": "user", "filter": {}}])):
        answer = box.request("PUT", path, {"permissions": {"guest": {"read": True}}, member: value}, key="sk")
        refused(answer, 400, "data/validation-error")
        assert member in answer.json["message"] and "not available" in answer.json["message"]
        assert box.get(f"/v1/admin/tables/{table['id']}", key="sk").json["permissions"] is None


def test_a_policy_is_replaced_whole_and_warns(box, table):
    path = f"/v1/admin/tables/{table['id']}/policy"
    first = box.request("PUT", path, {"permissions": {"guest": {"create": True}}, "security": {"policyInSpec": False}},
                        key="sk").json
    assert len(first["warnings"]) >= 1 and first["security"] == {"policyInSpec": False}
    second = box.request("PUT", path, {"permissions": {"user": {"read": True}}}, key="sk").json
    assert second["permissions"] == {"user": {"read": True}} and second["security"] == {}
    refused(box.get(f"/v1/data/{table['tableName']}", key="pk"), 403, "data/permission-denied")


def test_fields_versions_and_rollback(box, table):
    data = f"/v1/data/{table['tableName']}"
    path = f"/v1/admin/tables/{table['id']}"
    made = box.post(data, {"title": "kept", "n": 7}, key="sk").json
    changed = box.post(f"{path}/fields", {"fieldsToAddOrUpdate": {"m": {"type": "string"}}, "fieldsToRemove": ["n"],
                                          "requiredFieldsToAdd": ["title"]}, key="sk")
    assert changed.status == 200 and changed.json["schemaVersion"] == 2
    assert set(changed.json["schema"]["properties"]) == {"title", "m"}
    assert "n" not in box.get(f"{data}/{made['id']}", key="sk").json
    refused(box.post(data, {}, key="sk"), 400, "data/validation-error")
    back = box.post(f"{path}/schema/rollback", {"version": 1}, key="sk")
    assert back.status == 200 and back.json["schemaVersion"] == 3
    assert "n" not in box.get(f"{data}/{made['id']}", key="sk").json
    versions = box.get(f"{path}/schema/versions", key="sk").json
    assert [(item["version"], item["current"]) for item in versions["items"]] == [(3, True), (2, False), (1, False)]
    assert box.get(f"{path}/schema/versions/1", key="sk").json["schema"] == versions["items"][2]["schema"]
    for body in ({"version": 3}, {"version": 0}, {"version": 9}, {"version": "1"}, {}):
        refused(box.post(f"{path}/schema/rollback", body, key="sk"), 400, "common/invalid-parameters")
    for version in ("0", "4", "x", "1.0"):
        refused(box.get(f"{path}/schema/versions/{version}", key="sk"), 404, "common/not-found")
    for body in ({"fieldsToRemove": ["nosuch"]}, {"fieldsToAddOrUpdate": {"id": {"type": "int"}}}, {"nosuch": 1}):
        refused(box.post(f"{path}/fields", body, key="sk"), 400, "data/validation-error")


def test_indexes_are_enforced(box, table):
    data = f"/v1/data/{table['tableName']}"
    path = f"/v1/admin/tables/{table['id']}/indexes"
    for n in (1, 1, 2):
        assert box.post(data, {"title": "x", "n": n}, key="sk").status == 201
    unique = {"name": "u", "fields": {"title": 1, "n": -1}, "unique": True}
    refused(box.post(path, {"indexesToAddOrUpdate": [unique]}, key="sk"), 409, "data/duplicate-value")
    assert box.get(f"/v1/admin/tables/{table['id']}", key="sk").json["indexVersion"] == 1
    unique["fields"] = {"m": 1}
    unique["sparse"] = True
    assert box.post(path, {"indexesToAddOrUpdate": [unique]}, key="sk").status == 200
    assert box.post(data, {"m": "a"}, key="sk").status == 201
    refused(box.post(data, {"m": "a"}, key="sk"), 409, "data/duplicate-value")
    assert box.post(data, {"title": "no m"}, key="sk").status == 201
    spec = box.get(f"{data}/spec", key="sk").json
    assert {"name": "u", "key": {"m": 1}, "unique": True, "sparse": True} in spec["indexes"]
    for name in ("_id_", "idx_createdBy", "idx_createdAt_desc", "idx_updatedAt_desc", "nosuch"):
        refused(box.post(path, {"indexesToRemove": [name]}, key="sk"), 400, "common/invalid-parameters")
    removed = box.post(path, {"indexesToRemove": ["u"]}, key="sk")
    assert removed.status == 200 and removed.json["indexVersion"] == 3
    assert box.post(data, {"m": "a"}, key="sk").status == 201
    versions = box.get(f"{path}/versions", key="sk").json
    assert [item["version"] for item in versions["items"]] == [3, 2, 1]


def test_everything_is_there_after_a_restart_and_fsck_agrees(make_box):
    box = make_box()
    table = box.make_table("posts", {"title": {"type": "string", "unique": True}},
                           permissions={"guest": {"read": True}}, indexes=[{"name": "i", "fields": {"n": 1}}])
    key = box.post("/v1/admin/api-keys", {"name": "k", "type": "publishable", "scopes": ["posts:read"]}, key="sk").json
    made = [box.post("/v1/data/posts", {"title": f"{n}", "n": n}, key="sk").json for n in range(20)]
    box.make_table("other")
    assert box.delete(f"/v1/data/posts/{made[3]['id']}", key="sk").status == 200
    box.restart()
    shown = box.get(f"/v1/admin/tables/{table['id']}", key="sk").json
    assert shown["rowCount"] == 19 and shown["indexes"] == table["indexes"] and shown["schema"] == table["schema"]
    assert box.get("/v1/data/posts", key=key["value"]).json["pagination"]["total"] == 19
    refused(box.get("/v1/data/other", key=key["value"]), 403, "data/scope-insufficient")
    refused(box.post("/v1/data/posts", {"title": "5"}, key="sk"), 409, "data/duplicate-value")
    assert box.get(f"/v1/data/posts/{made[7]['id']}", key="sk").json == made[7]
    box.stop()
    status, output, errors = box.fsck()
    assert status == 0, output + errors
