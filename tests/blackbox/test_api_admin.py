# SPDX-License-Identifier: GPL-3.0-or-later
"""The management API as an unrestricted secret key may use it: contract 6."""

import pytest
from app import App, BAD_PARAMETERS, CONFLICT, FORBIDDEN, INSTANT, INVALID, NOT_FOUND, NO_TABLE, UUID, error

TABLES, ENVIRONMENTS, PROJECTS = "/v1/admin/tables", "/v1/admin/environments", "/v1/admin/projects"
ABSENT = "11111111-1111-4111-8111-111111111111"

ROUTES = [
    ("GET", "/organizations"), ("GET", "/operators"), ("POST", "/operators"), ("GET", "/projects"),
    ("POST", "/projects"), ("GET", "/projects/{project}"), ("PATCH", "/projects/{project}"),
    ("DELETE", "/projects/{project}"), ("GET", "/projects/{project}/cors"), ("PUT", "/projects/{project}/cors"),
    ("GET", "/environments"), ("POST", "/environments"), ("GET", "/environments/{absent}"),
    ("DELETE", "/environments/{absent}"), ("GET", "/tables"), ("POST", "/tables"), ("GET", "/tables/{absent}"),
    ("PATCH", "/tables/{absent}"), ("DELETE", "/tables/{absent}"), ("PUT", "/tables/{absent}/policy"),
    ("POST", "/tables/{absent}/fields"), ("POST", "/tables/{absent}/indexes"),
    ("GET", "/tables/{absent}/indexes/versions"), ("GET", "/tables/{absent}/schema/versions"),
    ("GET", "/tables/{absent}/schema/versions/1"),
    ("POST", "/tables/{absent}/schema/rollback"), ("GET", "/api-keys"), ("POST", "/api-keys"),
    ("GET", "/api-keys/{absent}"), ("POST", "/api-keys/{absent}/revoke"), ("DELETE", "/api-keys/{absent}"),
]
@pytest.fixture(scope="module")
def scoped(app):
    """A secret key that may do everything in one table."""
    return app.client("secret", scopes=["posts:*"])


@pytest.mark.parametrize("method,path", ROUTES)
def test_attack_06_no_publishable_scoped_or_absent_key_reaches_the_management_api(app, scoped, method, path):
    path = "/v1/admin" + path.format(project=app.box.project, absent=ABSENT)

    assert error(app.pk.request(method, path, {})) == FORBIDDEN
    assert error(scoped.request(method, path, {})) == (403, "data/scope-insufficient")
    assert error(app.nobody.request(method, path, {})) == (401, "auth/unauthorized")
OPERATORS = [("GET", "/organizations"), ("PATCH", "/organizations/{absent}"), ("GET", "/operators"),
             ("POST", "/operators"),
             ("PATCH", "/operators/{absent}"), ("DELETE", "/operators/{absent}"), ("POST", "/projects"),
             ("DELETE", "/projects/{project}")]


@pytest.mark.parametrize("method,path", OPERATORS)
def test_what_is_for_operators_is_refused_to_a_secret_key(app, method, path):
    path = "/v1/admin" + path.format(project=app.box.project, absent=ABSENT)

    assert error(app.sk.request(method, path, {"slug": "x", "name": "x", "confirmName": "x"})) == FORBIDDEN


@pytest.mark.parametrize("method,path", [(method, path) for method, path in ROUTES if "{absent}" in path])
@pytest.mark.parametrize("id_", [ABSENT, "x", "..%2e", "%20"])
def test_what_does_not_exist_is_404(app, method, path, id_):
    body = {"confirmName": "x", "version": 1, "environment": "x"}

    assert error(app.sk.request(method, "/v1/admin" + path.format(absent=id_), body)) == NOT_FOUND


@pytest.mark.parametrize("method,path", [route for route in ROUTES if route[0] in ("POST", "PATCH", "PUT")
                                         and not route[1].endswith(("/operators", "/projects", "/revoke"))])
