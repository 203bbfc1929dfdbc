/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The catalogue: records from documents, versions, limits; and reads that meet a new version. */
/* link: --wrap=http_respond --wrap=http_body */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/access.h"
#include "firmware/data/catalog.h"
#include "firmware/data/data_int.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "tests/lib/api_box.h"

#define ID "00000000-0000-4000-8000-%012zu"

static int clear(void **state)
{
    fault_clear();
    return 0;
}

static struct catalog_record *record(enum catalog_kind kind, size_t number, const char *rest)
{
    char text[2048];
    struct catalog_record *made = NULL;
    (void)snprintf(text, sizeof text, "{\"id\":\"" ID "\",%s}", number, rest);
    const struct catalog_source source = {.kind = kind, .document = span_of(text, strlen(text))};

    assert_int_equal(catalog_record_new(&source, &made), ERR_OK);
    return made;
}

static struct catalog_record *environment(size_t number, const char *name)
{
    char rest[128];

    (void)snprintf(rest, sizeof rest, "\"projectId\":\"p\",\"environment\":\"%s\"", name);
    return record(CATALOG_ENVIRONMENT, number, rest);
}

static void put(struct catalog *catalog, struct catalog_record *take)
{
    assert_int_equal(catalog_put(catalog, take), ERR_OK);
}

static void records_are_found_by_id_and_by_name(void **state)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;
    char name[16];
    assert_int_equal(catalog_new(&catalog), ERR_OK);

    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "e%zu", i);
        put(catalog, environment(i, name));
    }

    assert_int_equal(catalog_count(catalog, CATALOG_ENVIRONMENT), 100);
    const struct catalog_record *found =
        catalog_find_named(catalog, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("e42"));
    assert_non_null(found);
    assert_ptr_equal(catalog_find(catalog, CATALOG_ENVIRONMENT, found->id), found);
    assert_null(catalog_find(catalog, CATALOG_PROJECT, found->id));
    assert_null(catalog_find_named(catalog, CATALOG_ENVIRONMENT, span_lit("q"), span_lit("e42")));
    assert_null(catalog_find_named(catalog, CATALOG_TABLE, span_lit("p"), span_lit("e42")));
}

static void a_copy_changes_without_its_origin(void **state)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;
    SCOPED_CATALOG struct catalog *copy = NULL;
    assert_int_equal(catalog_new(&catalog), ERR_OK);
    put(catalog, environment(1, "dev"));
    put(catalog, environment(2, "prod"));

    assert_int_equal(catalog_copy(catalog, &copy), ERR_OK);
    put(copy, environment(1, "renamed"));
    const struct catalog_record *prod = catalog_find_named(copy, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("prod"));
    assert_int_equal(catalog_remove(copy, prod->id), ERR_OK);

    assert_int_equal(catalog_count(copy, CATALOG_ENVIRONMENT), 1);
    assert_non_null(catalog_find_named(copy, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("renamed")));
    assert_null(catalog_find_named(copy, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("prod")));
    assert_int_equal(catalog_count(catalog, CATALOG_ENVIRONMENT), 2);
    assert_non_null(catalog_find_named(catalog, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("dev")));
    assert_null(catalog_find_named(catalog, CATALOG_ENVIRONMENT, span_lit("p"), span_lit("renamed")));
}

