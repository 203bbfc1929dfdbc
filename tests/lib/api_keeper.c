/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_keeper.h"

#include <string.h>

#include "crypto/sign.h"
#include "hal/base/fault.h"

/* --- keys: the memory keeper, as firmware/data asks it --- */

static struct api_box *box_of(void *keeper)
{
    return (struct api_box *)(void *)((char *)keeper - offsetof(struct api_box, keeper));
}

static enum err new_key(void *context, uint32_t table, struct secret **out_key, struct data_wrapped *out_wrapped)
{
    struct memory_keeper *keeper = context;
    struct store_wrapped wrapped = {.len = 0};

    TRY(keeper->table.new_key(keeper, (struct table_id){table}, out_key, &wrapped));
    out_wrapped->len = wrapped.len;
    memcpy(out_wrapped->bytes, wrapped.bytes, wrapped.len <= DATA_WRAPPED_MAX ? wrapped.len : DATA_WRAPPED_MAX);
    return ERR_OK;
}

static enum err open_key(void *context, uint32_t table, struct span wrapped, struct secret **out_key)
{
    struct memory_keeper *keeper = context;

    return keeper->table.open_key(keeper, (struct table_id){table}, wrapped, out_key);
}

static enum err rotate_begin(void *context)
{
    struct memory_keeper *keeper = context;

    return keeper->table.rotate_begin(keeper);
}

static enum err rewrap(void *context, uint32_t table, struct span wrapped, struct data_wrapped *out_wrapped)
{
    struct memory_keeper *keeper = context;
    struct store_wrapped again = {.len = 0};

    TRY(keeper->table.rewrap(keeper, (struct table_id){table}, wrapped, &again));
    out_wrapped->len = again.len;
    memcpy(out_wrapped->bytes, again.bytes, again.len <= DATA_WRAPPED_MAX ? again.len : DATA_WRAPPED_MAX);
    return ERR_OK;
}

static enum err rotate_end(void *context)
{
    struct memory_keeper *keeper = context;

    return keeper->table.rotate_end(keeper);
}

static enum err rotate_pending(void *context, bool *out_pending)
{
    struct memory_keeper *keeper = context;

    return keeper->table.rotate_pending(keeper, out_pending);
}

/* --- token keys --- */

struct api_box_environment *api_keeper_environment(struct api_box *box, struct span id)
{
    size_t at = 0;

    while (at < box->environment_count && !span_equal(span_array(box->environments[at].id), id)) {
        at++;
    }
    return at < box->environment_count ? &box->environments[at] : NULL;
}

static enum err add_key(struct api_box *box, struct api_box_environment *environment)
{
    SCOPED_SECRET struct secret *key = NULL;

    ENSURE(environment->count < DATA_TOKEN_KEYS_MAX, ERR_LIMIT, "token keys of a test");
    TRY(sign_key_new(box->random, &key));
    TRY(signer_new(key, box->random, &environment->signers[environment->count]));
    environment->count++;
    return ERR_OK;
}

static void list_keys(const struct api_box_environment *environment, struct data_token_keys *out_keys)
{
    out_keys->count = environment->count;
    for (size_t i = 0; i < environment->count; i++) {
        signer_public(environment->signers[environment->count - 1 - i], out_keys->points[i]);
    }
}

static enum err token_keys(void *context, struct span environment_id, struct data_token_keys *out_keys)
{
    struct api_box *box = box_of(context);
    struct api_box_environment *environment = api_keeper_environment(box, environment_id);

    if (environment == NULL) {
        ENSURE(box->environment_count < API_BOX_ENVIRONMENTS_MAX, ERR_LIMIT, "environments of a test");
        environment = &box->environments[box->environment_count++];
        *environment = (struct api_box_environment){.count = 0};
        memcpy(environment->id, environment_id.data, sizeof environment->id);
        TRY(add_key(box, environment));
    }
    list_keys(environment, out_keys);
    return ERR_OK;
}

static enum err token_rotate(void *context, struct span environment_id, struct data_token_keys *out_keys)
{
    struct api_box *box = box_of(context);
    struct api_box_environment *environment = api_keeper_environment(box, environment_id);

    ENSURE(environment != NULL, ERR_NOT_FOUND, "no token key to rotate");
    if (environment->signs + 1 == environment->count) {
        TRY(add_key(box, environment));
    }
    list_keys(environment, out_keys);
    return ERR_OK;
}

static enum err token_use(void *context, struct span environment_id)
{
    struct api_box_environment *environment = api_keeper_environment(box_of(context), environment_id);

    environment->signs = environment->count - 1;
    return ERR_OK;
}

static enum err token_retire(void *context, struct span environment_id, const uint8_t point[DATA_TOKEN_KEY_BYTES])
{
    struct api_box_environment *environment = api_keeper_environment(box_of(context), environment_id);
    uint8_t each[SIGN_PUBLIC_BYTES];
    size_t at = 0;

    for (; environment != NULL && at < environment->count; at++) {
        signer_public(environment->signers[at], each);
        if (memcmp(each, point, sizeof each) == 0) {
            break;
        }
    }
    if (environment == NULL || at == environment->count) {
        return ERR_OK;
    }
    ENSURE(at < environment->signs, ERR_STATE, "this token key signs");
    signer_free(environment->signers[at]);
    for (environment->count--, environment->signs--; at < environment->count; at++) {
        environment->signers[at] = environment->signers[at + 1];
    }
    return ERR_OK;
}

void api_keeper_forget(struct api_box_environment *environment)
{
    while (environment->count > 0) {
        signer_free(environment->signers[--environment->count]);
    }
}

static enum err token_drop(void *context, struct span environment_id)
{
    struct api_box *box = box_of(context);
    struct api_box_environment *environment = api_keeper_environment(box, environment_id);

    if (environment != NULL) {
        api_keeper_forget(environment);
        *environment = box->environments[--box->environment_count];
    }
    return ERR_OK;
}

static enum err token_next(void *context, struct span after, char out_environment_id[DATA_TOKEN_ID_BYTES])
{
    struct api_box *box = box_of(context);
    const struct api_box_environment *best = NULL;

    for (size_t i = 0; i < box->environment_count; i++) {
        const struct api_box_environment *each = &box->environments[i];
        if (span_compare(span_array(each->id), after) > 0 &&
            (best == NULL || span_compare(span_array(each->id), span_array(best->id)) < 0)) {
            best = each;
        }
    }
    if (best == NULL) {
        return ERR_NOT_FOUND;
    }
    memcpy(out_environment_id, best->id, sizeof best->id);
    return ERR_OK;
}

struct data_keys api_keeper_keys(struct api_box *box)
{
    return (struct data_keys){.context = &box->keeper,
                              .new_key = new_key,
                              .open_key = open_key,
                              .rotate_begin = rotate_begin,
                              .rewrap = rewrap,
                              .rotate_end = rotate_end,
                              .rotate_pending = rotate_pending,
                              .token_keys = token_keys,
                              .token_rotate = token_rotate,
                              .token_use = token_use,
                              .token_retire = token_retire,
                              .token_drop = token_drop,
                              .token_next = token_next};
}