def test_a_body_that_is_no_json_object_is_refused(app, method, path):
    path = "/v1/admin" + path.format(project=app.box.project, absent=app.table().id)

    for body in (b"{", b"[]", b'"x"', b"null", b"1", b""):
        assert error(app.sk.request(method, path, body)) in (BAD_PARAMETERS, INVALID), body


@pytest.mark.parametrize("path", ["/tables", "/environments", "/api-keys", "/projects"])
def test_lists_have_pages(app, path):
    app.table()

    answer = app.sk.get(f"/v1/admin{path}?limit=1&page=1")

    assert answer.status == 200
    assert len(answer.json["items"]) == 1
    assert answer.json["pagination"]["limit"] == 1 and answer.json["pagination"]["total"] >= 1
    past = app.sk.get(f"/v1/admin{path}?limit=100&page=1000")
    assert (past.status, past.json["items"]) == (200, [])
    assert error(app.sk.get(f"/v1/admin{path}?page=0")) == BAD_PARAMETERS
    assert error(app.sk.get(f"/v1/admin{path}?limit=x")) == BAD_PARAMETERS


@pytest.mark.parametrize("path", ["/tables", "/environments", "/api-keys", "/projects", "/outbox", "/email-templates",
                                  "/email-settings", "/auth-providers/email"])
def test_what_is_of_another_place_is_refused_and_never_the_keys_own_in_its_name(app, path):
    app.table()
    app.user()

    own = app.sk.get(f"/v1/admin{path}?projectId={app.box.project}&environment=dev")
    assert own.status == 200 and own.json.get("items") != []
    assert error(app.sk.get(f"/v1/admin{path}?projectId={ABSENT}")) == FORBIDDEN
    assert error(app.sk.get(f"/v1/admin{path}?projectId={app.box.project}&projectId={ABSENT}")) == FORBIDDEN
    if path not in ("/environments", "/projects"):
        assert error(app.sk.get(f"/v1/admin{path}?environment=prod")) == FORBIDDEN


@pytest.mark.parametrize("path,body", [("/email-settings", {"senderName": "Elsewhere"}), ("/auth-providers/email", {"minLength": 99}),
                                       ("/auth-providers/google", {"enabled": True}),
                                       ("/email-templates/magic_link", {"subject": "S", "body": "B"})])
def test_settings_for_another_place_change_nothing_here(app, path, body):
    def now():
        answer = app.sk.get(f"/v1/admin{path}")
        return answer.json if answer.status == 200 else error(answer)

    before = now()
    for place in (f"projectId={ABSENT}", "environment=prod", f"projectId={app.box.project}&environment=prod"):
        assert error(app.sk.put(f"/v1/admin{path}?{place}", body)) == FORBIDDEN
    for place in ({"projectId": ABSENT}, {"environment": "prod"}):
        assert error(app.sk.put(f"/v1/admin{path}", {**body, **place})) == FORBIDDEN
        assert error(app.sk.post("/v1/admin/email-templates/invitation/preview", {"subject": "S", **place})) == FORBIDDEN

    assert now() == before


# --- projects ---

def test_a_secret_key_sees_its_own_project(app):
    listed = app.sk.get(PROJECTS).json

    project = app.sk.get(app.project).json
    assert listed["items"] == [project] and listed["pagination"]["total"] == 1
    assert set(project) == {"id", "organizationId", "slug", "name", "description", "primaryCloud", "primaryRegion",
                            "settings", "environmentCount", "status", "createdAt", "updatedAt"}
    assert project["id"] == app.box.project and UUID.fullmatch(project["organizationId"])
    assert project["primaryCloud"] == "onprem" and project["environmentCount"] >= 1
    assert error(app.sk.get(f"{PROJECTS}/{ABSENT}")) == NOT_FOUND
    assert error(app.sk.patch(f"{PROJECTS}/{ABSENT}", {"name": "x"})) == NOT_FOUND


