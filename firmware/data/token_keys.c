/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys that sign the tokens of an environment, and their rotation with an overlap:
 *
 *   keeper: one version more, which waits -> this transaction writes its public half into the environment's document, and
 *   the end of the version before -> commit, every reactor has the catalogue -> keeper: the new version signs
 *
 * So a key is in the JWKS and verifies before there is a token of it. The version before verifies until the last refresh
 * token that it signed is over. From that instant on it counts for nothing (key_ends_ms of auth_place); the next sweep has
 * the keeper destroy it, and only then takes it out of the document.
 *
 * A keeper that could not be told is told with the next commit. Cut off anywhere, the next start goes on: what the keeper
 * holds and the document does not is written into it and used (people_prepare), what the keeper has no more is taken out. A
 * rotation whose transaction was given up leaves a version that waits; it is taken by the next rotation or start.
 *
 * Document: tokenKeys: [<point, hex>, {"point":<hex>,"endsAt":<ms>}, ...], the newest first, which is the one that signs. */
#include "firmware/data/token_keys_int.h"

#include <string.h>

#include "firmware/data/doc.h"
#include "firmware/data/operators.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

/* A refresh token may be signed by the key before while this transaction is under way: that takes seconds, not an hour. */
#define OVERLAP_MS ((int64_t)(AUTH_TOKEN_REFRESH_S + 3600) * 1000)

/* --- the document --- */

/* When the key of that place in the list ends. */
static int64_t end_of(const struct data_token_keys *keys, size_t at, const struct catalog_environment *known,
                      struct wall_time now)
{
    for (size_t i = 0; known != NULL && i < known->token_key_count; i++) {
        if (known->token_key_ends_ms[i] != CATALOG_KEY_SIGNS &&
            span_equal(span_array(known->token_keys[i].public_key), span_array(keys->points[at]))) {
            return known->token_key_ends_ms[i];
        }
    }
    return now.ms + OVERLAP_MS;
}

void token_keys_write(struct json_out *out, const struct data_token_keys *keys, const struct catalog_environment *known,
                      struct wall_time now)
{
    char hex[HEX_BYTES(DATA_TOKEN_KEY_BYTES)];