static void one_more_than_there_may_be_is_refused(void **state)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;
    char name[16];
    assert_int_equal(catalog_new(&catalog), ERR_OK);
    for (size_t i = 0; i < CONFIG_DATA_ENVIRONMENTS_MAX; i++) {
        (void)snprintf(name, sizeof name, "e%zu", i);
        put(catalog, environment(i, name));
    }

    struct catalog_record *more = environment(CONFIG_DATA_ENVIRONMENTS_MAX, "more");
    assert_int_equal(catalog_put(catalog, more), ERR_LIMIT);

    catalog_record_unref(more);
    put(catalog, environment(0, "again")); /* in place of one that is there */
    assert_int_equal(catalog_count(catalog, CATALOG_ENVIRONMENT), CONFIG_DATA_ENVIRONMENTS_MAX);
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_key_is_found_by_its_digest(void **state)
{
    SCOPED_CATALOG struct catalog *catalog = NULL;
    uint8_t hash[SHA256_BYTES];
    assert_int_equal(catalog_new(&catalog), ERR_OK);
    assert_int_equal(hex_decode(span_lit(HEX64), hash, sizeof hash), ERR_OK);

    put(catalog, record(CATALOG_KEY, 7,
                        "\"hash\":\"" HEX64 "\",\"type\":\"secret\",\"scopes\":[\"a:read\"],"
                        "\"expiresAt\":\"2026-01-01T00:00:00.000Z\",\"environmentId\":\"e\","
                        "\"environment\":\"dev\",\"projectId\":\"p\",\"name\":\"k\""));

    const struct catalog_key *key = catalog_key(catalog, hash);
    assert_non_null(key);
    assert_int_equal(key->key.type, AUTH_KEY_SECRET);
    assert_int_equal(key->key.expires_at_ms, INT64_C(1767225600000));
    assert_false(key->key.revoked);
    hash[31] ^= 1;
    assert_null(catalog_key(catalog, hash));
}

