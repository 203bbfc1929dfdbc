/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users and sessions as requests ask for them, on a reactor in a snapshot or on the writer in its transaction. */
#include "firmware/data/people.h"

#include <stdatomic.h>
#include <string.h>

#include "crypto/ct.h"
#include "firmware/data/codes_int.h"
#include "firmware/data/people_fields.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "net/http.h"

#define SESSIONS_PAGE 10 /* contract 5.4 */
#define ACCOUNTS_PAGE 10 /* contract 5.8 */

/* Either a snapshot of its own, which ends with the look-up, or the transaction's. */
struct look {
    struct store_snap *snap;
    struct store_snap *own;
    struct catalog_people where;
};

static void look_end(struct look *look)
{
    store_snap_end(look->own);
}
#define SCOPED_LOOK SCOPED(look_end)

/* ERR_NOT_FOUND: the environment is gone. */
static enum err look_begin(const struct data_people *people, struct span environment_id, struct look *out_look)
{
    const struct catalog *catalog = people->txn != NULL ? data_txn_catalog(people->txn) : people->catalog;
    struct look look = {.snap = NULL};

    const enum err err = people_of(catalog, environment_id, &look.where);
    if (err != ERR_OK) {
        return err;
    }
    if (people->txn != NULL) {
        look.snap = store_txn_snap(people->txn->store);
    } else {
        TRY(store_snap_begin(people->reader->store, &look.own));
        look.snap = look.own;
    }
    *out_look = look;
    return ERR_OK;
}

/* --- for firmware/auth --- */

static enum err copy_roles(const struct person *person, struct arena *arena, struct auth_account *out)
{
    for (size_t i = 0; i < person->role_count; i++) {
        TRY(arena_copy(arena, person->roles[i], &out->roles[i]));
    }
    out->role_count = person->role_count;
    return ERR_OK;
}

/* An error of ERR_NOT_FOUND is the absence that out_account names already. */
static enum err account_of(const struct look *look, const struct auth_bearer *bearer, struct arena *arena,
                           struct auth_account *out)
{
    struct session session;
    struct person person;

    *out = (struct auth_account){.state = AUTH_SESSION_ENDED};
    enum err err = people_find_session(look->snap, &look->where, span_array(bearer->session), &session);
    if (err != ERR_OK || !span_equal(session.user, span_array(bearer->user))) {
        return err;
    }
    if (session.has_access && !ct_equal(span_array(session.access), span_array(bearer->digest))) {
        return ERR_OK; /* of before the last refresh: invalidateAccessOnRefresh */
    }
    out->session_ends_ms = session.ends_at.ms;
    out->state = AUTH_USER_GONE;
    err = people_find_user(look->snap, &look->where, span_array(bearer->user), &person);
    if (err != ERR_OK) {
        return err;
    }
    out->state = person.banned ? AUTH_BANNED : AUTH_ALIVE;
    out->group = person_group(person.role);
    out->has_mfa = person.mfa;
    return copy_roles(&person, arena, out);
}

static enum err find_account(const void *context, const struct auth_key *key, const struct auth_bearer *bearer,
                             struct arena *arena, struct auth_account *out_account)
{
    const struct data_people *people = context;
    SCOPED_LOOK struct look look = {.own = NULL};

    *out_account = (struct auth_account){.state = AUTH_SESSION_ENDED};
    enum err err = look_begin(people, key->environment_id, &look);
    if (err == ERR_OK) {
        err = account_of(&look, bearer, arena, out_account);
    }
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

static enum err has_user(const void *context, const struct auth_key *key, struct span user, bool *out_found)
{
    const struct data_people *people = context;
    SCOPED_LOOK struct look look = {.own = NULL};
    struct person person;

    enum err err = look_begin(people, key->environment_id, &look);
    if (err == ERR_OK) {
        err = people_find_user(look.snap, &look.where, user, &person);
    }
    *out_found = err == ERR_OK;
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

static uint64_t generation(const void *context)
{
    const struct data_people *people = context;

    return people->txn != NULL ? 0 : atomic_load_explicit(&people->reader->data->generation, memory_order_acquire);
}

bool data_people_unchanged(const struct data_people *people)
{
    return generation(people) == people->generation;
}

struct auth_directory data_directory(struct data_reader *reader, const struct catalog *catalog,
                                     struct auth_token_cache *cache, struct data_people *out_people)
{
    struct auth_directory directory = catalog_directory(catalog);