def test_a_project_is_renamed_and_keeps_its_slug(app):
    before = app.sk.get(app.project).json

    answer = app.sk.patch(app.project, {"name": "Another name", "description": "d"})

    assert answer.status == 200
    assert answer.json == dict(before, name="Another name", description="d", updatedAt=answer.json["updatedAt"])
    kept = app.sk.patch(app.project, {"name": before["name"]})
    assert (kept.status, kept.json["description"]) == (200, "d")
    cleared = app.sk.patch(app.project, {"description": None})
    assert (cleared.status, cleared.json["description"], cleared.json["name"]) == (200, None, before["name"])
    assert app.sk.get(app.project).json == cleared.json


@pytest.mark.parametrize("body", [{"name": ""}, {"name": 5}, {"name": None}, {"name": None, "description": "x"}, {"settings": []}, {"settings": {"nosuch": 1}},
                                  {"settings": {"responseEnvelope": "none"}}, {"settings": {"errorEnvelope": True}},
                                  {"settings": {"allowLocalhostOrigins": "yes"}}, {"name": {"$ne": ""}},
                                  {"settings": {"__proto__": {}}},
                                  {"settings": {"requestsPerMinute": 0}}, {"settings": {"requestsPerMinute": "9"}},
                                  {"name": "x", "slug": "other"}, {"description": "x", "id": ABSENT},
                                  {"name": "x", "naem": "y"}, {"name": "x", "status": "active"},
                                  {"settings": {"refreshReuseGraceMs": 60001}}, {"settings": {"storage": {}}},
                                  {"settings": {"passwordPolicy": {"preset": "weak"}}},
                                  {"settings": {"passwordPolicy": {"$ne": 1}}},
                                  {"settings": {"usersListVisibility": True}},
                                  {"settings": {"maxSessionsPerUser": 0}}, {"settings": {"keepCurrentSession": "no"}}],
                         ids=str)
def test_a_bad_change_of_a_project_is_refused_whole(app, body):
    before = app.sk.get(app.project).json

    assert error(app.sk.patch(app.project, body)) == BAD_PARAMETERS
    assert app.sk.get(app.project).json == before


# --- environments ---

def test_environments_are_made_listed_and_not_made_twice(app):
    name = app.name("env-")

    made = app.sk.post(ENVIRONMENTS, {"projectId": app.box.project, "environment": name, "environmentType": "staging"})
    again = app.sk.post(ENVIRONMENTS, {"projectId": app.box.project, "environment": name, "environmentType": "custom"})

    assert made.status == 201
    assert set(made.json) == {"id", "projectId", "environment", "environmentType", "status", "createdAt", "updatedAt"}
    assert (made.json["environment"], made.json["environmentType"], made.json["status"],
            made.json["projectId"]) == (name, "staging", "active", app.box.project)
    assert error(again) == CONFLICT
    assert app.sk.get(f"{ENVIRONMENTS}/{made.json['id']}").json == made.json
    listed = app.sk.get(f"{ENVIRONMENTS}?projectId={app.box.project}&limit=100").json["items"]
    assert {"dev", name} <= {item["environment"] for item in listed}


@pytest.mark.parametrize("body", [{}, {"environment": ""}, {"environment": "A"}, {"environment": "1a"},
                                  {"environment": "a_b"}, {"environment": "a" * 33}, {"environment": 5},
                                  {"environment": "ok",
                                   "environmentType": "x"},
                                  {"environment": {"$gt": ""}}, {"environment": "a/b"}], ids=str)
def test_a_bad_environment_is_refused(app, body):
    assert error(app.sk.post(ENVIRONMENTS, dict({"projectId": app.box.project, "environmentType": "custom"},
                                                **body))) == BAD_PARAMETERS


def test_an_environment_of_another_project_cannot_be_made(app):
    assert error(app.sk.post(ENVIRONMENTS, {"projectId": ABSENT, "environment": "x",
                                            "environmentType": "custom"})) == FORBIDDEN


def test_a_secret_key_does_not_delete_another_environment(app):
    made = app.sk.post(ENVIRONMENTS, {"environment": app.name("env-"), "environmentType": "custom"}).json

    answer = app.sk.delete(f"{ENVIRONMENTS}/{made['id']}", {"confirmName": made["environment"]})

    assert error(answer) == FORBIDDEN
    assert app.sk.get(f"{ENVIRONMENTS}/{made['id']}").status == 200