static void documents_that_are_not_ours_are_damage(void **state)
{
    static const struct {
        enum catalog_kind kind;
        const char *text;
    } cases[] = {
        {CATALOG_ENVIRONMENT, ""},
        {CATALOG_ENVIRONMENT, "[]"},
        {CATALOG_ENVIRONMENT, "{\"id\":\"x\"}"},
        {CATALOG_KEY, "{\"id\":\"00000000-0000-4000-8000-000000000001\"}"},
        {CATALOG_KEY, "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"hash\":\"zz\"}"},
        {CATALOG_KEY, "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"hash\":\"" HEX64 "\",\"scopes\":[]}"},
        {CATALOG_KEY, "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"hash\":\"" HEX64 "\",\"expiresAt\":\"x\"}"},
        {CATALOG_TABLE, "{\"id\":\"00000000-0000-4000-8000-000000000001\"}"},
        {CATALOG_TABLE,
         "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"store\":256,\"schema\":{\"a\":{\"type\":\"x\"}}}"},
        {CATALOG_TABLE, "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"store\":256,\"indexes\":[{}]}"},
        {CATALOG_PROJECT, "{\"id\":\"00000000-0000-4000-8000-000000000001\",\"settings\":{\"requestsPerMinute\":0}}"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct catalog_record *made = NULL;
        const struct catalog_source source = {.kind = cases[i].kind, .document = span_str(cases[i].text)};
        assert_int_equal(catalog_record_new(&source, &made), ERR_DAMAGED);
        assert_null(made);
    }
}

/* --- against a database --- */

static int setup(void **state)
{
    *state = api_box_new();
    return 0;
}

static int teardown(void **state)
{
    api_box_free(*state);
    return 0;
}

static void a_first_start_is_made_once(void **state)
{
    struct api_box *box = *state;
    struct data_bootstrap again = {.made = true};

    assert_true(box->first.made);
    api_box_restart(box);
    assert_int_equal(data_bootstrap(box->data, DATA_BOOTSTRAP_SHOWN, &again), ERR_OK);

    assert_false(again.made);
    assert_int_equal(again.secret_key[0], 0);
}

static struct auth_principal principal_of(const struct catalog *catalog, const char *text)
{
    uint8_t hash[SHA256_BYTES];
    auth_key_hash(span_of(text, DATA_KEY_BYTES), hash);
    const struct catalog_key *key = catalog_key(catalog, hash);
    assert_non_null(key);
    return (struct auth_principal){.who = {.group = RLS_GUEST}, .key = &key->key};
}

/* What reads with a catalogue that is older than what is stored. */
struct look_back {
    struct data_reader *reader;
    struct catalog *old;
    struct arena *arena;
    struct buf *out;
    char table[64]; /* "posts", which the old catalogue knows */
};

static void look_back_init(struct look_back *back, struct api_box *box)
{
    assert_int_equal(data_reader_new(box->data, 1, &back->reader), ERR_OK);
    assert_int_equal(arena_new(4096, 1 << 20, &back->arena), ERR_OK);
    assert_int_equal(buf_new(1 << 16, &back->out), ERR_OK);
    api_box_table(box, "{\"tableName\":\"posts\"}", back->table);
    back->old = catalog_ref(data_catalog(back->reader));
}

static void look_back_done(struct look_back *back)
{
    catalog_unref(back->old);
    buf_free(back->out);
    arena_free(back->arena);
    data_reader_free(back->reader);
}

static void attack_03_a_read_with_an_old_policy_is_asked_again(void **state)
{
    struct api_box *box = *state;
    struct look_back back;
    struct refusal refusal = {0};
    struct data_access access;
    char target[128];
    look_back_init(&back, box);
    const struct auth_principal principal = principal_of(back.old, box->publishable);
    assert_int_equal(data_access_open(back.old, &principal, span_lit("posts"), RLS_LIST, &access, &refusal), ERR_OK);
    struct data_request request = {
        .reader = back.reader, .catalog = back.old, .access = &access, .arena = back.arena, .out = back.out, .refusal = &refusal};
    struct data_list *list = NULL;
    assert_int_equal(data_list_new(&request, &list), ERR_OK);
    data_list_free(list);

    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s/policy", back.table);
    assert_int_equal(api_box_send(box, "PUT", box->secret, target, "{\"permissions\":{}}")->status, 200);

    list = NULL;
    assert_int_equal(data_list_new(&request, &list), ERR_CONFLICT);
    assert_null(list);
    request.catalog = data_catalog(back.reader);
    const struct auth_principal now = principal_of(request.catalog, box->publishable);
    assert_int_equal(data_access_open(request.catalog, &now, span_lit("posts"), RLS_LIST, &access, &refusal),
                     ERR_DENIED);
    assert_int_equal(refusal.code, REFUSAL_DATA_PERMISSION_DENIED);
    look_back_done(&back);
}

/* The number of a version that the answer in out names; 0: there is none. */
static long answered_version(const struct buf *out)
{
    char text[256] = "";
    memcpy(text, buf_all(out).data, buf_len(out) < sizeof text ? buf_len(out) : sizeof text - 1);
    const char *found = strstr(text, "\"version\":");

    return found == NULL ? 0 : strtol(found + strlen("\"version\":"), NULL, 10);
}

static void management_reads_stand_a_catalogue_older_than_their_snapshot(void **state)
{
    struct api_box *box = *state;
    struct look_back back;
    struct refusal refusal = {0};
    char target[128];
    look_back_init(&back, box);
    const struct data_admin admin = {.reader = back.reader,
                                     .catalog = back.old,
                                     .key = principal_of(back.old, box->secret).key,
                                     .arena = back.arena,
                                     .out = back.out,
                                     .refusal = &refusal};
    const struct span id = span_of(back.table, DATA_UUID_BYTES);

    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s/fields", back.table);
    assert_int_equal(
        api_box_send(box, "POST", box->secret, target, "{\"fieldsToAddOrUpdate\":{\"a\":{\"type\":\"int\"}}}")->status,
        200);
    assert_int_equal(data_get_schema_version(&admin, id, span_lit("1")), ERR_OK);
    assert_int_equal(answered_version(back.out), 1);
    (void)snprintf(target, sizeof target, "/v1/admin/tables/%s", back.table);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, target, "{\"confirmName\":\"posts\"}")->status, 200);

    buf_reset(back.out);
    assert_int_equal(data_get_table(&admin, id), ERR_OK);
    assert_int_equal(data_list_tables(&admin), ERR_OK);
    assert_int_equal(data_get_schema_version(&admin, id, span_lit("1")), ERR_DENIED);
    assert_int_equal(refusal.code, REFUSAL_COMMON_NOT_FOUND);
    look_back_done(&back);
}