    *out_people = (struct data_people){.reader = reader, .catalog = catalog};
    out_people->generation = reader == NULL ? 0 : generation(out_people);
    directory.cache = cache;
    directory.people = (struct auth_people){
        .context = out_people, .generation = generation, .find_account = find_account, .has_user = has_user};
    return directory;
}

struct auth_directory data_directory_in(struct data_txn *txn, struct data_people *out_people)
{
    struct auth_directory directory = data_directory(NULL, data_txn_catalog(txn), NULL, out_people);

    out_people->txn = txn;
    return directory;
}

/* --- for signing in --- */

enum err data_email_taken(const struct data_people *people, struct span environment_id, struct span email,
                          bool *out_taken)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct person person;

    TRY(look_begin(people, environment_id, &look));
    const enum err err = people_find_email(look.snap, &look.where, email, &person);
    if (err != ERR_NOT_FOUND) {
        TRY(err);
    }
    *out_taken = err == ERR_OK;
    return ERR_OK;
}

static enum err read_login(const struct look *look, const struct person *person, struct data_login *out)
{
    struct row row;

    ENSURE(person->email.len <= sizeof out->email, ERR_DAMAGED, "an address that is too long");
    memcpy(out->user, person->id.data, sizeof out->user);
    memcpy(out->email, person->email.data, person->email.len);
    out->email_len = person->email.len;
    const enum err err = people_find_password(look->snap, &look->where, span_array(out->user), &row, &out->password);
    out->found = err == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Nobody's address costs what somebody's does: another login is read, and forgotten but for what its hash costs. */
static enum err find_login(const struct look *look, struct span email, struct data_login *out)
{
    struct data_login login = {.found = false};
    struct person person;
    bool is_it = false;

    enum err err = people_find_email_or_other(look->snap, &look->where, email, &person, &is_it);
    if (err == ERR_OK) {
        err = read_login(look, &person, &login);
    }
    if (err == ERR_OK && is_it) {
        *out = login;
    }
    if (err == ERR_OK && !is_it) {
        out->password.cost = login.password.cost;
    }
    mem_wipe(&login, sizeof login);
    return err;
}

static enum err find_login_of(const struct look *look, struct span user, struct data_login *out)
{
    struct person person;

    const enum err err = people_find_user(look->snap, &look->where, user, &person);
    return err == ERR_OK ? read_login(look, &person, out) : err;
}

static enum err login_by(const struct data_people *people, struct span environment_id,
                         enum err (*find)(const struct look *look, struct span text, struct data_login *out),
                         struct span text, struct data_login *out_login)
{
    SCOPED_LOOK struct look look = {.own = NULL};

    *out_login = (struct data_login){.found = false};
    TRY(look_begin(people, environment_id, &look));
    const enum err err = find(&look, text, out_login);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return ERR_OK;
    }
    return err;
}

enum err data_find_login(const struct data_people *people, struct span environment_id, struct span email,
                         struct data_login *out_login)
{
    return login_by(people, environment_id, find_login, email, out_login);
}

enum err data_find_login_of(const struct data_people *people, struct span environment_id, struct span user,
                            struct data_login *out_login)
{
    return login_by(people, environment_id, find_login_of, user, out_login);
}

/* The user of a code: its owner; or whoever has the address that a link for signing in went to. */
static enum err code_user(const struct look *look, const struct code *code, struct data_code *out)
{
    char email[DATA_EMAIL_MAX];
    const size_t email_len = code->email.len;
    struct person person;