def test_a_deleted_environment_takes_its_tables_and_its_keys_answer_404(make_app):
    app = make_app()
    table = app.table()
    table.add({"a": 1})
    environment = [item for item in app.sk.get(ENVIRONMENTS).json["items"] if item["environment"] == "dev"][0]
    assert error(app.sk.delete(f"{ENVIRONMENTS}/{environment['id']}", {"confirmName": "prod"})) == BAD_PARAMETERS
    assert error(app.sk.delete(f"{ENVIRONMENTS}/{environment['id']}")) == BAD_PARAMETERS
    assert app.pk.get(table.path).status == 200

    assert app.sk.delete(f"{ENVIRONMENTS}/{environment['id']}", {"confirmName": "dev"}).status == 200

    for client in (app.pk, app.sk):
        assert error(client.get(table.path)) == (404, "data/environment-not-found")
        assert error(client.get(table.path, headers={"X-Environment": "prod"})) == (404, "data/environment-not-found")
    assert error(app.sk.get(TABLES)) == (404, "data/environment-not-found")
    app.box.restart()
    assert error(App(app.box).pk.get(table.path)) == (404, "data/environment-not-found")
    assert app.box.stop() == 0
    assert app.box.fsck()[0] == 0


# --- tables ---

def test_a_table_is_made_shown_and_listed(app):
    name = app.name("Notes-")
    made = app.sk.post(TABLES, {"projectId": app.box.project, "environment": "dev", "tableName": name,
                                "displayName": "My notes", "description": "d",
                                "schema": {"title": {"bsonType": "string"}},
                                "permissions": {"guest": {"read": True}}, "security": {"additionalFields": "strip"},
                                "indexes": [{"name": "byTitle", "fields": {"title": 1}}]})

    assert made.status == 201
    table = app.sk.get(f"{TABLES}/{made.json['id']}").json
    assert set(table) >= {"id", "tableName", "displayName", "description", "status", "rowCount", "schema",
                          "schemaVersion", "indexVersion", "system", "createdAt", "updatedAt", "permissions",
                          "expressionPermissions", "columnPermissions", "rowFilters", "security", "indexes"}
    assert UUID.fullmatch(table["id"]) and INSTANT.fullmatch(table["createdAt"])
    assert [table[member] for member in ("tableName", "displayName", "description", "status", "system")] == [
        name, "My notes", "d", "deployed", False]
    assert (table["rowCount"], table["schemaVersion"], table["indexVersion"]) == (0, 1, 1)
    assert (table["permissions"], table["security"]) == ({"guest": {"read": True}}, {"additionalFields": "strip"})
    assert "byTitle" in [index["name"] for index in table["indexes"]]
    assert {key: made.json[key] for key in table} == table
    app.sk.post(f"/v1/data/{name}", {"title": "x"})
    assert app.sk.get(f"{TABLES}/{table['id']}").json["rowCount"] == 1


def test_table_names_are_unique_by_case(app):
    name = app.name("Case")
    app.table(name=name)

    assert error(app.sk.post(TABLES, {"tableName": name, "schema": {}})) == CONFLICT
    assert app.sk.post(TABLES, {"tableName": name.lower(), "schema": {}}).status == 201
    assert error(app.sk.get(f"/v1/data/{name.upper()}")) == NO_TABLE


@pytest.mark.parametrize("change", [{"projectId": ABSENT}, {"environment": "prod"}])
def test_a_table_is_made_only_in_the_keys_own_place(app, change):
    assert error(app.sk.post(TABLES, dict({"tableName": app.name(), "schema": {}}, **change))) == FORBIDDEN
