/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies through the API: what an answer about a hidden row costs, counted in values opened and filters asked. */
/* link: --wrap=http_respond --wrap=http_body --wrap=aead_open --wrap=filter_match */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "firmware/data/filter.h"
#include "tests/lib/api_box.h"

struct counts {
    size_t opened;
    size_t asked;
};

static struct counts counts;

enum err __real_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain);
enum err __wrap_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain);
enum err __real_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match);
enum err __wrap_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match);

enum err __wrap_aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE_BYTES], struct span aad, struct span cipher,
                          const uint8_t tag[AEAD_TAG_BYTES], uint8_t *out_plain)
{
    counts.opened++;
    return __real_aead_open(aead, nonce, aad, cipher, tag, out_plain);
}

enum err __wrap_filter_match(const struct filter *filter, const struct filter_subject *subject, bool *out_match)
{
    counts.asked++;
    return __real_filter_match(filter, subject, out_match);
}

#define TABLE(forbidden)                                                                                               \
    "{\"tableName\":\"posts\",\"permissions\":{\"guest\":{\"read\":true,\"update\":true,\"delete\":true}},"            \
    "\"rowFilters\":[{\"expression\":\"public\",\"filter\":{\"shown\":true}},"                                         \
    "{\"expression\":\"guest\",\"filter\":{\"shown\":{\"$in\":[true,1]}}}],"                                           \
    "\"security\":{\"rowFilterScope\":\"all\",\"forbiddenRows\":\"" forbidden "\"}}"

struct rows {
    char hidden[64];
    char absent[64]; /* between two rows that are there */
    char last[64];   /* behind all */
};

static void target_of(struct api_box *box, const char *body, char out_target[64])
{
    char id[32];
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/data/posts", body);

    assert_int_equal(made->status, 201);
    assert_true(api_answer_member(made, "id", id, sizeof id));
    (void)snprintf(out_target, 64, "/v1/data/posts/%s", id);
}

static struct rows make_rows(struct api_box *box)
{
    struct rows rows;
    char neighbour[64];

    target_of(box, "{\"shown\":false}", rows.hidden);
    target_of(box, "{\"shown\":false}", rows.absent);
    target_of(box, "{\"shown\":false}", neighbour);
    assert_int_equal(api_box_send(box, "DELETE", box->secret, rows.absent, NULL)->status, 200);
    (void)snprintf(rows.last, sizeof rows.last, "/v1/data/posts/ffffffffffffffffffffffff");
    return rows;
}

/* What a guest's request costs, the second time: the first one may load keys. */
static struct counts cost_of(struct api_box *box, const char *method, const char *target, unsigned int status)
{
    const char *body = strcmp(method, "PATCH") == 0 ? "{}" : NULL;

    for (unsigned int i = 0; i < 2; i++) {
        counts = (struct counts){0, 0};
        assert_int_equal(api_box_send(box, method, box->publishable, target, body)->status, status);
    }
    return counts;
}

static void attack_10_an_absent_row_costs_what_a_hidden_one_does(void **state)
{
    static const char *const methods[] = {"GET", "PATCH", "DELETE"};
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, TABLE("404"), id);
    const struct rows rows = make_rows(box);

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        const struct counts hidden = cost_of(box, methods[i], rows.hidden, 404);
        const struct counts absent = cost_of(box, methods[i], rows.absent, 404);
        const struct counts last = cost_of(box, methods[i], rows.last, 404);

        assert_int_equal(hidden.asked, 2);
        assert_true(hidden.opened > 0);
        assert_int_equal(absent.asked, hidden.asked);
        assert_int_equal(absent.opened, hidden.opened);
        assert_int_equal(last.asked, hidden.asked);
        assert_int_equal(last.opened, hidden.opened);
    }
}

/* The count can fail: where the setting does not ask for it, an absent row costs less. */
static void where_a_hidden_row_is_told_an_absent_one_costs_nothing(void **state)
{
    struct api_box *box = *state;
    char id[64];
    api_box_table(box, TABLE("403"), id);
    const struct rows rows = make_rows(box);

    const struct counts hidden = cost_of(box, "GET", rows.hidden, 403);
    const struct counts absent = cost_of(box, "GET", rows.absent, 404);

    assert_int_equal(hidden.asked, 2);
    assert_int_equal(absent.asked, 0);
    assert_true(absent.opened < hidden.opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_box_set_up, api_box_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attack_10_an_absent_row_costs_what_a_hidden_one_does),
        TEST(where_a_hidden_row_is_told_an_absent_one_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