struct drop {
    struct write_op op;
    struct table_id table;
    atomic_int result; /* -1: not complete */
};

static enum err apply_drop(struct store_txn *txn, void *context)
{
    const struct drop *drop = context;

    return store_table_drop(txn, drop->table);
}

static void complete_drop(void *context, enum err err)
{
    struct drop *drop = context;

    atomic_store(&drop->result, (int)err);
}

/* Drops what is stored and leaves the catalogue as it was: the moment between commit and publication. */
static void drop_stored_table(struct api_box *box, const char *id)
{
    struct drop drop = {.op = {.apply = apply_drop, .complete = complete_drop, .context = &drop}, .result = -1};
    const struct catalog_record *record = catalog_find(box->data->current, CATALOG_TABLE, span_str(id));
    assert_non_null(record);
    drop.table = ((const struct catalog_table *)record)->store;

    assert_int_equal(writer_submit(box->data->writer, &drop.op), ERR_OK);
    while (atomic_load(&drop.result) == -1) {
        (void)sched_yield();
    }
    assert_int_equal(atomic_load(&drop.result), ERR_OK);
}

static void a_table_that_is_gone_before_the_catalogue_knows_is_answered_as_absent(void **state)
{
    struct api_box *box = *state;
    char table[64];
    api_box_table(box, "{\"tableName\":\"posts\"}", table);
    drop_stored_table(box, table);

    const char *const key = box->publishable;
    assert_refused(api_box_get(box, key, "/v1/data/posts"), 404, "data/table-not-found");
    assert_refused(api_box_get(box, key, "/v1/data/posts?sortBy=n&search=x"), 404, "data/table-not-found");
    assert_refused(api_box_get(box, key, "/v1/data/posts/000000000000000000000000"), 404, "data/table-not-found");
}

static void count_damage(void *context, const struct data_damage *damage)
{
    (*(unsigned int *)context)++;
}

static void the_check_finds_a_sound_database_sound(void **state)
{
    struct api_box *box = *state;
    struct data_check_report report = {0};
    unsigned int damages = 0;
    char table[64];
    api_box_table(box, "{\"tableName\":\"posts\",\"schema\":{\"a\":{\"type\":\"int\",\"unique\":true}}}", table);
    assert_int_equal(api_box_send(box, "POST", box->secret, "/v1/data/posts", "{\"a\":1}")->status, 201);
    api_free(TAKE(box->api));
    data_close(TAKE(box->data));

    const struct data_config config = {.path = box->dir.path,
                                       .map_bytes = UINT64_C(64) << 20,
                                       .keys = &box->keys,
                                       .slab = box->slab,
                                       .random = box->random};
    assert_int_equal(data_check(&config, count_damage, &damages, &report), ERR_OK);

    assert_int_equal(damages, 0);
    assert_int_equal(report.damaged, 0);
    assert_true(report.tables >= 8 && report.rows >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(records_are_found_by_id_and_by_name, clear),
        cmocka_unit_test_setup(a_copy_changes_without_its_origin, clear),
        cmocka_unit_test_setup(one_more_than_there_may_be_is_refused, clear),
        cmocka_unit_test_setup(a_key_is_found_by_its_digest, clear),
        cmocka_unit_test_setup(documents_that_are_not_ours_are_damage, clear),
        cmocka_unit_test_setup_teardown(a_first_start_is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_03_a_read_with_an_old_policy_is_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(management_reads_stand_a_catalogue_older_than_their_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_that_is_gone_before_the_catalogue_knows_is_answered_as_absent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_check_finds_a_sound_database_sound, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