    if (code->purpose != DATA_CODE_MAGIC) {
        out->has_user = code->owner.len == sizeof out->user;
        memcpy(out->user, code->owner.data, out->has_user ? sizeof out->user : 0);
        return ERR_OK;
    }
    ENSURE(email_len <= sizeof email, ERR_DAMAGED, "an address that is too long");
    memcpy(email, code->email.data, email_len); /* the view ends with the next look-up */
    const enum err err = people_find_email(look->snap, &look->where, span_of(email, email_len), &person);
    if (err == ERR_OK) {
        out->has_user = true;
        memcpy(out->user, person.id.data, sizeof out->user);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err data_find_code(const struct data_people *people, struct span environment_id,
                        const uint8_t digest[SHA256_BYTES], struct data_code *out_code)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct data_code found = {.has_user = false};
    struct code code;

    enum err err = look_begin(people, environment_id, &look);
    if (err == ERR_OK) {
        err = code_find(look.snap, &look.where, digest, &code);
    }
    if (err != ERR_OK) {
        return err; /* a code that is not there is no fault */
    }
    found.ends_at = code.ends_at;
    TRY(code_user(&look, &code, &found));
    *out_code = found;
    return ERR_OK;
}

enum err data_find_identity(const struct data_people *people, struct span environment_id,
                            const uint8_t digest[SHA256_BYTES], char out_user[AUTH_UUID_BYTES])
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct account account;

    enum err err = look_begin(people, environment_id, &look);
    if (err == ERR_OK) {
        err = people_find_identity(look.snap, &look.where, digest, &account);
    }
    if (err != ERR_OK) {
        return err; /* somebody who is not here yet is no fault */
    }
    ENSURE(account.user.len == AUTH_UUID_BYTES, ERR_DAMAGED, "an account of nobody");
    memcpy(out_user, account.user.data, AUTH_UUID_BYTES);
    return ERR_OK;
}

enum err data_find_session(const struct data_people *people, struct span environment_id, struct span session,
                           struct span user, struct data_session *out_session)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct session found;

    enum err err = look_begin(people, environment_id, &look);
    if (err == ERR_OK) {
        err = people_find_session(look.snap, &look.where, session, &found);
    }
    if (err == ERR_OK && !span_equal(found.user, user)) {
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_OK) {
        out_session->began = found.row.created_at;
        memcpy(out_session->refresh, found.refresh, sizeof out_session->refresh);
    }
    return err;
}

/* --- objects --- */

static enum err refuse_gone(enum err err, struct refusal *refusal)
{
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        return refuse(refusal, REFUSAL_USER_NOT_FOUND, NULL);
    }
    return err;
}

enum err data_write_me(const struct data_people_request *request)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct person person;
    struct json_out out;

    TRY(look_begin(&request->people, request->principal->key->environment_id, &look));
    const enum err err = people_find_user(look.snap, &look.where, request->principal->user, &person);
    if (err != ERR_OK) {
        return refuse_gone(err, request->refusal);
    }
    json_out_init(&out, request->out);
    person_write_me(&out, &person);
    return json_out_finish(&out);
}

enum err data_get_user(const struct data_people_request *request, struct span id)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct person person;
    struct json_out out;

    TRY(look_begin(&request->people, request->principal->key->environment_id, &look));
    const enum err err =
        auth_uuid_is_well_formed(id) ? people_find_user(look.snap, &look.where, id, &person) : ERR_NOT_FOUND;
    if (err != ERR_OK) {
        return refuse_gone(err, request->refusal);
    }
    json_out_init(&out, request->out);
    if (request->principal->who.group == RLS_ADMIN) {
        person_write_full(&out, &person);
    } else if (span_equal(id, request->principal->user)) {
        person_write_me(&out, &person);
    } else {
        person_write_public(&out, &person);
    }
    return json_out_finish(&out);
}

enum err data_get_user_part(const struct data_people_request *request, struct span id, struct span segment)
{
    const bool owns = span_equal(id, request->principal->user) || request->principal->who.group == RLS_ADMIN;
    SCOPED_LOOK struct look look = {.own = NULL};
    enum person_part part = PERSON_NAME;
    struct person person;
    struct json_out out;

