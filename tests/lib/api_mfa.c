/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_mfa.h"
#include "tests/lib/api_stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/data_int.h"

/* By its own alphabet, so that a mistake of the encoder is not made twice. */
static void decode(const char *text, uint8_t out_key[TOTP_KEY_BYTES])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    assert_int_equal(strlen(text), TOTP_KEY_BYTES * 8 / 5);
    memset(out_key, 0, TOTP_KEY_BYTES);
    for (size_t bit = 0; bit < TOTP_KEY_BYTES * 8u; bit++) {
        const char *place = strchr(alphabet, text[bit / 5]);
        assert_non_null(place);
        const unsigned int value = (unsigned int)(place - alphabet);
        out_key[bit / 8] = (uint8_t)(out_key[bit / 8] | (value >> (4 - bit % 5) & 1u) << (7 - bit % 8));
    }
}

const char *api_app_code(struct api_box *box, struct api_app *app, int steps)
{
    const int64_t step = hal_clock_wall(&box->clock.base).ms / (TOTP_STEP_S * 1000) + steps;

    (void)snprintf(app->code, sizeof app->code, "%06u",
                   (unsigned int)(totp_number(span_array(app->key), (uint64_t)step) % 1000000));
    return app->code;
}

void api_app_enable(struct api_box *box, const struct api_user *user, struct api_app *out_app)
{
    const struct api_answer *answer =
        api_user_ask(box, box->publishable, user, "POST", MFA_ENABLE, "{\"password\":\"abc123\"}");
    char text[64];

    assert_int_equal(answer->status, 200);
    assert_true(api_answer_member(answer, "secret", text, sizeof text));
    decode(text, out_app->key);
    for (size_t i = 0; i < 10; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "backupCodes.%zu", i);
        assert_true(api_answer_member(answer, path, out_app->backup[i], sizeof out_app->backup[i]));
    }
}

const struct api_answer *api_app_confirm(struct api_box *box, const struct api_user *user, const char *code)
{
    char body[64];

    (void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
    return api_user_ask(box, box->publishable, user, "POST", MFA_CONFIRM, body);
}

void api_app_turn_on_now(struct api_box *box, const struct api_user *user, struct api_app *out_app)
{
    api_app_enable(box, user, out_app);
    assert_int_equal(api_app_confirm(box, user, api_app_code(box, out_app, 0))->status, 200);
}

void api_app_turn_on(struct api_box *box, const struct api_user *user, struct api_app *out_app)
{
    api_app_turn_on_now(box, user, out_app);
    sim_clock_advance_ms(&box->clock, 3 * TOTP_STEP_S * 1000);
}

const char *api_app_is_on(struct api_box *box, const struct api_user *user)
{
    return api_answer_text(api_user_me(box, user), "mfaEnabled");
}

const char *api_app_body(char body[API_APP_BODY_MAX], const char *email, const char *code)
{
    (void)snprintf(body, API_APP_BODY_MAX, "{\"email\":\"%s\",\"password\":\"abc123\",\"mfaCode\":\"%s\"}", email,
                   code);
    return body;
}

const struct api_answer *api_app_sign_in(struct api_box *box, const char *email, const char *code)
{
    char body[API_APP_BODY_MAX];

    return api_box_send(box, "POST", box->publishable, SIGN_IN, api_app_body(body, email, code));
}

uint64_t api_app_rows(struct api_box *box, char *out_row, size_t size)
{
    const struct table_id table = api_stored_environment(box)->people.mfa;
    const uint64_t rows = api_stored_rows(box, table);
    const struct store_scan scan = {.table = table, .backward = true};
    struct store_budget budget = {.steps = UINT32_MAX};
    struct store_reader *reader = NULL;
    struct store_snap *snap = NULL;
    struct row row;

    assert_int_equal(store_reader_new(box->data->store, &reader), ERR_OK);
    assert_int_equal(store_snap_begin(reader, &snap), ERR_OK);
    if (rows > 0) {
        assert_int_equal(store_scan_begin(snap, &scan), ERR_OK);
        assert_int_equal(store_scan_next(snap, &budget, &row), ERR_OK);
        assert_true(row.encoded.len < size);
        memcpy(out_row, row.encoded.data, row.encoded.len);
        memset(out_row + row.encoded.len, 0, size - row.encoded.len);
    }
    store_snap_end(snap);
    store_reader_free(reader);
    return rows;
}

int api_mfa_set_up(void **state)
{
    static struct api_mfa fixture;

    fixture = (struct api_mfa){.box = api_box_new()};
    api_user_sign_up(fixture.box, &fixture.user);
    *state = &fixture;
    return 0;
}

int api_mfa_set_up_on(void **state)
{
    (void)api_mfa_set_up(state);
    struct api_mfa *f = *state;
    api_app_turn_on(f->box, &f->user, &f->app);
    return 0;
}

int api_mfa_tear_down(void **state)
{
    struct api_mfa *f = *state;

    api_box_free(f->box);
    return 0;
}