@pytest.mark.parametrize("body", [
    [], {}, {"tableName": 5}, {"tableName": {"$ne": ""}}, {"tableName": "ok1", "system": "true"},
    {"tableName": "ok1", "displayName": 5}, {"tableName": "ok1", "indexes": {}},
    {"tableName": "ok1", "indexes": [{"name": "x"}]}, {"tableName": "ok1", "schema": []},
    {"tableName": "ok1", "indexes": [{"name": "uniq_a", "fields": {"a": 1}}]},
    {"tableName": "ok1", "indexes": [{"name": f"i{n}", "fields": {"a": 1}} for n in range(21)]}],
                         ids=lambda body: str(body)[:60])
def test_a_bad_table_is_refused(app, body):
    answer = app.sk.post(TABLES, body)

    assert error(answer) in (INVALID, BAD_PARAMETERS)
    assert error(app.sk.get("/v1/data/ok1")) == NO_TABLE


@pytest.mark.parametrize("member", ["rowFilter", "permission", "columnPermission", "expressionPermission", "Security",
                                    "securtiy", "test", "index", "fields", "projectID", "__proto__"])
def test_a_misspelt_member_of_a_new_table_is_refused(app, member):
    name = app.name()

    answer = app.sk.post(TABLES, {"tableName": name, "schema": {}, "permissions": {"user": {"read": True}}, member: None})

    assert error(answer) == INVALID
    assert member in answer.json["message"]
    assert error(app.sk.get(f"/v1/data/{name}")) == NO_TABLE


@pytest.mark.parametrize("member", ["permission", "rowFilter", "schema", "indexes", "system", "displayname"])
def test_a_misspelt_member_of_a_changed_table_is_refused(app, member):
    table = app.table(permissions={"guest": {"read": True}})
    before = app.sk.get(table.admin).json

    answer = app.sk.patch(table.admin, {"displayName": "D", member: {}})

    assert error(answer) == BAD_PARAMETERS
    assert member in answer.json["message"]
    assert app.sk.get(table.admin).json == before


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b'{"tableName":"dup","tableName":"dup2","schema":{}}'], ids=repr)
def test_a_body_that_is_not_json_is_refused(app, body):
    assert error(app.sk.post(TABLES, body)) == BAD_PARAMETERS


def test_names_of_a_table_change_and_its_rights_too(app):
    table = app.table()

    answer = app.sk.patch(table.admin, {"displayName": "D", "description": "x", "permissions": {"guest": {}},
                                        "tableName": "other"})

    assert answer.status == 200
    assert (answer.json["displayName"], answer.json["description"], answer.json["permissions"],
            answer.json["tableName"]) == ("D", "x", {"guest": {}}, table.name)
    assert answer.json["updatedAt"] > answer.json["createdAt"]
    assert error(app.sk.patch(table.admin, {"displayName": 5})) == BAD_PARAMETERS
    assert error(app.sk.patch(table.admin, {"permissions": {"x": {}}})) == INVALID


@pytest.mark.parametrize("member", ["expressionPermissions", "columnPermissions", "rowFilters", "security", "tests"])
@pytest.mark.parametrize("value", [None, {}, [], {"guestAccess": "off"}], ids=repr)
def test_a_restriction_that_is_no_permission_is_not_passed_over(app, member, value):
    table = app.table(permissions={"guest": {"read": True}})
    before = app.sk.get(table.admin).json

    answer = app.sk.patch(table.admin, {"permissions": {}, "displayName": "D", member: value})

    assert error(answer) == BAD_PARAMETERS
    assert member in answer.json["message"] and "PUT" in answer.json["message"]
    assert app.sk.get(table.admin).json == before


@pytest.mark.parametrize("body", [None, {}, {"confirmName": ""}, {"confirmName": "x"}, {"confirmName": None},
                                  {"confirmName": {"$ne": None}}, {"confirmName": True}], ids=str)
def test_a_table_is_dropped_only_with_its_name(app, body):
    table = app.table()
    row = table.add({"a": 1})

    assert error(app.sk.delete(table.admin, body)) == BAD_PARAMETERS
    assert table.read(row["id"]).json == row