    json_out_name(out, span_lit("tokenKeys"));
    json_out_array(out);
    for (size_t i = 0; i < keys->count; i++) {
        hex_encode(span_array(keys->points[i]), hex);
        if (i == 0) {
            json_out_text(out, span_array(hex));
            continue;
        }
        json_out_object(out);
        json_out_member_text(out, span_lit("point"), span_array(hex));
        json_out_member_int(out, span_lit("endsAt"), end_of(keys, i, known, now));
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

enum err token_keys_read(const struct json_value *doc, struct catalog_environment *environment)
{
    const struct json_value *keys = json_find(doc, span_lit("tokenKeys"));
    uint8_t point[SIGN_PUBLIC_BYTES];

    if (keys == NULL || keys->type != JSON_ARRAY) {
        return ERR_OK;
    }
    ENSURE(keys->as.array.count <= DATA_TOKEN_KEYS_MAX, ERR_DAMAGED, "too many token keys");
    for (size_t i = 0; i < keys->as.array.count; i++) {
        const struct json_value *key = &keys->as.array.items[i];
        const struct span text = key->type == JSON_STRING ? key->as.text : doc_text(key, span_lit("point"));
        ENSURE(hex_decode(text, point, sizeof point) == ERR_OK, ERR_DAMAGED, "a token key that is none");
        ENSURE((key->type == JSON_STRING) == (i == 0), ERR_DAMAGED, "the newest token key signs, and it alone");
        environment->token_key_ends_ms[i] = i == 0 ? CATALOG_KEY_SIGNS : doc_int(key, span_lit("endsAt"), 0);
        auth_token_key_init(point, &environment->token_keys[environment->token_key_count++]);
    }
    return ERR_OK;
}

bool token_keys_are(const struct catalog_environment *environment, const struct data_token_keys *keys)
{
    if (environment->token_key_count != keys->count) {
        return false;
    }
    for (size_t i = 0; i < keys->count; i++) {
        if (!span_equal(span_array(environment->token_keys[i].public_key), span_array(keys->points[i]))) {
            return false;
        }
    }
    return true;
}

/* --- their end --- */

static bool has_ended(const struct catalog_environment *environment, size_t at, struct wall_time now)
{
    return now.ms >= environment->token_key_ends_ms[at];
}

enum err token_keys_retire(struct data_txn *txn, const struct catalog_environment *environment)
{
    const struct data_keys *keys = &txn->data->keys;

    for (size_t i = 0; i < environment->token_key_count; i++) {
        if (has_ended(environment, i, txn->now)) {
            TRY(keys->token_retire(keys->context, environment->record.id, environment->token_keys[i].public_key));
        }
    }
    return ERR_OK;
}

/* The document of the transaction's environment with these keys. */
static enum err store_keys(struct data_txn *txn, const struct data_token_keys *keys)
{
    struct json_out out;

    environment_begin_again(txn, span_lit("tokenKeys"), &out);
    token_keys_write(&out, keys, txn->environment, txn->now);
    return environment_end_again(txn, &out, &txn->environment);
}

enum err token_keys_sweep(struct data_txn *txn)
{
    const struct catalog_environment *environment = txn->environment;
    struct data_token_keys keys = {.count = 0};
    bool ended = false;

    for (size_t i = 0; i < environment->token_key_count; i++) {
        ended = ended || has_ended(environment, i, txn->now);
    }
    if (!ended) {
        return ERR_OK;
    }
    TRY(token_keys_retire(txn, environment));
    for (size_t i = 0; i < environment->token_key_count; i++) {
        if (!has_ended(environment, i, txn->now)) {
            memcpy(keys.points[keys.count++], environment->token_keys[i].public_key, DATA_TOKEN_KEY_BYTES);
        }
    }
    return store_keys(txn, &keys);
}

/* --- rotation --- */

static bool is_signed_otherwise(const struct catalog *before, const struct catalog_environment *environment)
{
    const struct catalog_environment *was = before == NULL ? NULL : catalog_environment(before, environment->record.id);

    if (before == NULL) {
        return environment->token_key_count > 1;
    }
    return was != NULL && was->token_key_count != 0 && environment->token_key_count != 0 &&
           !span_equal(span_array(was->token_keys[0].public_key), span_array(environment->token_keys[0].public_key));
}

/* What the keeper made for a rotation that was given up is published nowhere: it goes on waiting. */
static enum err use_published(struct data *data, const struct catalog_environment *environment)
{
    const struct data_keys *from = &data->keys;
    struct data_token_keys held = {.count = 0};

    TRY(from->token_keys(from->context, environment->record.id, &held));
    const bool published =
        held.count != 0 && span_equal(span_array(held.points[0]), span_array(environment->token_keys[0].public_key));
    return published ? from->token_use(from->context, environment->record.id) : ERR_OK;
}

void token_keys_use(struct data *data, const struct catalog *before)
{
    const bool all = data->keys_unused;
    size_t cursor = 0;

    if (before == NULL && !all) {
        return;
    }
    data->keys_unused = false;
    for (;;) {
        const struct catalog_record *record = catalog_next(data->current, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return;
        }
        const struct catalog_environment *environment = (const struct catalog_environment *)record;
        if (is_signed_otherwise(all ? NULL : before, environment) && use_published(data, environment) != ERR_OK) {
            log_fault(LOG_WARN, "token_key_not_used"); /* the one before signs on */
            data->keys_unused = true;
        }
    }
}

static enum err refuse_what(struct data_call *call, const char *why)
{
    return refuse_at(&call->refusal, REFUSAL_COMMON_INVALID_PARAMETERS, span_lit("what"), why);
}

/* Architecture section 4 knows more keys; those that cannot be rotated yet are named so. */
static enum err read_what(struct data_call *call, struct span what)
{
    static const char *const later[] = {"root", "tables", "config", "pepper", "tls", "backup"};

    if (span_equal(what, span_lit("token")) || span_equal(what, span_lit("operator-token"))) {
        return ERR_OK;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(later); i++) {
        if (span_equal(what, span_str(later[i]))) {
            return refuse_what(call, "names keys that this version cannot rotate");
        }
    }
    return refuse_what(call, "must be token or operator-token");
}

/* An environment of a project, by the names of the body. */
static enum err find_named(struct data_txn *txn, struct data_call *call, const struct json_value *body)
{
    const struct text_rule project_rule = {span_lit("projectId"), 1, DATA_UUID_BYTES, true};
    const struct text_rule name_rule = {span_lit("environment"), 1, AUTH_ENVIRONMENT_MAX, true};
    struct span project = SPAN_NONE;
    struct span name = SPAN_NONE;

    TRY(admin_text(body, &project_rule, &project, &call->refusal));
    TRY(admin_text(body, &name_rule, &name, &call->refusal));
    if (catalog_project(data_txn_catalog(txn), project) == NULL) {
        return refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such project");
    }
    txn->environment = (const struct catalog_environment *)catalog_find_named(data_txn_catalog(txn),
                                                                              CATALOG_ENVIRONMENT, project, name);
    return txn->environment != NULL ? ERR_OK
                                    : refuse(&call->refusal, REFUSAL_COMMON_NOT_FOUND, "There is no such environment");
}

static enum err find_environment(struct data_txn *txn, struct data_call *call)
{
    const struct text_rule rule = {span_lit("what"), 1, 32, true};
    static const char *const names[] = {"what", "projectId", "environment"};
    const struct member_rule members = {names, ARRAY_LENGTH(names), REFUSAL_COMMON_INVALID_PARAMETERS,
                                        "is not a member of a rotation"};
    const struct json_value *body = NULL;
    struct span what = SPAN_NONE;

    TRY(data_txn_body(call, REFUSAL_COMMON_INVALID_PARAMETERS, &body));
    TRY(admin_text(body, &rule, &what, &call->refusal));
    TRY(read_what(call, what));
    TRY(admin_members(body, &members, &call->refusal));
    if (span_equal(what, span_lit("token"))) {
        return find_named(txn, call, body);
    }
    if (doc_has(body, span_lit("projectId")) || doc_has(body, span_lit("environment"))) {
        return refuse_what(call, "is of no project: leave projectId and environment out");
    }
    txn->environment = operators_place(data_txn_catalog(txn)); /* an operator asks, so there is one */
    ENSURE(txn->environment != NULL, ERR_DAMAGED, "operators without their place");
    return ERR_OK;
}

static enum err write_answer(struct data_call *call, const struct catalog_environment *environment)
{
    struct json_out out;

    json_out_init(&out, call->out);
    json_out_object(&out);
    json_out_name(&out, span_lit("keys"));
    json_out_array(&out);
    for (size_t i = 0; i < environment->token_key_count; i++) {
        json_out_object(&out);
        json_out_member_text(&out, span_lit("kid"), span_array(environment->token_keys[i].kid));
        json_out_member_bool(&out, span_lit("signs"), i == 0);
        if (i == 0) {
            json_out_member_null(&out, span_lit("endsAt"));
        } else {
            json_out_member_time(&out, span_lit("endsAt"), (struct wall_time){environment->token_key_ends_ms[i]});
        }
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

enum err data_keys_rotate(struct data_txn *txn, struct data_call *call)
{
    const struct data_keys *from = &txn->data->keys;
    struct data_token_keys keys = {.count = 0};

    TRY(find_environment(txn, call));
    TRY(token_keys_retire(txn, txn->environment));
    const enum err err = from->token_rotate(from->context, txn->environment->record.id, &keys);
    if (err == ERR_LIMIT) {
        fault_clear();
        return refuse(&call->refusal, REFUSAL_COMMON_CONFLICT,
                      "As many keys are held as may be: the oldest has to end before another one is made");
    }
    TRY(err);
    TRY(store_keys(txn, &keys));
    const struct log_field fields[] = {LOG_TEXT("environment", txn->environment->record.id),
                                       LOG_NUMBER("keys", keys.count)};
    log_event(LOG_INFO, "token_key_rotated", fields, ARRAY_LENGTH(fields));
    return write_answer(call, txn->environment);
}