    TRY(person_part_find(segment, &part));
    if (!owns && part != PERSON_PROFILE) {
        return refuse(request->refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    TRY(look_begin(&request->people, request->principal->key->environment_id, &look));
    const enum err err =
        auth_uuid_is_well_formed(id) ? people_find_user(look.snap, &look.where, id, &person) : ERR_NOT_FOUND;
    if (!owns && (err == ERR_NOT_FOUND || (err == ERR_OK && !person.is_public))) {
        return refuse(request->refusal, REFUSAL_USER_FORBIDDEN, NULL);
    }
    if (err != ERR_OK) {
        return refuse_gone(err, request->refusal);
    }
    json_out_init(&out, request->out);
    person_part_write(&out, part, &person, !owns);
    return json_out_finish(&out);
}

/* A user has few sessions, so all are walked; newest first. Those that are over are gone, though their rows stay until the
 * user signs in again. */
enum err data_list_sessions(const struct data_people_request *request)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    const struct row_value owner = {.type = ROW_STRING, .bytes = request->principal->user};
    struct data_page page;
    struct session session;
    struct json_out out;
    struct row row;
    uint64_t total = 0;
    enum err err = ERR_OK;

    TRY(data_page_read(request->arena, request->query, SESSIONS_PAGE, &page, request->refusal));
    TRY(look_begin(&request->people, request->principal->key->environment_id, &look));
    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    json_out_array(&out);
    TRY(people_scan_newest(look.snap, look.where.sessions, &owner));
    while ((err = walk_next(look.snap, &row)) == ERR_OK) {
        TRY(session_read(&row, &session));
        if (session.ends_at.ms <= request->now.ms) {
            continue;
        }
        if (total / page.limit == page.page - 1) {
            session_write(&out, &session, request->principal->session);
        }
        total++;
    }
    TRY(walk_end(err));
    json_out_array_end(&out);
    data_write_pagination(&out, page, total);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_list_accounts(const struct data_people_request *request)
{
    SCOPED_LOOK struct look look = {.own = NULL};
    struct data_page page;
    struct json_out out;
    uint64_t total = 0;

    TRY(data_page_read(request->arena, request->query, ACCOUNTS_PAGE, &page, request->refusal));
    TRY(look_begin(&request->people, request->principal->key->environment_id, &look));
    json_out_init(&out, request->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("items"));
    TRY(accounts_write(&out, look.snap, &look.where, request->principal->user, page, &total));
    data_write_pagination(&out, page, total);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

/* --- public keys --- */

static void write_coordinate(struct json_out *out, struct span name, const uint8_t *bytes)
{
    char text[BASE64URL_CHARS(32)];

    base64url_encode(span_of(bytes, 32), text);
    json_out_member_text(out, name, span_array(text));
}

static void write_token_keys(struct json_out *out, const struct catalog_environment *environment, struct wall_time now)
{
    for (size_t i = 0; i < environment->token_key_count; i++) {
        if (now.ms >= environment->token_key_ends_ms[i]) {
            continue;
        }
        const struct auth_token_key *key = &environment->token_keys[i];
        json_out_object(out);
        json_out_member_text(out, span_lit("kty"), span_lit("EC"));
        json_out_member_text(out, span_lit("crv"), span_lit("P-256"));
        write_coordinate(out, span_lit("x"), key->public_key + 1);
        write_coordinate(out, span_lit("y"), key->public_key + 33);
        json_out_member_text(out, span_lit("kid"), span_array(key->kid));
        json_out_member_text(out, span_lit("use"), span_lit("sig"));
        json_out_member_text(out, span_lit("alg"), span_lit("ES256"));
        json_out_object_end(out);
    }
}

/* A parameter that was not given wants any. */
static bool is_wanted(struct span wanted, struct span text)
{
    return wanted.len == 0 || span_equal(wanted, text);
}

enum err data_write_token_keys(const struct catalog *catalog, struct arena *arena, struct span query,
                               struct wall_time now, struct json_out *out)
{
    struct http_query walk = http_query_of(query);
    struct span project = SPAN_NONE;
    struct span environment = SPAN_NONE;
    struct span name = SPAN_NONE;
    struct span value = SPAN_NONE;
    size_t cursor = 0;
    enum err err = ERR_OK;

    while ((err = http_query_next(&walk, arena, &name, &value)) == ERR_OK) {
        project = span_equal(name, span_lit("projectId")) ? value : project;
        environment = span_equal(name, span_lit("environment")) ? value : environment;
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    fault_clear();
    json_out_object(out);
    json_out_name(out, span_lit("keys"));
    json_out_array(out);
    for (size_t i = catalog_count(catalog, CATALOG_ENVIRONMENT); i > 0; i--) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        /* Operators are nobody to an app, so the key that signs for them is not an app's to trust. */
        if (record != NULL && catalog_project(catalog, record->parent) != NULL && is_wanted(project, record->parent) &&
            is_wanted(environment, record->name)) {
            write_token_keys(out, (const struct catalog_environment *)record, now);
        }
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return json_out_finish(out);
}