@pytest.mark.parametrize("name", ["users", "accounts", "sessions", "files"])
def test_a_built_in_table_is_not_dropped_and_not_changed(app, name):
    path = f"{TABLES}/{name}"

    answers = [app.sk.delete(path, {"confirmName": name}), app.sk.patch(path, {"permissions": {"guest": {"read": True}}}),
               app.sk.put(f"{path}/policy", {}), app.sk.post(f"{path}/fields", {}), app.sk.post(f"{path}/indexes", {}),
               app.sk.post(f"{path}/schema/rollback", {"version": 1})]

    assert [error(answer) for answer in answers] == [FORBIDDEN] * 6
    assert error(app.sk.delete(f"{TABLES}/{name}s", {"confirmName": name})) == NOT_FOUND


def test_a_dropped_table_is_gone_and_its_name_may_be_taken_again(app):
    table = app.table({"old": {"bsonType": "int"}})
    row = table.add({"old": 1})

    assert app.sk.delete(table.admin, {"confirmName": table.name}).status == 200

    assert error(app.sk.get(table.admin)) == NOT_FOUND
    assert error(table.read(row["id"])) == NO_TABLE
    assert error(table.create({})) == NO_TABLE
    assert error(app.sk.delete(table.admin, {"confirmName": table.name})) == NOT_FOUND
    again = app.table(name=table.name)
    assert again.id != table.id
    assert error(again.read(row["id"])) == (404, "data/not-found")
    assert again.list().json["pagination"]["total"] == 0


# --- fields and versions ---

def fields(app, table, **change):
    return app.sk.post(f"{table.admin}/fields", change)


def test_fields_change_in_versions_and_a_removed_one_loses_its_data(app):
    table = app.table({"a": {"bsonType": "int"}, "b": {"bsonType": "string"}})
    row = table.add({"a": 1, "b": "x"})

    answer = fields(app, table, fieldsToAddOrUpdate={"c": {"bsonType": "bool"}}, fieldsToRemove=["b"],
                    requiredFieldsToAdd=["a"])

    assert answer.status == 200
    assert answer.json["schemaVersion"] == 2
    assert answer.json["schema"]["required"] == ["a"] and set(answer.json["schema"]["properties"]) == {"a", "c"}
    assert "b" not in table.read(row["id"]).json
    fields(app, table, fieldsToAddOrUpdate={"b": {"bsonType": "string"}})
    assert "b" not in table.read(row["id"]).json
    assert fields(app, table, requiredFieldsToRemove=["a"]).json["schema"]["required"] == []
    assert table.create({}).status == 201


@pytest.mark.parametrize("change", [{"fieldsToRemove": ["nosuch"]}, {"requiredFieldsToAdd": ["nosuch"]},
                                    {"fieldsToAddOrUpdate": {"id": {"bsonType": "string"}}},
                                    {"fieldsToAddOrUpdate": []},
                                    {"fieldsToRemove": "a"}, {"fieldsToRemove": ["createdAt"]},
                                    {"fieldsToAddOrUpdate": {"x": {"bsonType": "nosuch"}}}, {"fieldsToRemove": [5]},
                                    {"nosuch": 1}],
                         ids=str)
def test_a_bad_change_of_fields_is_refused_whole(app, change):
    table = app.table({"a": {"bsonType": "int"}})

    answer = fields(app, table, **dict({"requiredFieldsToAdd": ["a"]}, **change))

    assert error(answer) in (INVALID, BAD_PARAMETERS)
    assert app.sk.get(table.admin).json["schemaVersion"] == 1
    assert app.sk.get(table.admin).json["schema"]["required"] == []


def test_schema_versions_are_listed_newest_first_and_roll_back_to_a_new_one(app):
    table = app.table({"a": {"bsonType": "int"}})
    row = table.add({"a": 1})
    fields(app, table, fieldsToAddOrUpdate={"b": {"bsonType": "string"}}, fieldsToRemove=["a"])
    rollback = f"{table.admin}/schema/rollback"

    versions = app.sk.get(f"{table.admin}/schema/versions").json
    assert [(item["version"], item["current"]) for item in versions["items"]] == [(2, True), (1, False)]
    assert versions["pagination"]["total"] == 2
    first = app.sk.get(f"{table.admin}/schema/versions/1").json
    assert set(first) >= {"version", "current", "createdAt", "createdBy", "schema"}
    assert set(first["schema"]["properties"]) == {"a"} and not first["current"]
    for version in ("0", "3", "x", "1.0", "-1"):
        assert error(app.sk.get(f"{table.admin}/schema/versions/{version}")) == NOT_FOUND
    assert error(app.sk.post(rollback, {"version": 2})) == BAD_PARAMETERS

    answer = app.sk.post(rollback, {"version": 1})

    assert answer.status == 200
    assert answer.json["schemaVersion"] == 3 and set(answer.json["schema"]["properties"]) == {"a"}
    assert "a" not in table.read(row["id"]).json  # what was deleted stays deleted
    for body in ({}, {"version": 9}, {"version": "1"}, {"version": 0}, {"version": {"$gt": 0}}, {"version": 1.5}):
        assert error(app.sk.post(rollback, body))[0] in (400, 404), body
    assert app.sk.get(table.admin).json["schemaVersion"] == 3


# --- class 8 of the attacks ---

@pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, {"$regex": ".*"}, ["x"], True, 0])
def test_attack_08_an_operator_object_is_never_a_name(app, value):
    table = app.table()
    key = app.make_key(name="n")

    for method, path, body in (("POST", TABLES, {"tableName": value, "schema": {}}),
                               ("POST", "/v1/admin/api-keys",
                                {"name": value, "type": "secret"}),
                               ("POST",
                                "/v1/admin/api-keys",
                                {"name": "n",
                                 "type": value}),
                               ("POST", ENVIRONMENTS, {"environment": value, "environmentType": "custom"}),
                               ("DELETE", table.admin, {"confirmName": value}),
                               ("DELETE", f"/v1/admin/api-keys/{key['id']}", {"confirmName": value}),
                               ("POST", f"{table.admin}/schema/rollback", {"version": value})):
        answer = app.sk.request(method, path, body=body)
        assert answer.status == 400, (path, body, answer)
    assert app.sk.get(table.admin).status == 200
    assert app.sk.get(f"/v1/admin/api-keys/{key['id']}").status == 200


def test_what_the_api_manages_survives_a_restart(make_app):
    app = make_app()
    table = app.table({"n": {"bsonType": "int", "unique": True}, "when": {"bsonType": "date"}},
                      permissions={"guest": {"read": True}})
    rows = [table.add({"n": n, "when": "2024-01-01", "more": {"x": [n]}}) for n in range(30)]
    key = app.make_key(scopes=[f"{table.name}:read"])
    revoked = app.make_key()
    app.sk.post(f"/v1/admin/api-keys/{revoked['id']}/revoke")
    app.sk.put(f"{app.project}/cors", {"origins": ["https://app.example.com"]})
    before = {path: app.sk.get(path).json for path in (table.admin, app.project, f"{app.project}/cors",
                                                       f"{table.admin}/schema/versions")}

    app.box.restart()
    again = App(app.box)

    assert {path: again.sk.get(path).json for path in before} == before
    assert again.sk.get(f"{table.path}?limit=100&sortDirection=asc").json["items"] == rows
    assert error(again.sk.post(table.path, {"n": 5})) == (409, "data/duplicate-value")
    assert again.nobody.get(table.path, headers={"X-API-Key": key["value"]}).status == 200
    refused = again.nobody.post(table.path, {}, headers={"X-API-Key": key["value"]})
    assert error(refused) == (403, "data/scope-insufficient")
    assert error(again.nobody.get(table.path, headers={"X-API-Key": revoked["value"]})) == (401, "auth/token-revoked")
    newer = again.sk.post(table.path, {"n": 100}).json
    assert newer["id"] > rows[-1]["id"]
    assert again.sk.get(f"{table.path}?limit=1").json["items"] == [newer]
    assert app.box.stop() == 0
    status, output, errors = app.box.fsck()
    assert status == 0, output + errors
